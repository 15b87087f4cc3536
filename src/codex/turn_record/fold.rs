//! Folds the lines of a turn's record into its actions. Pure.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::Value;

use super::action::{self, Action};
use super::output::{self, Output};
use super::script;
use super::{MAX_OUTPUT_CHARS, RecordedAction, TurnRecord, command_key};

/// Maximum number of calls waiting for their output, and of actions in total.
const MAX_CALLS: usize = 4_000;

/// Maximum distance, in entries, between a result that a script printed and the item of the same command.
const MAX_DISTANCE: usize = 200;

/// Folds the lines of a record, first to last.
#[derive(Default)]
pub(super) struct Fold {
    /// Calls waiting for their output, by id.
    open: HashMap<String, Action>,
    /// The actions and where they were found.
    entries: Vec<(Source, RecordedAction)>,
    /// The source of the last script.
    script: String,
    /// The ids of the results that scripts have printed.
    chunks: HashSet<String>,
    /// Whether this version of Codex records items.
    has_items: bool,
}

/// Where an action was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// An item, so the stream has it too.
    Item,
    /// A call and its output.
    Call,
    /// The output of a script.
    Script,
}

impl Fold {
    pub(super) fn take(&mut self, line: &Value) {
        // Versions that number their lines record an item for everything in the stream.
        self.has_items |= line.get("ordinal").is_some();
        let payload = &line["payload"];
        match (line["type"].as_str(), payload["type"].as_str()) {
            (
                Some("response_item"),
                Some("function_call" | "custom_tool_call" | "local_shell_call"),
            ) => self.call(payload),
            (Some("response_item"), Some("function_call_output" | "custom_tool_call_output")) => {
                let id = payload["call_id"].as_str().unwrap_or_default();
                if let Some(action) = self.open.remove(id) {
                    self.output(id, action, &payload["output"]);
                }
            }
            (Some("event_msg"), Some("item_completed")) => self.item(&payload["item"]),
            _ => {}
        }
    }

    fn call(&mut self, payload: &Value) {
        let (Some(id), Some(mut action)) = (action::call_id(payload), Action::from_call(payload))
        else {
            return;
        };
        match &mut action {
            // A call that waits belongs to the last script.
            Action::Script(source) if source.is_empty() => source.clone_from(&self.script),
            Action::Script(source) => self.script.clone_from(source),
            Action::Command(_) | Action::Patch(_) => {}
        }
        if self.open.len() < MAX_CALLS {
            self.open.insert(id.to_owned(), action);
        }
    }

    fn output(&mut self, id: &str, action: Action, output: &Value) {
        let Action::Script(source) = action else {
            return self.push(Source::Call, RecordedAction::new(id, action, Output::read(output)));
        };
        let parts = output::parts(output);
        for (number, (action, output)) in
            script::results(&source, &parts, &mut self.chunks).into_iter().enumerate()
        {
            self.push(
                Source::Script,
                RecordedAction::new(&format!("{id}-{number}"), action, output),
            );
        }
    }

    fn item(&mut self, item: &Value) {
        let Some(id) = item["id"].as_str() else { return };
        let action = match item["type"].as_str() {
            Some("CommandExecution") => action::command(&item["command"]).map(Action::Command),
            Some("FileChange") => Some(Action::Patch(action::changes(&item["changes"]))),
            _ => None,
        };
        let Some(action) = action else { return };
        let outputs = ["aggregated_output", "stderr"].map(|name| item[name].as_str());
        let printed = match action {
            Action::Command(_) | Action::Script(_) => outputs[0],
            Action::Patch(_) => outputs[1],
        };
        let printed = printed.unwrap_or_default().to_owned();
        let exit_code = item["exit_code"].as_i64();
        self.push(Source::Item, RecordedAction::new(id, action, Output { exit_code, printed }));
    }

    fn push(&mut self, source: Source, action: RecordedAction) {
        if self.entries.len() < MAX_CALLS {
            self.entries.push((source, action));
        }
    }

    pub(super) fn finish(mut self) -> TurnRecord {
        self.merge_calls();
        self.merge_results();
        let mut recorded = TurnRecord::default();
        for (source, action) in self.entries {
            let is_denied = recorded.denials.add(&action.item());
            match (source, &action.action) {
                (Source::Item, Action::Command(command)) => {
                    *recorded.items.entry(command_key(command)).or_default() += 1;
                }
                (Source::Item, _) => {}
                (_, Action::Command(_) | Action::Script(_)) => {
                    if action.exit_code.is_some() || is_denied {
                        recorded.without_item.push(action);
                    }
                }
                (_, Action::Patch(_)) => {
                    if self.has_items || !action.is_applied {
                        recorded.without_item.push(action);
                    }
                }
            }
        }
        recorded
    }

    /// Merges each call with its item. The item's output may lack parts that the call's output has.
    fn merge_calls(&mut self) {
        let of_calls = self.entries.iter().filter(|(source, _)| *source == Source::Call);
        let denied: HashMap<String, bool> =
            of_calls.map(|(_, action)| (action.id.clone(), action.is_denied)).collect();
        let mut items = HashSet::new();
        for (_, item) in self.entries.iter_mut().filter(|(source, _)| *source == Source::Item) {
            item.is_denied |= denied.get(&item.id).copied().unwrap_or_default();
            items.insert(item.id.clone());
        }
        self.entries
            .retain(|(source, action)| *source != Source::Call || !items.contains(&action.id));
    }

    /// Merges each result that a script printed with the item of the same command.
    fn merge_results(&mut self) {
        let mut joined = HashSet::new();
        let mut items = BTreeSet::new();
        let mut exact: HashMap<(Option<i64>, &str), Vec<usize>> = HashMap::new();
        for (at, (source, action)) in self.entries.iter().enumerate().rev() {
            if *source == Source::Item && action.id.starts_with("exec-") {
                items.insert(at);
                exact.entry((action.exit_code, &action.output)).or_default().push(at);
            }
        }
        let mut pairs = Vec::new();
        let is_result = |source: Source, action: &RecordedAction| {
            source == Source::Script && !action.is_patch()
        };
        for (at, (source, action)) in self.entries.iter().enumerate() {
            if is_result(*source, action)
                && let Some(same) = exact.get_mut(&(action.exit_code, &action.output))
                && let Some(item) = same.pop()
            {
                items.remove(&item);
                pairs.push((at, item));
                joined.insert(at);
            }
        }
        for (at, (source, action)) in self.entries.iter().enumerate() {
            if is_result(*source, action) && !joined.contains(&at) {
                let near = items.range(at.saturating_sub(MAX_DISTANCE)..at + MAX_DISTANCE);
                if let Some(&item) =
                    near.into_iter().find(|&&item| action.may_be_result_of(&self.entries[item].1))
                {
                    items.remove(&item);
                    pairs.push((at, item));
                    joined.insert(at);
                }
            }
        }
        for (result, item) in pairs {
            let is_denied = self.entries[result].1.is_denied;
            self.entries[item].1.is_denied |= is_denied;
        }
        let mut at = 0..;
        self.entries.retain(|_| at.next().is_none_or(|at| !joined.contains(&at)));
    }
}

impl RecordedAction {
    /// Whether this result, printed by a script, may belong to `item`. Either may have only part of the
    /// output. A result that is not JSON has no exit status, but it is known to have been denied.
    fn may_be_result_of(&self, item: &Self) -> bool {
        let may_exit = self.exit_code == item.exit_code
            || self.exit_code.is_none() && item.exit_code != Some(0);
        let is_part = item.output.is_empty()
            || item.output.len() > MAX_OUTPUT_CHARS
            || item.output.contains(self.output.trim_end())
            || self.output.contains("truncated");
        may_exit && is_part
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const DENIED: &str = "touch: cannot touch 'a': Read-only file system\n";

    fn call(id: &str, name: &str, input: &str) -> Value {
        let kind = if name == "exec" { "custom_tool_call" } else { "function_call" };
        json!({"ordinal": 1, "type": "response_item", "payload": {
            "type": kind, "call_id": id, "name": name, "input": input, "arguments": input,
        }})
    }

    fn output(id: &str, code: i64, printed: &str) -> Value {
        let head = format!("Wall time: 0.1 seconds\nProcess exited with code {code}\nOutput:\n");
        json!({"ordinal": 1, "type": "response_item", "payload": {
            "type": "function_call_output", "call_id": id, "output": head + printed,
        }})
    }

    fn item(id: &str, command: &str, code: i64, printed: &str) -> Value {
        json!({"ordinal": 1, "type": "event_msg", "payload": {"type": "item_completed", "item": {
            "type": "CommandExecution", "id": id, "command": ["/bin/bash", "-lc", command],
            "exit_code": code, "aggregated_output": printed,
        }}})
    }

    fn folded(lines: &[Value]) -> TurnRecord {
        let mut fold = Fold::default();
        lines.iter().for_each(|line| fold.take(line));
        fold.finish()
    }

    #[test]
    fn a_command_counts_once_and_is_denied_if_its_item_or_output_says_so() {
        let touch = json!({"cmd": "touch a"}).to_string();
        for printed in ["", DENIED] {
            let recorded = folded(&[
                call("1", "exec_command", &touch),
                item("1", "touch a", 1, printed),
                output("1", 1, DENIED),
                call("2", "exec_command", &touch),
                output("2", 1, DENIED),
            ]);
            assert_eq!(recorded.denials.commands, 2);
            assert_eq!(recorded.denials.first.as_deref(), Some("touch a"));
            let hidden: Vec<&str> =
                recorded.without_item.iter().map(|action| &*action.id).collect();
            assert_eq!(hidden, ["2"]);
        }
    }

    #[test]
    fn streamed_commands_are_matched_if_the_record_has_no_items() {
        let mut lines = Vec::new();
        for (id, command) in [("1", "echo 'it''s'"), ("2", "false"), ("3", "false")] {
            lines.push(call(
                id,
                "shell",
                &json!({"command": ["bash", "-lc", command]}).to_string(),
            ));
            lines.push(output(id, 1, ""));
        }
        lines
            .iter_mut()
            .for_each(|line| drop(line.as_object_mut().map(|line| line.remove("ordinal"))));
        let streamed = [r#"/bin/bash -lc "echo 'it''s'""#, "/bin/bash -lc false"];
        let streamed = streamed.into_iter().map(|command| (command_key(command), 1)).collect();
        let (missing, _) = folded(&lines).missing_from(&streamed);
        let missing: Vec<&str> = missing.iter().map(|action| &*action.id).collect();
        assert_eq!(missing, ["3"]);
    }

    #[test]
    fn a_printed_result_and_its_item_are_merged() {
        let result = |chunk: &str, printed: &str| json!({"chunk_id": chunk, "exit_code": 1, "output": printed});
        let printed = json!([result("a", DENIED), result("b", "no\n")]).to_string();
        let source = "text(await tools.exec_command({cmd}))";
        let of_script = |text: &str| {
            json!({"ordinal": 1, "type": "response_item", "payload": {
                "type": "custom_tool_call_output", "call_id": "1",
                "output": [{"text": "Script completed\nOutput:\n"}, {"text": text}],
            }})
        };
        for (text, hidden) in [(&*printed, 1), (DENIED, 0)] {
            let recorded = folded(&[
                call("1", "exec", source),
                item("exec-1", "touch a", 1, DENIED),
                of_script(text),
            ]);
            assert_eq!(
                (recorded.denials.commands, recorded.without_item.len()),
                (1, hidden),
                "{text}"
            );
        }
    }
}
