//! A file of numbered lines that only grows: a job's events, or the notifications of all jobs.
//!
//! Each line is a JSON object that starts with its number, `{"cursor":17,`. The numbers increase, so a
//! binary search finds a line, and there is no index that could be wrong. Only one process writes at a
//! time; others read meanwhile. A crash can leave an incomplete last line: readers skip it, and the next
//! writer truncates it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::Serialize;

use crate::system::line_splitter::{Line, LineSplitter};
use crate::system::private;
use crate::system::reverse_lines::ReverseLines;

/// The start of every line.
const HEAD: &[u8] = b"{\"cursor\":";

/// How much of a line holds its number, in bytes.
const MAX_HEAD: usize = 32;

/// How much is read at once, in bytes: of lines, and of their heads while the file is halved.
const CHUNK: usize = 8 << 10;
const HEADS_CHUNK: usize = 4 << 10;

/// The longest line that is read, in bytes. An event of 4 MiB fits in even if every byte of it was
/// replaced by a character of three bytes.
const MAX_LINE: usize = 16 << 20;

/// How many bytes are collected before they are written without an explicit flush.
const BUFFER: usize = 64 << 10;

/// The search stops at this many bytes, whose lines are then read in order.
const BLOCK: u64 = 64 << 10;

/// Appends lines.
#[derive(Debug)]
pub(crate) struct LogWriter {
    file: File,
    /// The length of the file's whole lines, in bytes.
    end: u64,
    last: u64,
    buffer: Vec<u8>,
}

impl LogWriter {
    /// Opens or creates the file and truncates an incomplete last line. The number of the next line is
    /// greater than those in the file and than `at_least`.
    pub(crate) fn open(path: &Path, at_least: u64) -> io::Result<Self> {
        let mut file = private::open_options().read(true).append(true).create(true).open(path)?;
        let length = file.metadata()?.len();
        let end = whole_lines(&mut file, length)?;
        if end < length {
            file.set_len(end)?;
        }
        let last = last_number(path)?.max(at_least);
        Ok(Self { file, end, last, buffer: Vec::new() })
    }

    /// Adds a line to the buffer and returns its number. `rest` is an object whose fields follow the
    /// number.
    pub(crate) fn append(&mut self, rest: &impl Serialize) -> io::Result<u64> {
        #[derive(Serialize)]
        struct Line<'a, T> {
            cursor: u64,
            #[serde(flatten)]
            rest: &'a T,
        }
        let cursor = self.last + 1;
        serde_json::to_writer(&mut self.buffer, &Line { cursor, rest })?;
        Ok(self.appended())
    }

    /// The same with JSON that was built by hand, for speed: `rest` follows the number and the comma.
    pub(crate) fn append_raw(&mut self, rest: &[&[u8]]) -> u64 {
        self.buffer.extend_from_slice(HEAD);
        let number = (self.last + 1).to_string();
        self.buffer.extend_from_slice(number.as_bytes());
        self.buffer.push(b',');
        for part in rest {
            self.buffer.extend_from_slice(part);
        }
        self.appended()
    }

    fn appended(&mut self) -> u64 {
        self.buffer.push(b'\n');
        self.last += 1;
        self.last
    }

    /// Writes the buffer if it is full enough.
    pub(crate) fn flush_much(&mut self) -> io::Result<()> {
        if self.buffer.len() < BUFFER { Ok(()) } else { self.flush() }
    }

    /// Writes the buffer. If that fails, the file is truncated to the lines before, and the buffer is lost.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let written = self.file.write_all(&self.buffer);
        match written {
            Ok(()) => self.end += self.buffer.len() as u64,
            Err(_) => self.file.set_len(self.end)?,
        }
        self.buffer.clear();
        self.buffer.shrink_to(2 * BUFFER);
        written
    }

    /// Makes the system write the file to the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// The length of the written lines, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.end
    }
}

/// Where the last whole line ends.
fn whole_lines(file: &mut File, length: u64) -> io::Result<u64> {
    let mut end = length;
    let mut chunk = Vec::new();
    while end > 0 {
        let from = end.saturating_sub(BLOCK);
        file.seek(SeekFrom::Start(from))?;
        chunk.clear();
        file.take(end - from).read_to_end(&mut chunk)?;
        if let Some(at) = memchr::memrchr(b'\n', &chunk) {
            return Ok(from + at as u64 + 1);
        }
        end = from;
    }
    Ok(0)
}

/// The number of the last line that has one, 0 if there is none.
pub(crate) fn last_number(path: &Path) -> io::Result<u64> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        file => file?,
    };
    let mut lines = ReverseLines::new(file)?;
    while let Some(line) = lines.next_line()? {
        // An incomplete line may have a number too, but not the end of its object.
        if let Some(number) = number(line).filter(|_| line.ends_with(b"}")) {
            return Ok(number);
        }
    }
    Ok(0)
}

/// Reads lines in order.
#[derive(Debug)]
pub(crate) struct LogReader {
    file: File,
    splitter: LineSplitter,
    /// Where the next line starts in the file.
    next: u64,
    /// How much of the file is still to be read. What is appended meanwhile is not read.
    rest: u64,
}

impl LogReader {
    /// Reads the lines with greater numbers than `cursor`. A file that is missing has no lines.
    pub(crate) fn after(path: &Path, cursor: u64) -> io::Result<Option<Self>> {
        Self::open(path)?.map(|(file, length)| Self::find(file, length, cursor)).transpose()
    }

    /// Reads the lines from a byte on, where one must start.
    pub(crate) fn from_byte(path: &Path, start: u64) -> io::Result<Option<Self>> {
        let Some((file, length)) = Self::open(path)? else { return Ok(None) };
        Self::at(file, start.min(length), length).map(Some)
    }

    fn open(path: &Path) -> io::Result<Option<(File, u64)>> {
        match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            file => {
                let file = file?;
                let length = file.metadata()?.len();
                Ok(Some((file, length)))
            }
        }
    }

    fn at(mut file: File, start: u64, length: u64) -> io::Result<Self> {
        file.seek(SeekFrom::Start(start))?;
        let splitter = LineSplitter::new(MAX_LINE, CHUNK);
        Ok(Self { file, splitter, next: start, rest: length - start })
    }

    /// Searches the file by halves down to a block, and then line by line.
    fn find(mut file: File, length: u64, cursor: u64) -> io::Result<Self> {
        // A line starts at `low`, and the first greater number is not before it.
        let (mut low, mut high) = (0, length);
        while cursor > 0 && high - low > BLOCK {
            let middle = low + (high - low) / 2;
            match first_after(&mut file, middle, high)? {
                Some((start, number)) if number <= cursor => low = start,
                Some(_) | None => high = middle,
            }
        }
        let mut reader = Self::at(file, low, length)?;
        let found = loop {
            let start = reader.next;
            match reader.next_line()? {
                Some((number, _)) if number <= cursor => {}
                _ => break start,
            }
        };
        Self::at(reader.file, found, length)
    }

    /// The next whole line and its number. Lines without a number are skipped.
    pub(crate) fn next_line(&mut self) -> io::Result<Option<(u64, &[u8])>> {
        loop {
            let Some(line) = self.splitter.next_line() else {
                let read = self.splitter.fill(&mut (&mut self.file).take(self.rest))?;
                self.rest -= read as u64;
                if read == 0 {
                    return Ok(None);
                }
                continue;
            };
            self.next += line.length() + 1;
            if let Line::Whole(line) = line
                && let Some(number) = number(self.splitter.bytes(line.clone()))
            {
                return Ok(Some((number, self.splitter.bytes(line).trim_ascii_end())));
            }
        }
    }
}

/// The first numbered line that starts after `from` and before `until`: where, and its number.
fn first_after(file: &mut File, from: u64, until: u64) -> io::Result<Option<(u64, u64)>> {
    file.seek(SeekFrom::Start(from))?;
    let mut splitter = LineSplitter::new(MAX_HEAD, HEADS_CHUNK);
    let mut start = from;
    // The first line is the rest of the one in whose middle this is.
    let mut is_rest = true;
    while start < until {
        let Some(line) = splitter.next_line() else {
            if splitter.fill(file)? == 0 {
                break;
            }
            continue;
        };
        let next = start + line.length() + 1;
        if !is_rest && let Some(number) = number(splitter.bytes(line.range())) {
            return Ok(Some((start, number)));
        }
        (start, is_rest) = (next, false);
    }
    Ok(None)
}

fn number(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(HEAD)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    // Without what follows it the number may be cut off.
    rest.get(digits)?;
    std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// A log with `count` lines, some of them long. It is removed with the guard.
    struct Log(std::path::PathBuf);

    impl Log {
        fn new(count: u64) -> Self {
            let path = crate::testing::scratch().join(format!("job-log-{}", uuid::Uuid::new_v4()));
            let mut writer = LogWriter::open(&path, 0).expect("writable");
            for line in 1..=count {
                let length = if line % 97 == 0 { 200_000 } else { 100 };
                writer.append(&json!({"text": "x".repeat(length)})).expect("JSON");
                writer.flush_much().expect("there is room");
            }
            writer.flush().expect("there is room");
            Self(path)
        }

        fn after(&self, cursor: u64) -> Vec<u64> {
            let reader = LogReader::after(&self.0, cursor).expect("readable");
            let mut reader = reader.expect("it is there");
            let mut numbers = Vec::new();
            while let Some((number, line)) = reader.next_line().expect("readable") {
                let line: Value = serde_json::from_slice(line).expect("whole lines are JSON");
                assert_eq!(line["cursor"], number);
                numbers.push(number);
            }
            numbers
        }
    }

    impl Drop for Log {
        fn drop(&mut self) {
            drop(std::fs::remove_file(&self.0));
        }
    }

    #[test]
    fn every_cursor_finds_what_follows_it() {
        let log = Log::new(500);
        for cursor in 0..=501 {
            assert_eq!(log.after(cursor), (cursor + 1..=500).collect::<Vec<_>>(), "after {cursor}");
        }
    }

    #[test]
    fn a_file_that_ends_anywhere_in_its_last_lines_is_read_and_continued() {
        let log = Log::new(3);
        let whole = std::fs::read(&log.0).expect("readable");
        for length in 0..whole.len() {
            std::fs::write(&log.0, &whole[..length]).expect("writable");
            let lines = whole[..length].iter().filter(|byte| **byte == b'\n').count() as u64;
            assert_eq!(log.after(0), (1..=lines).collect::<Vec<_>>(), "{length} bytes");
            let mut writer = LogWriter::open(&log.0, 7).expect("writable");
            assert_eq!(writer.append(&json!({"text": "new"})).expect("JSON"), 8);
            writer.flush().expect("there is room");
            let mut expected: Vec<u64> = (1..=lines).collect();
            expected.push(8);
            assert_eq!(log.after(0), expected, "{length} bytes, and one more line");
        }
    }
}
