//! What Codex did in a turn, from its own record.
//!
//! The event stream is incomplete: it omits most commands that fail immediately and all rejected patches
//! (seen on 0.121 to 0.171). The record contains every call of the model with its output, and from 0.153 on
//! also an item for each call that the stream has. The stream uses different ids.
//!
//! What a script of the model did (the `exec` tool of newer models) has no calls of its own. What the stream
//! omits of it is only known as far as the script printed it.

pub(super) mod action;
mod fold;
pub(super) mod output;
mod script;

use std::collections::HashMap;
use std::io;
use std::path::Path;

use memchr::memmem;
use serde_json::{Map, Value, json};

use super::progress_text;
use super::sandbox_denials::SandboxDenials;
use super::sessions::lines::Lines;
use super::{sandbox_denials, sandbox_failure};
use crate::model::event::{Event, Item, Phase};
use crate::model::text::shorten_strings;
use crate::system::bounded::open_file;
use action::Action;
use fold::Fold;
use output::Output;

/// Maximum part of a turn's record that is read, in bytes. Beyond that only the stream is used.
const MAX_BYTES: u64 = 64 << 20;

/// Maximum length of a stored output, in characters.
const MAX_OUTPUT_CHARS: usize = 4_000;

/// What a turn did, as far as it is recorded.
#[derive(Debug, Default)]
pub(crate) struct TurnRecord {
    /// Number of items for each command. The stream has these commands too.
    items: HashMap<String, usize>,
    /// The actions without an item.
    without_item: Vec<RecordedAction>,
    /// What the sandbox denied, with or without an item.
    denials: SandboxDenials,
}

/// A command or patch with its result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecordedAction {
    id: String,
    action: Action,
    exit_code: Option<i64>,
    output: String,
    is_denied: bool,
    /// Whether a patch was applied.
    is_applied: bool,
}

/// Reads the actions recorded after the first `before` bytes of the file at `path`.
pub(crate) fn read(path: &Path, before: u64) -> io::Result<TurnRecord> {
    let mut lines = Lines::new(open_file(path)?, before)?;
    let mut fold = Fold::default();
    while let Some(line) = lines.next_line(&|| false)? {
        if line.start - before > MAX_BYTES {
            tracing::debug!("the record of the turn exceeds the limit: ignoring the rest");
            break;
        }
        // Most lines are irrelevant and not worth parsing as JSON.
        let is_call = memmem::find(line.bytes, b"\"call_id\"").is_some();
        if line.is_whole && (is_call || memmem::find(line.bytes, b"\"item_completed\"").is_some()) {
            fold.take(&serde_json::from_slice(line.bytes).unwrap_or_default());
        }
    }
    Ok(fold.finish())
}

/// Normalizes a command so that it compares equal in the stream and in the record, which quote it
/// differently.
pub(crate) fn command_key(command: &str) -> String {
    let is_text = |char: &char| !matches!(char, '\'' | '"' | '\\');
    progress_text::without_shell(command).chars().filter(is_text).collect()
}

/// The actions of the call with this id that have no item. `lines` are those from the call to its output.
pub(crate) fn actions_of_call<'a>(
    lines: impl IntoIterator<Item = &'a Value>,
    id: &str,
) -> Vec<RecordedAction> {
    let mut fold = Fold::default();
    lines.into_iter().for_each(|line| fold.take(line));
    let mut actions = fold.finish().without_item;
    // The actions of a script have the id of the script with a number appended.
    actions.retain(|recorded| {
        recorded.id == id || recorded.id.rsplit_once('-').is_some_and(|(script, _)| script == id)
    });
    actions
}

impl TurnRecord {
    /// The actions that the stream omitted, and everything that the sandbox denied. `streamed` counts how
    /// often the stream reported each command.
    pub(crate) fn missing_from(
        self,
        streamed: &HashMap<String, usize>,
    ) -> (Vec<RecordedAction>, SandboxDenials) {
        let Self { mut items, mut without_item, denials } = self;
        without_item.retain(|recorded| {
            let Action::Command(command) = &recorded.action else { return true };
            let key = command_key(command);
            let streamed = streamed.get(&key).copied().unwrap_or_default();
            let counted = items.entry(key).or_default();
            *counted += 1;
            *counted > streamed
        });
        (without_item, denials)
    }
}

impl RecordedAction {
    fn new(id: &str, action: Action, output: Output) -> Self {
        let Output { exit_code, printed } = output;
        let (is_denied, is_applied) = match &action {
            Action::Command(command) | Action::Script(command) => {
                let has_run = sandbox_failure::message(command, &printed, exit_code).is_none();
                (has_run && sandbox_denials::is_command_denied(&printed, exit_code), false)
            }
            Action::Patch(_) => {
                let is_applied = printed.contains("Success. Updated the following files");
                (sandbox_denials::is_patch_denied(&printed), is_applied)
            }
        };
        let mut output = Value::String(printed);
        shorten_strings(&mut output, MAX_OUTPUT_CHARS);
        let output = output.as_str().unwrap_or_default().to_owned();
        Self { id: id.to_owned(), action, exit_code, output, is_denied, is_applied }
    }

    /// The action as an event of the stream.
    pub(crate) fn event(&self) -> Event {
        Event::Item { id: self.id.clone(), phase: Phase::Completed, item: self.item() }
    }

    fn item(&self) -> Item {
        match &self.action {
            Action::Command(command) | Action::Script(command) => Item::Command {
                command: command.clone(),
                exit_code: self.exit_code,
                refused: self.is_denied,
                no_sandbox: sandbox_failure::message(command, &self.output, self.exit_code),
            },
            Action::Patch(changes) => Item::FileChange {
                paths: changes.iter().map(|(_, path)| path.clone()).collect(),
                made: self.is_applied,
                refused: self.is_denied,
            },
        }
    }

    /// Whether this is a patch rather than a command.
    pub(super) fn is_patch(&self) -> bool {
        matches!(self.action, Action::Patch(_))
    }

    /// Fields for display: `text`, `output`, and the `exit_code` of a command or the `status` of a patch.
    pub(super) fn fields(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        match &self.action {
            Action::Command(command) | Action::Script(command) => {
                fields.insert("text".into(), command.as_str().into());
                fields.insert("exit_code".into(), self.exit_code.into());
            }
            Action::Patch(changes) => {
                let lines = changes.iter().map(|(kind, path)| format!("{kind} {path}"));
                fields.insert("text".into(), lines.collect::<Vec<_>>().join("\n").into());
                let status = if self.is_applied { "completed" } else { "failed" };
                fields.insert("status".into(), status.into());
            }
        }
        fields.insert("output".into(), self.output.as_str().into());
        fields
    }

    /// The action as a line of JSON in the format of the stream.
    pub(crate) fn line(&self) -> String {
        let succeeded = self.is_applied || self.exit_code == Some(0);
        let mut item = json!({
            "id": self.id,
            "aggregated_output": self.output,
            "status": if succeeded { "completed" } else { "failed" },
        });
        match &self.action {
            Action::Command(command) | Action::Script(command) => {
                item["type"] = "command_execution".into();
                item["command"] = command.as_str().into();
                item["exit_code"] = self.exit_code.into();
            }
            Action::Patch(changes) => {
                item["type"] = "file_change".into();
                let changes =
                    changes.iter().map(|(kind, path)| json!({"path": path, "kind": kind}));
                item["changes"] = changes.collect();
            }
        }
        json!({"type": "item.completed", "item": item, "from": "record"}).to_string()
    }
}

/// Whether a line was made of a record, and is not one of the stream.
pub(crate) fn is_from_record(line: &[u8]) -> bool {
    line.ends_with(br#","from":"record"}"#)
}
