//! Codex's standard output as a stream of events, in bounded memory.
//!
//! Owns the framing: line ends, lines that are too long, lines that are no events. Knows nothing of
//! what the events mean.

use std::io;
use std::ops::Range;

use memchr::memchr;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::model::event::Event;

/// The longest line that is read, in bytes. A longer one is skipped and counted.
pub(crate) const MAX_LINE: usize = 4 << 20;

/// How much is asked of the pipe at once. Linux gives a pipe 64 KiB.
const CHUNK: usize = 64 << 10;

/// What came out of the stream.
#[derive(Debug)]
pub(crate) enum Read {
    /// A line that is an event.
    Event(Event),
    /// A line that is none, or one that was too long: skipped.
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

/// Reads events from `source`. At most [`MAX_LINE`] bytes and one chunk are held at any time.
pub(crate) struct EventStream<R> {
    source: R,
    buffer: Vec<u8>,
    /// Where the next line begins in `buffer`.
    start: usize,
    /// Up to where `buffer` was searched for a line end.
    searched: usize,
    /// Where the line of the last event is in `buffer`.
    line: Range<usize>,
    /// How much of the current line was thrown away already.
    discarded: u64,
    ended: bool,
}

impl<R: AsyncRead + Unpin> EventStream<R> {
    pub(crate) fn new(source: R) -> Self {
        Self {
            source,
            buffer: Vec::new(),
            start: 0,
            searched: 0,
            line: 0..0,
            discarded: 0,
            ended: false,
        }
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
            self.make_room();
            // Cancel-safe: `read_buf` either appends what it read or has read nothing.
            if self.source.read_buf(&mut self.buffer).await? == 0 {
                self.ended = true;
            }
        }
    }

    /// The line of the event that was handed out last, as Codex wrote it.
    pub(crate) fn line(&self) -> &[u8] {
        self.buffer[self.line.clone()].trim_ascii()
    }

    /// The next event or skipped line, if it is there whole already.
    pub(crate) fn take_buffered(&mut self) -> Option<Read> {
        loop {
            let end = memchr(b'\n', &self.buffer[self.searched..]).map(|at| self.searched + at);
            let (line_end, next_start) = match end {
                Some(end) => (end, end + 1),
                None if self.ended && self.start < self.buffer.len() => {
                    (self.buffer.len(), self.buffer.len())
                }
                None => {
                    self.searched = self.buffer.len();
                    if self.searched - self.start > MAX_LINE {
                        self.discarded += (self.searched - self.start) as u64;
                        self.start = self.searched;
                    }
                    return (self.ended && self.discarded > 0).then(|| self.too_long(0));
                }
            };
            let line = self.start..line_end;
            self.start = next_start;
            self.searched = next_start;
            if self.discarded > 0 || line.len() > MAX_LINE {
                return Some(self.too_long(line.len()));
            }
            self.line = escapes::trimmed(&self.buffer, line);
            let line = self.buffer[self.line.clone()].trim_ascii();
            if !line.is_empty() {
                return Some(
                    Event::decode(line).map_or(Read::Skipped(Skipped::NotAnEvent), Read::Event),
                );
            }
        }
    }

    fn too_long(&mut self, rest: usize) -> Read {
        let length = std::mem::take(&mut self.discarded) + rest as u64;
        Read::Skipped(Skipped::TooLong(length))
    }

    /// Moves the rest of the buffer to its front, and gives back what a long line had needed.
    fn make_room(&mut self) {
        self.line = 0..0;
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.searched -= self.start;
            self.start = 0;
        }
        if self.buffer.len() < CHUNK && self.buffer.capacity() > 4 * CHUNK {
            self.buffer.shrink_to(2 * CHUNK);
        }
        self.buffer.reserve(CHUNK);
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
    async fn line_ends_of_every_kind_are_understood() {
        let input = format!("{}\r\n\n  \n{}\nnonsense\n{}", error("a"), error("b"), error("c"));
        assert_eq!(read_all(input).await, ["a", "b", "bad", "c"]);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_colours_a_line_is_no_part_of_it() {
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
    async fn half_a_line_at_the_end_is_a_bad_line() {
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
    async fn a_line_may_come_in_pieces() {
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
