//! The one who writes a job's log and state: the process that runs the job, or whoever finds it dead.

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
use crate::model::event::Event;
use crate::model::time::Time;
use crate::system::private::write_often;
use crate::turn::tap::Tap;

/// How often the state is written while events come.
const SAVE_EVERY: Duration = Duration::from_millis(500);

/// A prompt that is not to be begun, and why.
#[derive(Debug)]
pub(crate) struct Dismissed {
    pub(crate) id: Uuid,
    /// Its beginning, for people.
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
    /// Goes on with a job whose `state` covers all of its log.
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

    /// Says which process was started to run the job.
    pub(crate) fn hand_over(&mut self, runner: ProcessId) -> io::Result<()> {
        self.state.runner = Some(runner);
        self.state.starting = true;
        self.save()
    }

    /// Says that no process is on its way to run the job.
    pub(crate) fn take_back(&mut self) -> io::Result<()> {
        self.state.starting = false;
        self.save()
    }

    /// Says that this process runs the job from now on.
    pub(crate) fn take_over(&mut self) -> io::Result<()> {
        self.state.runner = Some(ProcessId::this());
        self.state.starting = false;
        self.save()
    }

    /// Says which process is the Codex of the running turn.
    fn launched(&mut self, codex: ProcessId) -> io::Result<()> {
        self.state.codex = Some(codex);
        self.save()
    }

    /// Writes down something about the job, at once.
    pub(crate) fn note(&mut self, turn: u64, event: JobEvent) -> io::Result<()> {
        self.append(turn, event)?;
        self.save()
    }

    fn append(&mut self, turn: u64, event: JobEvent) -> io::Result<()> {
        let at = Time::now();
        let cursor = self.log.append(&Line::of_job(at, turn, event.clone()))?;
        self.state.take(cursor, at, &event);
        Ok(())
    }

    /// Writes down how a turn ended, also when there is hardly any room, and tells of it.
    pub(crate) fn end(&mut self, turn: u64, event: JobEvent) -> io::Result<()> {
        self.write(turn, &event)?;
        self.in_any_case(|writer, _| writer.save())?;
        if !self.state.is_unannounced() {
            return Ok(());
        }
        self.in_any_case(|writer, again| match writer.announce(again, LOCK_WITHIN) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                // Somebody holds the lock and does nothing. It is in the state, and told later.
                tracing::warn!("the job's end cannot be told yet");
                Ok(())
            }
            told => told,
        })
    }

    /// Tells of ends that could not be told before.
    pub(crate) fn tell_late(&mut self) {
        if self.state.is_unannounced()
            && let Err(error) = self.announce(true, Duration::ZERO)
        {
            tracing::debug!(%error, "the job's end cannot be told yet");
        }
    }

    /// Writes down that a prompt ends that was never begun, and tells of it. It may not even have been
    /// taken out of the inbox.
    pub(crate) fn dismiss(&mut self, prompt: Dismissed, more: bool) -> io::Result<()> {
        let Dismissed { id, text, status, error } = prompt;
        if !self.state.has_taken(id) {
            self.write(0, &JobEvent::Prompt { id, text, interrupt: false })?;
        }
        let error = Some(error);
        let event = JobEvent::Ended {
            status,
            prompt: Some(id),
            told: true,
            more,
            session_id: None,
            result: None,
            error,
            usage: None,
            session_usage: None,
            warnings: Vec::new(),
            output: None,
            effective: None,
        };
        self.end(0, event)
    }

    /// Writes something about the job into the log, also when there is hardly any room.
    fn write(&mut self, turn: u64, event: &JobEvent) -> io::Result<()> {
        let at = Time::now();
        let line = Line::of_job(at, turn, event.clone());
        let cursor = self.in_any_case(|writer, _| {
            let cursor = writer.log.append(&line)?;
            writer.log.flush().map(|()| cursor)
        })?;
        self.state.take(cursor, at, event);
        Ok(())
    }

    /// Writes; if that cannot be done, once more with the room that was set aside.
    fn in_any_case<T>(
        &mut self,
        write: impl Fn(&mut Self, bool) -> io::Result<T>,
    ) -> io::Result<T> {
        write(self, false).or_else(|error| {
            tracing::warn!(%error, "the job's end cannot be written; using what was set aside");
            self.folder.release_reserve();
            write(self, true)
        })
    }

    /// Tells of the ends that nobody told of, in order.
    pub(crate) fn announce(&mut self, maybe_told: bool, within: Duration) -> io::Result<()> {
        if self.state.untold.is_empty() {
            // An older version left it so.
            let status = self.state.last_end.as_ref().map_or(self.state.status, |end| end.status);
            self.state.untold.push(self.state.notification(status, Time::now()));
        }
        while let Some(next) = self.state.untold.first() {
            self.notifications.tell(next, maybe_told, within)?;
            self.state.untold.remove(0);
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
                // Bytes that are no text are replaced, as they are for whoever reads the event.
                let raw = RawValue::from_string(String::from_utf8_lossy(line).into_owned())?;
                self.log.append(&Line::of_codex(at, turn, &raw))?
            }
        };
        self.state.take_event(cursor, at, event);
        self.unsaved = true;
        self.log.flush_much()
    }

    fn skipped(&mut self, turn: u64, skipped: Skipped) -> io::Result<()> {
        let reason = match skipped {
            Skipped::NotAnEvent => "Codex printed a line that is no event".into(),
            Skipped::TooLong(bytes) => {
                format!("Codex printed an event of {bytes} bytes, which is more than is kept")
            }
        };
        self.append(turn, JobEvent::Skipped { reason })?;
        self.unsaved = true;
        self.log.flush_much()
    }

    /// Lets others see what was written down, and the state if that was not done for a while.
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

    /// Has the system put the log on the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.log.sync()
    }
}

/// Writes down the turns of one job.
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

/// Writes down one turn.
#[derive(Debug)]
pub(crate) struct TurnRecorder {
    pub(crate) writer: SharedWriter,
    /// Which turn of the job this is, once it has begun, for whoever holds the other end too.
    number: Arc<AtomicU64>,
    prompt: Uuid,
    /// Is told when the session is known.
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
        // Codex may be started anew in a session that somebody else had open.
        if self.turn == 0 {
            self.turn = writer.state.turns + 1;
            self.number.store(self.turn, Ordering::Relaxed);
            let cwd = PathBuf::from(working_dir.to_string_lossy().into_owned());
            writer.note(self.turn, JobEvent::Running { cwd, prompt: Some(self.prompt) })?;
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
