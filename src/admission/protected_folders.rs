//! Folders in which a write could lead to code running outside any sandbox, or change what a later turn may
//! do. No turn in `workspace-write` may use one of them as a writable directory.
//!
//! Which folders these are does not depend on anything that a turn may write.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::sync::LazyLock;

use crate::system::links::Links;

/// System folders: programs, libraries and settings that are read whenever a program starts. This only
/// matters for users who may write there, such as root. `/usr/src` and `/opt` are left out because they hold
/// projects.
const SYSTEM_FOLDERS: &[&str] = &[
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

/// Where package managers install programs that the user may write to. PATH entries below these stay on
/// Codex's PATH and are protected. `true`: the whole folder belongs to the package manager and is protected.
const TOOL_FOLDERS: &[(&str, bool)] = &[
    ("/Applications", false),
    ("/home/linuxbrew", true),
    ("/nix", true),
    ("/opt/homebrew", true),
    ("/opt/local", true),
    ("/opt", false),
    ("/snap", true),
];

/// The same, relative to the user's home directory. Hidden folders there are always protected.
const HOME_TOOL_FOLDERS: &[(&str, bool)] = &[
    ("Library", false),
    ("anaconda3", true),
    ("bin", false),
    ("go/bin", false),
    ("mambaforge", true),
    ("miniconda3", true),
    ("miniforge3", true),
    ("snap", true),
];

static RESOLVED_SYSTEM_FOLDERS: LazyLock<Vec<PathBuf>> = LazyLock::new(|| {
    let real = SYSTEM_FOLDERS.iter().filter_map(|path| Path::new(path).canonicalize().ok());
    real.collect::<BTreeSet<_>>().into_iter().collect()
});

/// The set of protected folders, with symbolic links resolved.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProtectedFolders {
    folders: Vec<Folder>,
    /// The user's home directory, whose hidden folders are protected.
    home: Option<PathBuf>,
    /// The links on the way to them.
    links: Links,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Folder {
    path: PathBuf,
    /// Whether everything below the folder is protected too, or only the folder and its ancestors.
    recursive: bool,
    /// A phrase for error messages, such as "Codex's home".
    description: String,
}

impl ProtectedFolders {
    /// The folders that are protected on every machine, including the user's `home` directory.
    pub(crate) fn new(home: Option<&Path>) -> Self {
        let home = home.and_then(|home| home.canonicalize().ok());
        let mut protected = Self { folders: Vec::new(), home, links: Links::default() };
        for path in RESOLVED_SYSTEM_FOLDERS.iter() {
            protected.add(path.clone(), true, "a system folder");
        }
        if let Some(home) = protected.home.clone() {
            protected.add(
                home,
                false,
                "the home directory, which has files that run at each login",
            );
        }
        protected
    }

    /// Protects the folder `path`, everything below it, and every symbolic link that `path` passes through.
    pub(crate) fn add_folder(&mut self, path: &Path, description: &str) {
        let real = self.add_links(path, description);
        self.add(real, true, description);
    }

    /// Protects the folder that contains a file, and every symbolic link that `path` passes through.
    pub(crate) fn add_file(&mut self, path: &Path, description: &str) {
        let real = self.add_links(path, description);
        let folder = real.parent().map_or_else(|| real.clone(), Path::to_owned);
        self.add(folder, false, description);
    }

    fn add(&mut self, path: PathBuf, recursive: bool, description: &str) {
        self.folders.push(Folder { path, recursive, description: description.to_owned() });
    }

    /// Resolves `path` and protects the folder that contains each symbolic link on the way.
    fn add_links(&mut self, path: &Path, description: &str) -> PathBuf {
        let Ok(path) = std::path::absolute(path) else { return path.to_owned() };
        let (real, links) = self.links.follow(&path);
        for folder in links.iter().filter_map(|link| link.parent()) {
            self.add(folder.to_owned(), false, description);
        }
        real
    }

    /// Why a turn must not write to `root`, a folder without symbolic links. `None` if it may.
    pub(crate) fn reason_to_deny(&self, root: &Path) -> Option<String> {
        let overlaps = |folder: &&Folder| {
            folder.path.starts_with(root) || (folder.recursive && root.starts_with(&folder.path))
        };
        if let Some(folder) = self.folders.iter().find(overlaps) {
            let (path, what) = (folder.path.display(), &folder.description);
            return Some(match folder.path == root {
                true => format!("is {what}"),
                false if root.starts_with(&folder.path) => format!("lies in {path}, {what}"),
                false => format!("contains {path}, {what}"),
            });
        }
        let hidden = self.hidden_ancestor(root)?;
        Some(format!("lies in {}, a hidden folder in the home directory", hidden.display()))
    }

    /// The hidden folder of the home directory that contains `path`.
    fn hidden_ancestor(&self, path: &Path) -> Option<PathBuf> {
        let home = self.home.as_ref()?;
        let Some(Component::Normal(first)) = path.strip_prefix(home).ok()?.components().next()
        else {
            return None;
        };
        first.as_encoded_bytes().starts_with(b".").then(|| home.join(first))
    }

    /// Whether no turn can have created or changed the file at `path`, because none may write to any folder
    /// that contains it. Symbolic links must be resolved.
    pub(crate) fn is_safe_from_turns(&self, path: &Path) -> bool {
        // If a folder is denied, its ancestors are too.
        let folder = path.ancestors().find(|path| path.is_dir());
        folder.is_some_and(|folder| self.reason_to_deny(folder).is_some()) || !is_writable(path)
    }

    /// Whether `dir` is or contains a protected folder.
    pub(crate) fn any_within(&self, dir: &Path) -> bool {
        self.folders.iter().any(|folder| folder.path.starts_with(dir))
    }

    /// The folders on the PATH, and those of them that are safe sources of programs run outside a sandbox.
    /// The latter have unsafe symbolic links resolved and are protected from now on.
    pub(crate) fn add_program_folders(&mut self) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let all: Vec<PathBuf> = std::env::split_paths(&path).collect();
        let folders = all.iter().filter_map(|entry| self.add_program_folder(entry)).collect();
        (all, folders)
    }

    fn add_program_folder(&mut self, entry: &Path) -> Option<PathBuf> {
        if cfg!(not(unix)) {
            // Not tested there: which folders a user may write to is unknown.
            return Some(entry.to_owned());
        }
        let (real, links) = entry.is_absolute().then(|| self.links.follow(entry))?;
        if !self.is_safe_from_turns(&real) {
            let tree = self.tool_folder(&real).filter(|_| real.is_dir())?;
            self.add(tree, true, "a folder on the PATH that has programs");
        }
        let mut link_folders = links.iter().filter_map(|link| link.parent());
        let links_are_safe = link_folders.all(|folder| self.is_safe_from_turns(folder));
        Some(if links_are_safe { entry.to_owned() } else { real })
    }

    /// The folder to protect if `path` is in a folder of a package manager.
    fn tool_folder(&self, path: &Path) -> Option<PathBuf> {
        let own = self.home.iter().flat_map(|home| {
            HOME_TOOL_FOLDERS.iter().map(move |(folder, whole)| (home.join(folder), *whole))
        });
        let all =
            TOOL_FOLDERS.iter().map(|(folder, whole)| (PathBuf::from(folder), *whole)).chain(own);
        let (folder, whole) = all.into_iter().find(|(folder, _)| path.starts_with(folder))?;
        Some(if whole { folder } else { path.to_owned() })
    }
}

/// Whether this user may modify or replace the file at `path`.
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

    /// A typical home directory with a few symbolic links.
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
    fn a_folder_is_denied_if_it_is_contains_or_lies_in_a_protected_folder() {
        let home = home();
        let mut protected = ProtectedFolders::new(Some(&home));
        protected.add_folder(&home.join("work/other/codex"), "Codex's home");
        let denied = |path: &str| protected.reason_to_deny(&home.join(path));
        for path in ["", ".local", ".local/bin", "data", "data/codex", "data/codex/x", "work/other"]
        {
            assert!(denied(path).is_some(), "{path}");
        }
        // `work/other` contains the link, but only that.
        assert!(denied("work").is_some());
        for path in ["work/project", "work/other/beside", "bin", "data-2"] {
            assert_eq!(denied(path), None, "{path}");
        }
        assert!(denied("work/other").is_some_and(|why| why.contains("Codex's home")));
        for path in ["/", "/usr", "/usr/bin", "/etc/ssl"] {
            assert!(protected.reason_to_deny(Path::new(path)).is_some(), "{path}");
        }
        fs::remove_dir_all(&home).expect("it is there");
    }

    #[test]
    fn programs_come_only_from_folders_that_become_protected() {
        let home = home();
        let mut protected = ProtectedFolders::new(Some(&home));
        let mut folder = |path: &Path| protected.add_program_folder(path);
        assert_eq!(folder(&home.join(".local/bin")), Some(home.join(".local/bin")));
        assert_eq!(folder(&home.join("bin")), Some(home.join("bin")));
        assert_eq!(folder(&home.join("bin/../bin")), Some(home.join("bin/../bin")));
        assert_eq!(folder(Path::new("/usr/bin")), Some("/usr/bin".into()));
        // A turn may redirect the link, but not change its current target.
        let real = Path::new("/usr/bin").canonicalize().expect("it is there");
        assert_eq!(folder(&home.join("work/project/usr-bin")), Some(real));
        for unsafe_path in ["work/project/.venv/bin", "work/project", "work/nothing"] {
            assert_eq!(folder(&home.join(unsafe_path)), None, "{unsafe_path}");
        }
        assert_eq!(folder(Path::new("relative")), None);
        assert_eq!(folder(Path::new("")), None);
        assert!(protected.reason_to_deny(&home.join("bin")).is_some(), "it is on the PATH");
        assert!(protected.reason_to_deny(&home.join("work/project")).is_none());
        fs::remove_dir_all(&home).expect("it is there");
    }
}
