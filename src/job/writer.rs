//! Writes a job's log and state: in the process that runs the job, or in one that finds that
//! process gone.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::value::RawValue;
use tokio::sync::Notify;
use uuid::Uuid;

use super::folder::{Folder, WriteLock};
use super::log::LogWriter;
use super::notifications::{LOCK_WITHIN, Notifications};
use super::process::ProcessId;
use super::record::{JobEvent, Line};
use super::state::State;
use super::status::{JobError, Status};
use crate::codex::event_stream::Skipped;
use crate::model::changed_files::ChangedFiles;
use crate::model::event::Event;
use crate::model::time::Time;
use crate::system::private::write_often;
use crate::turn::tap::Tap;

/// How often to save the state while events come.
const SAVE_EVERY: Duration = Duration::from_millis(500);

/// A prompt whose turn will not be started, and why.
#[derive(Debug)]
pub(crate) struct Dismissed {
    pub(crate) id: Uuid,
    /// Its start, for display.
    pub(crate) text: String,
    pub(crate) status: Status,
    pub(crate) error: JobError,
}

/// Writes a job's files.
#[derive(Debug)]
pub(crate) struct Writer {
    folder: Folder,
    notifications: Notifications,
    log: LogWriter,
    state: State,
    saved: Instant,
    unsaved: bool,
    _lock: WriteLock,
}

impl Writer {
    /// Continues a job whose `state` covers all of its log.
    pub(crate) fn open(
        folder: Folder,
        notifications: Notifications,
        state: State,
        lock: WriteLock,
    ) -> io::Result<Self> {
        let log = LogWriter::open(&folder.log(), state.cursor)?;
        let saved = Instant::now();
        Ok(Self { folder, notifications, log, state, saved, unsaved: false, _lock: lock })
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Records which process was started to run the job.
    pub(crate) fn record_runner(&mut self, runner: ProcessId) -> io::Result<()> {
        self.state.runner = Some(runner);
        self.state.starting = true;
        self.save()
    }

    /// Records that no process is about to run the job.
    pub(crate) fn clear_starting(&mut self) -> io::Result<()> {
        self.state.starting = false;
        self.save()
    }

    /// Records that this process runs the job from now on.
    pub(crate) fn claim(&mut self) -> io::Result<()> {
        self.state.runner = Some(ProcessId::this());
        self.state.starting = false;
        self.save()
    }

    /// Records which process is the Codex of the running turn.
    fn launched(&mut self, codex: ProcessId) -> io::Result<()> {
        self.state.codex = Some(codex);
        self.save()
    }

    /// Records an event of the job, and saves the state.
    pub(crate) fn record(&mut self, turn: u64, event: JobEvent) -> io::Result<()> {
        self.append(turn, event)?;
        self.save()
    }

    fn append(&mut self, turn: u64, event: JobEvent) -> io::Result<()> {
        let at = Time::now();
        let cursor = self.log.append(&Line::of_job(at, turn, event.clone()))?;
        self.state.apply(cursor, at, &event);
        Ok(())
    }

    /// Records the end of a turn, even on a full disk, and adds its notification.
    pub(crate) fn record_end(&mut self, turn: u64, event: JobEvent) -> io::Result<()> {
        self.write(turn, &event)?;
        self.with_reserve(|writer, _| writer.save())?;
        if !self.state.has_pending_notifications() {
            return Ok(());
        }
        self.with_reserve(|writer, again| match writer.notify(again, LOCK_WITHIN) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                // Another process holds the lock and does nothing. The notification is in the
                // state, and is written later.
                tracing::warn!("the notification of the job's end cannot be written yet");
                Ok(())
            }
            told => told,
        })
    }

    /// Writes notifications that could not be written before.
    pub(crate) fn retry_notifications(&mut self) {
        if self.state.has_pending_notifications()
            && let Err(error) = self.notify(true, Duration::ZERO)
        {
            tracing::debug!(%error, "the notification of the job's end cannot be written yet");
        }
    }

    /// Records the end of a prompt that never started, and adds its notification. The prompt may
    /// even still be in the inbox.
    pub(crate) fn dismiss(&mut self, prompt: Dismissed, more: bool) -> io::Result<()> {
        let Dismissed { id, text, status, error } = prompt;
        if !self.state.has_taken(id) {
            self.write(0, &JobEvent::Prompt { id, text, interrupt: false })?;
        }
        let error = Some(error);
        let event = JobEvent::Ended {
            status,
            prompt: Some(id),
            notify: true,
            more,
            session_id: None,
            result: None,
            error,
            usage: None,
            session_usage: None,
            warnings: Vec::new(),
            output: None,
            effective: None,
            files_changed: ChangedFiles::default(),
        };
        self.record_end(0, event)
    }

    /// Writes an event of the job into the log, even on a full disk.
    fn write(&mut self, turn: u64, event: &JobEvent) -> io::Result<()> {
        let at = Time::now();
        let line = Line::of_job(at, turn, event.clone());
        let cursor = self.with_reserve(|writer, _| {
            let cursor = writer.log.append(&line)?;
            writer.log.flush().map(|()| cursor)
        })?;
        self.state.apply(cursor, at, event);
        Ok(())
    }

    /// Writes. If that fails, frees the space that was set aside and writes again.
    fn with_reserve<T>(
        &mut self,
        write: impl Fn(&mut Self, bool) -> io::Result<T>,
    ) -> io::Result<T> {
        write(self, false).or_else(|error| {
            tracing::warn!(%error, "the job's end cannot be written: freeing the reserved space");
            self.folder.release_reserve();
            write(self, true)
        })
    }

    /// Writes the pending notifications, in order.
    pub(crate) fn notify(&mut self, may_be_recorded: bool, within: Duration) -> io::Result<()> {
        if self.state.pending_notifications.is_empty() {
            // Older versions did not record which.
            let status = self.state.last_end.as_ref().map_or(self.state.status, |end| end.status);
            self.state.pending_notifications.push(self.state.notification(status, Time::now()));
        }
        while let Some(next) = self.state.pending_notifications.first() {
            self.notifications.append(next, may_be_recorded, within)?;
            self.state.pending_notifications.remove(0);
        }
        self.state.announced = self.state.to_announce;
        self.save()
    }

    fn event(&mut self, turn: u64, event: &Event, line: &[u8]) -> io::Result<()> {
        let at = Time::now();
        let head = format!("\"at\":{},\"turn\":{turn},\"codex\":", at.0);
        let cursor = match std::str::from_utf8(line) {
            Ok(_) => self.log.append_raw(&[head.as_bytes(), line, b"}"]),
            Err(_) => {
                // Invalid UTF-8 is replaced, as it is for readers of the event.
                let raw = RawValue::from_string(String::from_utf8_lossy(line).into_owned())?;
                self.log.append(&Line::of_codex(at, turn, &raw))?
            }
        };
        self.state.apply_event(cursor, at, event);
        self.unsaved = true;
        self.log.flush_much()
    }

    fn skipped(&mut self, turn: u64, skipped: Skipped) -> io::Result<()> {
        let reason = match skipped {
            Skipped::NotAnEvent => "Codex printed a line that is not an event".into(),
            Skipped::TooLong(bytes) => {
                format!("Codex printed an event of {bytes} bytes, which exceeds the limit")
            }
        };
        self.append(turn, JobEvent::Skipped { reason })?;
        self.unsaved = true;
        self.log.flush_much()
    }

    /// Makes what was recorded visible to others, and saves the state unless that was done
    /// recently.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.log.flush()?;
        if self.unsaved && self.saved.elapsed() >= SAVE_EVERY { self.save() } else { Ok(()) }
    }

    fn save(&mut self) -> io::Result<()> {
        self.log.flush()?;
        self.state.log_bytes = self.log.bytes();
        write_often(&self.folder.state(), &self.state)?;
        self.saved = Instant::now();
        self.unsaved = false;
        Ok(())
    }

    /// Makes the system write the log to the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.log.sync()
    }
}

/// Records the turns of one job.
#[derive(Debug, Clone)]
pub(crate) struct SharedWriter(Arc<Mutex<Writer>>);

impl SharedWriter {
    pub(crate) fn new(writer: Writer) -> Self {
        Self(Arc::new(Mutex::new(writer)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Writer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Records one turn.
#[derive(Debug)]
pub(crate) struct TurnRecorder {
    pub(crate) writer: SharedWriter,
    /// The number of the turn in its job once it has started, shared with the holder of the other
    /// end.
    number: Arc<AtomicU64>,
    prompt: Uuid,
    /// Notified when the session is known.
    session_known: Arc<Notify>,
    turn: u64,
}

impl TurnRecorder {
    pub(crate) fn new(
        writer: SharedWriter,
        number: Arc<AtomicU64>,
        prompt: Uuid,
        session_known: Arc<Notify>,
    ) -> Self {
        Self { writer, number, prompt, session_known, turn: 0 }
    }
}

impl Tap for TurnRecorder {
    fn starting(&mut self, working_dir: &Path) -> io::Result<()> {
        let mut writer = self.writer.lock();
        // Codex may be started again in a session that another process had open.
        if self.turn == 0 {
            self.turn = writer.state.turns + 1;
            self.number.store(self.turn, Ordering::Relaxed);
            let cwd = PathBuf::from(working_dir.to_string_lossy().into_owned());
            writer.record(self.turn, JobEvent::Running { cwd, prompt: Some(self.prompt) })?;
        }
        Ok(())
    }

    fn launched(&mut self, pid: u32) -> io::Result<()> {
        self.writer.lock().launched(ProcessId::of(pid))
    }

    fn event(&mut self, event: &Event, line: &[u8]) -> io::Result<()> {
        self.writer.lock().event(self.turn, event, line)?;
        if matches!(event, Event::ThreadStarted { .. }) {
            self.session_known.notify_one();
        }
        Ok(())
    }

    fn skipped(&mut self, skipped: Skipped) -> io::Result<()> {
        self.writer.lock().skipped(self.turn, skipped)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.lock().flush()
    }
}
