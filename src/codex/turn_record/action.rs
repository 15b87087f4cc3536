//! The commands, patches and scripts that the model calls for in a record. Pure.

use std::collections::BTreeMap;

use memchr::memmem;
use serde_json::Value;

use crate::model::event::MAX_LISTED;

/// What a call of the model runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::codex) enum Action {
    /// A shell command, without the shell invocation around it.
    Command(String),
    /// A patch: for each file `add`, `update` or `delete`, and its path.
    Patch(Vec<(&'static str, String)>),
    /// A script, which may run several commands and patches. Empty for a call that waits for an earlier
    /// script.
    Script(String),
}

/// The id shared by a call and its output.
pub(in crate::codex) fn call_id(payload: &Value) -> Option<&str> {
    payload["call_id"].as_str().or_else(|| payload["id"].as_str())
}

impl Action {
    /// Reads the payload of a `function_call`, `custom_tool_call` or `local_shell_call`. `None` if it runs
    /// neither a command nor a patch nor a script.
    pub(in crate::codex) fn from_call(payload: &Value) -> Option<Self> {
        let name = payload["name"].as_str().unwrap_or("local_shell");
        let input = payload["arguments"].as_str().or_else(|| payload["input"].as_str());
        let arguments: Value =
            input.and_then(|input| serde_json::from_str(input).ok()).unwrap_or_default();
        let command = match name {
            // If called as a function, the patch is in a field.
            "apply_patch" => {
                return Some(Self::Patch(patch_changes(arguments["input"].as_str().or(input)?)));
            }
            "exec_command" | "shell_command" | "shell" | "container.exec" | "local_shell" => {
                let candidates =
                    [&arguments["cmd"], &arguments["command"], &payload["action"]["command"]];
                candidates.into_iter().find_map(command)?
            }
            "exec" if payload["type"] == "custom_tool_call" => {
                return Some(Self::Script(input?.to_owned()));
            }
            "wait" if !arguments["cell_id"].is_null() => return Some(Self::Script(String::new())),
            _ => return None,
        };
        Some(if is_patch(&command) {
            Self::Patch(patch_changes(&command))
        } else {
            Self::Command(command)
        })
    }
}

/// Whether Codex treats the command as a patch: it calls `apply_patch`, possibly after changing the
/// directory.
fn is_patch(command: &str) -> bool {
    let first = command.split_once("&&").filter(|(first, _)| first.trim().starts_with("cd "));
    let called = first.map_or(command, |(_, then)| then).trim_start();
    called.starts_with("apply_patch") && called.contains("*** Begin Patch")
}

/// A command without the shell invocation that Codex wraps around it.
pub(in crate::codex) fn command(value: &Value) -> Option<String> {
    let words: Vec<&str> = match value {
        Value::String(command) => vec![command],
        Value::Array(words) => words.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    match words[..] {
        [] => None,
        [_, flag, command] if flag.starts_with('-') && flag.ends_with('c') => Some(command.into()),
        _ => Some(words.join(" ")),
    }
}

/// The changes in an item of type `FileChange`.
pub(in crate::codex) fn changes(changes: &Value) -> Vec<(&'static str, String)> {
    let kind = |change: &Value| match change["type"].as_str() {
        Some("add") => "add",
        Some("delete") => "delete",
        _ => "update",
    };
    let changes = changes.as_object().into_iter().flatten();
    changes.map(|(path, change)| (kind(change), path.clone())).take(MAX_LISTED).collect()
}

/// The changes in the text of a patch, which may be a string literal in a script.
pub(in crate::codex) fn patch_changes(patch: &str) -> Vec<(&'static str, String)> {
    [("Add", "add"), ("Update", "update"), ("Delete", "delete")]
        .into_iter()
        .flat_map(|(what, kind)| {
            let header = format!("*** {what} File: ");
            let starts: Vec<usize> =
                memmem::find_iter(patch.as_bytes(), &header).map(|at| at + header.len()).collect();
            starts.into_iter().map(move |at| (at, (kind, path(&patch[at..]))))
        })
        .collect::<BTreeMap<_, _>>()
        .into_values()
        .take(MAX_LISTED)
        .collect()
}

/// The path at the start of a text.
fn path(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let end = line.find(['\\', '\'', '"', '`']).unwrap_or(line.len());
    line[..end].trim().to_owned()
}
