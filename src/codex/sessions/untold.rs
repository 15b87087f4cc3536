//! What a call of the model's came to, where the record has no item for it: a command that failed at
//! once, a patch that was rejected.

use std::fs::File;
use std::io;

use memchr::memmem;
use serde_json::{Map, Value};

use super::entry::Include;
use super::line::decoded;
use super::lines::RawLine;
use crate::codex::recorded::{Done, of_call};
use crate::reverse_lines::ReverseLines;

/// How far before its output a call is looked for, in lines and in bytes.
const MAX_LINES: usize = 2_000;
const MAX_BYTES: u64 = 8 << 20;

/// What is to be shown of the call whose output `line` is: the `type` and the other fields.
pub(super) fn untold(
    line: &RawLine<'_>,
    file: &File,
    include: Include,
) -> io::Result<Vec<(&'static str, Map<String, Value>)>> {
    let Some(output) = decoded(line) else { return Ok(Vec::new()) };
    let Some(id) = output["payload"]["call_id"].as_str() else { return Ok(Vec::new()) };
    let Some(lines) = since_call(file, line.start, id)? else { return Ok(Vec::new()) };
    let call = &lines[0]["payload"];
    let patch = call["input"].as_str().filter(|_| call["name"] == "apply_patch");
    let done = of_call(lines.iter().chain([&output]), id);
    Ok(done.iter().filter_map(|done| shown(done, patch, include)).collect())
}

fn shown(
    done: &Done,
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

/// The lines from the call of this id to `end` that may say what came of it. `None` if it has an item,
/// which says that, or is not found.
fn since_call(file: &File, end: u64, id: &str) -> io::Result<Option<Vec<Value>>> {
    let mut back = ReverseLines::before(file.try_clone()?, end);
    let mut lines = Vec::new();
    for _ in 0..MAX_LINES {
        let Some(bytes) = back.next_line()? else { break };
        let has = |words: &[u8]| memmem::find(bytes, words).is_some();
        if has(b"\"call_id\"") || has(b"\"item_completed\"") {
            let line: Value = serde_json::from_slice(bytes).unwrap_or_default();
            let payload = &line["payload"];
            if payload["item"]["id"] == id {
                return Ok(None);
            }
            let is_it = payload["call_id"] == id;
            lines.push(line);
            if is_it {
                lines.reverse();
                return Ok(Some(lines));
            }
        }
        if end - back.start() > MAX_BYTES {
            break;
        }
    }
    Ok(None)
}
