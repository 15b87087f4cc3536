//! Caches the summaries of records in the state folder, so that each record is read only once. The file has
//! one line for each record, in the order of the walk, so that it can be read and written as a stream.
//!
//! Only the holder of the lock writes it, as a new file that atomically replaces the old one. An index that
//! is lost, corrupt or not writable only costs time.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::summary::Summary;
use super::walk::Stamp;
use crate::model::session_id::SessionId;
use crate::model::time::Time;
use crate::system::bounded::open_file;
use crate::system::file_lock::{FileLock, LockError};
use crate::system::private;

/// Maximum length of a line, in bytes. No written line is longer.
const MAX_LINE: u64 = 64 << 10;

/// The location of the index for a Codex home.
#[derive(Debug, Clone)]
pub(super) struct IndexFile {
    folder: PathBuf,
    home: PathBuf,
}

/// The first line, which says whose records these are.
#[derive(PartialEq, Serialize, Deserialize)]
struct Title {
    home: PathBuf,
}

/// The index entry of one record.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) head: Head,
    summary: Stored,
}

/// The first part of an entry's line: what every list needs of every record.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Head {
    /// Relative to Codex's home.
    pub(super) path: PathBuf,
    /// The state of the file when it was read completely. Does not match the file if it was not.
    pub(super) stamp: Stamp,
    /// How much of the file has been read, in bytes.
    pub(super) read: u64,
    pub(super) id: Option<SessionId>,
    pub(super) updated: Time,
    /// Length of the second part, in bytes.
    length: usize,
}

/// The second part of an entry's line. It is decoded only when needed.
#[derive(Debug)]
enum Stored {
    Line(Vec<u8>),
    Decoded(Box<Summary>),
}

impl Entry {
    /// The entry of a record that has not been read yet.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { head: Head { path, ..Head::default() }, summary: Stored::Decoded(Box::default()) }
    }

    /// The summary, or `None` if the index is corrupt here.
    pub(super) fn summary(&self) -> Option<Cow<'_, Summary>> {
        match &self.summary {
            Stored::Line(line) => serde_json::from_slice(line).ok().map(Cow::Owned),
            Stored::Decoded(summary) => Some(Cow::Borrowed(summary)),
        }
    }

    /// Replaces the summary with one of the first `read` bytes of the record.
    pub(super) fn set(&mut self, read: u64, summary: Summary) {
        self.head.read = read;
        self.head.id = summary.id;
        self.head.updated = summary.updated;
        self.summary = Stored::Decoded(Box::new(summary));
    }

    fn decode(line: &[u8]) -> Option<Self> {
        // Neither part contains a tab, because JSON escapes it.
        let (head, summary) = line.split_at(memchr::memchr(b'\t', line)?);
        let head: Head = serde_json::from_slice(head).ok()?;
        let summary = summary[1..].strip_suffix(b"\n")?;
        (summary.len() == head.length)
            .then(|| Self { head, summary: Stored::Line(summary.to_vec()) })
    }

    fn write(&mut self, file: &mut impl Write) -> io::Result<()> {
        let encoded;
        let summary = match &self.summary {
            Stored::Line(line) => line,
            Stored::Decoded(summary) => {
                encoded = serde_json::to_vec(summary)?;
                &encoded
            }
        };
        self.head.length = summary.len();
        // A path that is not UTF-8 cannot be stored, so its record is read each time.
        let Ok(head) = serde_json::to_vec(&self.head) else { return Ok(()) };
        for part in [&head[..], b"\t", summary, b"\n"] {
            file.write_all(part)?;
        }
        Ok(())
    }
}

/// The lock for writing the index. Released on drop.
pub(super) struct Lock(#[expect(dead_code, reason = "locked until it is dropped")] FileLock);

impl IndexFile {
    pub(super) fn new(state_dir: &Path, home: &Path) -> Self {
        Self { folder: state_dir.to_owned(), home: home.to_owned() }
    }

    /// The name contains the format version and a hash of the home, so that different versions and homes do
    /// not interfere.
    fn path(&self) -> PathBuf {
        let bytes = self.home.as_os_str().as_encoded_bytes();
        // FNV-1a: short and stable across releases.
        let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        self.folder.join(format!("sessions-1-{hash:016x}.jsonl"))
    }

    /// Waits up to `bound` for the lock, and no longer once `is_over`. `None` if another process holds it.
    pub(super) fn lock_within(
        &self,
        bound: Duration,
        is_over: &dyn Fn() -> bool,
    ) -> io::Result<Option<Lock>> {
        private::create_folder(&self.folder)?;
        let path = self.path().with_extension("lock");
        let lock = FileLock::lock_within_unless(&path, bound, is_over);
        LockError::none_if_held(lock.map(Lock))
    }

    pub(super) fn read(&self) -> Reader {
        let lines = open_file(&self.path()).ok();
        let mut reader = Reader { lines: lines.map(BufReader::new), line: Vec::new(), next: None };
        let is_ours = reader.next_line().is_some_and(|line| {
            serde_json::from_slice::<Title>(line).is_ok_and(|title| title.home == self.home)
        });
        if is_ours {
            reader.advance();
        } else {
            reader.lines = None;
        }
        reader
    }

    /// Starts a new index. The caller must hold the lock.
    pub(super) fn write(&self) -> io::Result<Writer> {
        private::remove_unfinished(&self.folder);
        let path = self.path();
        let mut file = BufWriter::new(private::replacement(&path)?);
        serde_json::to_writer(&mut file, &Title { home: self.home.clone() })?;
        file.write_all(b"\n")?;
        Ok(Writer { file, path })
    }
}

/// Reads the index in parallel with the walk.
pub(super) struct Reader {
    lines: Option<BufReader<File>>,
    line: Vec<u8>,
    next: Option<Entry>,
}

impl Reader {
    /// The entry for the record at `path`. Must be called with paths in the order of the walk.
    pub(super) fn find(&mut self, path: &Path) -> Option<Entry> {
        let is_it = |next: &Entry| next.head.path.as_os_str() == path.as_os_str();
        // Skip entries that come earlier in the walk: their records no longer exist.
        while self.next.as_ref().is_some_and(|next| !is_it(next) && next.head.path.as_path() > path)
        {
            self.advance();
        }
        let found = self.next.take_if(|next| is_it(next));
        if found.is_some() {
            self.advance();
        }
        found
    }

    fn advance(&mut self) {
        self.next = None;
        while let Some(line) = self.next_line() {
            if let Some(entry) = Entry::decode(line) {
                self.next = Some(entry);
                return;
            }
        }
    }

    fn next_line(&mut self) -> Option<&[u8]> {
        self.line.clear();
        let lines = self.lines.as_mut()?;
        let read = lines.by_ref().take(MAX_LINE).read_until(b'\n', &mut self.line).ok()?;
        (read > 0).then_some(&self.line)
    }
}

/// Writes a new index, which is lost unless it is finished.
pub(super) struct Writer {
    file: BufWriter<NamedTempFile>,
    path: PathBuf,
}

impl Writer {
    pub(super) fn push(&mut self, entry: &mut Entry) -> io::Result<()> {
        entry.write(&mut self.file)
    }

    /// Replaces the old index.
    pub(super) fn finish(self) -> io::Result<()> {
        private::replace(self.file.into_inner()?, &self.path)
    }
}
