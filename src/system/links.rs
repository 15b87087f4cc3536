//! Resolves symbolic links.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

/// The maximum number of links to follow in one path, as on Linux.
const MAX_LINKS: usize = 40;

/// Where an absolute path leads, even if nothing is there yet, and the symbolic links on the way: a
/// process that can write in the folder of a link can redirect it.
pub(crate) fn follow(path: &Path) -> (PathBuf, Vec<PathBuf>) {
    Links::default().follow(path)
}

/// The symbolic links on the way of several paths, each read once. Links change, so this must not outlive
/// one check of these paths.
#[derive(Debug, Clone, Default)]
pub(crate) struct Links(HashMap<PathBuf, Option<PathBuf>>);

impl Links {
    /// The same as [`follow`].
    pub(crate) fn follow(&mut self, path: &Path) -> (PathBuf, Vec<PathBuf>) {
        let mut rest = parts(path);
        let (mut real, mut links) = (PathBuf::new(), Vec::new());
        while let Some(part) = rest.pop() {
            if part == Path::new("..") {
                real.pop();
                continue;
            }
            let next = real.join(&part);
            match self.target(&next) {
                Some(target) if links.len() < MAX_LINKS => {
                    links.push(next);
                    if target.is_absolute() {
                        real = PathBuf::new();
                    }
                    rest.extend(parts(&target));
                }
                _ => real = next,
            }
        }
        (real, links)
    }

    /// The target of the link at `path`, if it is one.
    fn target(&mut self, path: &Path) -> Option<PathBuf> {
        // The root is no link.
        path.parent()?;
        if let Some(known) = self.0.get(path) {
            return known.clone();
        }
        let target = std::fs::read_link(path).ok();
        self.0.insert(path.to_owned(), target.clone());
        target
    }
}

/// Whether `path` lies inside `folder`, and is not the folder itself: a process that can write in
/// the folder can replace what is inside, but not the folder itself.
pub(crate) fn is_within(path: &Path, folder: &Path) -> bool {
    path != folder && path.starts_with(folder)
}

/// The components of a path, without `.`, in reverse order.
fn parts(path: &Path) -> Vec<PathBuf> {
    let lead = |part: &Component<'_>| !matches!(part, Component::CurDir);
    let parts = path.components().filter(lead).map(|part| PathBuf::from(part.as_os_str()));
    parts.collect::<Vec<_>>().into_iter().rev().collect()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn every_link_on_the_way_is_found_even_if_the_target_is_missing() {
        let base = crate::testing::scratch().join(format!("links-{}", std::process::id()));
        fs::create_dir_all(base.join("a/b")).expect("writable");
        let base = base.canonicalize().expect("it is there");
        symlink(base.join("a"), base.join("to-a")).expect("writable");
        symlink("../to-a/b", base.join("a/again")).expect("writable");
        let (real, links) = follow(&base.join("to-a/again/./new"));
        assert_eq!(real, base.join("a/b/new"));
        assert_eq!(links, ["to-a", "a/again", "to-a"].map(|link| base.join(link)));
        assert_eq!(follow(&base.join("a/../a/b")), (base.join("a/b"), Vec::new()));
        symlink("loop", base.join("loop")).expect("writable");
        assert_eq!(follow(&base.join("loop")).1.len(), MAX_LINKS);
        fs::remove_dir_all(&base).expect("it is there");
    }
}
