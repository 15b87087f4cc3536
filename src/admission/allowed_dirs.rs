//! Resolves the folders that calls may name (`--allowed-dirs`).

use std::path::PathBuf;

use crate::model::working_dir::WorkingDir;
use crate::system::links::{follow, is_within};

/// The configured folders with symbolic links resolved. A folder that is inside another one, or is reached
/// through it, is dropped: a turn that works in the outer folder could replace it with a link to anywhere.
pub(super) fn resolve(dirs: &[WorkingDir]) -> Vec<PathBuf> {
    let mut all: Vec<(PathBuf, Vec<PathBuf>)> =
        dirs.iter().map(|dir| follow(dir.as_path())).collect();
    // Folders given without a link come first, outermost first, so that they take precedence over links.
    all.sort_by_key(|(real, links)| (!links.is_empty(), real.components().count()));
    let mut resolved: Vec<PathBuf> = Vec::new();
    for (real, links) in all {
        let is_inside = |name: &PathBuf| resolved.iter().any(|outer| is_within(name, outer));
        if !links.iter().chain([&real]).any(is_inside) {
            resolved.push(real);
        }
    }
    resolved
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_folder_that_a_turn_in_another_could_replace_is_dropped() {
        let base = crate::testing::scratch().join(format!("allowed-{}", std::process::id()));
        fs::create_dir_all(base.join("a/b/c")).expect("writable");
        fs::create_dir_all(base.join("d")).expect("writable");
        let base = base.canonicalize().expect("it is there");
        symlink(&base, base.join("a/up")).expect("writable");
        symlink(base.join("a"), base.join("to-a")).expect("writable");
        symlink(base.join("a/b"), base.join("to-b")).expect("writable");
        for (given, kept) in [
            (&["a", "d"][..], &["a", "d"][..]),
            (&["a/b", "a", "a/b/c"], &["a"]),
            (&["a/up", "a"], &["a"]),
            (&["to-b", "a"], &["a"]),
            (&["to-b", "d"], &["d", "a/b"]),
            (&["to-a", "a/b"], &["a/b", "a"]),
        ] {
            let dirs: Vec<WorkingDir> = given
                .iter()
                .map(|name| WorkingDir::existing(base.join(name)).expect("it is there"))
                .collect();
            let kept: Vec<PathBuf> = kept.iter().map(|name| base.join(name)).collect();
            assert_eq!(resolve(&dirs), kept, "{given:?}");
        }
        fs::remove_dir_all(&base).expect("it is there");
    }
}
