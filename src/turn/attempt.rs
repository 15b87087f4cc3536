//! One run of Codex as its turn sees it, from the start to the end, in one loop: limits, cancellation,
//! recording, the listener. The process itself is the backend's.

#[cfg(test)]
mod tests;

use std::future::pending;
use std::io;
use std::pin::pin;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::tap::{Tap, Taps};
use crate::codex::backend::{Backend, Control, Exit, Launch, Output};
use crate::codex::transcript::{Terminal, Transcript};
use crate::model::event::Event;
use crate::model::outcome::Limit;
use crate::model::session_id::SessionId;

/// How long Codex may take to leave after its last event, before it is stopped.
const LEAVE_WITHIN: Duration = Duration::from_secs(5);

/// The longest time between two checks of the clock, and how late a check must be to show that this
/// process did not run in between: the machine was suspended, or all processes were stopped.
const CHECK_EVERY: Duration = Duration::from_secs(10);
const SUSPENDED_IF_LATE_BY: Duration = Duration::from_secs(2);

/// How a run ended, as far as an answer is concerned.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Codex said how the turn ended. The process may still be there.
    Terminal(Terminal),
    /// It was stopped, and is gone.
    Stopped(Why),
    /// It is gone and had not said how the turn ended.
    Exited(Exit),
}

/// Why a run was stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Why {
    Limit(Limit),
    Cancelled,
    /// Its events cannot be recorded.
    NotRecorded {
        reason: String,
    },
    AnotherSession {
        got: String,
    },
}

/// What a run depends on.
pub(crate) struct Watched<'a> {
    pub(crate) clock: &'a mut Clock,
    pub(crate) cancel: &'a CancellationToken,
    /// The session that Codex must resume.
    pub(crate) resumes: Option<SessionId>,
    pub(crate) taps: &'a mut Taps,
    /// The listener. It gets the events for as long as it listens.
    pub(crate) events: &'a mpsc::Sender<Event>,
    /// Called with the session once Codex has opened it. The listener learns of the session when the
    /// receiver resolves.
    pub(crate) on_session: &'a mut (dyn FnMut(SessionId) -> Option<oneshot::Receiver<()>> + Send),
}

/// A run of Codex.
pub(crate) struct Attempt<B> {
    backend: B,
    pub(crate) transcript: Transcript,
    phase: Phase,
    /// Whether the process is gone. Its output may still be read.
    has_left: bool,
}

/// What a run is doing.
#[derive(Debug)]
enum Phase {
    /// Reads what Codex prints.
    Reading,
    /// Holds an event back until other servers know that its session is taken. Reads nothing.
    Adopting { event: Event, adopted: oneshot::Receiver<()> },
    /// Holds an event back until its listener has room. Reads nothing.
    Delivering(Event),
    /// Stops Codex, and reads what it still prints. Waits for no listener.
    Stopping(Why),
}

impl<B: Backend> Attempt<B> {
    /// Starts Codex.
    pub(crate) fn start(launch: &Launch<'_>) -> io::Result<Self> {
        B::start(launch).map(Self::new)
    }

    fn new(backend: B) -> Self {
        let (transcript, phase) = (Transcript::default(), Phase::Reading);
        Self { backend, transcript, phase, has_left: false }
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.backend.pid()
    }

    /// Runs until there is something to answer.
    pub(crate) async fn run(&mut self, mut watched: Watched<'_>) -> End {
        let mut cancelled = pin!(watched.cancel.cancelled());
        let mut timer = pin!(sleep_until(watched.clock.next_check()));
        loop {
            if let Some(terminal) = self.terminal() {
                return End::Terminal(terminal);
            }
            // A timer that is too early costs one check; resetting it for each event would cost more.
            let next_check = self.next_check(watched.clock);
            if next_check < timer.deadline() || timer.is_elapsed() {
                timer.as_mut().reset(next_check);
            }
            let (is_stopping, holds_back) = (self.phase.is_stopping(), self.phase.holds_back());
            tokio::select! {
                biased;
                () = &mut cancelled, if !is_stopping => self.stop(Why::Cancelled),
                () = &mut timer => {
                    let late = Instant::now().saturating_duration_since(timer.deadline());
                    if late >= SUSPENDED_IF_LATE_BY {
                        watched.clock.was_suspended(Instant::now(), late);
                    }
                    self.check_time(watched.clock);
                }
                // Cancel-safe, see there.
                () = self.phase.deliver(watched.events), if holds_back => {}
                // Cancel-safe, see there.
                output = self.backend.next(), if !holds_back => {
                    if let Some(end) = self.take(output, &mut watched) {
                        return end;
                    }
                }
            }
        }
    }

    /// Waits for the process to leave, for a bounded time, and then stops it. The output is still read,
    /// so that it can leave.
    pub(crate) async fn leave(mut self, cancel: &CancellationToken) {
        let mut timer = pin!(sleep(LEAVE_WITHIN));
        let mut cancelled = pin!(cancel.cancelled());
        let mut is_stopping = self.phase.is_stopping();
        while !self.has_left {
            tokio::select! {
                biased;
                () = &mut cancelled, if !is_stopping => {
                    is_stopping = true;
                    self.backend.control(Control::Stop);
                }
                () = &mut timer, if !is_stopping => {
                    tracing::debug!(pid = self.pid(), "Codex does not exit: stopping it");
                    is_stopping = true;
                    self.backend.control(Control::Stop);
                }
                output = self.backend.next() => {
                    self.has_left = matches!(output, Output::Left | Output::End(_));
                }
            }
        }
    }

    /// What Codex said about the end of the turn, once all before it was delivered. Said in another
    /// session than the turn's own it does not count.
    fn terminal(&self) -> Option<Terminal> {
        let is_wrong = matches!(self.phase, Phase::Stopping(Why::AnotherSession { .. }));
        if is_wrong || self.phase.holds_back() { None } else { self.transcript.terminal.clone() }
    }

    /// Whether the limits apply: not to a Codex that is being stopped or has left, unless this run
    /// waits for its listener.
    fn is_limited(&self) -> bool {
        match self.phase {
            Phase::Reading => !self.has_left,
            Phase::Adopting { .. } | Phase::Delivering(_) => true,
            Phase::Stopping(_) => false,
        }
    }

    fn next_check(&self, clock: &Clock) -> Instant {
        let at_least = Instant::now() + CHECK_EVERY;
        if self.is_limited() { clock.next_check().min(at_least) } else { at_least }
    }

    fn check_time(&mut self, clock: &Clock) {
        if self.is_limited()
            && let Some(limit) = clock.reached(Instant::now())
        {
            self.stop(Why::Limit(limit));
        }
    }

    /// Takes an output, and all others that have been read already. Returns the end, if it was that.
    fn take(&mut self, output: Output, watched: &mut Watched<'_>) -> Option<End> {
        let mut next = Some(output);
        while let Some(output) = next {
            match output {
                Output::Event(event) => {
                    let tapped = watched.taps.event(&event, self.backend.line());
                    self.check_tapped(tapped);
                    self.take_event(event, watched);
                }
                Output::Skipped(skipped) => {
                    let tapped = watched.taps.skipped(skipped);
                    self.check_tapped(tapped);
                    tracing::debug!(pid = self.pid(), ?skipped, "skipped a line of Codex's output");
                    self.transcript.record_skipped(skipped);
                }
                Output::Question(question) => match question {},
                Output::Left => {
                    self.has_left = true;
                    return None;
                }
                Output::End(exit) => {
                    self.has_left = true;
                    return Some(match std::mem::replace(&mut self.phase, Phase::Reading) {
                        Phase::Stopping(why) => End::Stopped(why),
                        Phase::Reading | Phase::Adopting { .. } | Phase::Delivering(_) => {
                            End::Exited(exit)
                        }
                    });
                }
            }
            if self.phase.holds_back() {
                break;
            }
            next = self.backend.take_buffered();
        }
        let tapped = watched.taps.flush();
        self.check_tapped(tapped);
        watched.clock.event(Instant::now(), self.transcript.is_working());
        None
    }

    fn check_tapped(&mut self, tapped: io::Result<()>) {
        if let Err(error) = tapped
            && !self.phase.is_stopping()
        {
            self.stop(Why::NotRecorded { reason: error.to_string() });
        }
    }

    fn take_event(&mut self, event: Event, watched: &mut Watched<'_>) {
        tracing::trace!(pid = self.pid(), ?event, "codex event");
        self.transcript.record(&event);
        let mut adopted = None;
        if let Event::ThreadStarted { thread_id } = &event {
            match (thread_id.parse::<SessionId>(), watched.resumes) {
                (Ok(got), None) => adopted = (watched.on_session)(got),
                (Ok(got), Some(own)) if got == own => adopted = (watched.on_session)(got),
                (_, Some(_)) if !self.phase.is_stopping() => {
                    return self.stop(Why::AnotherSession { got: thread_id.clone() });
                }
                (_, _) => {}
            }
        }
        match (&self.phase, adopted) {
            (Phase::Stopping(_), _) => {}
            (_, Some(adopted)) => self.phase = Phase::Adopting { event, adopted },
            (_, None) => match watched.events.try_send(event) {
                Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
                Err(mpsc::error::TrySendError::Full(event)) => {
                    self.phase = Phase::Delivering(event);
                }
            },
        }
    }

    fn stop(&mut self, why: Why) {
        tracing::debug!(pid = self.pid(), ?why, "stopping Codex");
        self.phase = Phase::Stopping(why);
        self.backend.control(Control::Stop);
    }
}

impl Phase {
    fn is_stopping(&self) -> bool {
        matches!(self, Self::Stopping(_))
    }

    /// Whether an event is held back, and nothing is read.
    fn holds_back(&self) -> bool {
        matches!(self, Self::Adopting { .. } | Self::Delivering(_))
    }

    /// Waits until the event that is held back can be delivered, and delivers it. Cancel-safe: the event
    /// stays here until then.
    async fn deliver(&mut self, listener: &mpsc::Sender<Event>) {
        if let Self::Adopting { adopted, .. } = self {
            drop(adopted.await);
            *self = match std::mem::replace(self, Self::Reading) {
                Self::Adopting { event, .. } => Self::Delivering(event),
                other @ (Self::Reading | Self::Delivering(_) | Self::Stopping(_)) => other,
            };
        }
        if !self.holds_back() {
            return pending().await;
        }
        let permit = listener.reserve().await;
        if let Self::Delivering(event) = std::mem::replace(self, Self::Reading)
            && let Ok(permit) = permit
        {
            permit.send(event);
        }
    }
}
