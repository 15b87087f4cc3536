//! The lines of the input, read by a thread of its own.

use std::io::{self, Read};

use tokio::sync::mpsc;

use super::MAX_LINE;
use super::salvage::{Salvage, Salvaged};
use crate::system::line_splitter::{self, LineSplitter};

/// How much is read at once. Linux gives a pipe 64 KiB.
const CHUNK: usize = 64 << 10;

/// The longest line that is shown before its end was read, in bytes.
const MAX_UNFINISHED: usize = 64 << 10;

/// A line of the input.
#[derive(Debug)]
pub(super) enum Line {
    /// Without its line end.
    Whole(Vec<u8>),
    /// What was read of the next line, which comes again with the rest of it. Shown if it may end a
    /// message: a file often lacks the last line end.
    Unfinished(Vec<u8>),
    /// Longer than [`MAX_LINE`]. All that is kept is what shows which request to answer.
    TooLong { length: u64, salvaged: Salvaged },
}

/// Starts the thread. It holds at most one line while another waits to be received.
pub(super) fn read(mut input: impl Read + Send + 'static) -> mpsc::Receiver<io::Result<Line>> {
    let (sender, lines) = mpsc::channel(1);
    let run = move || {
        let mut reader = Reader::new();
        loop {
            match reader.next_line(&mut input) {
                Ok(Some(line)) => {
                    if sender.blocking_send(Ok(line)).is_err() {
                        return;
                    }
                }
                Ok(None) => return,
                Err(error) => return drop(sender.blocking_send(Err(error))),
            }
        }
    };
    std::thread::Builder::new()
        .name("stdin".into())
        .spawn(run)
        .expect("the system has room for one thread");
    lines
}

struct Reader {
    splitter: LineSplitter,
    /// The scan of a line that is too long.
    salvage: Option<Salvage>,
    /// Whether more was read since the last line.
    has_more: bool,
}

impl Reader {
    fn new() -> Self {
        Self { splitter: LineSplitter::new(MAX_LINE, CHUNK), salvage: None, has_more: false }
    }

    /// The next line. The last one may lack its line end.
    fn next_line(&mut self, input: &mut impl Read) -> io::Result<Option<Line>> {
        loop {
            if let Some(line) = self.buffered_line() {
                return Ok(Some(line));
            }
            if std::mem::take(&mut self.has_more)
                && let Some(unfinished) = self.unfinished()
            {
                return Ok(Some(unfinished));
            }
            if self.splitter.fill(input)? == 0 {
                let rest = self.splitter.incomplete();
                return Ok(rest.map(|line| self.owned(line)));
            }
            self.has_more = true;
        }
    }

    fn buffered_line(&mut self) -> Option<Line> {
        let salvage = &mut self.salvage;
        let line = self.splitter.next_line_with(|beginning, dropped| {
            salvage.get_or_insert_with(|| Salvage::of(beginning)).feed(dropped);
        })?;
        Some(self.owned(line))
    }

    fn unfinished(&self) -> Option<Line> {
        let pending = self.splitter.pending();
        let may_end = pending.last() == Some(&b'}') && pending.len() <= MAX_UNFINISHED;
        may_end.then(|| Line::Unfinished(pending.to_vec()))
    }

    fn owned(&mut self, line: line_splitter::Line) -> Line {
        match line {
            line_splitter::Line::Whole(line) => Line::Whole(self.splitter.bytes(line).to_vec()),
            line_splitter::Line::TooLong { length, .. } => {
                let salvage = self.salvage.take().unwrap_or_default();
                Line::TooLong { length, salvaged: salvage.finish() }
            }
        }
    }
}
