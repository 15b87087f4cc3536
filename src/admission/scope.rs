//! Which sessions and jobs callers reach: where the operator allows only some folders, those that were
//! never anywhere else, as far as that is recorded. Whatever is not known to be inside is outside.
//!
//! A session's history is known to whoever goes on in it, so one that came in from outside stays
//! outside, and so does a copy of it.

use std::io;
use std::path::{Component, Path, PathBuf};

use crate::codex::sessions::list::Access;
use crate::codex::sessions::places::Places;
use crate::model::outcome::FailureKind;
use crate::model::policy;
use crate::model::policy::Policy;
use crate::model::session_id::SessionId;
use crate::model::working_dir::WorkingDir;

/// How many sessions one may come from, at most.
const MAX_ORIGINS: usize = 100;

/// What callers reach. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    /// The folders that are allowed; none is no limit.
    folders: Vec<WorkingDir>,
    home: Option<PathBuf>,
    places: Places,
}

/// Where a session was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visibility {
    /// In allowed folders alone.
    Inside,
    /// Also elsewhere, or that cannot be found out.
    Outside,
    /// There is no record of it.
    Unknown,
}

type Result<T> = std::result::Result<T, FailureKind>;

impl Scope {
    /// That of the person whose program this is.
    pub(crate) fn everything() -> Self {
        Self { folders: Vec::new(), home: None, places: Places::default() }
    }

    /// That of callers under this policy, who ask for sessions of this Codex home.
    pub(crate) fn of(policy: &Policy, home: Option<&Path>, places: &Places) -> Self {
        Self {
            folders: policy.allowed_dirs.clone(),
            home: home.map(Path::to_owned),
            places: places.clone(),
        }
    }

    /// Whether anything is out of it.
    pub(crate) fn is_limited(&self) -> bool {
        !self.folders.is_empty()
    }

    /// Whether a directory, which need not be there any more, is inside.
    pub(crate) fn holds(&self, dir: &Path) -> bool {
        if !self.is_limited() {
            return true;
        }
        let Some(dir) = resolved(dir) else { return false };
        let mut folders = self.folders.iter().filter_map(|dir| dir.as_path().canonicalize().ok());
        folders.any(|folder| dir.starts_with(folder))
    }

    /// Refuses a directory that is asked for and is outside.
    pub(crate) fn dir(&self, field: &str, dir: &Path) -> Result<()> {
        if self.holds(dir) {
            return Ok(());
        }
        let problem =
            format!("{} is outside of what is allowed: {}", dir.display(), self.folders());
        Err(policy::not_allowed(field, problem, policy::ALLOWED_DIRS))
    }

    /// Refuses a session that is outside, or of which there is no record. It is looked for if it is not
    /// given. Blocks on files.
    pub(crate) fn session(
        &self,
        field: &str,
        session: SessionId,
        record: Option<&Path>,
    ) -> Result<()> {
        match self.look(None, session, record) {
            Visibility::Inside => Ok(()),
            Visibility::Outside | Visibility::Unknown => Err(self.refusal(field, "a session")),
        }
    }

    /// Where a session was, in the given Codex home or else in the one of callers. Its record is looked
    /// for if it is not given. Blocks on files.
    pub(crate) fn look(
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
            let been = self.places.of(home, at, record).filter(|been| !been.dirs.is_empty());
            let Some(been) = been else {
                return if at == session { Visibility::Unknown } else { Visibility::Outside };
            };
            if let Some(dir) = been.dirs.iter().find(|dir| !self.holds(dir)) {
                tracing::debug!(%session, %at, dir = %dir.display(), "the session is out of scope");
                return Visibility::Outside;
            }
            for origin in been.origins {
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

    /// Refuses something that a call names, and says no more of it than that.
    pub(crate) fn refusal(&self, field: &str, what: &str) -> FailureKind {
        let problem = format!(
            "names {what} that was outside of the allowed folders ({}), or whose folders are not known",
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
    fn to_dir(&self, dir: &Path) -> bool {
        self.holds(dir)
    }

    fn to_session(&self, home: &Path, session: SessionId, record: &Path) -> bool {
        self.look(Some(home), session, Some(record)) == Visibility::Inside
    }
}

/// Where a directory is; where it was, if it is gone: what is left of its path, links resolved, and the
/// rest as it is written. `None` if that cannot be told, as behind a link that leads nowhere.
fn resolved(dir: &Path) -> Option<PathBuf> {
    if !dir.is_absolute() {
        return None;
    }
    for there in dir.ancestors() {
        match there.canonicalize() {
            Ok(real) => {
                let gone = dir.strip_prefix(there).ok()?;
                let is_plain = |part| matches!(part, Component::Normal(_));
                return gone.components().all(is_plain).then(|| real.join(gone));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if there.symlink_metadata().is_ok() {
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
    fn a_directory_that_is_gone_is_where_it_was() {
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
        let scope = Scope::of(&policy, None, &Places::default());
        for inside in [
            "in",
            "in/deep",
            "in/deep/..",
            "in/gone",
            "in/gone/deeper",
            "back/gone",
            "in/file/gone",
        ] {
            assert!(scope.holds(&folder.join(inside)), "{inside}");
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
            assert!(!scope.holds(&folder.join(outside)), "{outside}");
        }
        for outside in ["", "in", "/", "/no/such/folder"] {
            assert!(!scope.holds(Path::new(outside)), "{outside}");
            assert!(Scope::everything().holds(Path::new(outside)));
        }
        // If the allowed folder itself is gone, nothing is inside.
        fs::remove_file(folder.join("back")).expect("it is a link");
        assert!(!scope.holds(&folder.join("in")));
        fs::remove_dir_all(folder).expect("it is ours");
    }
}
