//! The work that is reviewed, as git knows it.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::git::Git;
use super::watchdog::Watchdog;
use crate::model::request::InvalidValue;

/// The longest name of a branch or commit, in bytes.
const MAX_NAME: usize = 250;

/// What is to be reviewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Diff {
    /// What is not committed, new files included.
    Uncommitted,
    /// Everything since the branch that this one came from.
    Base(String),
    /// One commit.
    Commit(String),
}

impl FromStr for Diff {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let wrong = || {
            let forms = "must be uncommitted, base:<branch> or commit:<sha>, with a name of git's";
            InvalidValue(forms.into())
        };
        let name = |name: &str| {
            let plain = |c: char| c.is_alphanumeric() || "._/-@+#".contains(c);
            let fits = !name.is_empty() && name.len() <= MAX_NAME && !name.starts_with('-');
            (fits && name.chars().all(plain)).then(|| name.to_owned()).ok_or_else(wrong)
        };
        match text.split_once(':') {
            None if text == "uncommitted" => Ok(Self::Uncommitted),
            Some(("base", branch)) => name(branch).map(Self::Base),
            Some(("commit", commit)) if commit.chars().all(|c| c.is_ascii_hexdigit()) => {
                name(commit).map(Self::Commit)
            }
            _ => Err(wrong()),
        }
    }
}

impl Diff {
    /// What Codex is told. A name is the caller's, so it is not in here: it stands in a part of its own.
    pub(crate) fn how_to_see(&self) -> &'static str {
        match self {
            Self::Uncommitted => {
                "The work to review is what is not committed: `git status --short`, `git diff HEAD`, \
                 and the files that git does not track yet. Look at all of it before you judge."
            }
            Self::Base(_) | Self::Commit(_) => {
                "The work to review is named below, under `diff`. `base:NAME` is everything since the \
                 branch NAME: `git log --oneline NAME..HEAD` and `git diff NAME...HEAD`. `commit:NAME` \
                 is one commit: `git show NAME`. Look at all of it before you judge."
            }
        }
    }

    /// What the caller has named, as they did.
    pub(crate) fn named(&self) -> Option<String> {
        match self {
            Self::Uncommitted => None,
            Self::Base(branch) => Some(format!("base:{branch}")),
            Self::Commit(commit) => Some(format!("commit:{commit}")),
        }
    }

    /// Checks that this git knows it in this directory. Nothing of the repository's own is run.
    pub(crate) async fn check(
        &self,
        working_dir: &Path,
        git: Option<&Path>,
        watchdog: &Watchdog,
    ) -> Result<(), InvalidValue> {
        let dir = working_dir.display();
        let unusable = |why: String| InvalidValue(format!("cannot be checked: {why}"));
        let program = git.ok_or_else(|| unusable("there is no git on the PATH".into()))?;
        let git = Git { program, watchdog };
        let ask = async |arguments: &[&str]| {
            let answer = git.ask(working_dir, arguments).await;
            answer.map_err(|error| unusable(error.to_string()))
        };
        match ask(&["rev-parse", "--is-inside-work-tree"]).await? {
            Ok(answer) if answer == "true" => {}
            Ok(_) => return Err(InvalidValue(format!("needs files of git's, and {dir} has none"))),
            Err(reason) => return Err(no_repository(working_dir, &reason)),
        }
        let (what, name) = match self {
            Self::Uncommitted => return Ok(()),
            Self::Base(branch) => ("branch", branch),
            Self::Commit(commit) => ("commit", commit),
        };
        let commit = format!("{name}^{{commit}}");
        let verify = ["rev-parse", "--verify", "--quiet", "--end-of-options", &commit];
        let unknown =
            |_| InvalidValue(format!("names the {what} {name}, which git does not know at {dir}"));
        ask(&verify).await?.map(drop).map_err(unknown)
    }
}

/// The git to ask, in folders in which no turn may write.
pub(crate) fn git_program(folders: &[PathBuf]) -> Option<PathBuf> {
    let paths = std::env::join_paths(folders).ok()?;
    which::which_in("git", Some(paths), "/").ok()
}

/// Why git knows no repository here, from what it says.
fn no_repository(working_dir: &Path, reason: &str) -> InvalidValue {
    let dir = working_dir.display();
    if let Some((_, root)) = reason.split_once("detected dubious ownership in repository at '") {
        let root = root.lines().next().unwrap_or_default().trim_end_matches('\'');
        return InvalidValue(format!(
            "needs a repository of git's that git trusts, and the one at {root} belongs to somebody \
             else. A person can trust it: git config --global --add safe.directory {root}"
        ));
    }
    let reason = reason.lines().next().unwrap_or_default();
    InvalidValue(format!("needs a repository of git's at {dir}: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_git_could_mean_is_taken() {
        assert_eq!("uncommitted".parse(), Ok(Diff::Uncommitted));
        assert_eq!("base:origin/main".parse(), Ok(Diff::Base("origin/main".into())));
        assert_eq!("commit:0abc12".parse(), Ok(Diff::Commit("0abc12".into())));
        for wrong in ["", "base:", "base:--help", "base:a b", "base:a`b", "commit:HEAD;x", "HEAD"] {
            assert!(wrong.parse::<Diff>().is_err(), "{wrong:?}");
        }
    }
}
