//! Codex's standard output as a stream of events, in bounded memory.
//!
//! Owns the framing: lines that are too long, lines that are no events, and what surrounds an event in
//! its line. Knows nothing of what the events mean.

use std::io;
use std::ops::Range;

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::model::event::Event;
use crate::system::line_splitter::{Line, LineSplitter};

/// The longest line that is read, in bytes. Longer ones are skipped.
pub(crate) const MAX_LINE: usize = 4 << 20;

/// How much is read from the pipe at once. Linux gives a pipe 64 KiB.
const CHUNK: usize = 64 << 10;

/// What the stream yields.
#[derive(Debug)]
pub(crate) enum Read {
    /// A line that is an event.
    Event(Event),
    /// A line that is no event or is too long.
    Skipped(Skipped),
    /// The end of the output.
    End,
}

/// Why a line was skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Skipped {
    /// Not a JSON object.
    NotAnEvent,
    /// Longer than [`MAX_LINE`]; its length in bytes.
    TooLong(u64),
}

/// Reads events from `source`. Holds at most [`MAX_LINE`] bytes and one chunk at any time.
pub(crate) struct EventStream<R> {
    source: R,
    splitter: LineSplitter,
    /// Where the line of the last event is in the splitter's buffer.
    line: Range<usize>,
    ended: bool,
}

impl<R: AsyncRead + Unpin> EventStream<R> {
    pub(crate) fn new(source: R) -> Self {
        Self { source, splitter: LineSplitter::new(MAX_LINE, CHUNK), line: 0..0, ended: false }
    }

    /// The next event or skipped line. Cancel-safe: what was read stays in the buffer.
    pub(crate) async fn next(&mut self) -> io::Result<Read> {
        loop {
            if let Some(read) = self.take_buffered() {
                return Ok(read);
            }
            if self.ended {
                return Ok(Read::End);
            }
            self.line = 0..0;
            // Cancel-safe: `read` either completes or has read nothing.
            let read = self.source.read(self.splitter.spare()).await?;
            self.splitter.advance(read);
            self.ended = read == 0;
        }
    }

    /// The line of the last event, as Codex wrote it. Empty once `next` has read on.
    pub(crate) fn line(&self) -> &[u8] {
        self.splitter.bytes(self.line.clone()).trim_ascii()
    }

    /// The next event or skipped line, if all of it was read already.
    pub(crate) fn take_buffered(&mut self) -> Option<Read> {
        loop {
            let mut line = self.splitter.next_line();
            if line.is_none() && self.ended {
                line = self.splitter.incomplete();
            }
            let line = match line? {
                Line::Whole(line) => line,
                Line::TooLong { length, .. } => {
                    return Some(Read::Skipped(Skipped::TooLong(length)));
                }
            };
            let json = escapes::trimmed(self.splitter.bytes(line.clone()));
            self.line = line.start + json.start..line.start + json.end;
            let line = self.line();
            if !line.is_empty() {
                return Some(
                    Event::decode(line).map_or(Read::Skipped(Skipped::NotAnEvent), Read::Event),
                );
            }
        }
    }
}

mod escapes;

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    async fn read_all(input: impl Into<Vec<u8>>) -> Vec<String> {
        let mut stream = EventStream::new(Cursor::new(input.into()));
        let mut seen = Vec::new();
        loop {
            match stream.next().await.expect("a cursor cannot fail") {
                Read::Event(Event::Error { message }) => seen.push(message),
                Read::Event(other) => panic!("unexpected {other:?}"),
                Read::Skipped(Skipped::NotAnEvent) => seen.push("bad".into()),
                Read::Skipped(Skipped::TooLong(length)) => seen.push(format!("long {length}")),
                Read::End => return seen,
            }
        }
    }

    fn error(message: &str) -> String {
        format!(r#"{{"type":"error","message":"{message}"}}"#)
    }

    #[tokio::test(flavor = "current_thread")]
    async fn every_kind_of_line_end_is_understood() {
        let input = format!("{}\r\n\n  \n{}\nnonsense\n{}", error("a"), error("b"), error("c"));
        assert_eq!(read_all(input).await, ["a", "b", "bad", "c"]);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn terminal_commands_around_an_event_are_ignored() {
        let coloured = format!("\x1b[?25h\x1b[0m {}\x1b[K\r\n", error("a"));
        let titled = format!("\x1b]0;codex\x07\x1b]8;;x\x1b\\{}\n", error("b"));
        let other = "\x1b[31mtrouble\x1b[0m\n\x1b[\n\x1b";
        assert_eq!(
            read_all(format!("{coloured}{titled}{other}")).await,
            ["a", "b", "bad", "bad", "bad"]
        );
        let mut stream = EventStream::new(Cursor::new(coloured.into_bytes()));
        stream.next().await.expect("a cursor cannot fail");
        assert_eq!(stream.line(), error("a").as_bytes());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn an_incomplete_line_at_the_end_is_a_bad_line() {
        assert_eq!(read_all(format!("{}\n{{\"type\":\"err", error("a"))).await, ["a", "bad"]);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_long_line_is_read_and_a_longer_one_is_skipped() {
        let fits = "x".repeat(MAX_LINE - error("").len());
        let over = "x".repeat(3 * MAX_LINE);
        let input = format!("{}\n{}\n{}\n{over}", error(&fits), error(&over), error("after"));
        let over_line = format!("long {}", error(&over).len());
        let last = format!("long {}", over.len());
        assert_eq!(read_all(input).await, [fits, over_line, "after".into(), last]);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_line_may_arrive_in_pieces() {
        let text = format!("{}\n{}\n", error("one"), error("two"));
        let (first, second) = text.as_bytes().split_at(17);
        let source = tokio::io::AsyncReadExt::chain(Cursor::new(first), Cursor::new(second));
        let mut stream = EventStream::new(source);
        for expected in ["one", "two"] {
            match stream.next().await {
                Ok(Read::Event(Event::Error { message })) => assert_eq!(message, expected),
                other => panic!("unexpected {other:?}"),
            }
        }
        assert!(matches!(stream.next().await, Ok(Read::End)));
    }
}
