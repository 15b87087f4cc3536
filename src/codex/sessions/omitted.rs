//! What a call of the model's came to, where the record has no item for it: a command that failed at
//! once, a patch that was rejected.

use std::fs::File;
use std::io;

use memchr::memmem;
use serde_json::{Map, Value};

use super::include::Include;
use super::line::decoded;
use super::lines::RawLine;
use crate::codex::turn_record::{RecordedAction, actions_of_call};
use crate::system::reverse_lines::ReverseLines;

/// How far before its output a call is looked for, in lines and in bytes.
const MAX_LINES: usize = 2_000;
const MAX_BYTES: u64 = 8 << 20;

/// How much is read for one page in all, in bytes.
const MAX_PAGE_BYTES: u64 = 64 << 20;

/// Looks for calls in a record.
pub(super) struct Calls {
    file: File,
    /// How much may still be read.
    left: u64,
}

impl Calls {
    /// In a file that nobody else reads from.
    pub(super) fn new(file: File) -> Self {
        Self { file, left: MAX_PAGE_BYTES }
    }

    /// What is to be shown of the call whose output `line` is: the `type` and the other fields.
    pub(super) fn untold(
        &mut self,
        line: &RawLine<'_>,
        include: Include,
    ) -> io::Result<Vec<(&'static str, Map<String, Value>)>> {
        let Some(output) = decoded(line) else { return Ok(Vec::new()) };
        let Some(id) = output["payload"]["call_id"].as_str() else { return Ok(Vec::new()) };
        let Some(lines) = self.since_call(line.start, id)? else { return Ok(Vec::new()) };
        let call = &lines[0]["payload"];
        let patch = call["input"].as_str().filter(|_| call["name"] == "apply_patch");
        let done = actions_of_call(lines.iter().chain([&output]), id);
        Ok(done.iter().filter_map(|done| shown(done, patch, include)).collect())
    }

    /// The lines from the call of this id to `end` that may say what came of it. `None` if it has an
    /// item, which says that, or is not found.
    fn since_call(&mut self, end: u64, id: &str) -> io::Result<Option<Vec<Value>>> {
        let mut back = ReverseLines::before(self.file.try_clone()?, end);
        let most = self.left.min(MAX_BYTES);
        let mut lines = Vec::new();
        let mut found = None;
        for _ in 0..MAX_LINES {
            if end - back.start() > most {
                break;
            }
            let Some(bytes) = back.next_line()? else { break };
            let has = |words: &[u8]| memmem::find(bytes, words).is_some();
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
        self.left = self.left.saturating_sub(end - back.start());
        Ok(found)
    }
}

fn shown(
    done: &RecordedAction,
    patch: Option<&str>,
    include: Include,
) -> Option<(&'static str, Map<String, Value>)> {
    let (kind, is_included) = match done.is_patch() {
        true => ("change", include.changes),
        false => ("command", include.commands),
    };
    let mut fields = done.fields();
    if let (true, Some(patch)) = (done.is_patch(), patch) {
        fields.insert("diff".into(), patch.into());
    }
    is_included.then_some((kind, fields))
}
