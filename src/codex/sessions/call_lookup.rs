//! Looks up the result of a model's call for which the record has no item, such as a command that failed
//! immediately or a rejected patch.

use std::fs::File;
use std::io;

use memchr::memmem;
use serde_json::{Map, Value};

use super::include::Include;
use super::line::decoded;
use super::lines::RawLine;
use crate::codex::turn_record::{RecordedAction, actions_of_call};
use crate::system::reverse_lines::ReverseLines;

/// Maximum distance between a call and its output, in lines and in bytes.
const MAX_LINES: usize = 2_000;
const MAX_BYTES: u64 = 8 << 20;

/// Maximum amount read for one page, in bytes.
const MAX_PAGE_BYTES: u64 = 64 << 20;

/// Searches a record for calls.
pub(super) struct CallLookup {
    file: File,
    /// How many more bytes may be read.
    remaining: u64,
}

impl CallLookup {
    /// `file` must not be shared with another reader, because the position changes.
    pub(super) fn new(file: File) -> Self {
        Self { file, remaining: MAX_PAGE_BYTES }
    }

    /// The actions of the call whose output is in `line`: for each the `type` and the other fields.
    pub(super) fn actions(
        &mut self,
        line: &RawLine<'_>,
        include: Include,
    ) -> io::Result<Vec<(&'static str, Map<String, Value>)>> {
        let Some(output) = decoded(line) else { return Ok(Vec::new()) };
        let Some(id) = output["payload"]["call_id"].as_str() else { return Ok(Vec::new()) };
        let Some(lines) = self.since_call(line.start, id)? else { return Ok(Vec::new()) };
        let call = &lines[0]["payload"];
        let patch = call["input"].as_str().filter(|_| call["name"] == "apply_patch");
        let actions = actions_of_call(lines.iter().chain([&output]), id);
        Ok(actions.iter().filter_map(|action| fields(action, patch, include)).collect())
    }

    /// The relevant lines from the call with this id up to `end`. `None` if the call has an item, which shows
    /// the result, or is not found.
    fn since_call(&mut self, end: u64, id: &str) -> io::Result<Option<Vec<Value>>> {
        let mut back = ReverseLines::before(self.file.try_clone()?, end);
        let max_bytes = self.remaining.min(MAX_BYTES);
        let mut lines = Vec::new();
        let mut found = None;
        for _ in 0..MAX_LINES {
            if end - back.start() > max_bytes {
                break;
            }
            let Some(bytes) = back.next_line()? else { break };
            let has = |text: &[u8]| memmem::find(bytes, text).is_some();
            if !has(b"\"call_id\"") && !has(b"\"item_completed\"") {
                continue;
            }
            let line: Value = serde_json::from_slice(bytes).unwrap_or_default();
            if line["payload"]["item"]["id"] == id {
                break;
            }
            let is_call = line["payload"]["call_id"] == id;
            lines.push(line);
            if is_call {
                lines.reverse();
                found = Some(lines);
                break;
            }
        }
        self.remaining = self.remaining.saturating_sub(end - back.start());
        Ok(found)
    }
}

fn fields(
    action: &RecordedAction,
    patch: Option<&str>,
    include: Include,
) -> Option<(&'static str, Map<String, Value>)> {
    let (kind, is_included) = match action.is_patch() {
        true => ("change", include.changes),
        false => ("command", include.commands),
    };
    let mut fields = action.fields();
    if let (true, Some(patch)) = (action.is_patch(), patch) {
        fields.insert("diff".into(), patch.into());
    }
    is_included.then_some((kind, fields))
}
