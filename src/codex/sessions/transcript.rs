//! The transcript of a session, one page at a time. A cursor is a byte offset in the record, which stays
//! valid because records only grow.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::path::Path;

use serde_json::Value;

use super::call_lookup::CallLookup;
use super::entry::entries;
pub(crate) use super::include::Include;
use super::lines::{Lines, RawLine, is_line_start};
use crate::model::text::shorten_strings;
use crate::model::value::InvalidValue;
use crate::system::bounded::open_file;
use crate::system::reverse_lines::ReverseLines;

/// Maximum part of a record that is read for one page, in lines and in bytes.
const MAX_LINES: usize = 20_000;
const MAX_BYTES: u64 = 64 << 20;

/// Maximum size of a page in bytes, unless a single entry is larger.
const PAGE_BYTES: usize = 200_000;

/// Maximum length of a text even if nothing is to be truncated, in characters.
const MAX_TEXT: usize = 100_000;

/// Which page of a transcript to read.
#[derive(Debug, Clone)]
pub(crate) struct PageRequest {
    pub(crate) from: Position,
    /// Maximum number of entries.
    pub(crate) limit: usize,
    /// Maximum length of a text in characters; 0 for no truncation.
    pub(crate) truncate: usize,
    pub(crate) include: Include,
}

/// Where a page starts or ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Position {
    /// The first entries from this offset on.
    After(u64),
    /// The last entries before this offset.
    Before(u64),
    /// The last entries of the record.
    End,
}

/// A page of entries in chronological order.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) entries: Vec<Value>,
    /// Where the next page starts.
    pub(crate) cursor: u64,
    /// Whether more entries are already available there.
    pub(crate) more: bool,
    /// Where the previous page ends, if there is one and this page was read backwards.
    pub(crate) before: Option<u64>,
    /// Size of the entries as JSON, in bytes.
    size: usize,
}

/// Why a page cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error("{field} {problem}")]
    BadInput { field: &'static str, problem: InvalidValue },
    #[error("the session's record cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// Reads a page of the record at `path`.
pub(crate) fn page(path: &Path, request: &PageRequest) -> Result<Page, Problem> {
    let mut file = open_file(path)?;
    // A separate file handle, so that looking up calls does not move the position of the reader.
    let mut calls = CallLookup::new(open_file(path)?);
    match request.from {
        Position::After(cursor) => {
            check(&mut file, "cursor", cursor)?;
            Ok(forwards(file, &mut calls, cursor, request)?)
        }
        Position::Before(before) => {
            check(&mut file, "before", before)?;
            Ok(backwards(file, &mut calls, before, request)?)
        }
        Position::End => {
            let end = file.seek(SeekFrom::End(0))?;
            Ok(backwards(file, &mut calls, end, request)?)
        }
    }
}

fn check(file: &mut File, field: &'static str, place: u64) -> Result<(), Problem> {
    if is_line_start(file, place)? {
        return Ok(());
    }
    let problem = InvalidValue(format!(
        "is {place}, which is not from an answer about this session; omit it, or pass one that is"
    ));
    Err(Problem::BadInput { field, problem })
}

fn forwards(
    file: File,
    calls: &mut CallLookup,
    cursor: u64,
    request: &PageRequest,
) -> io::Result<Page> {
    let mut page = Page { cursor, ..Page::default() };
    let mut lines = Lines::new(file, cursor)?;
    let mut lines_read = 0;
    while let Some(line) = lines.next_line(&|| false)? {
        let is_enough = lines_read == MAX_LINES || line.start - cursor >= MAX_BYTES;
        if is_enough || !page.add(&line, calls, request)? {
            page.more = true;
            break;
        }
        lines_read += 1;
        page.cursor = line.end;
    }
    Ok(page)
}

fn backwards(
    file: File,
    calls: &mut CallLookup,
    end: u64,
    request: &PageRequest,
) -> io::Result<Page> {
    let mut page = Page { cursor: end, ..Page::default() };
    let size = file.metadata()?.len();
    let mut lines = ReverseLines::before(file, end);
    let mut first = end;
    let mut lines_read = 0;
    while let Some(bytes) = lines.next_line()?.map(<[u8]>::to_vec) {
        let start = lines.start();
        let line =
            RawLine { start, end: start + bytes.len() as u64 + 1, bytes: &bytes, is_whole: true };
        if line.end > end {
            // The line is still being written.
            (page.cursor, first) = (start, start);
            continue;
        }
        let is_enough = lines_read == MAX_LINES || end - start >= MAX_BYTES;
        if is_enough || !page.add(&line, calls, request)? {
            break;
        }
        lines_read += 1;
        first = start;
    }
    // The sort is stable, so entries of the same line stay in order.
    page.entries.sort_by_key(|entry| entry["cursor"].as_u64());
    page.more = page.cursor < size && end < size;
    page.before = Some(first).filter(|first| *first > 0);
    Ok(page)
}

impl Page {
    /// Adds the entries of a line. Returns false if they do not fit.
    fn add(
        &mut self,
        line: &RawLine<'_>,
        calls: &mut CallLookup,
        request: &PageRequest,
    ) -> io::Result<bool> {
        let truncate =
            if request.truncate == 0 { MAX_TEXT } else { request.truncate.min(MAX_TEXT) };
        let mut all = Vec::new();
        for fields in entries(line, request.include, calls)? {
            let mut entry = Value::Object(fields);
            shorten_strings(&mut entry, truncate);
            entry["cursor"] = line.end.into();
            all.push(entry);
        }
        let size: usize = all.iter().map(|entry| entry.to_string().len()).sum();
        // A line that exceeds the page on its own is still added to an empty page.
        let is_room =
            self.entries.len() + all.len() <= request.limit && self.size + size <= PAGE_BYTES;
        if !all.is_empty() && !self.entries.is_empty() && !is_room {
            return Ok(false);
        }
        self.size += size;
        self.entries.extend(all);
        Ok(true)
    }
}
