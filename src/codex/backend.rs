//! A way to run Codex: what the turn layer needs of it, and no more. `codex exec` is the only one today,
//! see [`super::exec`].
//!
//! A backend owns the process, its streams and the stop ladder. Clock, limits, recording and listeners
//! are the turn's. Outputs are pulled, so that nothing is copied or queued in between, and Codex waits
//! when its reader does.

use std::io;

use super::command::Invocation;
use super::event_stream::Skipped;
use super::locate::Program;
use super::watchdog::Watchdog;
use crate::model::event::Event;
use crate::model::prompt::Prompt;

/// One run of Codex, from its start to the exit of its process. Dropping it kills what is left.
pub(crate) trait Backend: Send + Sized {
    /// Starts Codex. The prompt is written in the background.
    ///
    /// # Errors
    ///
    /// The system could not start the program, see
    /// [`is_of_program`](super::process::is_of_program).
    fn start(launch: &Launch<'_>) -> io::Result<Self>;

    /// The id of the process in which Codex works.
    fn pid(&self) -> u32;

    /// Waits for the next output. Cancel-safe: an output that was not returned comes at the next call.
    /// After [`Output::End`] it returns that again.
    fn next(&mut self) -> impl Future<Output = Output> + Send;

    /// The next output, if it has been read already. Never [`Output::Left`] or [`Output::End`].
    fn take_buffered(&mut self) -> Option<Output>;

    /// The line of the last event as Codex wrote it, until the next output is taken: JSON, but perhaps
    /// not all of it UTF-8.
    fn line(&self) -> &[u8];

    /// Changes the course of the run. Returns at once.
    fn control(&mut self, control: Control);
}

/// What a run is started with.
#[derive(Debug, Clone)]
pub(crate) struct Launch<'a> {
    pub(crate) program: &'a Program,
    pub(crate) invocation: Invocation<'a>,
    pub(crate) prompt: &'a Prompt,
    pub(crate) watchdog: &'a Watchdog,
}

/// What comes out of a run.
#[derive(Debug)]
pub(crate) enum Output {
    Event(Event),
    /// A line that is not an event.
    Skipped(Skipped),
    /// Codex waits for an answer.
    #[expect(
        dead_code,
        reason = "`codex exec` asks nothing, but its owner must not forget the case"
    )]
    Question(Question),
    /// The process is gone. What it printed before may still follow.
    Left,
    /// Nothing more will come.
    End(Exit),
}

/// What Codex can ask in the middle of a run. `codex exec` asks nothing.
#[derive(Debug)]
pub(crate) enum Question {}

/// What the owner of a run can have it do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Control {
    /// Interrupt the turn and leave. What does not leave in time is killed.
    Stop,
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exit {
    /// `exit status 1`, or the name of a signal.
    pub(crate) status: String,
    /// The end of what it wrote on standard error.
    pub(crate) stderr: String,
}
