//! The work that is reviewed, as git knows it.

use std::path::Path;
use std::process::Stdio;
use std::str::FromStr;
use std::time::Duration;

use tokio::process::Command;

use crate::turn::request::InvalidValue;

/// How long git may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

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
    /// What Codex is told.
    pub(crate) fn how_to_see(&self) -> String {
        let commands = match self {
            Self::Uncommitted => {
                "what is not committed: `git status --short`, `git diff HEAD`, and the files that git \
                 does not track yet"
                    .into()
            }
            Self::Base(branch) => format!(
                "everything since the branch {branch}: `git log --oneline {branch}..HEAD` and \
                 `git diff {branch}...HEAD`"
            ),
            Self::Commit(commit) => format!("one commit: `git show {commit}`"),
        };
        format!("The work to review is {commands}. Look at all of it before you judge.")
    }

    /// Checks that git knows it in this directory. Nothing of the repository's own is run.
    pub(crate) async fn check(&self, working_dir: &Path) -> Result<(), InvalidValue> {
        let dir = working_dir.display();
        match git(working_dir, &["rev-parse", "--is-inside-work-tree"]).await? {
            Ok(answer) if answer == "true" => {}
            Ok(_) => return Err(InvalidValue(format!("needs files of git's, and {dir} has none"))),
            Err(reason) => {
                return Err(InvalidValue(format!(
                    "needs a repository of git's at {dir}: {reason}"
                )));
            }
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
        git(working_dir, &verify).await?.map(drop).map_err(unknown)
    }
}

/// What git says, or why it refuses.
async fn git(dir: &Path, arguments: &[&str]) -> Result<Result<String, String>, InvalidValue> {
    let unusable = |why: String| InvalidValue(format!("cannot be checked: {why}"));
    let answer = Command::new("git")
        .arg("-C")
        .arg(dir)
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(ANSWER_WITHIN, answer)
        .await
        .map_err(|_| unusable("git does not answer".into()))?
        .map_err(|error| unusable(format!("git cannot be started ({error})")))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    Ok(if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) })
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
