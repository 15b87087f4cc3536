//! What Codex did in a turn, from its own record of it.
//!
//! Its stream does not say all: most commands that fail at once are left out of it, and a patch that is
//! rejected is never in it (seen on 0.121 to 0.171). The record has each call of the model's with what
//! came of it, and from 0.153 on beside it an item for each that the stream has. The ids of the stream
//! are others.

mod call;
mod output;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::path::Path;

use memchr::memmem;
use serde_json::{Value, json};

use super::event::{Event, Item, Phase};
use super::refusal;
use super::refused::Refused;
use super::sessions::lines::Lines;
use super::step;
use crate::text::{Halves, halves};
use call::What;
use output::Output;

/// How much of a turn's record is read, in bytes. The stream has to do for the rest.
const MAX_BYTES: u64 = 64 << 20;

/// How many calls are kept that wait for their output, and that the stream may lack.
const MAX_CALLS: usize = 2_000;

/// How much of an output is kept, in characters.
const MAX_OUTPUT: usize = 8_000;

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
    let mut lines = Lines::new(File::open(path)?, before)?;
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
    Ok(fold.recorded)
}

/// A command's text by which it is the same in the stream and in the record, which quote it in
/// different ways.
pub(crate) fn key(command: &str) -> String {
    let is_quote = |char: &char| !matches!(char, '\'' | '"' | '\\');
    step::unwrapped(command).chars().filter(is_quote).collect()
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
            What::Command(_) => (refusal::is_of_command(&printed, exit_code), false),
            What::Patch(_) => (
                refusal::is_of_patch(&printed),
                printed.contains("Success. Updated the following files"),
            ),
        };
        let output = match halves(&printed, MAX_OUTPUT) {
            Some(Halves { head, tail, left_out }) => {
                format!("{head}[… {left_out} characters …]{tail}")
            }
            None => printed,
        };
        Self { id: id.to_owned(), what, exit_code, output, is_refused, is_made }
    }

    /// As an event of the stream's.
    pub(crate) fn event(&self) -> Event {
        Event::Item { id: self.id.clone(), phase: Phase::Completed, item: self.item() }
    }

    fn item(&self) -> Item {
        match &self.what {
            What::Command(command) => Item::Command {
                command: command.clone(),
                exit_code: self.exit_code,
                refused: self.is_refused,
            },
            What::Patch(paths) => Item::FileChange {
                paths: paths.clone(),
                made: self.is_made,
                refused: self.is_refused,
            },
        }
    }

    /// The same as a line, in the form in which the stream would have it.
    pub(crate) fn line(&self) -> String {
        let is_good = self.is_made || self.exit_code == Some(0);
        let status = if is_good { "completed" } else { "failed" };
        let item = match &self.what {
            What::Command(command) => json!({
                "id": self.id, "type": "command_execution", "command": command,
                "aggregated_output": self.output, "exit_code": self.exit_code, "status": status,
            }),
            What::Patch(paths) => {
                let changes: Vec<Value> =
                    paths.iter().map(|path| json!({"path": path, "kind": "update"})).collect();
                json!({
                    "id": self.id, "type": "file_change", "changes": changes,
                    "aggregated_output": self.output, "status": status,
                })
            }
        };
        json!({"type": "item.completed", "item": item, "from": "record"}).to_string()
    }
}

/// Folds the lines of a record, the first one first.
#[derive(Default)]
struct Fold {
    recorded: Recorded,
    /// Calls that wait for their output.
    open: HashMap<String, What>,
    /// The ids of those that have an item, and of what was refused.
    shown: HashSet<String>,
    refused: HashSet<String>,
}

impl Fold {
    fn take(&mut self, line: &Value) {
        let payload = &line["payload"];
        match (line["type"].as_str(), payload["type"].as_str()) {
            (
                Some("response_item"),
                Some("function_call" | "custom_tool_call" | "local_shell_call"),
            ) => {
                if let (Some(id), Some(what)) = (call::id(payload), What::of(payload))
                    && self.open.len() < MAX_CALLS
                {
                    self.open.insert(id.to_owned(), what);
                }
            }
            (Some("response_item"), Some("function_call_output" | "custom_tool_call_output")) => {
                let id = payload["call_id"].as_str().unwrap_or_default();
                if let Some(what) = self.open.remove(id) {
                    let done = Done::of(id, what, Output::read(&payload["output"]));
                    let is_numbered = line.get("ordinal").is_some();
                    self.output(done, is_numbered);
                }
            }
            (Some("event_msg"), Some("item_completed")) => self.item(&payload["item"]),
            _ => {}
        }
    }

    fn item(&mut self, item: &Value) {
        let Some(id) = item["id"].as_str() else { return };
        match item["type"].as_str() {
            Some("CommandExecution") => {
                let Some(command) = call::command(&item["command"]) else { return };
                *self.recorded.shown.entry(key(&command)).or_default() += 1;
                let exit_code = item["exit_code"].as_i64();
                let output = item["aggregated_output"].as_str().unwrap_or_default();
                let refused = refusal::is_of_command(output, exit_code);
                self.refused(id, &Item::Command { command, exit_code, refused });
            }
            Some("FileChange") => {}
            _ => return,
        }
        if self.open.contains_key(id) {
            self.shown.insert(id.to_owned());
        }
    }

    /// Takes in what came of a call. `is_numbered` says whether there is an item if the stream has it.
    fn output(&mut self, done: Done, is_numbered: bool) {
        // The output of an item may lack what the model was given.
        self.refused(&done.id, &done.item());
        let is_wanted = match &done.what {
            What::Command(_) => done.exit_code.is_some() || done.is_refused,
            What::Patch(_) => is_numbered || !done.is_made,
        };
        let is_shown = self.shown.remove(&done.id);
        if is_wanted && !is_shown && self.recorded.hidden.len() < MAX_CALLS {
            self.recorded.hidden.push(done);
        }
    }

    fn refused(&mut self, id: &str, item: &Item) {
        if self.refused.len() < MAX_CALLS
            && !self.refused.contains(id)
            && self.recorded.refused.take(item)
        {
            self.refused.insert(id.to_owned());
        }
    }
}
