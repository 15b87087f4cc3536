//! The lines of a record from some byte on, in bounded memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

/// How much of a line is kept, in bytes. What is longer is a picture or the output of a command, or a
/// prompt of which the beginning will do.
const MAX_KEPT: usize = 2 << 20;

/// What is read at once.
const CHUNK: usize = 64 << 10;

/// Reads whole lines. What stands behind the last line ending is still being written, and is left.
pub(in crate::codex) struct Lines {
    file: BufReader<File>,
    /// Where the next line begins.
    position: u64,
    line: Vec<u8>,
}

/// A line of a record.
pub(in crate::codex) struct RawLine<'a> {
    /// Where it begins, and where the next one does.
    pub(in crate::codex) start: u64,
    pub(in crate::codex) end: u64,
    /// The line, or its beginning.
    pub(in crate::codex) bytes: &'a [u8],
    /// Whether that is all of it.
    pub(in crate::codex) is_whole: bool,
}

impl Lines {
    pub(in crate::codex) fn new(mut file: File, position: u64) -> io::Result<Self> {
        file.seek(SeekFrom::Start(position))?;
        Ok(Self { file: BufReader::with_capacity(CHUNK, file), position, line: Vec::new() })
    }

    /// The next whole line. Gives up when `is_stopped` says so, which is asked for each chunk.
    pub(in crate::codex) fn next_line(
        &mut self,
        is_stopped: &dyn Fn() -> bool,
    ) -> io::Result<Option<RawLine<'_>>> {
        self.line.clear();
        let start = self.position;
        let mut length = 0;
        loop {
            let chunk = self.file.fill_buf()?;
            if chunk.is_empty() || is_stopped() {
                return Ok(None);
            }
            let end = memchr::memchr(b'\n', chunk);
            let part = &chunk[..end.unwrap_or(chunk.len())];
            let room = MAX_KEPT - self.line.len();
            self.line.extend_from_slice(&part[..part.len().min(room)]);
            length += part.len();
            let used = part.len() + usize::from(end.is_some());
            self.file.consume(used);
            if end.is_some() {
                break;
            }
        }
        self.position = start + length as u64 + 1;
        Ok(Some(RawLine {
            start,
            end: self.position,
            bytes: &self.line,
            is_whole: self.line.len() == length,
        }))
    }
}

/// Whether a line begins at this place, or would.
pub(in crate::codex) fn is_line_start(file: &mut File, place: u64) -> io::Result<bool> {
    let Some(before) = place.checked_sub(1) else { return Ok(true) };
    if place > file.metadata()?.len() {
        return Ok(false);
    }
    file.seek(SeekFrom::Start(before))?;
    let mut byte = [0];
    file.read_exact(&mut byte)?;
    Ok(byte == [b'\n'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn overlong_lines_lose_their_tails_and_half_lines_are_left() {
        let path = crate::testing::scratch().join(format!("record-lines-{}", uuid::Uuid::new_v4()));
        let mut file = File::create_new(&path).expect("a fresh name");
        let long = vec![b'o'; 3 * MAX_KEPT];
        file.write_all(&[b"one", &long[..], b"", b"last", b"hal"].join(&b'\n')).expect("room");
        let mut lines = Lines::new(File::open(&path).expect("just made"), 0).expect("seekable");
        let mut all = Vec::new();
        while let Some(line) = lines.next_line(&|| false).expect("readable") {
            all.push((line.start, line.bytes.len(), line.is_whole));
        }
        std::fs::remove_file(&path).expect("just made");
        let end = 4 + long.len() as u64 + 1;
        assert_eq!(all, [(0, 3, true), (4, MAX_KEPT, false), (end, 0, true), (end + 1, 4, true)]);
    }
}
