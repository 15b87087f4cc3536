//! A job's folder: its files, and how they are written so that a crash leaves no half-written file.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::LOCK_WITHIN;
use super::inbox::QueuedPrompt;
use crate::model::job_id::JobId;
use crate::model::text::excerpt;
use crate::system::bell;
use crate::system::file_lock::{FileLock, LockError};
use crate::system::private;
use crate::system::private::write_whole;

/// The size of the file that is kept so that the end of a job can be written to a full disk, in
/// bytes.
const RESERVE: usize = 64 << 10;

/// How much of the end of the log of a job's process to search for the error that it failed to
/// start with, in bytes.
const STARTUP_ERROR_TAIL: u64 = 8 << 10;

/// The paths of a job's files.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    path: PathBuf,
}

/// The right to write a job's log and state, until this is dropped.
#[derive(Debug)]
pub(crate) struct WriteLock(#[expect(dead_code, reason = "locked until it is dropped")] FileLock);

impl Folder {
    /// The folder of a job, in the folder of all jobs.
    pub(crate) fn of(jobs: &Path, job: JobId) -> Self {
        Self { path: jobs.join(job.to_string()) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// All events, one per line.
    pub(crate) fn log(&self) -> PathBuf {
        self.path.join("events.jsonl")
    }

    /// The state that the log leads to.
    pub(crate) fn state(&self) -> PathBuf {
        self.path.join("state.json")
    }

    /// Prompts that the job's process has not taken yet.
    pub(crate) fn inbox(&self) -> PathBuf {
        self.path.join("inbox")
    }

    /// Requests that the job stops. That takes no space on the disk: the file that means so exists
    /// already, under another name.
    pub(crate) fn request_cancel(&self) -> io::Result<()> {
        match fs::rename(self.unused_cancel_file(), self.cancel_file()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.path.is_dir() => {
                // Another process was faster, or an older version created the folder.
                let mut options = private::open_options();
                options.write(true).create(true).truncate(false).open(self.cancel_file()).map(drop)
            }
            renamed => renamed,
        }?;
        bell::ring(&self.bell());
        Ok(())
    }

    /// Whether the job should stop.
    pub(crate) fn is_cancel_requested(&self) -> bool {
        self.cancel_file().exists()
    }

    /// Withdraws the request to stop the job.
    pub(crate) fn clear_cancel(&self) -> io::Result<()> {
        match fs::rename(self.cancel_file(), self.unused_cancel_file()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            renamed => renamed,
        }
    }

    fn cancel_file(&self) -> PathBuf {
        self.inbox().join("cancel")
    }

    fn unused_cancel_file(&self) -> PathBuf {
        self.path.join("cancel")
    }

    /// Wakes the job's process when something was put into the inbox. Exists while that process
    /// runs.
    pub(crate) fn bell(&self) -> PathBuf {
        self.path.join("bell")
    }

    fn reserve(&self) -> PathBuf {
        self.path.join("reserve")
    }

    /// The log of the process that runs the job.
    pub(crate) fn open_runner_log(&self) -> io::Result<File> {
        private::open_options().append(true).create(true).open(self.path.join("runner.log"))
    }

    /// The error with which the process failed to start running the job, if it reported one.
    pub(crate) fn startup_error(&self) -> Option<String> {
        let mut log = File::open(self.path.join("runner.log")).ok()?;
        let length = log.metadata().ok()?.len();
        log.seek(SeekFrom::Start(length.saturating_sub(STARTUP_ERROR_TAIL))).ok()?;
        let mut end = Vec::new();
        log.take(STARTUP_ERROR_TAIL).read_to_end(&mut end).ok()?;
        let end = String::from_utf8_lossy(&end);
        // Later lines of its log start with the time.
        let error = end.lines().rev().find_map(|line| line.strip_prefix("error: "))?;
        Some(excerpt(error))
    }

    /// Creates the folder, and checks whether there is enough space.
    pub(crate) fn create(&self) -> io::Result<()> {
        private::create_folder(&self.inbox())?;
        private::open_options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.unused_cancel_file())?;
        self.ensure_reserve()
    }

    /// Sets space aside for the end of the job, unless that is done already.
    pub(crate) fn ensure_reserve(&self) -> io::Result<()> {
        let path = self.reserve();
        if path.metadata().is_ok_and(|metadata| metadata.len() == RESERVE as u64) {
            return Ok(());
        }
        let mut file =
            private::open_options().write(true).create(true).truncate(true).open(path)?;
        // Not zeros, for which some file systems allocate nothing.
        let written = file.write_all(&[b'.'; RESERVE]);
        if written.is_err() {
            self.release_reserve();
        }
        written
    }

    /// Frees the space that was set aside.
    pub(crate) fn release_reserve(&self) {
        drop(fs::remove_file(self.reserve()));
    }

    /// The right to write, unless another process has it.
    pub(crate) fn try_lock(&self) -> io::Result<Option<WriteLock>> {
        let lock = FileLock::try_lock(&self.path.join("lock"));
        LockError::none_if_held(lock.map(WriteLock))
    }

    /// Puts a prompt into the inbox, whole or not at all.
    pub(crate) fn enqueue(&self, prompt: &QueuedPrompt) -> io::Result<Uuid> {
        let id = Uuid::now_v7();
        write_whole(&self.prompt_file(id), prompt)?;
        bell::ring(&self.bell());
        Ok(id)
    }

    /// Withdraws a prompt that is still in the inbox.
    pub(crate) fn withdraw(&self, id: Uuid) {
        drop(fs::remove_file(self.prompt_file(id)));
    }

    fn prompt_file(&self, id: Uuid) -> PathBuf {
        self.inbox().join(format!("{id}.json"))
    }

    /// Keeps others from putting prompts into the inbox. `None` if another process holds this lock
    /// for too long.
    pub(crate) fn lock_inbox(&self) -> io::Result<Option<FileLock>> {
        let lock = FileLock::lock_within(&self.path.join("inbox.lock"), LOCK_WITHIN);
        LockError::none_if_held(lock)
    }

    /// Removes prompts whose senders were killed before they could report that these were accepted.
    /// Requires the lock of a job that has ended, because all of its accepted prompts have ended
    /// too.
    pub(crate) fn remove_unaccepted(&self) -> io::Result<()> {
        for (_, path) in self.queued_prompts()? {
            if !private::read_whole::<QueuedPrompt>(&path)
                .is_ok_and(|prompt| prompt.is_sender_alive())
            {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// The prompts in the inbox, in order.
    pub(crate) fn queued_prompts(&self) -> io::Result<Vec<(Uuid, PathBuf)>> {
        let mut queued_prompts = Vec::new();
        for entry in fs::read_dir(self.inbox())? {
            let path = entry?.path();
            let id = path
                .file_name()
                .and_then(|name| name.to_str()?.strip_suffix(".json")?.parse().ok());
            queued_prompts.extend(id.map(|id: Uuid| (id, path)));
        }
        queued_prompts.sort_unstable();
        Ok(queued_prompts)
    }
}
