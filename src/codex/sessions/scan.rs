//! Goes through all records: takes what the index has and reads the rest.

use std::io;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::index::{Entry, IndexFile, Lock, Reader, Writer};
use super::lines::{Lines, is_line_start};
use super::summary::Summary;
use super::walk::{Folder, RecordFile, Stamp, walk};
use crate::system::bounded::open_file;

/// Maximum number of records and bytes that are read without updating the index. Sessions in progress change
/// all the time.
const UNSAVED_FILES: usize = 32;
const UNSAVED_BYTES: u64 = 4 << 20;

/// How long to wait for another process that is reading the same records.
const LOCK_WITHIN: Duration = Duration::from_secs(2);

/// Maximum number of folders that the walk is ahead of reading.
const FOLDERS_AHEAD: usize = 16;

/// The records that were not read.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Missed {
    /// Number of records for which there was no time.
    pub(crate) unread: usize,
    /// Number of records that Codex has compressed.
    pub(crate) compressed: usize,
}

/// The lock for updating the index. `None` if another process holds it for too long.
pub(super) fn lock(index: &IndexFile, is_over: &dyn Fn() -> bool) -> Option<Lock> {
    index.lock_within(LOCK_WITHIN, is_over).ok().flatten()
}

/// One pass over all records.
pub(super) struct Scan<'a> {
    pub(super) home: &'a Path,
    pub(super) reader: Option<Reader>,
    pub(super) update: IndexUpdate,
    pub(super) is_over: &'a dyn Fn() -> bool,
    pub(super) missed: Missed,
}

/// Whether the index is updated.
pub(super) enum IndexUpdate {
    /// It is not, so only little may be read. Counts what was read.
    Skip { files: usize, bytes: u64 },
    /// It is rewritten, unless that is impossible.
    Write(Option<Writer>),
}

impl Scan<'_> {
    /// Calls `visit` for each record. `None` if there is too much to read without updating the index.
    pub(super) fn run(mut self, visit: &mut dyn FnMut(&Entry)) -> Option<Missed> {
        let home = self.home;
        let is_too_much = thread::scope(|scope| {
            // Another thread collects names and sizes while this one reads the index and the records.
            let (sender, folders) = mpsc::sync_channel(FOLDERS_AHEAD);
            scope.spawn(move || walk(home, |folder| sender.send(folder).is_ok()));
            folders.into_iter().any(|folder| self.scan_folder(folder, visit).is_err())
        });
        if let IndexUpdate::Write(Some(writer)) = self.update
            && let Err(error) = writer.finish()
        {
            tracing::debug!(%error, "the index of sessions cannot be written");
        }
        (!is_too_much).then_some(self.missed)
    }

    fn scan_folder(
        &mut self,
        folder: Folder,
        visit: &mut dyn FnMut(&Entry),
    ) -> Result<(), TooMuch> {
        self.missed.compressed += folder.compressed;
        for found in folder.records {
            if let Some(mut entry) = self.entry(found)? {
                self.save(&mut entry);
                visit(&entry);
            }
        }
        Ok(())
    }

    /// The up-to-date entry of a record. Reads the part of the record that is new.
    fn entry(&mut self, found: RecordFile) -> Result<Option<Entry>, TooMuch> {
        let known = self.reader.as_mut().and_then(|reader| reader.find(&found.path));
        if known.as_ref().is_some_and(|known| known.head.stamp == found.stamp) {
            return Ok(known);
        }
        if (self.is_over)() {
            self.missed.unread += 1;
            return Ok(known);
        }
        // Records only grow. A different file with the same name is read from the start.
        let is_continuation = |Entry { head, .. }: &Entry| {
            head.stamp.number == found.stamp.number && head.read <= found.stamp.size
        };
        let mut entry = known.filter(is_continuation).unwrap_or_else(|| Entry::new(found.path));
        self.count(found.stamp.size - entry.head.read)?;
        if self.read_new_lines(&mut entry).is_err() {
            return Ok(None);
        }
        if (self.is_over)() {
            // The next scan continues where this one stopped.
            entry.head.stamp = Stamp { number: found.stamp.number, ..Stamp::default() };
            self.missed.unread += 1;
        } else {
            entry.head.stamp = found.stamp;
        }
        Ok(Some(entry))
    }

    fn count(&mut self, more: u64) -> Result<(), TooMuch> {
        let IndexUpdate::Skip { files, bytes } = &mut self.update else { return Ok(()) };
        *files += 1;
        *bytes += more;
        if *files > UNSAVED_FILES || *bytes > UNSAVED_BYTES { Err(TooMuch) } else { Ok(()) }
    }

    fn read_new_lines(&self, entry: &mut Entry) -> io::Result<()> {
        let mut file = open_file(&self.home.join(&entry.head.path))?;
        let known = entry.summary().filter(|_| entry.head.read > 0);
        let (mut read, mut summary) = match known {
            Some(known) if is_line_start(&mut file, entry.head.read)? => {
                (entry.head.read, known.into_owned())
            }
            // The file is new or was rewritten.
            _ => (0, Summary::default()),
        };
        let mut lines = Lines::new(file, read)?;
        while let Some(line) = lines.next_line(self.is_over)? {
            summary.take(&line);
            read = line.end;
        }
        entry.set(read, summary);
        Ok(())
    }

    fn save(&mut self, entry: &mut Entry) {
        let IndexUpdate::Write(saving) = &mut self.update else { return };
        if let Some(Err(error)) = saving.as_mut().map(|writer| writer.push(entry)) {
            tracing::debug!(%error, "the index of sessions cannot be written");
            *saving = None;
        }
    }
}

struct TooMuch;
