//! Which ended jobs are removed: old ones, and the oldest when all together are too large. Blocks.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::store::Store;
use super::time::Time;

/// How long, and how many, ended jobs are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// How long after its end.
    pub age: Duration,
    /// How large all of them together may be, in bytes.
    pub bytes: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self { age: Duration::from_secs(14 * 24 * 60 * 60), bytes: 1 << 30 }
    }
}

/// What was removed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Pruned {
    pub(crate) jobs: usize,
    pub(crate) bytes: u64,
}

/// Removes what need not be kept. A job that has not ended never is.
pub(crate) fn prune(store: &Store, retention: Retention) -> io::Result<Pruned> {
    let oldest = Time(
        Time::now().0.saturating_sub(u64::try_from(retention.age.as_millis()).unwrap_or(u64::MAX)),
    );
    let mut pruned = Pruned::default();
    let mut kept = 0;
    for job in store.names()? {
        let folder = store.folder(job);
        let state = match store.look(job) {
            Ok(Some(state)) => state,
            Ok(None) | Err(_) => continue,
        };
        let Some(ended_at) = state.ended_at.filter(|_| state.status.has_ended()) else { continue };
        let bytes = size(folder.path());
        if ended_at >= oldest && kept + bytes <= retention.bytes {
            kept += bytes;
            continue;
        }
        // Whoever is about to reply to it has the lock, or will find that there is no such job.
        let Ok(Some(_lock)) = folder.try_lock() else { continue };
        if fs::remove_dir_all(folder.path()).is_ok() {
            pruned.jobs += 1;
            pruned.bytes += bytes;
        }
    }
    store.notifications().forget(oldest)?;
    Ok(pruned)
}

/// The bytes of all files in a folder and its subfolders.
fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}
