//! A job's folder: which files it has, and how they are written so that a crash leaves no half file.

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

/// Kept so that the end of a job can be written when the disk is full, in bytes.
const RESERVE: usize = 64 << 10;

/// How much of the end of the log of a job's process may hold why it did not begin, in bytes.
const COMPLAINT: u64 = 8 << 10;

/// Where a job's files are.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    path: PathBuf,
}

/// The right to write a job's log and state. Given back when dropped.
#[derive(Debug)]
pub(crate) struct WriteLock(#[expect(dead_code, reason = "locked until it is dropped")] FileLock);

impl Folder {
    /// The folder of a job below that of all jobs.
    pub(crate) fn of(jobs: &Path, job: JobId) -> Self {
        Self { path: jobs.join(job.to_string()) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Everything that happened, a line each.
    pub(crate) fn log(&self) -> PathBuf {
        self.path.join("events.jsonl")
    }

    /// Where it all leads to.
    pub(crate) fn state(&self) -> PathBuf {
        self.path.join("state.json")
    }

    /// Prompts that were not taken yet.
    pub(crate) fn inbox(&self) -> PathBuf {
        self.path.join("inbox")
    }

    /// Says that the job is to be stopped. That takes no room on the disk: the file that says so was
    /// there before, under another name.
    pub(crate) fn ask_to_stop(&self) -> io::Result<()> {
        match fs::rename(self.no_stop(), self.stop()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.path.is_dir() => {
                // Somebody else was a moment earlier, or an older version made the folder.
                let mut options = private::open_options();
                options.write(true).create(true).truncate(false).open(self.stop()).map(drop)
            }
            renamed => renamed,
        }?;
        bell::ring(&self.bell());
        Ok(())
    }

    /// Whether the job is to be stopped.
    pub(crate) fn is_to_stop(&self) -> bool {
        self.stop().exists()
    }

    /// Takes the wish back to stop the job.
    pub(crate) fn forget_stop(&self) -> io::Result<()> {
        match fs::rename(self.stop(), self.no_stop()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            renamed => renamed,
        }
    }

    fn stop(&self) -> PathBuf {
        self.inbox().join("cancel")
    }

    fn no_stop(&self) -> PathBuf {
        self.path.join("cancel")
    }

    /// Rings when something was put into the inbox. There while a process runs the job.
    pub(crate) fn bell(&self) -> PathBuf {
        self.path.join("bell")
    }

    fn reserve(&self) -> PathBuf {
        self.path.join("reserve")
    }

    /// What the process that runs the job logs.
    pub(crate) fn open_runner_log(&self) -> io::Result<File> {
        private::open_options().append(true).create(true).open(self.path.join("runner.log"))
    }

    /// Why the process that was to run the job could not begin, if it said so.
    pub(crate) fn last_complaint(&self) -> Option<String> {
        let mut log = File::open(self.path.join("runner.log")).ok()?;
        let length = log.metadata().ok()?.len();
        log.seek(SeekFrom::Start(length.saturating_sub(COMPLAINT))).ok()?;
        let mut end = Vec::new();
        log.take(COMPLAINT).read_to_end(&mut end).ok()?;
        let end = String::from_utf8_lossy(&end);
        // What it logs later begins with the time.
        let complaint = end.lines().rev().find_map(|line| line.strip_prefix("error: "))?;
        Some(excerpt(complaint))
    }

    /// Makes the folder, and sees whether there is room.
    pub(crate) fn create(&self) -> io::Result<()> {
        private::create_folder(&self.inbox())?;
        private::open_options().write(true).create(true).truncate(false).open(self.no_stop())?;
        self.keep_reserve()
    }

    /// Sets room aside for the end of the job, unless that is done.
    pub(crate) fn keep_reserve(&self) -> io::Result<()> {
        let path = self.reserve();
        if path.metadata().is_ok_and(|metadata| metadata.len() == RESERVE as u64) {
            return Ok(());
        }
        let mut file =
            private::open_options().write(true).create(true).truncate(true).open(path)?;
        // Not zeros, which some file systems would take for nothing.
        let written = file.write_all(&[b'.'; RESERVE]);
        if written.is_err() {
            self.release_reserve();
        }
        written
    }

    /// Gives the room back that was set aside.
    pub(crate) fn release_reserve(&self) {
        drop(fs::remove_file(self.reserve()));
    }

    /// The right to write, if nobody has it.
    pub(crate) fn try_lock(&self) -> io::Result<Option<WriteLock>> {
        let lock = FileLock::try_lock(&self.path.join("lock"));
        LockError::none_if_held(lock.map(WriteLock))
    }

    /// Puts a prompt into the inbox. It is there whole or not at all.
    pub(crate) fn put(&self, ask: &QueuedPrompt) -> io::Result<Uuid> {
        let id = Uuid::now_v7();
        write_whole(&self.ask(id), ask)?;
        bell::ring(&self.bell());
        Ok(id)
    }

    /// Takes a prompt back that nobody has taken out of the inbox.
    pub(crate) fn take_back(&self, id: Uuid) {
        drop(fs::remove_file(self.ask(id)));
    }

    fn ask(&self, id: Uuid) -> PathBuf {
        self.inbox().join(format!("{id}.json"))
    }

    /// Makes sure that nobody else puts a prompt into the inbox meanwhile.
    pub(crate) fn lock_inbox(&self) -> io::Result<Option<FileLock>> {
        let lock = FileLock::lock_within(&self.path.join("inbox.lock"), LOCK_WITHIN);
        LockError::none_if_held(lock)
    }

    /// Removes prompts whose askers were killed before they could say that they were accepted. Only
    /// for the holder of the lock of a job that has ended: all that were accepted have ended too.
    pub(crate) fn remove_unaccepted(&self) -> io::Result<()> {
        for (_, path) in self.asks()? {
            if !private::read_whole::<QueuedPrompt>(&path).is_ok_and(|ask| ask.is_alive()) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// The prompts in the inbox, in order.
    pub(crate) fn asks(&self) -> io::Result<Vec<(Uuid, PathBuf)>> {
        let mut asks = Vec::new();
        for entry in fs::read_dir(self.inbox())? {
            let path = entry?.path();
            let id = path
                .file_name()
                .and_then(|name| name.to_str()?.strip_suffix(".json")?.parse().ok());
            asks.extend(id.map(|id: Uuid| (id, path)));
        }
        asks.sort_unstable();
        Ok(asks)
    }
}
