//! Removes ended jobs: old ones, and the oldest if all jobs together are too large. Blocks.

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

/// Removes jobs that need not be kept. Never removes `spared`, or a job that has not ended.
pub(crate) fn prune(
    store: &Store,
    retention: Retention,
    spared: Option<JobId>,
) -> io::Result<Pruned> {
    if !store.exists() {
        return Ok(Pruned::default());
    }
    let oldest = Time(
        Time::now().0.saturating_sub(u64::try_from(retention.age.as_millis()).unwrap_or(u64::MAX)),
    );
    let mut pruned = Pruned::default();
    let mut kept = 0;
    for job in store.names()? {
        let folder = store.folder(job);
        remove_unfinished(folder.path());
        remove_unfinished(&folder.inbox());
        let state = match store.state(job) {
            Ok(Some(state)) => state,
            Ok(None) => {
                remove_incomplete(&folder, job);
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
        // Since it was read, a caller may have replied, and that process waits for this lock.
        if is_over(&folder) && remove(folder.path()).is_ok() {
            pruned.jobs += 1;
            pruned.bytes += bytes;
        }
    }
    for remnant in store.remnants() {
        // Another process may be removing it at the same time.
        drop(fs::remove_dir_all(remnant));
    }
    store.notifications().prune(oldest, &store.names()?)?;
    Ok(pruned)
}

/// Removes a job, unless it has not ended. Returns whether it is gone.
pub(crate) fn remove_job(store: &Store, job: JobId) -> io::Result<bool> {
    let folder = store.folder(job);
    let Some(_lock) = folder.try_lock()? else { return Ok(false) };
    if !is_over(&folder) {
        return Ok(false);
    }
    remove(folder.path()).map(|()| true)
}

/// Removes the folder of a job that was never created completely: its creator was killed before
/// there was a state. Its prompt was not accepted.
fn remove_incomplete(folder: &Folder, job: JobId) {
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

/// Whether a job has nothing left to do. Requires its lock.
fn is_over(folder: &Folder) -> bool {
    let ended = read_whole::<State>(&folder.state()).is_ok_and(|state| state.is_settled());
    // Accepted prompts have ended too.
    ended
        && folder.remove_unaccepted().is_ok()
        && folder.queued_prompts().is_ok_and(|queued_prompts| queued_prompts.is_empty())
}

/// Removes a job's folder. To others it vanishes at once, and is never there in part.
fn remove(folder: &Path) -> io::Result<()> {
    let gone = folder.with_extension(REMNANT);
    match fs::rename(folder, &gone) {
        Ok(()) => fs::remove_dir_all(gone),
        // Some systems cannot rename a folder with an open file in it.
        Err(_) => fs::remove_dir_all(folder),
    }
}

/// The size of all files in a folder and its subfolders, in bytes.
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
