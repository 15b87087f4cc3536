//! Which changes there are in a git repository, so that each is reviewed once.

use std::env;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::codex::diff::git_program;
use crate::codex::git::Git;
use crate::codex::watchdog::Watchdog;

/// The state of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Work {
    /// The commit that is checked out, if there is one.
    pub(super) head: Option<String>,
    /// Identifies the uncommitted changes by the names, sizes and times of the files, if there are any.
    pub(super) uncommitted: Option<u64>,
}

impl Work {
    /// The state of the repository around a folder. `None` if there is none, or it cannot be read.
    pub(super) async fn of(folder: &Path) -> Option<Self> {
        let path = env::var_os("PATH")?;
        // A program of the repository itself is none to run.
        let is_elsewhere = |dir: &std::path::PathBuf| dir.is_absolute() && !dir.starts_with(folder);
        let dirs: Vec<_> = env::split_paths(&path).filter(is_elsewhere).collect();
        let program = git_program(&dirs)?;
        let git = Git { program: &program, watchdog: &Watchdog::default() };
        let root = git.run(folder, &["rev-parse", "--show-toplevel"]).await.ok()?.ok()?;
        let head = git.run(folder, &["rev-parse", "--verify", "--quiet", "HEAD"]).await.ok()?.ok();
        let status = match status(git, folder, "all").await {
            Some(status) => status,
            // Too many untracked files: their folders must do.
            None => status(git, folder, "normal").await?,
        };
        let uncommitted = (!status.is_empty()).then(|| fingerprint(Path::new(&root), &status));
        Some(Self { head, uncommitted })
    }
}

async fn status(git: Git<'_>, folder: &Path, untracked: &str) -> Option<String> {
    let untracked = format!("--untracked-files={untracked}");
    git.run(folder, &["status", "--porcelain", "-z", &untracked]).await.ok()?.ok()
}

/// A number that changes with the listed files.
fn fingerprint(root: &Path, status: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    status.hash(&mut hasher);
    for entry in status.split('\0') {
        // Two letters and a blank precede the path. The output is trimmed, so the first entry may have lost a blank.
        let path = entry.get(2..).unwrap_or_default().trim_start();
        let metadata = root.join(path).symlink_metadata().ok();
        let stamp = metadata.map(|it| (it.len(), it.modified().ok()));
        stamp.hash(&mut hasher);
    }
    hasher.finish()
}
