//! Checks that the change under review exists in the git repository.

use std::path::{Path, PathBuf};

use super::git::Git;
use super::watchdog::Watchdog;
use crate::model::diff::Diff;
use crate::model::value::InvalidValue;

impl Diff {
    /// Checks that the change exists in the repository at `working_dir`, without running any program that the
    /// repository configures.
    pub(crate) async fn check_exists(
        &self,
        working_dir: &Path,
        git: Option<&Path>,
        watchdog: &Watchdog,
    ) -> Result<(), InvalidValue> {
        let dir = working_dir.display();
        let unusable = |why: String| InvalidValue(format!("cannot be checked: {why}"));
        let program = git.ok_or_else(|| unusable("git is not on the PATH".into()))?;
        let git = Git { program, watchdog };
        let run = async |arguments: &[&str]| {
            let output = git.run(working_dir, arguments).await;
            output.map_err(|error| unusable(error.to_string()))
        };
        match run(&["rev-parse", "--is-inside-work-tree"]).await? {
            Ok(output) if output == "true" => {}
            Ok(_) => {
                return Err(InvalidValue(format!("needs a git work tree, but {dir} has none")));
            }
            Err(reason) => return Err(no_repository(working_dir, &reason)),
        }
        let (what, name) = match self {
            Self::Uncommitted => return Ok(()),
            Self::Base(branch) => ("branch", branch),
            Self::Commit(commit) => ("commit", commit),
        };
        let commit = format!("{name}^{{commit}}");
        let verify = ["rev-parse", "--verify", "--quiet", "--end-of-options", &commit];
        let unknown = |_| {
            InvalidValue(format!(
                "names the {what} {name}, which does not exist in the repository at {dir}"
            ))
        };
        run(&verify).await?.map(drop).map_err(unknown)
    }
}

/// Finds git in folders that no turn may write to.
pub(crate) fn git_program(folders: &[PathBuf]) -> Option<PathBuf> {
    let paths = std::env::join_paths(folders).ok()?;
    which::which_in("git", Some(paths), "/").ok()
}

/// Explains why git found no usable repository, based on its error message.
fn no_repository(working_dir: &Path, reason: &str) -> InvalidValue {
    let dir = working_dir.display();
    if let Some((_, root)) = reason.split_once("detected dubious ownership in repository at '") {
        let root = root.lines().next().unwrap_or_default().trim_end_matches('\'');
        return InvalidValue(format!(
            "needs a repository that git trusts, but the one at {root} belongs to another user. To trust \
             it, run: git config --global --add safe.directory {root}"
        ));
    }
    let reason = reason.lines().next().unwrap_or_default();
    InvalidValue(format!("needs a git repository at {dir}: {reason}"))
}
