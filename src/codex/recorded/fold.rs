//! The lines of a turn's record, folded into what it did. Pure.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::call::{self, What};
use super::output::{self, Output};
use super::script;
use super::{Done, MAX_OUTPUT, Recorded, key};

/// How many calls are kept that wait for their output, and how many commands and patches in all.
const MAX_CALLS: usize = 4_000;

/// Folds the lines of a record, the first one first.
#[derive(Default)]
pub(super) struct Fold {
    /// Calls that wait for their output.
    open: HashMap<String, What>,
    /// What is done, and who says so.
    entries: Vec<(Source, Done)>,
    /// The script that was called last.
    script: String,
    /// The parts of scripts' outputs that were seen, by their ids.
    chunks: HashSet<String>,
    /// Whether there are items at all.
    has_items: bool,
}

/// Who says that something was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// An item, so the stream too.
    Item,
    Call,
    /// What a script printed.
    Script,
}

impl Fold {
    pub(super) fn take(&mut self, line: &Value) {
        // Where lines are numbered, there is an item for all that the stream has.
        self.has_items |= line.get("ordinal").is_some();
        let payload = &line["payload"];
        match (line["type"].as_str(), payload["type"].as_str()) {
            (
                Some("response_item"),
                Some("function_call" | "custom_tool_call" | "local_shell_call"),
            ) => self.call(payload),
            (Some("response_item"), Some("function_call_output" | "custom_tool_call_output")) => {
                let id = payload["call_id"].as_str().unwrap_or_default();
                if let Some(what) = self.open.remove(id) {
                    self.output(id, what, &payload["output"]);
                }
            }
            (Some("event_msg"), Some("item_completed")) => self.item(&payload["item"]),
            _ => {}
        }
    }

    fn call(&mut self, payload: &Value) {
        let (Some(id), Some(mut what)) = (call::id(payload), What::of(payload)) else { return };
        match &mut what {
            // One that is waited for is the last one that was called.
            What::Script(source) if source.is_empty() => source.clone_from(&self.script),
            What::Script(source) => self.script.clone_from(source),
            What::Command(_) | What::Patch(_) => {}
        }
        if self.open.len() < MAX_CALLS {
            self.open.insert(id.to_owned(), what);
        }
    }

    fn output(&mut self, id: &str, what: What, output: &Value) {
        let What::Script(source) = what else {
            return self.push(Source::Call, Done::of(id, what, Output::read(output)));
        };
        let parts = output::parts(output);
        for (number, (what, output)) in
            script::results(&source, &parts, &mut self.chunks).into_iter().enumerate()
        {
            self.push(Source::Script, Done::of(&format!("{id}-{number}"), what, output));
        }
    }

    fn item(&mut self, item: &Value) {
        let Some(id) = item["id"].as_str() else { return };
        let what = match item["type"].as_str() {
            Some("CommandExecution") => call::command(&item["command"]).map(What::Command),
            // Its paths are in the stream.
            Some("FileChange") => Some(What::Patch(Vec::new())),
            _ => None,
        };
        let Some(what) = what else { return };
        let printed = item["aggregated_output"].as_str().unwrap_or_default().to_owned();
        let exit_code = item["exit_code"].as_i64();
        self.push(Source::Item, Done::of(id, what, Output { exit_code, printed }));
    }

    fn push(&mut self, source: Source, done: Done) {
        if self.entries.len() < MAX_CALLS {
            self.entries.push((source, done));
        }
    }

    pub(super) fn finish(mut self) -> Recorded {
        self.join_calls();
        self.join_results(Done::is_exactly);
        self.join_results(Done::may_be);
        let mut recorded = Recorded::default();
        for (source, done) in self.entries {
            recorded.refused.take(&done.item());
            match (source, &done.what) {
                (Source::Item, What::Command(command)) => {
                    *recorded.shown.entry(key(command)).or_default() += 1;
                }
                (Source::Item, _) => {}
                (_, What::Command(_) | What::Script(_)) => {
                    if done.exit_code.is_some() || done.is_refused {
                        recorded.hidden.push(done);
                    }
                }
                (_, What::Patch(_)) => {
                    if self.has_items || !done.is_made {
                        recorded.hidden.push(done);
                    }
                }
            }
        }
        recorded
    }

    /// Has one entry for a call and its item. The item's output may lack what the model was given.
    fn join_calls(&mut self) {
        let of_calls = self.entries.iter().filter(|(source, _)| *source == Source::Call);
        let refused: HashMap<String, bool> =
            of_calls.map(|(_, done)| (done.id.clone(), done.is_refused)).collect();
        let mut items = HashSet::new();
        for (_, item) in self.entries.iter_mut().filter(|(source, _)| *source == Source::Item) {
            item.is_refused |= refused.get(&item.id).copied().unwrap_or_default();
            items.insert(item.id.clone());
        }
        self.entries.retain(|(source, done)| *source != Source::Call || !items.contains(&done.id));
    }

    /// Has one entry for what a script printed and an item that is `same`.
    fn join_results(&mut self, same: fn(&Done, &Done) -> bool) {
        let (mut results, mut items) = (Vec::new(), Vec::new());
        for (at, (source, done)) in self.entries.iter().enumerate() {
            match source {
                Source::Script if done.exit_code.is_some() => results.push(at),
                Source::Item if done.id.starts_with("exec-") => items.push(at),
                _ => {}
            }
        }
        let mut joined = HashSet::new();
        for result in results {
            let of = &self.entries[result].1;
            let Some(found) = items.iter().position(|item| same(of, &self.entries[*item].1)) else {
                continue;
            };
            let item = items.remove(found);
            self.entries[item].1.is_refused |= self.entries[result].1.is_refused;
            joined.insert(result);
        }
        let mut at = 0..;
        self.entries.retain(|_| at.next().is_none_or(|at| !joined.contains(&at)));
    }
}

impl Done {
    fn is_exactly(&self, item: &Self) -> bool {
        self.exit_code == item.exit_code && self.output == item.output
    }

    /// Whether this may be what came of the item: either of them may have only a part of the output.
    fn may_be(&self, item: &Self) -> bool {
        let is_part = item.output.is_empty()
            || item.output.contains(self.output.trim_end())
            || self.output.contains("truncated")
            || item.output.chars().count() > MAX_OUTPUT;
        self.exit_code == item.exit_code && is_part
    }
}
