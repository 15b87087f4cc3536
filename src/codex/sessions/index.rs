//! What was read of the records, kept in the state folder so that a record is read once: one line for
//! each, in the order in which they are found, so that it is read and written as a stream.
//!
//! It is written whole by whoever has its lock, and takes the place of the one before at once. One that
//! is lost, broken or not to be written costs time and nothing else.

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

/// The longest line that is read, in bytes: more than any that is written.
const MAX_LINE: u64 = 64 << 10;

/// Where the index of a Codex home is.
#[derive(Debug, Clone)]
pub(super) struct Place {
    folder: PathBuf,
    home: PathBuf,
}

/// The first line: whose records these are.
#[derive(PartialEq, Serialize, Deserialize)]
struct Title {
    home: PathBuf,
}

/// What is known of one record.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) head: Head,
    summary: Stored,
}

/// What is needed of every record for every list: the first part of its line.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Head {
    /// Below Codex's home.
    pub(super) path: PathBuf,
    /// The file as it was when all of it was read; another one if it was not.
    pub(super) stamp: Stamp,
    /// How much was read, in bytes.
    pub(super) read: u64,
    pub(super) id: Option<SessionId>,
    pub(super) updated: Time,
    /// How long the other part is, in bytes.
    length: usize,
}

/// The other part, which is decoded only if it is needed: most are not.
#[derive(Debug)]
enum Stored {
    Line(Vec<u8>),
    Decoded(Box<Summary>),
}

impl Entry {
    /// A record of which nothing was read yet.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { head: Head { path, ..Head::default() }, summary: Stored::Decoded(Box::default()) }
    }

    /// `None` if the index is broken there.
    pub(super) fn summary(&self) -> Option<Cow<'_, Summary>> {
        match &self.summary {
            Stored::Line(line) => serde_json::from_slice(line).ok().map(Cow::Owned),
            Stored::Decoded(summary) => Some(Cow::Borrowed(summary)),
        }
    }

    /// Puts what was read up to a byte of the record in the place of what was known.
    pub(super) fn set(&mut self, read: u64, summary: Summary) {
        self.head.read = read;
        self.head.id = summary.id;
        self.head.updated = summary.updated;
        self.summary = Stored::Decoded(Box::new(summary));
    }

    fn decode(line: &[u8]) -> Option<Self> {
        // A tab is in neither part: JSON writes it otherwise.
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
        // A path that is no text cannot be written, and is read anew each time.
        let Ok(head) = serde_json::to_vec(&self.head) else { return Ok(()) };
        for part in [&head[..], b"\t", summary, b"\n"] {
            file.write_all(part)?;
        }
        Ok(())
    }
}

/// The right to write the index. Given back when dropped.
pub(super) struct Lock(#[expect(dead_code, reason = "locked until it is dropped")] FileLock);

impl Place {
    pub(super) fn new(state_dir: &Path, home: &Path) -> Self {
        Self { folder: state_dir.to_owned(), home: home.to_owned() }
    }

    /// The name says the form and the home, so that neither another version nor another home is in the
    /// way.
    fn path(&self) -> PathBuf {
        let bytes = self.home.as_os_str().as_encoded_bytes();
        // FNV-1a: short, and the same in every release.
        let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        self.folder.join(format!("sessions-1-{hash:016x}.jsonl"))
    }

    /// Waits up to `bound` for the lock, and no longer once `is_over`. `None` if somebody else keeps it.
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

    /// Begins a new index. The caller has the lock.
    pub(super) fn write(&self) -> io::Result<Writer> {
        private::remove_unfinished(&self.folder);
        let path = self.path();
        let mut file = BufWriter::new(private::replacement(&path)?);
        serde_json::to_writer(&mut file, &Title { home: self.home.clone() })?;
        file.write_all(b"\n")?;
        Ok(Writer { file, path })
    }
}

/// Reads the index along with the walk.
pub(super) struct Reader {
    lines: Option<BufReader<File>>,
    line: Vec<u8>,
    next: Option<Entry>,
}

impl Reader {
    /// What is known of the record at `path`. Paths must come in the order of the walk.
    pub(super) fn find(&mut self, path: &Path) -> Option<Entry> {
        let is_it = |next: &Entry| next.head.path.as_os_str() == path.as_os_str();
        // What comes before it in the order of the walk is gone.
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

    /// Puts it in the place of the one before.
    pub(super) fn finish(self) -> io::Result<()> {
        private::replace(self.file.into_inner()?, &self.path)
    }
}
