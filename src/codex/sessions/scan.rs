//! One look at all records: what is remembered of each, and the rest read.

use std::io;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::index::{Entry, Lock, Place, Reader, Writer};
use super::lines::{Lines, is_line_start};
use super::summary::Summary;
use super::walk::{Folder, Found, Stamp, walk};
use crate::system::bounded::open_file;

/// How much may be read without remembering it: what is being written now changes all the time.
const UNSAVED_FILES: usize = 32;
const UNSAVED_BYTES: u64 = 4 << 20;

/// How long to wait for another who reads the same records.
const LOCK_WITHIN: Duration = Duration::from_secs(2);

/// How many folders the walk is ahead of the reading.
const FOLDERS_AHEAD: usize = 16;

/// What could not be looked at.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Missed {
    /// Records for which there was no time.
    pub(crate) unread: usize,
    /// Records that Codex has compressed.
    pub(crate) compressed: usize,
}

/// The right to remember what is read, if nobody else has it for long.
pub(super) fn lock(place: &Place, is_over: &dyn Fn() -> bool) -> Option<Lock> {
    place.lock_within(LOCK_WITHIN, is_over).ok().flatten()
}

/// One look at all records.
pub(super) struct Scan<'a> {
    pub(super) home: &'a Path,
    pub(super) reader: Option<Reader>,
    pub(super) saving: Saving,
    pub(super) is_over: &'a dyn Fn() -> bool,
    pub(super) missed: Missed,
}

/// What becomes of what is read.
pub(super) enum Saving {
    /// It is not remembered, so it must be little. So much was read.
    Little { files: usize, bytes: u64 },
    /// It is remembered, if that can be.
    All(Option<Writer>),
}

impl Scan<'_> {
    /// Calls `visit` for each record. `None` if there is too much to read for not remembering it.
    pub(super) fn run(mut self, visit: &mut dyn FnMut(&Entry)) -> Option<Missed> {
        let home = self.home;
        let is_too_much = thread::scope(|scope| {
            // Names and sizes are found out while this thread reads what is known of them.
            let (sender, folders) = mpsc::sync_channel(FOLDERS_AHEAD);
            scope.spawn(move || walk(home, |folder| sender.send(folder).is_ok()));
            folders.into_iter().any(|folder| self.look_at(folder, visit).is_err())
        });
        if let Saving::All(Some(writer)) = self.saving
            && let Err(error) = writer.finish()
        {
            tracing::debug!(%error, "the index of sessions cannot be written");
        }
        (!is_too_much).then_some(self.missed)
    }

    fn look_at(&mut self, folder: Folder, visit: &mut dyn FnMut(&Entry)) -> Result<(), TooMuch> {
        self.missed.compressed += folder.compressed;
        for found in folder.records {
            if let Some(mut entry) = self.entry(found)? {
                self.save(&mut entry);
                visit(&entry);
            }
        }
        Ok(())
    }

    /// What is known of a record, which is read as far as it is new.
    fn entry(&mut self, found: Found) -> Result<Option<Entry>, TooMuch> {
        let known = self.reader.as_mut().and_then(|reader| reader.find(&found.path));
        if known.as_ref().is_some_and(|known| known.head.stamp == found.stamp) {
            return Ok(known);
        }
        if (self.is_over)() {
            self.missed.unread += 1;
            return Ok(known);
        }
        // A record only grows. Another file in its place is read from its beginning.
        let goes_on = |Entry { head, .. }: &Entry| {
            head.stamp.number == found.stamp.number && head.read <= found.stamp.size
        };
        let mut entry = known.filter(goes_on).unwrap_or_else(|| Entry::new(found.path));
        self.count(found.stamp.size - entry.head.read)?;
        if self.read_on(&mut entry).is_err() {
            return Ok(None);
        }
        if (self.is_over)() {
            // The next look goes on where this one stopped.
            entry.head.stamp = Stamp { number: found.stamp.number, ..Stamp::default() };
            self.missed.unread += 1;
        } else {
            entry.head.stamp = found.stamp;
        }
        Ok(Some(entry))
    }

    fn count(&mut self, more: u64) -> Result<(), TooMuch> {
        let Saving::Little { files, bytes } = &mut self.saving else { return Ok(()) };
        *files += 1;
        *bytes += more;
        if *files > UNSAVED_FILES || *bytes > UNSAVED_BYTES { Err(TooMuch) } else { Ok(()) }
    }

    fn read_on(&self, entry: &mut Entry) -> io::Result<()> {
        let mut file = open_file(&self.home.join(&entry.head.path))?;
        let known = entry.summary().filter(|_| entry.head.read > 0);
        let (mut read, mut summary) = match known {
            Some(known) if is_line_start(&mut file, entry.head.read)? => {
                (entry.head.read, known.into_owned())
            }
            // It is new, or was written anew.
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
        let Saving::All(saving) = &mut self.saving else { return };
        if let Some(Err(error)) = saving.as_mut().map(|writer| writer.push(entry)) {
            tracing::debug!(%error, "the index of sessions cannot be written");
            *saving = None;
        }
    }
}

struct TooMuch;
