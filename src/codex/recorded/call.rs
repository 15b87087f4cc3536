//! A call of the model's in a record. Pure.

use std::collections::BTreeMap;

use memchr::memmem;
use serde_json::Value;

use crate::model::event::MAX_LISTED;

/// What is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// A shell command, without the shell around it.
    Command(String),
    /// A patch: whether it is to add, update or delete a file, and which.
    Patch(Vec<(&'static str, String)>),
    /// A script that may run several of both, or none if it is one that was waited for.
    Script(String),
}

/// The id by which a call and its output belong together.
pub(super) fn id(payload: &Value) -> Option<&str> {
    payload["call_id"].as_str().or_else(|| payload["id"].as_str())
}

impl What {
    /// Reads a `function_call`, `custom_tool_call` or `local_shell_call`, if it is one of a command, a
    /// patch or a script.
    pub(super) fn of(payload: &Value) -> Option<Self> {
        let name = payload["name"].as_str().unwrap_or("local_shell");
        let input = payload["arguments"].as_str().or_else(|| payload["input"].as_str());
        let arguments: Value =
            input.and_then(|input| serde_json::from_str(input).ok()).unwrap_or_default();
        let command = match name {
            // One that is called as a function has its patch in a field.
            "apply_patch" => {
                return Some(Self::Patch(files(arguments["input"].as_str().or(input)?)));
            }
            "exec_command" | "shell_command" | "shell" | "container.exec" | "local_shell" => {
                let places =
                    [&arguments["cmd"], &arguments["command"], &payload["action"]["command"]];
                places.into_iter().find_map(command)?
            }
            "exec" if payload["type"] == "custom_tool_call" => {
                return Some(Self::Script(input?.to_owned()));
            }
            "wait" if !arguments["cell_id"].is_null() => return Some(Self::Script(String::new())),
            _ => return None,
        };
        Some(if is_patch(&command) { Self::Patch(files(&command)) } else { Self::Command(command) })
    }
}

/// Whether Codex makes a patch of the command: it does of one that calls the tool, and of one that
/// changes the directory first.
fn is_patch(command: &str) -> bool {
    let first = command.split_once("&&").filter(|(first, _)| first.trim().starts_with("cd "));
    let called = first.map_or(command, |(_, then)| then).trim_start();
    called.starts_with("apply_patch") && called.contains("*** Begin Patch")
}

/// A command without the shell that Codex puts around it.
pub(super) fn command(value: &Value) -> Option<String> {
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

/// The files of an item.
pub(super) fn changes(changes: &Value) -> Vec<(&'static str, String)> {
    let kind = |change: &Value| match change["type"].as_str() {
        Some("add") => "add",
        Some("delete") => "delete",
        _ => "update",
    };
    let changes = changes.as_object().into_iter().flatten();
    changes.map(|(path, change)| (kind(change), path.clone())).take(MAX_LISTED).collect()
}

/// The files of a patch, which may stand in a script as a text.
pub(super) fn files(patch: &str) -> Vec<(&'static str, String)> {
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

/// The path at the beginning of a text.
fn path(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let end = line.find(['\\', '\'', '"', '`']).unwrap_or(line.len());
    line[..end].trim().to_owned()
}
