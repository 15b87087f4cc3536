//! Folders whose writer could have something run outside of any sandbox, or change what a later turn
//! may do. No turn in `workspace-write` gets one of them as a directory to write in.
//!
//! Which folders these are does not depend on anything that a turn may write.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::sync::LazyLock;

use crate::system::links::follow;

/// Folders of the system: programs, libraries, and settings that each start of a program reads. Only a
/// user who may write there, such as root, is kept from them here. `/usr/src` and `/opt` hold projects.
const SYSTEM: &[&str] = &[
    "/bin",
    "/boot",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/proc",
    "/sbin",
    "/sys",
    "/usr/bin",
    "/usr/etc",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/local/bin",
    "/usr/local/etc",
    "/usr/local/lib",
    "/usr/local/libexec",
    "/usr/local/sbin",
    "/usr/local/share",
    "/usr/sbin",
    "/usr/share",
    "/Library",
    "/System",
];

/// Where package managers put programs that the user may write: folders in these are kept on Codex's
/// PATH, and protected. With `true` all of the folder below is theirs.
const TOOLS: &[(&str, bool)] = &[
    ("/Applications", false),
    ("/home/linuxbrew", true),
    ("/nix", true),
    ("/opt/homebrew", true),
    ("/opt/local", true),
    ("/opt", false),
    ("/snap", true),
];

/// The same below the user's home directory. Hidden folders there are protected anyway.
const HOME_TOOLS: &[(&str, bool)] = &[
    ("Library", false),
    ("anaconda3", true),
    ("bin", false),
    ("go/bin", false),
    ("mambaforge", true),
    ("miniconda3", true),
    ("miniforge3", true),
    ("snap", true),
];

static SYSTEM_FOLDERS: LazyLock<Vec<PathBuf>> = LazyLock::new(|| {
    let real = SYSTEM.iter().filter_map(|path| Path::new(path).canonicalize().ok());
    real.collect::<BTreeSet<_>>().into_iter().collect()
});

/// What is protected, in folders as they really are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Protected {
    places: Vec<Place>,
    /// The user's home directory, whose hidden folders are protected.
    home: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    path: PathBuf,
    /// Whether what lies in the folder is protected too, or only the folder and those around it.
    tree: bool,
    what: String,
}

impl Protected {
    /// What is protected on every machine, with the user's `home` directory.
    pub(crate) fn new(home: Option<&Path>) -> Self {
        let home = home.and_then(|home| home.canonicalize().ok());
        let mut protected = Self { places: Vec::new(), home };
        for path in SYSTEM_FOLDERS.iter() {
            protected.add(path.clone(), true, "a folder of the system");
        }
        if let Some(home) = protected.home.clone() {
            protected.add(home, false, "the home directory, whose files are run at each login");
        }
        protected
    }

    /// Protects the folder `path`, all that lies in it, and each symbolic link through which `path`
    /// leads there.
    pub(crate) fn folder(&mut self, path: &Path, what: &str) {
        let real = self.links(path, what);
        self.add(real, true, what);
    }

    /// Protects the folder that a file is in, and each symbolic link through which `path` leads there.
    pub(crate) fn file(&mut self, path: &Path, what: &str) {
        let real = self.links(path, what);
        let folder = real.parent().map_or_else(|| real.clone(), Path::to_owned);
        self.add(folder, false, what);
    }

    fn add(&mut self, path: PathBuf, tree: bool, what: &str) {
        self.places.push(Place { path, tree, what: what.to_owned() });
    }

    /// Follows `path` through its symbolic links, and protects the folder that each of them is in.
    fn links(&mut self, path: &Path, what: &str) -> PathBuf {
        let Ok(path) = std::path::absolute(path) else { return path.to_owned() };
        let (real, links) = follow(&path);
        for folder in links.iter().filter_map(|link| link.parent()) {
            self.add(folder.to_owned(), false, what);
        }
        real
    }

    /// Why a turn may not write in `root`, a folder as it really is.
    pub(crate) fn refuses(&self, root: &Path) -> Option<String> {
        let reached = |place: &&Place| {
            place.path.starts_with(root) || (place.tree && root.starts_with(&place.path))
        };
        if let Some(place) = self.places.iter().find(reached) {
            let (path, what) = (place.path.display(), &place.what);
            return Some(match place.path == root {
                true => format!("is {what}"),
                false if root.starts_with(&place.path) => format!("lies in {path}, {what}"),
                false => format!("holds {path}, {what}"),
            });
        }
        let hidden = self.hidden(root)?;
        Some(format!("lies in {}, a hidden folder of the home directory", hidden.display()))
    }

    /// The hidden folder of the home directory that `path` lies in.
    fn hidden(&self, path: &Path) -> Option<PathBuf> {
        let home = self.home.as_ref()?;
        let Some(Component::Normal(first)) = path.strip_prefix(home).ok()?.components().next()
        else {
            return None;
        };
        first.as_encoded_bytes().starts_with(b".").then(|| home.join(first))
    }

    /// Whether no turn can have written what lies at `path`, or put something there: each folder around
    /// it is one that no turn gets. Symbolic links must be resolved.
    pub(crate) fn covers(&self, path: &Path) -> bool {
        // If this one is refused, so are those around it.
        let folder = path.ancestors().find(|path| path.is_dir());
        folder.is_some_and(|folder| self.refuses(folder).is_some()) || !is_writable(path)
    }

    /// Whether something protected lies in `dir`.
    pub(crate) fn any_in(&self, dir: &Path) -> bool {
        self.places.iter().any(|place| place.path.starts_with(dir))
    }

    /// The folders on the PATH, and those of them that programs may be taken from for what runs outside
    /// of a sandbox: as they really are, and protected from now on.
    pub(crate) fn program_folders(&mut self) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let all: Vec<PathBuf> = std::env::split_paths(&path).collect();
        let folders = all.iter().filter_map(|entry| self.program_folder(entry)).collect();
        (all, folders)
    }

    fn program_folder(&mut self, entry: &Path) -> Option<PathBuf> {
        if cfg!(not(unix)) {
            // Untried there: what a user may write is not known.
            return Some(entry.to_owned());
        }
        let (real, links) = entry.is_absolute().then(|| follow(entry))?;
        if !self.covers(&real) {
            let tree = self.tools(&real).filter(|_| real.is_dir())?;
            self.add(tree, true, "a folder of programs on the PATH");
        }
        let stays = links.iter().filter_map(|link| link.parent()).all(|folder| self.covers(folder));
        Some(if stays { entry.to_owned() } else { real })
    }

    /// The folder that a package manager keeps its programs in, if `path` is in one.
    fn tools(&self, path: &Path) -> Option<PathBuf> {
        let own = self.home.iter().flat_map(|home| {
            HOME_TOOLS.iter().map(move |(folder, whole)| (home.join(folder), *whole))
        });
        let all = TOOLS.iter().map(|(folder, whole)| (PathBuf::from(folder), *whole)).chain(own);
        let (folder, whole) = all.into_iter().find(|(folder, _)| path.starts_with(folder))?;
        Some(if whole { folder } else { path.to_owned() })
    }
}

/// Whether this user may change what lies at `path`, or put something else there.
#[cfg(unix)]
fn is_writable(path: &Path) -> bool {
    use nix::unistd::{AccessFlags, access};
    path.ancestors().any(|path| access(path, AccessFlags::W_OK).is_ok())
}

#[cfg(not(unix))]
fn is_writable(_path: &Path) -> bool {
    true
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// A home directory with folders as people have them, and links.
    fn home() -> PathBuf {
        let home = crate::testing::scratch().join(format!("protected-{}", uuid::Uuid::new_v4()));
        for folder in [".local/bin", "bin", "work/project/.venv/bin", "work/other", "data/codex"] {
            fs::create_dir_all(home.join(folder)).expect("a fresh folder");
        }
        let home = home.canonicalize().expect("just made");
        symlink(home.join("data/codex"), home.join("work/other/codex")).expect("it is new");
        symlink("/usr/bin", home.join("work/project/usr-bin")).expect("it is new");
        home
    }

    #[test]
    fn a_folder_is_refused_for_what_it_is_for_what_it_holds_and_for_where_it_lies() {
        let home = home();
        let mut protected = Protected::new(Some(&home));
        protected.folder(&home.join("work/other/codex"), "Codex's home");
        let refused = |path: &str| protected.refuses(&home.join(path));
        for path in ["", ".local", ".local/bin", "data", "data/codex", "data/codex/x", "work/other"]
        {
            assert!(refused(path).is_some(), "{path}");
        }
        // The second holds the link, but only that.
        assert!(refused("work").is_some());
        for path in ["work/project", "work/other/beside", "bin", "data-2"] {
            assert_eq!(refused(path), None, "{path}");
        }
        assert!(refused("work/other").is_some_and(|why| why.contains("Codex's home")));
        for path in ["/", "/usr", "/usr/bin", "/etc/ssl"] {
            assert!(protected.refuses(Path::new(path)).is_some(), "{path}");
        }
        fs::remove_dir_all(&home).expect("it is there");
    }

    #[test]
    fn programs_come_from_folders_in_which_no_turn_writes_and_these_are_protected_then() {
        let home = home();
        let mut protected = Protected::new(Some(&home));
        let mut folder = |path: &Path| protected.program_folder(path);
        assert_eq!(folder(&home.join(".local/bin")), Some(home.join(".local/bin")));
        assert_eq!(folder(&home.join("bin")), Some(home.join("bin")));
        assert_eq!(folder(&home.join("bin/../bin")), Some(home.join("bin/../bin")));
        assert_eq!(folder(Path::new("/usr/bin")), Some("/usr/bin".into()));
        // A turn may lead the link elsewhere, but not what it leads to now.
        let real = Path::new("/usr/bin").canonicalize().expect("it is there");
        assert_eq!(folder(&home.join("work/project/usr-bin")), Some(real));
        for unsafe_one in ["work/project/.venv/bin", "work/project", "work/nothing"] {
            assert_eq!(folder(&home.join(unsafe_one)), None, "{unsafe_one}");
        }
        assert_eq!(folder(Path::new("relative")), None);
        assert_eq!(folder(Path::new("")), None);
        assert!(protected.refuses(&home.join("bin")).is_some(), "it is on the PATH");
        assert!(protected.refuses(&home.join("work/project")).is_none());
        fs::remove_dir_all(&home).expect("it is there");
    }
}
