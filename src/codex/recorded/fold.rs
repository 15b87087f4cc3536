//! The lines of a turn's record, folded into what it did. Pure.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::Value;

use super::call::{self, What};
use super::output::{self, Output};
use super::script;
use super::{Done, MAX_OUTPUT, Recorded, key};

/// How many calls are kept that wait for their output, and how many commands and patches in all.
const MAX_CALLS: usize = 4_000;

/// How far from what a script printed the item of the same command is looked for, in entries.
const NEAR: usize = 200;

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
            Some("FileChange") => Some(What::Patch(call::changes(&item["changes"]))),
            _ => None,
        };
        let Some(what) = what else { return };
        let outputs = ["aggregated_output", "stderr"].map(|name| item[name].as_str());
        let printed = match what {
            What::Command(_) | What::Script(_) => outputs[0],
            What::Patch(_) => outputs[1],
        };
        let printed = printed.unwrap_or_default().to_owned();
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
        self.join_results();
        let mut recorded = Recorded::default();
        for (source, done) in self.entries {
            let is_told = recorded.refused.take(&done.item());
            match (source, &done.what) {
                (Source::Item, What::Command(command)) => {
                    *recorded.shown.entry(key(command)).or_default() += 1;
                }
                (Source::Item, _) => {}
                (_, What::Command(_) | What::Script(_)) => {
                    if done.exit_code.is_some() || is_told {
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

    /// Has one entry for what a script printed and the item that tells of the same command.
    fn join_results(&mut self) {
        let mut joined = HashSet::new();
        let mut items = BTreeSet::new();
        let mut exact: HashMap<(Option<i64>, &str), Vec<usize>> = HashMap::new();
        for (at, (source, done)) in self.entries.iter().enumerate().rev() {
            if *source == Source::Item && done.id.starts_with("exec-") {
                items.insert(at);
                exact.entry((done.exit_code, &done.output)).or_default().push(at);
            }
        }
        let mut pairs = Vec::new();
        let is_result = |source: Source, done: &Done| source == Source::Script && !done.is_patch();
        for (at, (source, done)) in self.entries.iter().enumerate() {
            if is_result(*source, done)
                && let Some(same) = exact.get_mut(&(done.exit_code, &done.output))
                && let Some(item) = same.pop()
            {
                items.remove(&item);
                pairs.push((at, item));
                joined.insert(at);
            }
        }
        for (at, (source, done)) in self.entries.iter().enumerate() {
            if is_result(*source, done) && !joined.contains(&at) {
                let near = items.range(at.saturating_sub(NEAR)..at + NEAR);
                if let Some(&item) =
                    near.into_iter().find(|&&item| done.may_be(&self.entries[item].1))
                {
                    items.remove(&item);
                    pairs.push((at, item));
                    joined.insert(at);
                }
            }
        }
        for (result, item) in pairs {
            let is_refused = self.entries[result].1.is_refused;
            self.entries[item].1.is_refused |= is_refused;
        }
        let mut at = 0..;
        self.entries.retain(|_| at.next().is_none_or(|at| !joined.contains(&at)));
    }
}

impl Done {
    /// Whether this, which a script printed, may be what came of the item: either may have only a part
    /// of the output, and of what is no JSON the exit status is not known, but that it was refused.
    fn may_be(&self, item: &Self) -> bool {
        let may_exit = self.exit_code == item.exit_code
            || self.exit_code.is_none() && item.exit_code != Some(0);
        let is_part = item.output.is_empty()
            || item.output.len() > MAX_OUTPUT
            || item.output.contains(self.output.trim_end())
            || self.output.contains("truncated");
        may_exit && is_part
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const REFUSED: &str = "touch: cannot touch 'a': Read-only file system\n";

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

    fn folded(lines: &[Value]) -> Recorded {
        let mut fold = Fold::default();
        lines.iter().for_each(|line| fold.take(line));
        fold.finish()
    }

    #[test]
    fn a_command_counts_once_and_is_refused_if_its_item_or_its_output_says_so() {
        let touch = json!({"cmd": "touch a"}).to_string();
        for printed in ["", REFUSED] {
            let recorded = folded(&[
                call("1", "exec_command", &touch),
                item("1", "touch a", 1, printed),
                output("1", 1, REFUSED),
                call("2", "exec_command", &touch),
                output("2", 1, REFUSED),
            ]);
            assert_eq!(recorded.refused.commands, 2);
            assert_eq!(recorded.refused.first.as_deref(), Some("touch a"));
            let hidden: Vec<&str> = recorded.hidden.iter().map(|done| &*done.id).collect();
            assert_eq!(hidden, ["2"]);
        }
    }

    #[test]
    fn the_stream_s_commands_are_the_record_s_where_that_has_no_items() {
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
        let told = [r#"/bin/bash -lc "echo 'it''s'""#, "/bin/bash -lc false"];
        let told = told.into_iter().map(|command| (key(command), 1)).collect();
        let (untold, _) = folded(&lines).beyond(&told);
        let untold: Vec<&str> = untold.iter().map(|done| &*done.id).collect();
        assert_eq!(untold, ["3"]);
    }

    #[test]
    fn what_a_script_printed_and_its_item_are_one() {
        let result = |chunk: &str, printed: &str| json!({"chunk_id": chunk, "exit_code": 1, "output": printed});
        let printed = json!([result("a", REFUSED), result("b", "no\n")]).to_string();
        let source = "text(await tools.exec_command({cmd}))";
        let of_script = |text: &str| {
            json!({"ordinal": 1, "type": "response_item", "payload": {
                "type": "custom_tool_call_output", "call_id": "1",
                "output": [{"text": "Script completed\nOutput:\n"}, {"text": text}],
            }})
        };
        for (text, hidden) in [(&*printed, 1), (REFUSED, 0)] {
            let recorded = folded(&[
                call("1", "exec", source),
                item("exec-1", "touch a", 1, REFUSED),
                of_script(text),
            ]);
            assert_eq!((recorded.refused.commands, recorded.hidden.len()), (1, hidden), "{text}");
        }
    }
}
