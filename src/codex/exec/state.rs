//! Where the process of a run is between its start and its end. Pure: the time is passed in, and signals
//! are returned for the caller to send.

use std::process::ExitStatus;
use std::time::Duration;

use tokio::time::Instant;

use crate::codex::process::{STOP_LADDER, StopSignal};

/// How long output is awaited after the exit. Another process may hold the pipe open forever.
const DRAIN_WITHIN: Duration = Duration::from_millis(1_000);

/// The state of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// The process runs.
    Running { output: Pipe },
    /// The process was signalled, and gets the next signal when it is still there at `until`.
    Stopping { output: Pipe, rung: usize, until: Instant },
    /// The process is gone. Its pipes are read to their ends, or up to `until`.
    Draining { status: ExitStatus, awaited: Awaited, until: Instant, paused: Option<Instant> },
    /// Nothing more will come.
    Gone(Gone),
}

/// Standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pipe {
    Open,
    Ended,
}

/// What is still awaited of a process that is gone. Standard error matters only for why Codex left by
/// itself, so that of one that was stopped is not awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaited {
    Output,
    OutputAndStderr,
    Stderr,
}

/// How a run is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gone {
    Exited(ExitStatus),
    /// It could not be killed or waited for, and was left to the system.
    Abandoned,
}

impl State {
    /// A process that was just started.
    pub(super) const STARTED: Self = Self::Running { output: Pipe::Open };

    pub(super) fn reads_output(&self) -> bool {
        matches!(
            self,
            Self::Running { output: Pipe::Open }
                | Self::Stopping { output: Pipe::Open, .. }
                | Self::Draining { awaited: Awaited::Output | Awaited::OutputAndStderr, .. }
        )
    }

    pub(super) fn awaits_exit(&self) -> bool {
        matches!(self, Self::Running { .. } | Self::Stopping { .. })
    }

    pub(super) fn awaits_stderr(&self) -> bool {
        matches!(self, Self::Draining { awaited: Awaited::Stderr, .. })
    }

    /// When to call [`State::deadline_passed`].
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Stopping { until, .. } | Self::Draining { until, .. } => Some(*until),
            Self::Running { .. } | Self::Gone(_) => None,
        }
    }

    /// Starts to stop the process, unless it is being stopped already. Returns the signal to send. A process
    /// that is gone may have left others behind, which get only the first signal.
    pub(super) fn stop(&mut self, now: Instant) -> Option<StopSignal> {
        let (signal, grace) = STOP_LADDER.first()?;
        match self {
            Self::Running { output } => {
                *self = Self::Stopping { output: *output, rung: 0, until: now + *grace };
            }
            Self::Draining { awaited: awaited @ Awaited::OutputAndStderr, .. } => {
                *awaited = Awaited::Output;
            }
            Self::Draining { awaited: Awaited::Stderr, status, .. } => {
                *self = Self::Gone(Gone::Exited(*status));
            }
            Self::Draining { awaited: Awaited::Output, .. }
            | Self::Stopping { .. }
            | Self::Gone(_) => return None,
        }
        Some(*signal)
    }

    /// The deadline has passed. Returns the next signal to send; without one left, the run is over.
    pub(super) fn deadline_passed(&mut self, now: Instant) -> Option<StopSignal> {
        match self {
            Self::Stopping { rung, until, .. } => {
                *rung += 1;
                let Some((signal, grace)) = STOP_LADDER.get(*rung) else {
                    self.abandon();
                    return None;
                };
                *until = now + *grace;
                Some(*signal)
            }
            Self::Draining { status, .. } => {
                *self = Self::Gone(Gone::Exited(*status));
                None
            }
            Self::Running { .. } | Self::Gone(_) => None,
        }
    }

    /// Standard output is at its end.
    pub(super) fn output_ended(&mut self) {
        match self {
            Self::Running { output } | Self::Stopping { output, .. } => *output = Pipe::Ended,
            Self::Draining { awaited: Awaited::Output, status, .. } => {
                *self = Self::Gone(Gone::Exited(*status));
            }
            Self::Draining { awaited, .. } => *awaited = Awaited::Stderr,
            Self::Gone(_) => {}
        }
    }

    /// Standard error is at its end.
    pub(super) fn stderr_ended(&mut self) {
        if let Self::Draining { awaited: Awaited::Stderr, status, .. } = self {
            *self = Self::Gone(Gone::Exited(*status));
        }
    }

    /// The process has exited.
    pub(super) fn exited(&mut self, status: ExitStatus, now: Instant) {
        let awaited = match self {
            Self::Running { output: Pipe::Open } => Awaited::OutputAndStderr,
            Self::Running { output: Pipe::Ended } => Awaited::Stderr,
            Self::Stopping { output: Pipe::Open, .. } => Awaited::Output,
            Self::Stopping { output: Pipe::Ended, .. } => {
                *self = Self::Gone(Gone::Exited(status));
                return;
            }
            Self::Draining { .. } | Self::Gone(_) => return,
        };
        *self = Self::Draining { status, awaited, until: now + DRAIN_WITHIN, paused: None };
    }

    /// A process that not even SIGKILL ends hangs in the system. Nobody waits for it any longer.
    pub(super) fn abandon(&mut self) {
        *self = Self::Gone(Gone::Abandoned);
    }

    /// An output was handed out. Until it has been dealt with nothing is read, and the time for that does
    /// not run.
    pub(super) fn pause(&mut self, now: impl FnOnce() -> Instant) {
        if let Self::Draining { paused, .. } = self {
            *paused = Some(now());
        }
    }

    /// Reading continues.
    pub(super) fn resume(&mut self, now: impl FnOnce() -> Instant) {
        if let Self::Draining { until, paused, .. } = self
            && let Some(since) = paused.take()
        {
            *until += now().saturating_duration_since(since);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn exited(mut state: State, now: Instant) -> State {
        state.exited(ExitStatus::default(), now);
        state
    }

    fn gone() -> State {
        State::Gone(Gone::Exited(ExitStatus::default()))
    }

    #[test]
    fn a_process_that_leaves_by_itself_is_read_to_the_end_of_both_pipes() {
        let mut state = exited(State::STARTED, Instant::now());
        assert!(state.reads_output() && !state.awaits_exit() && !state.awaits_stderr());
        state.output_ended();
        assert!(!state.reads_output() && state.awaits_stderr());
        state.stderr_ended();
        assert_eq!(state, gone());
    }

    #[test]
    fn output_may_end_before_the_process() {
        let mut state = State::STARTED;
        state.output_ended();
        assert!(!state.reads_output() && state.awaits_exit());
        assert!(exited(state, Instant::now()).awaits_stderr());
    }

    #[test]
    fn a_stop_climbs_the_ladder_and_then_abandons_the_process() {
        let mut now = Instant::now();
        let mut state = State::STARTED;
        let mut sent = vec![state.stop(now).expect("there is a first signal")];
        assert_eq!(state.stop(now), None, "it is being stopped already");
        while let Some(deadline) = state.deadline() {
            assert!(deadline > now && state.reads_output() && state.awaits_exit());
            now = deadline;
            sent.extend(state.deadline_passed(now));
        }
        let ladder: Vec<StopSignal> = STOP_LADDER.iter().map(|(signal, _)| *signal).collect();
        assert_eq!(sent, ladder);
        assert_eq!(state, State::Gone(Gone::Abandoned));
    }

    #[test]
    fn nobody_awaits_the_standard_error_of_a_process_that_was_stopped() {
        let now = Instant::now();
        let mut stopped = State::STARTED;
        stopped.stop(now);
        let mut drained = exited(stopped, now);
        drained.output_ended();
        stopped.output_ended();
        let mut late = exited(State::STARTED, now);
        late.stop(now);
        late.output_ended();
        assert_eq!([drained, exited(stopped, now), late], [gone(); 3]);
    }

    #[test]
    fn a_pipe_that_is_held_open_is_awaited_for_a_bounded_time() {
        let now = Instant::now();
        let mut state = exited(State::STARTED, now);
        assert_eq!(state.deadline(), Some(now + DRAIN_WITHIN));
        assert_eq!(state.deadline_passed(now + DRAIN_WITHIN), None);
        assert_eq!(state, gone());
    }

    #[test]
    fn a_slow_listener_does_not_use_up_the_time_for_output() {
        let now = Instant::now();
        let mut state = exited(State::STARTED, now);
        state.pause(|| now);
        state.resume(|| now + 5 * SECOND);
        state.resume(|| now + 9 * SECOND);
        assert_eq!(state.deadline(), Some(now + 5 * SECOND + DRAIN_WITHIN));
    }
}
