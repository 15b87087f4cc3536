//! The process that runs one job: its turns, one after another, and then it exits.
//!
//! It is independent of all servers. Any server can put prompts and a request to cancel into the
//! job's inbox, as files. The process holds the job's lock all the time. A server that puts a
//! prompt into the inbox and finds the lock free starts such a process. So that no prompt is lost
//! that arrives during the exit, the process checks the inbox once more after it has released the
//! lock.

mod ending;
mod work;

use std::fs;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::POLL_EVERY;
use super::bell::Bell;
use super::folder::{Folder, WriteLock};
use super::prune::prune;
use super::store::Store;
use crate::model::job_id::JobId;
use crate::model::settings::{Retention, Settings};
use crate::system::signals::Signals;
use crate::turn::Codex;
use work::Work;

/// How long the starter of this process may keep the lock.
const LOCK_WITHIN: Duration = Duration::from_secs(10);

/// How long Codex may take to exit.
const LEAVE_WITHIN: Duration = Duration::from_secs(15);

/// Runs a job until nothing is left to do. Returns the exit status.
pub(crate) async fn run(settings: Settings, job: JobId, mut signals: Signals) -> u8 {
    let Some(state_dir) = settings.state_dir.clone() else { return 1 };
    tracing::info!(%job, "the job's process has started");
    let store = Store::new(&state_dir);
    let folder = store.folder(job);
    let retention = settings.retention;
    let codex = Codex::new(settings);
    let mut lock = take_lock(&folder).await;
    let mut status = 0;
    let bell = Bell::listen(&folder.bell());
    while let Some(held) = lock.take() {
        let mut work = match Work::begin(&store, &folder, job, held, codex.clone(), &bell) {
            Ok(work) => work,
            Err(error) => {
                tracing::error!(%job, %error, "the job cannot be run");
                return 1;
            }
        };
        if let Err(error) = work.run(&mut signals, &bell).await {
            tracing::error!(%job, %error, "the job's record cannot be written");
            status = 1;
        }
        if !codex.finished(LEAVE_WITHIN).await {
            tracing::warn!(%job, "Codex does not stop: leaving it to the watchdog");
        }
        let leaving = work.leaving;
        drop(work);
        // The request may have come when all was over.
        store.clear_cancel_of_ended(&folder);
        if leaving
            || status != 0
            || folder.queued_prompts().map_or(true, |queued_prompts| queued_prompts.is_empty())
        {
            break;
        }
        lock = folder.try_lock().unwrap_or_default();
    }
    if let Ok(Some(_nobody_listens)) = folder.try_lock() {
        // A program that copies the folder would block on it.
        drop(fs::remove_file(folder.bell()));
    }
    tidy(store, retention, job).await;
    status
}

/// Removes jobs that need not be kept. Spares this one, which has just ended and is yet to be
/// read.
async fn tidy(store: Store, retention: Retention, job: JobId) {
    let pruned = tokio::task::spawn_blocking(move || prune(&store, retention, Some(job))).await;
    tracing::debug!(?pruned, "pruned old jobs");
}

async fn take_lock(folder: &Folder) -> Option<WriteLock> {
    let until = Instant::now() + LOCK_WITHIN;
    loop {
        match folder.try_lock() {
            Ok(None) if Instant::now() < until => sleep(POLL_EVERY / 10).await,
            Ok(lock) => return lock,
            Err(error) => {
                tracing::error!(%error, "the job cannot be locked");
                return None;
            }
        }
    }
}
