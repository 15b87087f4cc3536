//! The files that a turn changed, as Codex reported it.

use std::collections::HashSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The most files that are listed, and the longest list in bytes. Further ones are counted.
const MAX_FILES: usize = 200;
const MAX_BYTES: usize = 64 * 1024;

/// The most files that are told apart.
const MAX_KNOWN: usize = 10_000;

/// The files that a turn changed with Codex's own edit tool. What its commands changed is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChangedFiles {
    /// Their paths, as Codex wrote them, each once: at most 200, and 64 KiB in total.
    pub paths: Vec<String>,
    /// How many more there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub omitted: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde demands it")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl ChangedFiles {
    /// Whether nothing was changed, as far as that is known.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty() && self.omitted == 0
    }

    /// The paths, relative to `dir` where they are in it, each once: Codex's record of a turn may have as
    /// relative what its events have as absolute.
    pub fn relative_to(&self, dir: &Path) -> Vec<String> {
        let relative = |path: &String| match Path::new(path).strip_prefix(dir) {
            Ok(inside) if inside != Path::new("") => inside.to_string_lossy().into_owned(),
            _ => path.clone(),
        };
        let mut known = HashSet::new();
        let paths = self.paths.iter().map(relative);
        paths.filter(|path| known.insert(path.clone())).collect()
    }
}

/// Collects the files of a turn.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    changed: ChangedFiles,
    bytes: usize,
    /// Hashes of the paths.
    known: HashSet<u64>,
}

impl Collector {
    pub(crate) fn add(&mut self, path: &str) {
        if self.known.len() >= MAX_KNOWN || !self.known.insert(super::text::hash(path)) {
            return;
        }
        if self.changed.paths.len() < MAX_FILES && self.bytes + path.len() <= MAX_BYTES {
            self.bytes += path.len();
            self.changed.paths.push(path.to_owned());
        } else {
            self.changed.omitted += 1;
        }
    }

    pub(crate) fn finish(self) -> ChangedFiles {
        self.changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_is_listed_once_and_the_list_is_bounded() {
        let mut files = Collector::default();
        for number in 0..MAX_FILES + 5 {
            files.add(&format!("/work/{number}"));
            files.add(&format!("/work/{number}"));
        }
        let files = files.finish();
        assert_eq!((files.paths.len(), files.omitted), (MAX_FILES, 5));
        let mut long = Collector::default();
        for number in 0..20 {
            long.add(&format!("{number}{}", "x".repeat(8_000)));
        }
        let long = long.finish();
        assert_eq!((long.paths.len(), long.omitted), (8, 12));
    }

    #[test]
    fn a_path_is_relative_to_the_directory_that_it_is_in() {
        let paths =
            ["/work/src/a.rs", "/workshop/b", "c", "/work", "src/a.rs"].map(str::to_owned).to_vec();
        let files = ChangedFiles { paths, omitted: 0 };
        assert_eq!(
            files.relative_to(Path::new("/work")),
            ["src/a.rs", "/workshop/b", "c", "/work"]
        );
    }
}
