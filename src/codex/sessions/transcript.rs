//! What was said and done in a session, a page at a time. A cursor is a place in the record, in bytes:
//! the record only grows, so it means the same for ever.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::path::Path;

use serde_json::Value;

use super::entry::entries;
pub(crate) use super::include::Include;
use super::lines::{Lines, RawLine, is_line_start};
use super::omitted::Calls;
use crate::model::text::shorten_strings;
use crate::model::value::InvalidValue;
use crate::system::bounded::open_file;
use crate::system::reverse_lines::ReverseLines;

/// How much of a record one page looks at, in lines and in bytes.
const MAX_LINES: usize = 20_000;
const MAX_BYTES: u64 = 64 << 20;

/// How large a page gets, in bytes, unless one entry alone is larger.
const PAGE_BYTES: usize = 200_000;

/// The longest text that is shown although nothing is to be cut off, in characters.
const MAX_TEXT: usize = 100_000;

/// What is wanted of a session.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) from: From,
    pub(crate) limit: usize,
    /// How long a text may be, in characters; 0 for as long as it is.
    pub(crate) truncate: usize,
    pub(crate) include: Include,
}

/// Where a page begins or ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum From {
    /// The entries from this place on.
    After(u64),
    /// The last entries before this place.
    Before(u64),
    /// The last entries of all.
    End,
}

/// Some entries, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) entries: Vec<Value>,
    /// Where to read on.
    pub(crate) cursor: u64,
    /// Whether there is more to read there now.
    pub(crate) more: bool,
    /// What stands before the page ends here, if anything does and the page was read from its end.
    pub(crate) before: Option<u64>,
    shown: usize,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error("{field} {problem}")]
    BadInput { field: &'static str, problem: InvalidValue },
    #[error("the session's record cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// Reads a page of the record at `path`.
pub(crate) fn page(path: &Path, wanted: &Wanted) -> Result<Page, Problem> {
    let mut file = open_file(path)?;
    // It has a place of its own, so that looking back does not disturb who reads on.
    let mut calls = Calls::new(open_file(path)?);
    match wanted.from {
        From::After(cursor) => {
            check(&mut file, "cursor", cursor)?;
            Ok(forwards(file, &mut calls, cursor, wanted)?)
        }
        From::Before(before) => {
            check(&mut file, "before", before)?;
            Ok(backwards(file, &mut calls, before, wanted)?)
        }
        From::End => {
            let end = file.seek(SeekFrom::End(0))?;
            Ok(backwards(file, &mut calls, end, wanted)?)
        }
    }
}

fn check(file: &mut File, field: &'static str, place: u64) -> Result<(), Problem> {
    if is_line_start(file, place)? {
        return Ok(());
    }
    let problem = InvalidValue(format!(
        "is {place}, which no answer about this session gave; leave it out to read from the start"
    ));
    Err(Problem::BadInput { field, problem })
}

fn forwards(file: File, calls: &mut Calls, cursor: u64, wanted: &Wanted) -> io::Result<Page> {
    let mut page = Page { cursor, ..Page::default() };
    let mut lines = Lines::new(file, cursor)?;
    let mut looked_at = 0;
    while let Some(line) = lines.next_line(&|| false)? {
        let is_enough = looked_at == MAX_LINES || line.start - cursor >= MAX_BYTES;
        if is_enough || !page.add(&line, calls, wanted)? {
            page.more = true;
            break;
        }
        looked_at += 1;
        page.cursor = line.end;
    }
    Ok(page)
}

fn backwards(file: File, calls: &mut Calls, end: u64, wanted: &Wanted) -> io::Result<Page> {
    let mut page = Page { cursor: end, ..Page::default() };
    let size = file.metadata()?.len();
    let mut lines = ReverseLines::before(file, end);
    let mut first = end;
    let mut looked_at = 0;
    while let Some(bytes) = lines.next_line()?.map(<[u8]>::to_vec) {
        let start = lines.start();
        let line =
            RawLine { start, end: start + bytes.len() as u64 + 1, bytes: &bytes, is_whole: true };
        if line.end > end {
            // It is still being written.
            (page.cursor, first) = (start, start);
            continue;
        }
        let is_enough = looked_at == MAX_LINES || end - start >= MAX_BYTES;
        if is_enough || !page.add(&line, calls, wanted)? {
            break;
        }
        looked_at += 1;
        first = start;
    }
    // Those of one line are in order already, and stay so.
    page.entries.sort_by_key(|entry| entry["cursor"].as_u64());
    page.more = page.cursor < size && end < size;
    page.before = Some(first).filter(|first| *first > 0);
    Ok(page)
}

impl Page {
    /// Adds what a line of the record says, if that is to be shown. False if there is no room for it.
    fn add(&mut self, line: &RawLine<'_>, calls: &mut Calls, wanted: &Wanted) -> io::Result<bool> {
        let truncate = if wanted.truncate == 0 { MAX_TEXT } else { wanted.truncate.min(MAX_TEXT) };
        let mut all = Vec::new();
        for fields in entries(line, wanted.include, calls)? {
            let mut shown = Value::Object(fields);
            shorten_strings(&mut shown, truncate);
            shown["cursor"] = line.end.into();
            all.push(shown);
        }
        let size: usize = all.iter().map(|shown| shown.to_string().len()).sum();
        // A line that alone is more than a page has is shown all the same.
        let is_room =
            self.entries.len() + all.len() <= wanted.limit && self.shown + size <= PAGE_BYTES;
        if !all.is_empty() && !self.entries.is_empty() && !is_room {
            return Ok(false);
        }
        self.shown += size;
        self.entries.extend(all);
        Ok(true)
    }
}
