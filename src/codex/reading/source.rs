//! The lines of a file that may grow, be truncated or be replaced meanwhile, in bounded memory.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::cursor::Cursor;
use crate::system::bounded::open_file;
use crate::system::line_splitter::{Line, LineSplitter};
use crate::system::reverse_lines::ReverseLines;

/// The longest line that is decoded, in bytes.
pub(crate) const MAX_LINE: usize = 4 << 20;

/// How much is read at once, in bytes.
const CHUNK: usize = 64 << 10;

/// An open file and a position in it.
pub(crate) struct Source {
    path: PathBuf,
    file: File,
    splitter: LineSplitter,
    /// Where the next line starts.
    position: u64,
}

/// A line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SourceLine<'a> {
    Whole(&'a [u8]),
    /// It is longer than [`MAX_LINE`].
    TooLong,
}

impl Source {
    /// Opens a regular file at its start.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let splitter = LineSplitter::new(MAX_LINE, CHUNK);
        Ok(Self { path: path.to_owned(), file: open_file(path)?, splitter, position: 0 })
    }

    /// Continues at this place, where a line must start.
    pub(crate) fn seek(&mut self, position: u64) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(position))?;
        self.splitter = LineSplitter::new(MAX_LINE, CHUNK);
        self.position = position;
        Ok(())
    }

    /// The next line that has its line end.
    pub(crate) fn next_line(&mut self) -> io::Result<Option<SourceLine<'_>>> {
        let line = loop {
            if let Some(line) = self.splitter.next_line() {
                break line;
            }
            if self.splitter.fill(&mut self.file)? == 0 {
                return Ok(None);
            }
        };
        self.position += line.length() + 1;
        Ok(Some(match line {
            Line::Whole(range) => SourceLine::Whole(self.splitter.bytes(range).trim_ascii()),
            Line::TooLong { .. } => SourceLine::TooLong,
        }))
    }

    /// What follows the last line end, if it is not too long for a line.
    pub(crate) fn rest(&mut self) -> io::Result<Vec<u8>> {
        let position = self.file.stream_position()?;
        self.file.seek(SeekFrom::Start(self.position))?;
        let mut rest = Vec::new();
        Read::take(&mut self.file, MAX_LINE as u64 + 1).read_to_end(&mut rest)?;
        self.file.seek(SeekFrom::Start(position))?;
        Ok(rest)
    }

    /// Takes what follows the last line end for a line.
    pub(crate) fn take_rest(&mut self, length: usize) -> io::Result<()> {
        self.seek(self.position + length as u64)
    }

    /// Where the next line starts.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The cursor of the next line.
    pub(crate) fn cursor(&mut self) -> io::Result<Cursor> {
        let position = self.file.stream_position()?;
        let cursor = Cursor::at(&mut self.file, self.position);
        self.file.seek(SeekFrom::Start(position))?;
        cursor
    }

    /// The lines from the last to the one at `floor`. Use [`seek`](Self::seek) afterwards.
    pub(crate) fn reversed(&self, floor: u64) -> io::Result<ReverseLines> {
        ReverseLines::after(self.file.try_clone()?, floor)
    }

    pub(crate) fn metadata(&self) -> io::Result<Metadata> {
        self.file.metadata()
    }

    /// The file that the path leads to, if it is another one by now.
    pub(crate) fn replacement(&self) -> io::Result<Option<File>> {
        let new = match open_file(&self.path) {
            // It is about to be replaced.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            new => new?,
        };
        let is_same = is_same(&self.file.metadata()?, &new.metadata()?);
        Ok((!is_same).then_some(new))
    }

    /// Continues at the start of this file.
    pub(crate) fn replace(&mut self, file: File) -> io::Result<()> {
        self.file = file;
        self.seek(0)
    }

    /// Whether the file was truncated or written anew since this cursor, or is not the one that it is of.
    pub(crate) fn is_rewritten(&mut self, cursor: Cursor) -> io::Result<bool> {
        let position = self.file.stream_position()?;
        let fits = cursor.fits(&mut self.file)?;
        self.file.seek(SeekFrom::Start(position))?;
        Ok(!fits)
    }
}

#[cfg(unix)]
fn is_same(one: &Metadata, two: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;

    (one.dev(), one.ino()) == (two.dev(), two.ino())
}

#[cfg(not(unix))]
fn is_same(one: &Metadata, two: &Metadata) -> bool {
    one.created().ok() == two.created().ok()
}
