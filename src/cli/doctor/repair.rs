//! What `--fix` does. Only what is safe, and what the user can undo.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::cli::clients::{Done, Setup};
use crate::cli::format::count;

/// What makes the fix of a check.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Repair {
    /// Corrects the entry of this program in a client's file, and keeps the version before that.
    Entry(Setup),
    /// Takes all rights on a folder from other users.
    MakePrivate(PathBuf),
    /// Removes files of this program that nobody uses.
    Remove(Vec<PathBuf>),
}

/// What was done, or why it could not be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Repaired {
    Done(String),
    Failed(String),
}

/// Makes each of these fixes once.
pub(super) fn repair(wanted: Vec<Repair>) -> Vec<Repaired> {
    let mut repairs: Vec<Repair> = Vec::new();
    for repair in wanted {
        if !repairs.contains(&repair) {
            repairs.push(repair);
        }
    }
    repairs.iter().flat_map(Repair::apply).collect()
}

impl Repair {
    fn apply(&self) -> Vec<Repaired> {
        match self {
            Self::Entry(setup) => match setup.apply() {
                Ok(done) => said(done).into_iter().map(Repaired::Done).collect(),
                Err(problem) => vec![Repaired::Failed(problem.to_string())],
            },
            Self::MakePrivate(folder) => {
                let failed = |error| format!("{} stays as it is: {error}", folder.display());
                vec![match make_private(folder) {
                    Ok(()) => Repaired::Done(format!("chmod 700 {}", folder.display())),
                    Err(error) => Repaired::Failed(failed(error)),
                }]
            }
            Self::Remove(files) => {
                let removed = files.iter().filter(|file| fs::remove_file(file).is_ok()).count();
                let failed = files.len() - removed;
                let done = (removed > 0).then(|| {
                    Repaired::Done(format!("removed {}", count(removed as u64, "unused test file")))
                });
                let failed = (failed > 0).then(|| {
                    Repaired::Failed(format!(
                        "{} cannot be removed",
                        count(failed as u64, "test file")
                    ))
                });
                done.into_iter().chain(failed).collect()
            }
        }
    }
}

/// What became of a client's file: its name, each changed line, and where the version before is.
fn said(done: Done) -> Vec<String> {
    match done {
        Done::Nothing { .. } => Vec::new(),
        Done::Removed { file } => vec![format!("removed {}", file.display())],
        Done::Written { file, backup, lines } => {
            let kept = backup.map(|kept| format!(", the version before is {}", kept.display()));
            let changed = format!("changed {}{}", file.display(), kept.unwrap_or_default());
            [changed].into_iter().chain(lines).collect()
        }
    }
}

#[cfg(unix)]
fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    fs::set_permissions(folder, PermissionsExt::from_mode(0o700))
}

#[cfg(not(unix))]
fn make_private(_folder: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
