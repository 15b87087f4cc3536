//! Which sessions and jobs callers may access. If the operator allows only certain folders, these are the
//! sessions and jobs that, according to the records, never worked anywhere else. Anything not known to be
//! inside counts as outside.
//!
//! Resuming a session reveals its history, so a session that was once outside stays outside, and so do its
//! copies.

use std::io;
use std::path::{Component, Path, PathBuf};

use crate::codex::sessions::history::Histories;
use crate::codex::sessions::query::Access;
use crate::model::outcome::FailureKind;
use crate::model::policy;
use crate::model::policy::Policy;
use crate::model::session_id::SessionId;
use crate::model::working_dir::WorkingDir;

/// Maximum number of sessions that a session may be derived from.
const MAX_ORIGINS: usize = 100;

/// What callers may access. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    /// The allowed folders. Empty means no restriction.
    folders: Vec<WorkingDir>,
    /// The Codex home whose sessions callers name.
    home: Option<PathBuf>,
    histories: Histories,
}

/// Where a session has worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visibility {
    /// Only in allowed folders.
    Inside,
    /// Also elsewhere, or it cannot be determined.
    Outside,
    /// The session has no record.
    Unknown,
}

type Result<T> = std::result::Result<T, FailureKind>;

impl Scope {
    /// No restriction, for the user of this program.
    pub(crate) fn unrestricted() -> Self {
        Self { folders: Vec::new(), home: None, histories: Histories::default() }
    }

    /// The scope of callers under this policy, who name sessions of this Codex home.
    pub(crate) fn of(policy: &Policy, home: Option<&Path>, histories: &Histories) -> Self {
        Self {
            folders: policy.allowed_dirs.clone(),
            home: home.map(Path::to_owned),
            histories: histories.clone(),
        }
    }

    /// Whether access is restricted to some folders.
    pub(crate) fn is_limited(&self) -> bool {
        !self.folders.is_empty()
    }

    /// Whether a directory is inside. It may have been deleted.
    pub(crate) fn contains(&self, dir: &Path) -> bool {
        if !self.is_limited() {
            return true;
        }
        let Some(dir) = resolve(dir) else { return false };
        let mut folders = self.folders.iter().filter_map(|dir| dir.as_path().canonicalize().ok());
        folders.any(|folder| dir.starts_with(folder))
    }

    /// Rejects a requested directory that is outside.
    pub(crate) fn check_dir(&self, field: &str, dir: &Path) -> Result<()> {
        if self.contains(dir) {
            return Ok(());
        }
        let problem =
            format!("{} is outside the allowed folders: {}", dir.display(), self.folders());
        Err(policy::not_allowed(field, problem, policy::ALLOWED_DIRS))
    }

    /// Rejects a session that is outside or has no record. Searches for the record if it is not given. Blocks
    /// on file I/O.
    pub(crate) fn check_session(
        &self,
        field: &str,
        session: SessionId,
        record: Option<&Path>,
    ) -> Result<()> {
        match self.visibility(None, session, record) {
            Visibility::Inside => Ok(()),
            Visibility::Outside | Visibility::Unknown => Err(self.rejection(field, "a session")),
        }
    }

    /// Where a session has worked. `home` is its Codex home, by default that of the callers. Searches for the
    /// record if it is not given. Blocks on file I/O.
    pub(crate) fn visibility(
        &self,
        home: Option<&Path>,
        session: SessionId,
        record: Option<&Path>,
    ) -> Visibility {
        if !self.is_limited() {
            return Visibility::Inside;
        }
        let Some(home) = home.or(self.home.as_deref()) else { return Visibility::Unknown };
        let mut sessions = vec![session];
        let mut next = 0;
        while let Some(at) = sessions.get(next).copied() {
            let record = record.filter(|_| at == session);
            let history = self.histories.of(home, at, record);
            let history = history.filter(|history| !history.dirs.is_empty());
            let Some(history) = history else {
                return if at == session { Visibility::Unknown } else { Visibility::Outside };
            };
            if let Some(dir) = history.dirs.iter().find(|dir| !self.contains(dir)) {
                tracing::debug!(%session, %at, dir = %dir.display(), "the session is out of scope");
                return Visibility::Outside;
            }
            for origin in history.origins {
                if !sessions.contains(&origin) {
                    sessions.push(origin);
                }
            }
            next += 1;
            if next > MAX_ORIGINS {
                return Visibility::Outside;
            }
        }
        Visibility::Inside
    }

    /// The failure for a session or job that is outside. Reveals nothing else about it.
    pub(crate) fn rejection(&self, field: &str, what: &str) -> FailureKind {
        let problem = format!(
            "names {what} that has worked outside the allowed folders ({}), or whose folders are unknown",
            self.folders()
        );
        policy::not_allowed(field, problem, policy::ALLOWED_DIRS)
    }

    fn folders(&self) -> String {
        let folders = self.folders.iter().map(|dir| dir.as_path().display().to_string());
        folders.collect::<Vec<_>>().join(", ")
    }
}

impl Access for Scope {
    fn allows_dir(&self, dir: &Path) -> bool {
        self.contains(dir)
    }

    fn allows_session(&self, home: &Path, session: SessionId, record: &Path) -> bool {
        self.visibility(Some(home), session, Some(record)) == Visibility::Inside
    }
}

/// Resolves a directory. If it was deleted, resolves the part of its path that still exists and appends the
/// rest unchanged. `None` if that is impossible, for example behind a dangling link.
fn resolve(dir: &Path) -> Option<PathBuf> {
    if !dir.is_absolute() {
        return None;
    }
    for ancestor in dir.ancestors() {
        match ancestor.canonicalize() {
            Ok(real) => {
                let gone = dir.strip_prefix(ancestor).ok()?;
                let is_plain = |part| matches!(part, Component::Normal(_));
                return gone.components().all(is_plain).then(|| real.join(gone));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if ancestor.symlink_metadata().is_ok() {
                    return None;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {}
            Err(_) => return None,
        }
    }
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_deleted_directory_counts_where_it_was() {
        let folder = crate::testing::scratch().join(format!("scope-{}", uuid::Uuid::new_v4()));
        let folder = {
            fs::create_dir_all(folder.join("in/deep")).expect("a fresh folder");
            folder.canonicalize().expect("just made")
        };
        fs::create_dir(folder.join("in-2")).expect("a fresh folder");
        fs::write(folder.join("in/file"), "").expect("writable");
        for (to, name) in [("in-2", "in/out"), ("nothing", "in/nowhere"), ("in/loop", "in/loop")] {
            symlink(folder.join(to), folder.join(name)).expect("a link can be made");
        }
        symlink(folder.join("in"), folder.join("back")).expect("a link can be made");
        let policy = Policy {
            allowed_dirs: vec![WorkingDir::existing(folder.join("back")).expect("it is there")],
            ..Policy::default()
        };
        let scope = Scope::of(&policy, None, &Histories::default());
        for inside in [
            "in",
            "in/deep",
            "in/deep/..",
            "in/gone",
            "in/gone/deeper",
            "back/gone",
            "in/file/gone",
        ] {
            assert!(scope.contains(&folder.join(inside)), "{inside}");
        }
        for outside in [
            "",
            "in-2",
            "in-2/gone",
            "in/..",
            "in/out",
            "in/out/gone",
            "in/nowhere",
            "in/nowhere/gone",
            "in/loop",
            "in/gone/..",
            "in/gone/../../in-2",
        ] {
            assert!(!scope.contains(&folder.join(outside)), "{outside}");
        }
        for outside in ["", "in", "/", "/no/such/folder"] {
            assert!(!scope.contains(Path::new(outside)), "{outside}");
            assert!(Scope::unrestricted().contains(Path::new(outside)));
        }
        // If the allowed folder itself no longer exists, nothing is inside.
        fs::remove_file(folder.join("back")).expect("it is a link");
        assert!(!scope.contains(&folder.join("in")));
        fs::remove_dir_all(folder).expect("it is ours");
    }
}
