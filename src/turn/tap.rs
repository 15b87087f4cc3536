//! Taps: they see what happens in a turn before its listener does.

use std::io;
use std::path::{Path, PathBuf};

use crate::codex::event_stream::Skipped;
use crate::model::event::Event;

/// Sees the start and the events of a turn, such as the recorder of a job. An error stops Codex, and ends
/// the turn as one that could not be recorded.
pub(crate) trait Tap: Send {
    /// Codex is about to record the turn here. Called before [`Tap::starting`].
    fn recorded_in(&mut self, _place: &RecordPlace) {}
    /// Codex is about to start in this directory. Called again if Codex has to be started
    /// again.
    fn starting(&mut self, working_dir: &Path) -> io::Result<()>;
    /// The process exists, and gets the prompt only after this returns.
    fn launched(&mut self, pid: u32) -> io::Result<()>;
    /// An event, and its line as Codex wrote it: JSON, but perhaps not all of it UTF-8.
    fn event(&mut self, event: &Event, line: &[u8]) -> io::Result<()>;
    /// A line that is not an event.
    fn skipped(&mut self, skipped: Skipped) -> io::Result<()>;
    /// Codex has paused: what was seen so far must now be visible to others.
    fn flush(&mut self) -> io::Result<()>;
}

/// Where Codex records a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RecordPlace {
    /// In this file, which has this many bytes of earlier turns.
    Known(PathBuf, u64),
    /// In a new file in this Codex home.
    New(PathBuf),
    /// It is not known.
    Unknown,
}

/// The taps of a turn, in order. What one of them fails on, the next ones do not see.
#[derive(Default)]
pub(crate) struct Taps(Vec<Box<dyn Tap>>);

impl Taps {
    /// Only this one.
    pub(crate) fn one(tap: impl Tap + 'static) -> Self {
        Self(vec![Box::new(tap)])
    }

    fn each(&mut self, call: impl FnMut(&mut Box<dyn Tap>) -> io::Result<()>) -> io::Result<()> {
        self.0.iter_mut().try_for_each(call)
    }
}

impl Tap for Taps {
    fn recorded_in(&mut self, place: &RecordPlace) {
        self.0.iter_mut().for_each(|tap| tap.recorded_in(place));
    }

    fn starting(&mut self, working_dir: &Path) -> io::Result<()> {
        self.each(|tap| tap.starting(working_dir))
    }

    fn launched(&mut self, pid: u32) -> io::Result<()> {
        self.each(|tap| tap.launched(pid))
    }

    fn event(&mut self, event: &Event, line: &[u8]) -> io::Result<()> {
        self.each(|tap| tap.event(event, line))
    }

    fn skipped(&mut self, skipped: Skipped) -> io::Result<()> {
        self.each(|tap| tap.skipped(skipped))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.each(|tap| tap.flush())
    }
}
