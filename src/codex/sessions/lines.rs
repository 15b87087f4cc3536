//! The lines of a record from some byte on, in bounded memory.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use crate::system::line_splitter::{Line, LineSplitter};

/// How much of a line is kept, in bytes. A longer line is a picture, the output of a command, or a
/// prompt whose beginning will do.
const MAX_KEPT: usize = 2 << 20;

/// How much is read at once.
const CHUNK: usize = 64 << 10;

/// Reads whole lines. Codex is still writing what follows the last line end, so that is left out.
pub(in crate::codex) struct Lines {
    file: File,
    splitter: LineSplitter,
    /// Where the next line starts in the file.
    position: u64,
}

/// A line of a record.
pub(in crate::codex) struct RawLine<'a> {
    /// Where it starts in the file, and where the next one does.
    pub(in crate::codex) start: u64,
    pub(in crate::codex) end: u64,
    /// The line, or its beginning.
    pub(in crate::codex) bytes: &'a [u8],
    /// Whether `bytes` is all of it.
    pub(in crate::codex) is_whole: bool,
}

impl Lines {
    /// Reads from `position` on, where a line must start.
    pub(in crate::codex) fn new(mut file: File, position: u64) -> io::Result<Self> {
        file.seek(SeekFrom::Start(position))?;
        Ok(Self { file, splitter: LineSplitter::new(MAX_KEPT, CHUNK), position })
    }

    /// The next whole line. Stops early once `is_stopped`, which is checked for each line and chunk.
    pub(in crate::codex) fn next_line(
        &mut self,
        is_stopped: &dyn Fn() -> bool,
    ) -> io::Result<Option<RawLine<'_>>> {
        let line = loop {
            if is_stopped() {
                return Ok(None);
            }
            if let Some(line) = self.splitter.next_line() {
                break line;
            }
            if self.splitter.fill(&mut self.file)? == 0 {
                return Ok(None);
            }
        };
        let start = self.position;
        self.position = start + line.length() + 1;
        let is_whole = matches!(line, Line::Whole(_));
        let bytes = self.splitter.bytes(line.range());
        Ok(Some(RawLine { start, end: self.position, bytes, is_whole }))
    }
}

/// Whether a line starts at this place, or would start there.
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
    fn long_lines_lose_their_ends_and_incomplete_lines_are_left_out() {
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
