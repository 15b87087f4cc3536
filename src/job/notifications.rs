//! The notifications of all jobs: one line for each turn that has ended. The line numbers are the
//! cursors of `job_notifications` and `job_wait`.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::log::{LogReader, LogWriter, last_number};
use super::status::{JobError, Status};
use crate::model::job_id::JobId;
use crate::model::session_id::SessionId;
use crate::model::time::Time;
use crate::system::file_lock::FileLock;
use crate::system::private;
use crate::system::reverse_lines::ReverseLines;

/// How long to wait for another process that is writing.
pub(crate) const LOCK_WITHIN: Duration = Duration::from_secs(5);

/// The end of a turn of a job.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Notification {
    pub(crate) job_id: JobId,
    pub(crate) label: Option<String>,
    /// How the turn ended.
    pub(crate) status: Status,
    pub(crate) at: Time,
    pub(crate) turn: u64,
    /// The start of the prompt.
    #[serde(default)]
    pub(crate) prompt: Option<String>,
    pub(crate) session_id: Option<SessionId>,
    pub(crate) result: Option<String>,
    pub(crate) error: Option<JobError>,
    /// The line of the job's log with this end. Unique together with the job's id.
    pub(crate) event: u64,
}

/// The file of all notifications.
#[derive(Debug, Clone)]
pub(crate) struct Notifications {
    path: PathBuf,
}

impl Notifications {
    pub(crate) fn new(state_dir: &Path) -> Self {
        Self { path: state_dir.join("notifications.jsonl") }
    }

    /// The number of the last notification.
    pub(crate) fn last(&self) -> io::Result<u64> {
        last_number(&self.path)
    }

    /// The length of the file, which changes with every new notification.
    pub(crate) fn length(&self) -> u64 {
        self.path.metadata().map_or(0, |metadata| metadata.len())
    }

    /// Appends a notification. If another process may have done so before it was killed, checks
    /// that first. Blocks.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] if another process keeps the file locked.
    pub(crate) fn append(
        &self,
        notification: &Notification,
        may_be_recorded: bool,
        within: Duration,
    ) -> io::Result<()> {
        let _lock = self.lock(within)?;
        if may_be_recorded && self.contains(notification)? {
            return Ok(());
        }
        let mut log = LogWriter::open(&self.path, 0)?;
        log.append(notification)?;
        log.flush()
    }

    /// At most `limit` notifications after `cursor`, of jobs that are wanted, and the cursor to
    /// continue from.
    pub(crate) fn after(
        &self,
        cursor: u64,
        is_wanted: impl Fn(JobId) -> bool,
        limit: usize,
    ) -> io::Result<(Vec<(u64, Notification)>, u64)> {
        let mut found = Vec::new();
        let mut cursor = cursor;
        let Some(mut log) = LogReader::after(&self.path, cursor)? else {
            return Ok((found, cursor));
        };
        while let Some((number, line)) = log.next_line()? {
            if found.len() == limit {
                break;
            }
            cursor = number;
            if let Ok(notification) = serde_json::from_slice::<Notification>(line)
                && is_wanted(notification.job_id)
            {
                found.push((number, notification));
            }
        }
        Ok((found, cursor))
    }

    /// Removes notifications from before `oldest`, except those of `kept_jobs` and the very last
    /// one, which keeps the numbers growing.
    pub(crate) fn prune(&self, oldest: Time, kept_jobs: &[JobId]) -> io::Result<()> {
        if !self.path.exists() {
            return Ok(());
        }
        let _lock = self.lock(LOCK_WITHIN)?;
        let last = self.last()?;
        let Some(mut log) = LogReader::after(&self.path, 0)? else { return Ok(()) };
        let mut kept = Vec::new();
        let mut forgotten = false;
        while let Some((number, line)) = log.next_line()? {
            let is_old = serde_json::from_slice::<Notification>(line)
                .map_or(true, |told| told.at < oldest && !kept_jobs.contains(&told.job_id));
            if is_old && number != last {
                forgotten = true;
            } else {
                kept.extend_from_slice(line);
                kept.push(b'\n');
            }
        }
        if !forgotten {
            return Ok(());
        }
        self.path.parent().into_iter().for_each(private::remove_unfinished);
        private::write_bytes(&self.path, &kept)
    }

    fn contains(&self, wanted: &Notification) -> io::Result<bool> {
        let file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            file => file?,
        };
        let mut lines = ReverseLines::new(file)?;
        while let Some(line) = lines.next_line()? {
            if let Ok(told) = serde_json::from_slice::<Notification>(line)
                && told.job_id == wanted.job_id
            {
                return Ok(told.event >= wanted.event);
            }
        }
        Ok(false)
    }

    fn lock(&self, within: Duration) -> io::Result<FileLock> {
        Ok(FileLock::lock_within(&self.path.with_extension("lock"), within)?)
    }
}
