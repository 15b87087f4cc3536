//! The last session in each directory, across all servers of the user: one small file per directory
//! in the state folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::session_id::SessionId;
use crate::system::private;

/// How long an unused directory is remembered.
const REMEMBERED_FOR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The maximum number of files to check for outdated ones.
const TIDIED: usize = 1_000;

/// The content of a file.
#[derive(Debug, Serialize, Deserialize)]
struct Last {
    cwd: PathBuf,
    session_id: SessionId,
}

/// Remembers the session as the last one in `dir`. A failure is logged and otherwise ignored.
pub(crate) fn remember(state_dir: &Path, dir: &Path, session: SessionId) {
    if let Err(error) = write(state_dir, dir, session) {
        tracing::debug!(%error, "the last session of a directory cannot be recorded");
    }
}

fn write(state_dir: &Path, dir: &Path, session_id: SessionId) -> io::Result<()> {
    let dir = real(dir);
    let folder = folder(state_dir);
    private::create_folder(&folder)?;
    let path = file(&folder, &dir);
    if !path.exists() {
        forget_old(&folder);
        private::remove_unfinished(&folder);
    }
    private::write_whole(&path, &Last { cwd: dir, session_id })
}

/// The last session in `dir`, if any.
pub(crate) fn find(state_dir: &Path, dir: &Path) -> Option<SessionId> {
    let dir = real(dir);
    let last: Last = private::read_whole(&file(&folder(state_dir), &dir)).ok()?;
    (last.cwd == dir).then_some(last.session_id)
}

fn folder(state_dir: &Path) -> PathBuf {
    state_dir.join("last")
}

fn file(folder: &Path, dir: &Path) -> PathBuf {
    let name = Uuid::new_v5(&Uuid::NAMESPACE_URL, dir.as_os_str().as_encoded_bytes());
    folder.join(format!("{name}.json"))
}

/// Resolves links, so that each directory has one name here.
fn real(dir: &Path) -> PathBuf {
    dir.canonicalize().unwrap_or_else(|_| dir.to_owned())
}

fn forget_old(folder: &Path) {
    let Some(bound) = SystemTime::now().checked_sub(REMEMBERED_FOR) else { return };
    for file in fs::read_dir(folder).into_iter().flatten().flatten().take(TIDIED) {
        if file.metadata().and_then(|file| file.modified()).is_ok_and(|time| time < bound) {
            drop(fs::remove_file(file.path()));
        }
    }
}
