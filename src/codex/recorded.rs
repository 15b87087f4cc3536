//! What Codex did in a turn, from its own record of it.
//!
//! Its stream does not say all: most commands that fail at once are left out of it, and a patch that is
//! rejected is never in it (seen on 0.121 to 0.171). The record has each call of the model's with what
//! came of it, and from 0.153 on beside it an item for each that the stream has. The ids of the stream
//! are others.
//!
//! What a script of the model's did (the tool `exec` of newer models) is in no call of its own. What the
//! stream does not tell of it is known as far as the script printed it.

mod call;
mod fold;
mod output;
mod script;

use std::collections::HashMap;
use std::io;
use std::path::Path;

use memchr::memmem;
use serde_json::{Map, Value, json};

use super::refused::Refused;
use super::sessions::lines::Lines;
use super::step;
use super::{no_sandbox, refusal};
use crate::model::event::{Event, Item, Phase};
use crate::model::text::shorten_strings;
use crate::system::bounded::open_file;
use call::What;
use fold::Fold;
use output::Output;

/// How much of a turn's record is read, in bytes. The stream has to do for the rest.
const MAX_BYTES: u64 = 64 << 20;

/// How much of an output is kept, in characters.
const MAX_OUTPUT: usize = 4_000;

/// What a turn did, as far as it is recorded.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    /// How often there is an item for each command, which the stream has too.
    shown: HashMap<String, usize>,
    /// What there is no item for.
    hidden: Vec<Done>,
    /// What the sandbox refused, with an item or without.
    refused: Refused,
}

/// A command or a patch, with what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Done {
    id: String,
    what: What,
    exit_code: Option<i64>,
    output: String,
    is_refused: bool,
    /// Whether the files of a patch were changed.
    is_made: bool,
}

/// Reads what was done after the first `before` bytes of the record at `path`.
pub(crate) fn read(path: &Path, before: u64) -> io::Result<Recorded> {
    let mut lines = Lines::new(open_file(path)?, before)?;
    let mut fold = Fold::default();
    while let Some(line) = lines.next_line(&|| false)? {
        if line.start - before > MAX_BYTES {
            tracing::debug!("the record of the turn is longer than what is read of it");
            break;
        }
        // Most of a record is of no interest, and is not worth being read as JSON.
        let is_call = memmem::find(line.bytes, b"\"call_id\"").is_some();
        if line.is_whole && (is_call || memmem::find(line.bytes, b"\"item_completed\"").is_some()) {
            fold.take(&serde_json::from_slice(line.bytes).unwrap_or_default());
        }
    }
    Ok(fold.finish())
}

/// A command's text by which it is the same in the stream and in the record, which quote it in
/// different ways.
pub(crate) fn key(command: &str) -> String {
    let is_text = |char: &char| !matches!(char, '\'' | '"' | '\\');
    step::unwrapped(command).chars().filter(is_text).collect()
}

/// What the call of this id did that there is no item for, by the lines from it to its output.
pub(crate) fn of_call<'a>(lines: impl IntoIterator<Item = &'a Value>, id: &str) -> Vec<Done> {
    let mut fold = Fold::default();
    lines.into_iter().for_each(|line| fold.take(line));
    let mut hidden = fold.finish().hidden;
    // What a script did has the script's id with a number behind it.
    hidden.retain(|done| done.id == id || done.id.rsplit_once('-').is_some_and(|(of, _)| of == id));
    hidden
}

impl Recorded {
    /// What the stream lacks, which has `told` of each command so often; and what the sandbox refused.
    pub(crate) fn beyond(self, told: &HashMap<String, usize>) -> (Vec<Done>, Refused) {
        let Self { mut shown, mut hidden, refused } = self;
        hidden.retain(|done| {
            let What::Command(command) = &done.what else { return true };
            let key = key(command);
            let told = told.get(&key).copied().unwrap_or_default();
            let counted = shown.entry(key).or_default();
            *counted += 1;
            *counted > told
        });
        (hidden, refused)
    }
}

impl Done {
    fn of(id: &str, what: What, output: Output) -> Self {
        let Output { exit_code, printed } = output;
        let (is_refused, is_made) = match &what {
            What::Command(command) | What::Script(command) => {
                let has_run = no_sandbox::said(command, &printed, exit_code).is_none();
                (has_run && refusal::is_of_command(&printed, exit_code), false)
            }
            What::Patch(_) => {
                let is_made = printed.contains("Success. Updated the following files");
                (refusal::is_of_patch(&printed), is_made)
            }
        };
        let mut output = Value::String(printed);
        shorten_strings(&mut output, MAX_OUTPUT);
        let output = output.as_str().unwrap_or_default().to_owned();
        Self { id: id.to_owned(), what, exit_code, output, is_refused, is_made }
    }

    /// As an event of the stream's.
    pub(crate) fn event(&self) -> Event {
        Event::Item { id: self.id.clone(), phase: Phase::Completed, item: self.item() }
    }

    fn item(&self) -> Item {
        match &self.what {
            What::Command(command) | What::Script(command) => Item::Command {
                command: command.clone(),
                exit_code: self.exit_code,
                refused: self.is_refused,
                no_sandbox: no_sandbox::said(command, &self.output, self.exit_code),
            },
            What::Patch(changes) => Item::FileChange {
                paths: changes.iter().map(|(_, path)| path.clone()).collect(),
                made: self.is_made,
                refused: self.is_refused,
            },
        }
    }

    /// Whether it is a patch, and no command.
    pub(super) fn is_patch(&self) -> bool {
        matches!(self.what, What::Patch(_))
    }

    /// As fields for a person: `text`, `output`, and the `exit_code` of a command or the `status` of a
    /// patch.
    pub(super) fn fields(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        match &self.what {
            What::Command(command) | What::Script(command) => {
                fields.insert("text".into(), command.as_str().into());
                fields.insert("exit_code".into(), self.exit_code.into());
            }
            What::Patch(changes) => {
                let lines = changes.iter().map(|(kind, path)| format!("{kind} {path}"));
                fields.insert("text".into(), lines.collect::<Vec<_>>().join("\n").into());
                let status = if self.is_made { "completed" } else { "failed" };
                fields.insert("status".into(), status.into());
            }
        }
        fields.insert("output".into(), self.output.as_str().into());
        fields
    }

    /// The same as a line, in the form in which the stream would have it.
    pub(crate) fn line(&self) -> String {
        let is_good = self.is_made || self.exit_code == Some(0);
        let mut item = json!({
            "id": self.id,
            "aggregated_output": self.output,
            "status": if is_good { "completed" } else { "failed" },
        });
        match &self.what {
            What::Command(command) | What::Script(command) => {
                item["type"] = "command_execution".into();
                item["command"] = command.as_str().into();
                item["exit_code"] = self.exit_code.into();
            }
            What::Patch(changes) => {
                item["type"] = "file_change".into();
                let changes =
                    changes.iter().map(|(kind, path)| json!({"path": path, "kind": kind}));
                item["changes"] = changes.collect();
            }
        }
        json!({"type": "item.completed", "item": item, "from": "record"}).to_string()
    }
}
