//! The table as seen by a process that is not in it.

use std::io;
use std::path::Path;

use super::server::{ServerInfo, is_locked, read_who};
use super::slots::slots_in;
use super::{PATIENCE, TABLE, Unavailable};
use crate::system::bounded::open_file;
use crate::system::file_lock::FileLock;

/// All slots, and the servers that are alive, by name.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) slots: Vec<u8>,
    pub(crate) servers: Vec<(String, ServerInfo)>,
}

/// Reads the slots and which servers are alive. Writes nothing. `None` if there is no table. Waits
/// up to [`PATIENCE`] for a table that is locked.
pub(crate) fn snapshot(folder: &Path) -> Result<Option<Snapshot>, Unavailable> {
    let file = match open_file(&folder.join(TABLE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    // Under the lock, so that no server that is just entering finds its new file locked.
    let lock = FileLock::lock_file_within(file, PATIENCE)?;
    let slots = slots_in(lock.file())?;
    let files = folder.read_dir()?.flatten().map(|entry| entry.path());
    let alive = files.filter_map(|path| {
        let name = path.file_name()?.to_str()?.strip_suffix(".server")?.to_owned();
        is_locked(open_file(&path).ok()?).then(|| {
            let pid = name.split('-').next().and_then(|pid| pid.parse().ok()).unwrap_or_default();
            let who = read_who(&path).unwrap_or(ServerInfo { pid, origin: String::new() });
            (name, who)
        })
    });
    Ok(Some(Snapshot { slots, servers: alive.collect() }))
}
