//! One run of Codex: its process and its output, from the start to the end, in one loop.
//!
//! Whoever owns a [`Running`] owns the process. It reads all output throughout, also while it stops
//! Codex, so that nothing Codex still says is lost and Codex never waits for a reader.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::pin::{Pin, pin};
use std::process::ExitStatus;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::clock::Clock;
use crate::codex::event_stream::{EventStream, Read, Skipped};
use crate::codex::locate::Program;
use crate::codex::process::{Process, STOP_LADDER, StopSignal, Streams};
use crate::codex::stderr::StderrTail;
use crate::codex::transcript::{Terminal, Transcript};
use crate::codex::watchdog::Watchdog;
use crate::model::event::Event;
use crate::model::outcome::Limit;
use crate::model::prompt::Prompt;
use crate::model::session_id::SessionId;

/// How long Codex may take to leave after its last event, before it is stopped.
const LEAVE_WITHIN: Duration = Duration::from_secs(5);

/// How long output is waited for after the exit: somebody else may hold the pipe open for ever.
const DRAIN_WITHIN: Duration = Duration::from_millis(1_000);

/// How often it is looked at the time at least, to notice that this process stood still, and how late
/// such a look is then: the machine was paused, or all processes were stopped.
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_secs(10);
const STOOD_STILL: Duration = Duration::from_secs(2);

/// How a run ended, as far as an answer is concerned.
#[derive(Debug)]
pub(crate) enum End {
    /// Codex said how the turn ended. The process may still be there.
    Terminal(Terminal),
    /// It was stopped.
    Stopped(Why),
    /// It is gone and had not said how the turn ended.
    Exited { status: String, stderr: String },
}

/// Why a run was stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Why {
    Limit(Limit),
    Cancelled,
    /// What it prints cannot be taken down.
    NotRecorded {
        reason: String,
    },
    AnotherSession {
        got: String,
    },
}

/// Takes down what Codex prints, before anybody is told of it. What cannot be taken down stops Codex.
pub(crate) trait Recorder: Send {
    /// Codex was started, and works in this directory.
    fn started(&mut self, working_dir: &Path) -> io::Result<()>;
    /// Its process is there, and has not been given the prompt.
    fn launched(&mut self, pid: u32) -> io::Result<()>;
    /// An event, and its line as Codex wrote it: JSON, but perhaps not all of it UTF-8.
    fn event(&mut self, event: &Event, line: &[u8]) -> io::Result<()>;
    /// A line that is no event.
    fn skipped(&mut self, skipped: Skipped) -> io::Result<()>;
    /// Codex has paused: what was taken down is to be seen by others.
    fn flush(&mut self) -> io::Result<()>;
    /// Resolves when the end of the turn was taken down, or will not be. Until then no other turn of the
    /// session begins.
    fn end_is_taken_down(&mut self) -> oneshot::Receiver<()>;
}

/// What a run is watched for.
pub(crate) struct Watched<'a> {
    pub(crate) clock: &'a mut Clock,
    pub(crate) cancel: &'a CancellationToken,
    /// The session that Codex was asked to resume.
    pub(crate) asked: Option<SessionId>,
    /// Takes down what Codex prints.
    pub(crate) recorder: Option<&'a mut (dyn Recorder + 'static)>,
    /// Takes the events, as long as somebody listens.
    pub(crate) events: &'a mpsc::Sender<Event>,
    /// Is told the session's id. Nobody else is before what it says has come.
    pub(crate) opened: &'a mut (dyn FnMut(SessionId) -> Option<oneshot::Receiver<()>> + Send),
}

/// A Codex that was started.
pub(crate) struct Running {
    process: Process,
    events: EventStream<ChildStdout>,
    stderr: StderrTail,
    _prompt_writer: AbortOnDropHandle<()>,
    pub(crate) transcript: Transcript,
    exit: Option<ExitStatus>,
    output_ended: bool,
    stderr_ended: bool,
    stopping: Option<(Why, Ladder)>,
    /// When output is no longer waited for, once Codex is gone.
    drain_until: Option<Instant>,
    /// An event that waits for its listener.
    pending: Option<Event>,
    /// What it waits for besides.
    opening: Option<oneshot::Receiver<()>>,
}

impl Running {
    /// Starts Codex and begins to write the prompt.
    pub(crate) fn start(
        program: &Program,
        arguments: &[OsString],
        prompt: &Prompt,
        watchdog: &Watchdog,
    ) -> io::Result<Self> {
        let (process, Streams { stdin, stdout, stderr }) =
            Process::spawn(program, arguments, watchdog)?;
        let stderr = StderrTail::collect(stderr, process.pid());
        Ok(Self {
            process,
            events: EventStream::new(stdout),
            stderr,
            _prompt_writer: AbortOnDropHandle::new(tokio::spawn(write(stdin, prompt.clone()))),
            transcript: Transcript::default(),
            exit: None,
            output_ended: false,
            stderr_ended: false,
            stopping: None,
            drain_until: None,
            pending: None,
            opening: None,
        })
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Runs until there is something to answer.
    pub(crate) async fn run(&mut self, mut watched: Watched<'_>) -> End {
        let mut cancelled = pin!(watched.cancel.cancelled());
        let mut timer = pin!(sleep_until(watched.clock.next_look()));
        loop {
            if let Some(end) = self.end() {
                return end;
            }
            // A timer that is too early costs one look; one reset for each event would cost more.
            let next_look = self.next_look(watched.clock);
            if next_look < timer.deadline() || timer.is_elapsed() {
                timer.as_mut().reset(next_look);
            }
            let forward = self.pending.is_some();
            tokio::select! {
                biased;
                () = &mut cancelled, if self.stopping.is_none() => self.stop(Why::Cancelled),
                () = &mut timer => {
                    let late = Instant::now().saturating_duration_since(timer.deadline());
                    if late >= STOOD_STILL {
                        watched.clock.stood_still(Instant::now(), late);
                    }
                    self.look_at_time(watched.clock);
                }
                // Cancel-safe: what was not told is asked for again.
                _ = async { self.opening.as_mut().expect("it is there").await },
                    if self.opening.is_some() => self.opening = None,
                // Cancel-safe: a permit that is not taken is given back.
                permit = watched.events.reserve(), if forward && self.opening.is_none() => {
                    if let (Ok(permit), Some(event)) = (permit, self.pending.take()) {
                        permit.send(event);
                    }
                }
                // Cancel-safe: what was read stays in the stream's buffer.
                read = self.events.next(), if !self.output_ended && !forward => {
                    self.take(read, &mut watched);
                }
                // Cancel-safe: a status that is not taken is asked for again.
                status = self.process.exited(), if self.exit.is_none() => self.has_exited(status),
                // Cancel-safe: the reader goes on by itself.
                () = self.stderr.ended(), if self.awaits_stderr() => self.stderr_ended = true,
            }
        }
    }

    /// Waits for the process to leave, for a bounded time, and then stops it. The output is read on,
    /// so that it can leave.
    pub(crate) async fn leave(mut self, cancel: &CancellationToken) {
        let mut timer: Pin<&mut Sleep> = pin!(sleep_until(Instant::now() + LEAVE_WITHIN));
        let mut cancelled = pin!(cancel.cancelled());
        let mut ladder: Option<Ladder> = self.stopping.take().map(|(_, ladder)| ladder);
        while self.exit.is_none() {
            tokio::select! {
                biased;
                () = &mut cancelled, if ladder.is_none() => {
                    ladder = Some(Ladder::begin(&mut self.process));
                }
                () = &mut timer => match &mut ladder {
                    None => {
                        tracing::debug!(pid = self.pid(), "Codex does not leave: stopping it");
                        ladder = Some(Ladder::begin(&mut self.process));
                    }
                    Some(ladder) => {
                        if !ladder.climb(&mut self.process) {
                            return self.give_up();
                        }
                    }
                },
                read = self.events.next(), if !self.output_ended => {
                    self.output_ended = matches!(read, Ok(Read::End) | Err(_));
                }
                status = self.process.exited() => self.has_exited(status),
            }
            if let Some(ladder) = &ladder
                && (ladder.until < timer.deadline() || timer.is_elapsed())
            {
                timer.as_mut().reset(ladder.until);
            }
        }
    }

    fn end(&mut self) -> Option<End> {
        let wrong = matches!(self.stopping, Some((Why::AnotherSession { .. }, _)));
        let gone = self.exit.is_some() && self.output_ended && self.pending.is_none();
        if !wrong
            && self.pending.is_none()
            && let Some(terminal) = self.transcript.terminal.clone()
        {
            return Some(End::Terminal(terminal));
        }
        if !gone || self.awaits_stderr() {
            return None;
        }
        Some(match self.stopping.take() {
            Some((why, _)) => End::Stopped(why),
            None => End::Exited {
                status: self.exit.map_or_else(|| "unknown".into(), describe),
                stderr: self.stderr.text(),
            },
        })
    }

    /// Standard error matters only for saying why Codex left by itself.
    fn awaits_stderr(&self) -> bool {
        self.exit.is_some() && self.output_ended && !self.stderr_ended && self.stopping.is_none()
    }

    fn next_look(&self, clock: &Clock) -> Instant {
        match (&self.stopping, self.drain_until) {
            (_, Some(drain_until)) => drain_until,
            (Some((_, ladder)), None) => ladder.until,
            (None, None) => clock.next_look().min(Instant::now() + LOOK_AT_LEAST_EVERY),
        }
    }

    fn look_at_time(&mut self, clock: &Clock) {
        let now = Instant::now();
        match (&mut self.stopping, self.drain_until) {
            (_, Some(drain_until)) => {
                if now < drain_until {
                    return;
                }
                if self.pending.is_none() {
                    tracing::debug!(pid = self.pid(), "somebody holds Codex's output open");
                    self.output_ended = true;
                    self.stderr_ended = true;
                    return;
                }
                // It is our listener who is slow. It has time as long as the call has, and then the
                // rest is read without it.
                self.drain_until = Some(now + DRAIN_WITHIN);
                if let Some(limit) = clock.reached(now) {
                    self.stop(Why::Limit(limit));
                }
            }
            (Some((_, ladder)), None) => {
                if now >= ladder.until && !ladder.climb(&mut self.process) {
                    self.give_up();
                }
            }
            (None, None) => {
                if let Some(limit) = clock.reached(now) {
                    self.stop(Why::Limit(limit));
                }
            }
        }
    }

    /// Takes what came out of the stream, and what else is there already.
    fn take(&mut self, read: io::Result<Read>, watched: &mut Watched<'_>) {
        let mut next = Some(read);
        while let Some(read) = next {
            match read {
                Ok(Read::Event(event)) => {
                    if let Some(recorder) = &mut watched.recorder {
                        let taken = recorder.event(&event, self.events.line());
                        self.recorded(taken);
                    }
                    self.take_event(event, watched);
                }
                Ok(Read::Skipped(skipped)) => {
                    if let Some(recorder) = &mut watched.recorder {
                        let taken = recorder.skipped(skipped);
                        self.recorded(taken);
                    }
                    tracing::debug!(pid = self.pid(), ?skipped, "a line of Codex's was skipped");
                    self.transcript.record_skipped(skipped);
                }
                Ok(Read::End) => self.output_ended = true,
                Err(error) => {
                    tracing::debug!(pid = self.pid(), %error, "Codex's output cannot be read");
                    self.output_ended = true;
                }
            }
            if self.output_ended || self.pending.is_some() {
                break;
            }
            next = self.events.take_buffered().map(Ok);
        }
        if let Some(recorder) = &mut watched.recorder {
            let taken = recorder.flush();
            self.recorded(taken);
        }
        watched.clock.event(Instant::now(), self.transcript.is_working());
    }

    fn recorded(&mut self, taken: io::Result<()>) {
        if let (Err(error), None) = (taken, &self.stopping) {
            self.stop(Why::NotRecorded { reason: error.to_string() });
        }
    }

    fn take_event(&mut self, event: Event, watched: &mut Watched<'_>) {
        tracing::trace!(pid = self.pid(), ?event, "codex event");
        self.transcript.record(&event);
        if let Event::ThreadStarted { thread_id } = &event {
            match (thread_id.parse::<SessionId>(), watched.asked) {
                (Ok(got), None) => self.opening = (watched.opened)(got),
                (Ok(got), Some(asked)) if got == asked => self.opening = (watched.opened)(got),
                (_, Some(_)) if self.stopping.is_none() => {
                    return self.stop(Why::AnotherSession { got: thread_id.clone() });
                }
                (_, _) => {}
            }
        }
        if self.stopping.is_some() {
            // A stop waits for no listener.
            return;
        }
        if self.opening.is_some() {
            self.pending = Some(event);
            return;
        }
        match watched.events.try_send(event) {
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
            Err(mpsc::error::TrySendError::Full(event)) => self.pending = Some(event),
        }
    }

    fn stop(&mut self, why: Why) {
        tracing::debug!(pid = self.pid(), ?why, "stopping Codex");
        self.stopping = Some((why, Ladder::begin(&mut self.process)));
        self.pending = None;
    }

    fn has_exited(&mut self, status: io::Result<ExitStatus>) {
        match status {
            Ok(status) => self.exit = Some(status),
            Err(error) => {
                tracing::error!(pid = self.pid(), %error, "Codex cannot be waited for");
                self.give_up();
            }
        }
        self.drain_until = Some(Instant::now() + DRAIN_WITHIN);
    }

    /// A process that not even SIGKILL ends hangs in the system. Nobody waits for it any longer.
    fn give_up(&mut self) {
        tracing::error!(pid = self.pid(), "Codex cannot be killed; leaving it to the system");
        self.exit.get_or_insert_default();
        self.output_ended = true;
        self.stderr_ended = true;
    }
}

/// The signals of a stop, one after the other.
#[derive(Debug)]
struct Ladder {
    rest: &'static [(StopSignal, Duration)],
    /// When it is time for the next one.
    until: Instant,
}

impl Ladder {
    fn begin(process: &mut Process) -> Self {
        let mut ladder = Self { rest: STOP_LADDER, until: Instant::now() };
        ladder.climb(process);
        ladder
    }

    /// Sends the next signal. `false` if there is none left.
    fn climb(&mut self, process: &mut Process) -> bool {
        let Some(((signal, grace), rest)) = self.rest.split_first() else { return false };
        process.signal(*signal);
        self.until = Instant::now() + *grace;
        self.rest = rest;
        true
    }
}

/// Writes the prompt and closes the pipe. Codex may leave without reading it all.
async fn write(mut stdin: ChildStdin, prompt: Prompt) {
    if let Err(error) = stdin.write_all(prompt.as_str().as_bytes()).await {
        tracing::debug!(%error, "Codex did not read the whole prompt");
    }
}

fn describe(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return nix::sys::signal::Signal::try_from(signal)
            .map_or_else(|_| format!("signal {signal}"), |signal| signal.as_str().to_owned());
    }
    status.code().map_or_else(|| status.to_string(), |code| format!("exit status {code}"))
}
