//! Which ended jobs are removed: old ones, and the oldest when all together are too large. Blocks.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::folder::Folder;
use super::state::State;
use super::store::{REMNANT, Store};
use crate::model::job_id::JobId;
use crate::model::settings::Retention;
use crate::model::time::Time;
use crate::system::private::{ABANDONED_AFTER, read_whole, remove_unfinished};

/// What was removed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Pruned {
    pub(crate) jobs: usize,
    pub(crate) bytes: u64,
}

/// Removes what need not be kept. A job that has not ended never is, and neither is `spared`.
pub(crate) fn prune(
    store: &Store,
    retention: Retention,
    spared: Option<JobId>,
) -> io::Result<Pruned> {
    let oldest = Time(
        Time::now().0.saturating_sub(u64::try_from(retention.age.as_millis()).unwrap_or(u64::MAX)),
    );
    let mut pruned = Pruned::default();
    let mut kept = 0;
    for job in store.names()? {
        let folder = store.folder(job);
        remove_unfinished(folder.path());
        remove_unfinished(&folder.inbox());
        let state = match store.look(job) {
            Ok(Some(state)) => state,
            Ok(None) => {
                remove_unborn(&folder, job);
                continue;
            }
            Err(_) => continue,
        };
        let Some(ended_at) = state.ended_at.filter(|_| state.status.has_ended()) else { continue };
        let bytes = size(folder.path());
        let fits = ended_at >= oldest && kept + bytes <= retention.bytes;
        if fits || spared == Some(job) {
            kept += bytes;
            continue;
        }
        let Ok(Some(_lock)) = folder.try_lock() else { continue };
        // Since it was looked at somebody may have replied, whose process waits for this lock.
        if is_over(&folder) && remove(folder.path()).is_ok() {
            pruned.jobs += 1;
            pruned.bytes += bytes;
        }
    }
    for remnant in store.remnants() {
        // Whoever removes it at this moment is as welcome.
        drop(fs::remove_dir_all(remnant));
    }
    store.notifications().forget(oldest, &store.names()?)?;
    Ok(pruned)
}

/// Removes the folder of what never became a job: whoever made it was killed before it had a state.
/// Its prompt was not accepted.
fn remove_unborn(folder: &Folder, job: JobId) {
    let age = job.created_at().and_then(|made_at| made_at.elapsed().ok());
    if age.is_some_and(|age| age < ABANDONED_AFTER) || !folder.path().is_dir() {
        return;
    }
    let Ok(Some(_lock)) = folder.try_lock() else { return };
    let is_empty = |path: PathBuf| path.metadata().map_or(0, |metadata| metadata.len()) == 0;
    if is_empty(folder.state()) && is_empty(folder.log()) {
        drop(remove(folder.path()));
    }
}

/// Whether nothing of a job is left to do, for whoever has its lock.
fn is_over(folder: &Folder) -> bool {
    let ended = read_whole::<State>(&folder.state()).is_ok_and(|state| state.is_settled());
    // What was accepted has ended too.
    ended && folder.remove_unaccepted().is_ok() && folder.asks().is_ok_and(|asks| asks.is_empty())
}

/// Removes a job's folder. To others it is gone at once, and never there by half.
fn remove(folder: &Path) -> io::Result<()> {
    let gone = folder.with_extension(REMNANT);
    match fs::rename(folder, &gone) {
        Ok(()) => fs::remove_dir_all(gone),
        // Where a folder cannot be renamed in which a file is open.
        Err(_) => fs::remove_dir_all(folder),
    }
}

/// The bytes of all files in a folder and its subfolders.
pub(super) fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}
