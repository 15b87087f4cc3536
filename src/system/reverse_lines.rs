//! The lines of a file, the last one first, in bounded memory.
//!
//! Not a [`LineSplitter`](super::line_splitter::LineSplitter): its buffer grows at the front, and is
//! searched from the end.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// The longest line that is returned, in bytes. Longer ones are skipped.
const MAX_LINE: usize = 4 << 20;

const CHUNK: u64 = 64 << 10;

/// Reads a file backwards. It takes the size once, so it does not see what is appended meanwhile.
pub(crate) struct ReverseLines {
    file: File,
    /// Where the first line starts that is read.
    floor: u64,
    /// How many bytes from there on were not read yet.
    unread: u64,
    /// What was read and not returned: the next line is at the end of `buffer`.
    buffer: Vec<u8>,
    /// Whether the line at the end of `buffer` lost its end because it is too long.
    overlong: bool,
    line: Vec<u8>,
    /// Where `line` starts.
    start: u64,
}

impl ReverseLines {
    pub(crate) fn new(file: File) -> io::Result<Self> {
        Self::after(file, 0)
    }

    /// Reads the lines that start after the first `floor` bytes.
    pub(crate) fn after(mut file: File, floor: u64) -> io::Result<Self> {
        let end = file.seek(SeekFrom::End(0))?;
        Ok(Self::between(file, floor, end.max(floor)))
    }

    /// Reads only the bytes before `end`, which must not be after the file's end.
    pub(crate) fn before(file: File, end: u64) -> Self {
        Self::between(file, 0, end)
    }

    fn between(file: File, floor: u64, end: u64) -> Self {
        Self {
            file,
            floor,
            unread: end - floor,
            buffer: Vec::new(),
            overlong: false,
            line: Vec::new(),
            start: end,
        }
    }

    /// Where the last returned line starts, in bytes.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// The next line towards the beginning, without its line end. Empty lines are skipped.
    pub(crate) fn next_line(&mut self) -> io::Result<Option<&[u8]>> {
        loop {
            let at = memchr::memrchr(b'\n', &self.buffer);
            if at.is_none() && self.unread > 0 {
                if self.buffer.len() > MAX_LINE {
                    self.buffer.clear();
                    self.overlong = true;
                }
                self.read_chunk()?;
                continue;
            }
            if at.is_none() && self.buffer.is_empty() {
                return Ok(None);
            }
            self.line.clear();
            self.line.extend_from_slice(&self.buffer[at.map_or(0, |at| at + 1)..]);
            self.start = self.floor + self.unread + at.map_or(0, |at| at as u64 + 1);
            self.buffer.truncate(at.unwrap_or(0));
            if !std::mem::take(&mut self.overlong) && !self.line.is_empty() {
                return Ok(Some(&self.line));
            }
        }
    }

    /// Reads the chunk before the buffered bytes and puts it in front of them.
    fn read_chunk(&mut self) -> io::Result<()> {
        let length = self.unread.min(CHUNK.max(self.buffer.len() as u64));
        self.unread -= length;
        self.file.seek(SeekFrom::Start(self.floor + self.unread))?;
        let length = usize::try_from(length).expect("a chunk fits into memory");
        let mut chunk = Vec::with_capacity(length + self.buffer.len());
        chunk.resize(length, 0);
        self.file.read_exact(&mut chunk)?;
        chunk.append(&mut self.buffer);
        self.buffer = chunk;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn reversed(content: &[u8]) -> Vec<Vec<u8>> {
        let path =
            crate::testing::scratch().join(format!("reverse-lines-{}", uuid::Uuid::new_v4()));
        let mut file = File::create_new(&path).expect("a fresh name");
        file.write_all(content).expect("there is room");
        let mut lines = ReverseLines::new(File::open(&path).expect("just made")).expect("seekable");
        let mut all = Vec::new();
        while let Some(line) = lines.next_line().expect("readable") {
            let line = line.to_vec();
            let start = usize::try_from(lines.start()).expect("a small file");
            assert_eq!(&content[start..start + line.len()], line, "it begins there");
            all.push(line);
        }
        std::fs::remove_file(&path).expect("just made");
        all
    }

    #[test]
    fn lines_come_last_first_without_empty_ones() {
        assert_eq!(reversed(b"one\n\ntwo\nthree"), [&b"three"[..], b"two", b"one"]);
        assert_eq!(reversed(b"one\n"), [b"one"]);
        assert!(reversed(b"").is_empty());
    }

    #[test]
    fn lines_longer_than_a_chunk_are_whole_and_overlong_ones_are_skipped() {
        let long = vec![b'l'; 3 * CHUNK as usize];
        let overlong = vec![b'o'; 3 * MAX_LINE];
        let content = [b"first", &long[..], &overlong[..], b"last"].join(&b'\n');
        assert_eq!(reversed(&content), [&b"last"[..], &long, b"first"]);
    }
}
