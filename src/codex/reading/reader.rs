//! Reads entries from a file that may grow, and counts what is none.

use std::io;
use std::path::Path;

use super::cursor::Cursor;
use super::entry::Entry;
use super::line::{Decoded, Decoder, Form};
use super::source::{Source, SourceLine};

/// What to do with an entry. It gets the position of the entry's line.
pub(crate) type Visit<'a, E> = &'a mut dyn FnMut(Entry, u64) -> Result<(), E>;

/// The file cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct Unreadable(#[from] io::Error);

type Result<T, E = Unreadable> = std::result::Result<T, E>;

/// Lines that are no entries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Skipped {
    /// Lines that are not JSON: torn, or text of another kind.
    pub(crate) not_json: u64,
    /// Lines that are not text.
    pub(crate) binary: u64,
    pub(crate) too_long: u64,
    /// JSON of an unknown form.
    pub(crate) other: u64,
    /// The length of what follows the last line end, in bytes.
    pub(crate) incomplete: usize,
}

impl Unreadable {
    /// Whether it is no regular file.
    pub(crate) fn is_special(&self) -> bool {
        self.0.kind() == io::ErrorKind::InvalidInput
    }
}

/// An open file.
pub(crate) struct Reader {
    source: Source,
    decoder: Decoder,
    form: Form,
    pub(crate) skipped: Skipped,
    /// The length of the file when its incomplete last line was last checked.
    checked_length: u64,
}

impl Reader {
    /// Opens a regular file at its start.
    pub(crate) fn open(path: &Path, form: Form) -> Result<Self> {
        let source = Source::open(path).map_err(Unreadable)?;
        let skipped = Skipped::default();
        Ok(Self { source, decoder: Decoder::new(form), form, skipped, checked_length: 0 })
    }

    /// Where a cursor leads. `None` if the file is not the one that the cursor is of.
    pub(crate) fn find(&mut self, cursor: Cursor) -> Result<Option<u64>> {
        let is_other = self.source.is_rewritten(cursor)?;
        Ok((!is_other).then_some(cursor.offset))
    }

    /// Continues at this place.
    pub(crate) fn seek(&mut self, position: u64) -> Result<()> {
        self.source.seek(position)?;
        self.decoder = Decoder::new(self.form);
        Ok(())
    }

    /// Continues so that at most `max` bytes and a line are read to the end. Returns how many are left out.
    pub(crate) fn seek_to_last_bytes(&mut self, max: u64) -> Result<u64> {
        let start = self.source.metadata()?.len().saturating_sub(max);
        self.seek(start)?;
        if start > 0 {
            // The rest of a line, or a line.
            self.source.next_line()?;
        }
        Ok(self.source.position())
    }

    /// Reads all lines that have a line end, and the last line if it is complete without one.
    pub(crate) fn read<E: From<Unreadable>>(&mut self, visit: Visit<'_, E>) -> Result<(), E> {
        let mut start = self.source.position();
        while let Some(line) = self.source.next_line().map_err(Unreadable)? {
            match line {
                SourceLine::Whole(line) => {
                    let decoded = self.decoder.decode(line);
                    self.skipped.take(decoded, start, visit)?;
                }
                SourceLine::TooLong => self.skipped.too_long += 1,
            }
            start = self.source.position();
        }
        self.read_rest(visit)
    }

    fn read_rest<E: From<Unreadable>>(&mut self, visit: Visit<'_, E>) -> Result<(), E> {
        let length = self.source.metadata().map_err(Unreadable)?.len();
        if length == self.checked_length {
            return Ok(());
        }
        self.checked_length = length;
        let rest = self.source.rest().map_err(Unreadable)?;
        self.skipped.incomplete = rest.len();
        let is_complete = rest.starts_with(b"{")
            && serde_json::from_slice::<serde::de::IgnoredAny>(&rest).is_ok();
        if is_complete {
            let decoded = self.decoder.decode(rest.trim_ascii());
            self.skipped.take(decoded, self.source.position(), visit)?;
            self.skipped.incomplete = 0;
            self.source.take_rest(rest.len()).map_err(Unreadable)?;
        }
        Ok(())
    }

    /// Reads the file backwards down to `floor`, and returns where the line of the last entry starts that `is_enough`
    /// accepts. `is_enough` gets the entries from the last one on.
    pub(crate) fn find_backwards(
        &mut self,
        floor: u64,
        is_enough: &mut dyn FnMut(&Entry) -> bool,
    ) -> Result<u64> {
        let mut lines = self.source.reversed(floor)?;
        let found = loop {
            let Some(line) = lines.next_line()? else { break floor };
            // A call whose start is on an earlier line is counted too late, never too early.
            let decoded = Decoder::new(self.form).decode(line.trim_ascii());
            if let Decoded::Known(entries) = decoded
                && entries.iter().rev().any(&mut *is_enough)
            {
                break lines.start();
            }
        };
        self.seek(found)?;
        Ok(found)
    }

    pub(crate) fn cursor(&mut self) -> Result<Cursor> {
        Ok(self.source.cursor()?)
    }

    /// When something was last written to the file.
    pub(crate) fn written_at(&self) -> Result<std::time::SystemTime> {
        Ok(self.source.metadata()?.modified()?)
    }

    /// Continues at the start if the file was replaced, truncated or written anew since the cursor, which is of the
    /// present position. What was left of a replaced file is read first.
    pub(crate) fn restart_if_replaced<E: From<Unreadable>>(
        &mut self,
        cursor: Cursor,
        visit: Visit<'_, E>,
    ) -> Result<bool, E> {
        if self.source.is_rewritten(cursor).map_err(Unreadable)? {
            self.seek(0)?;
        } else if let Some(file) = self.source.replacement().map_err(Unreadable)? {
            self.read(visit)?;
            self.source.replace(file).map_err(Unreadable)?;
            self.decoder = Decoder::new(self.form);
        } else {
            return Ok(false);
        }
        self.checked_length = 0;
        self.skipped.incomplete = 0;
        Ok(true)
    }
}

impl Skipped {
    fn take<E>(&mut self, decoded: Decoded, start: u64, visit: Visit<'_, E>) -> Result<(), E> {
        match decoded {
            Decoded::Known(entries) => {
                return entries.into_iter().try_for_each(|entry| visit(entry, start));
            }
            Decoded::Other => self.other += 1,
            Decoded::NotJson => self.not_json += 1,
            Decoded::Binary => self.binary += 1,
            Decoded::Blank => {}
        }
        Ok(())
    }

    /// The counts with their names, without those that are 0.
    pub(crate) fn counts(self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = [
            ("not_json", self.not_json),
            ("binary", self.binary),
            ("too_long", self.too_long),
            ("unknown", self.other),
        ];
        counts.into_iter().filter(|(_, count)| *count > 0)
    }
}
