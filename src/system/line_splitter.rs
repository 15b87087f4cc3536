//! Splits bytes that arrive in pieces into lines, in bounded memory.

use std::io::{self, Read};
use std::ops::Range;

use memchr::memchr;

/// Splits at `\n`. A line that is whole in the buffer is not copied.
///
/// Read into [`spare`](Self::spare), call [`advance`](Self::advance) with the number of bytes, and take
/// lines until there is none. The range of a line is valid until the next call of `spare`.
#[derive(Debug)]
pub(crate) struct LineSplitter {
    /// The longest line, in bytes.
    max: usize,
    /// How much is read at once, in bytes.
    chunk: usize,
    buffer: Vec<u8>,
    /// Where the bytes that were read end in `buffer`. What follows is spare.
    end: usize,
    /// Where the next line starts in `buffer`.
    start: usize,
    /// Up to where `buffer` was searched for a line end.
    searched: usize,
    /// How many bytes of the next line were dropped already.
    dropped: u64,
}

/// A line without its line end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    Whole(Range<usize>),
    /// A line of `length` bytes, of which only the first `max` were kept.
    TooLong {
        beginning: Range<usize>,
        length: u64,
    },
}

impl LineSplitter {
    /// Holds at most `max` bytes and a chunk.
    pub(crate) fn new(max: usize, chunk: usize) -> Self {
        Self { max, chunk, buffer: Vec::new(), end: 0, start: 0, searched: 0, dropped: 0 }
    }

    /// Room for a chunk behind what was read. Frees memory that only a long line needed.
    pub(crate) fn spare(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.searched -= self.start;
            self.start = 0;
        }
        if self.end < self.chunk && self.buffer.len() > 4 * self.chunk {
            self.buffer.truncate(2 * self.chunk);
            self.buffer.shrink_to_fit();
        }
        let spare = self.end..self.end + self.chunk;
        if self.buffer.is_empty() {
            // Comes zeroed from the system, so only what is read takes memory.
            self.buffer = vec![0; spare.end];
        }
        if self.buffer.len() < spare.end {
            self.buffer.resize(spare.end, 0);
        }
        &mut self.buffer[spare]
    }

    /// Records that `read` bytes were read into the spare room.
    pub(crate) fn advance(&mut self, read: usize) {
        self.end += read;
    }

    /// Reads once from a blocking source. Returns the number of bytes, 0 at the end.
    pub(crate) fn fill(&mut self, source: &mut impl Read) -> io::Result<usize> {
        let spare = self.spare();
        let read = loop {
            match source.read(spare) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.advance(read);
        Ok(read)
    }

    /// The next line, if its end was read.
    pub(crate) fn next_line(&mut self) -> Option<Line> {
        self.next_line_with(|_, _| {})
    }

    /// Like [`next_line`](Self::next_line). Calls `on_drop` for each piece of a line that is too long with
    /// the beginning that is kept and the piece that is dropped, in order.
    pub(crate) fn next_line_with(&mut self, on_drop: impl FnMut(&[u8], &[u8])) -> Option<Line> {
        if let Some(at) = memchr(b'\n', &self.buffer[self.searched..self.end]) {
            let line_end = self.searched + at;
            return Some(self.take(line_end, line_end + 1, on_drop));
        }
        if self.end - self.start > self.max {
            self.drop_excess(self.end, on_drop);
            self.end = self.start + self.max;
        }
        self.searched = self.end;
        None
    }

    /// The bytes after the last line end. More may follow.
    pub(crate) fn pending(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// The bytes after the last line end, if there are any. They are a line only at the end of the source.
    pub(crate) fn incomplete(&mut self) -> Option<Line> {
        (self.start < self.end).then(|| self.take(self.end, self.end, |_, _| {}))
    }

    /// The bytes of a line.
    pub(crate) fn bytes(&self, line: Range<usize>) -> &[u8] {
        &self.buffer[line]
    }

    /// The line from `start` to `line_end`. The next one starts at `next`.
    fn take(&mut self, line_end: usize, next: usize, on_drop: impl FnMut(&[u8], &[u8])) -> Line {
        let line = self.start..line_end;
        if self.dropped > 0 || line.len() > self.max {
            self.drop_excess(line_end, on_drop);
        }
        (self.start, self.searched) = (next, next);
        match std::mem::take(&mut self.dropped) {
            0 => Line::Whole(line),
            dropped => {
                let beginning = line.start..line.start + self.max;
                let length = self.max as u64 + dropped;
                Line::TooLong { beginning, length }
            }
        }
    }

    /// Drops the bytes between the longest line and `end`.
    fn drop_excess(&mut self, end: usize, mut on_drop: impl FnMut(&[u8], &[u8])) {
        let kept = self.start + self.max;
        on_drop(&self.buffer[self.start..kept], &self.buffer[kept..end]);
        self.dropped += (end - kept) as u64;
    }
}

impl Line {
    /// The length of the line in bytes, without its line end.
    pub(crate) fn length(&self) -> u64 {
        match self {
            Self::Whole(line) => line.len() as u64,
            Self::TooLong { length, .. } => *length,
        }
    }

    /// The range of the line, or of its beginning.
    pub(crate) fn range(self) -> Range<usize> {
        match self {
            Self::Whole(range) | Self::TooLong { beginning: range, .. } => range,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAX: usize = 5;

    /// Each line's bytes that were kept, those that were dropped, and its length.
    type Seen = Vec<(Vec<u8>, Vec<u8>, u64)>;

    /// Splits `pieces`, each of which comes in one read, and what is left at the end.
    fn split(pieces: &[&[u8]], chunk: usize) -> (Seen, Seen) {
        let mut splitter = LineSplitter::new(MAX, chunk);
        let (mut seen, mut dropped) = (Vec::new(), Vec::new());
        for mut piece in pieces.iter().copied() {
            while splitter.fill(&mut piece).expect("memory can be read") > 0 {
                while let Some(line) = splitter.next_line_with(|beginning, bytes| {
                    assert_eq!(beginning.len(), MAX);
                    dropped.extend_from_slice(bytes);
                }) {
                    let length = line.length();
                    let kept = splitter.bytes(line.range()).to_vec();
                    seen.push((kept, std::mem::take(&mut dropped), length));
                }
                assert!(splitter.buffer.len() <= 4 * chunk + MAX, "memory is bounded");
            }
        }
        let rest = splitter.incomplete().map(|line| {
            let length = line.length();
            (splitter.bytes(line.range()).to_vec(), dropped, length)
        });
        assert_eq!(splitter.incomplete(), None);
        (seen, rest.into_iter().collect())
    }

    fn seen(line: &[u8]) -> (Vec<u8>, Vec<u8>, u64) {
        let (kept, dropped) = line.split_at(line.len().min(MAX));
        (kept.to_vec(), dropped.to_vec(), line.len() as u64)
    }

    #[test]
    fn a_line_is_incomplete_until_its_end_was_read() {
        let (lines, rest) = split(&[b"on", b"e\n\ntwo", b""], 64);
        assert_eq!(lines, [seen(b"one"), seen(b"")]);
        assert_eq!(rest, [seen(b"two")]);
    }

    #[test]
    fn a_long_line_keeps_its_beginning_and_gives_its_length() {
        let (lines, rest) = split(&[b"12345\n123456\n", b"1234", b"567", b"89\nx\n123456"], 64);
        assert_eq!(lines, [&b"12345"[..], b"123456", b"123456789", b"x"].map(seen));
        assert_eq!(rest.len(), 1);
        assert_eq!((rest[0].0.as_slice(), rest[0].2), (&b"12345"[..], 6));
    }

    proptest! {
        #[test]
        fn lines_are_the_same_however_the_bytes_arrive(
            text in "[ab\n]{0,80}",
            sizes in prop::collection::vec(1_usize..9, 80),
            chunk in 1_usize..12,
        ) {
            let mut pieces = Vec::new();
            let mut left = text.as_bytes();
            for size in sizes {
                let (piece, rest) = left.split_at(size.min(left.len()));
                pieces.push(piece);
                left = rest;
            }
            let (lines, rest) = split(&pieces, chunk);
            let mut expected: Vec<_> = text.split('\n').map(|line| seen(line.as_bytes())).collect();
            let last = expected.pop().expect("there is a part behind the last line end");
            prop_assert_eq!(lines, expected);
            let rest: Vec<_> = rest.into_iter().map(|(kept, _, length)| (kept, length)).collect();
            let expected: Vec<_> =
                Some(last).filter(|last| last.2 > 0).map(|last| (last.0, last.2)).into_iter().collect();
            prop_assert_eq!(rest, expected);
        }
    }
}
