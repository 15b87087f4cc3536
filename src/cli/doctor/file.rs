//! Reads the configuration files of other programs, if they are regular files and not too large. An error
//! message quotes nothing of their content.

use std::io;
use std::path::Path;

use serde_json::Value;
use toml::Table;

use crate::cli::clients;
use crate::system::bounded::read_bytes;

/// The largest file that is read, in bytes. Claude Code keeps more than settings in its file.
const MAX_BYTES: u64 = 64 << 20;

/// The content of a file, `None` if there is none.
fn text(path: &Path) -> Result<Option<String>, String> {
    let read = || -> io::Result<String> {
        let text = String::from_utf8(read_bytes(path, MAX_BYTES)?);
        text.map_err(|_| io::Error::other("it is not UTF-8 text"))
    };
    match read() {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{} cannot be read: {error}", path.display())),
    }
}

/// A file with JSON, `None` if there is none.
pub(super) fn json(path: &Path) -> Result<Option<Value>, String> {
    let Some(text) = text(path)? else { return Ok(None) };
    let wrong = |error: serde_json::Error| {
        let (line, column) = (error.line(), error.column());
        format!("{} is not valid JSON: line {line}, column {column}", path.display())
    };
    serde_json::from_str(&text).map(Some).map_err(wrong)
}

/// A file with JSON that may have comments, `None` if there is none.
pub(super) fn json_with_comments(path: &Path) -> Result<Option<Value>, String> {
    let Some(text) = text(path)? else { return Ok(None) };
    let wrong = |problem: String| format!("{} is not valid JSON: {problem}", path.display());
    clients::json_with_comments(&text).map(Some).map_err(wrong)
}

/// A file with TOML, `None` if there is none.
pub(super) fn toml(path: &Path) -> Result<Option<Table>, String> {
    let Some(text) = text(path)? else { return Ok(None) };
    // The parser's message quotes the line, which may contain a key.
    let wrong = |error: toml::de::Error| {
        let start = error.span().map_or(0, |span| span.start);
        let line = text.get(..start).map_or(0, |before| before.matches('\n').count()) + 1;
        format!("{} is not valid TOML: line {line}", path.display())
    };
    text.parse().map(Some).map_err(wrong)
}
