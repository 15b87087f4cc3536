//! A call of the model's in a record. Pure.

use serde_json::Value;

/// What is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// A shell command, without the shell around it.
    Command(String),
    /// A patch of these files.
    Patch(Vec<String>),
}

/// The id by which a call and its output belong together.
pub(super) fn id(payload: &Value) -> Option<&str> {
    payload["call_id"].as_str().or_else(|| payload["id"].as_str())
}

impl What {
    /// Reads a `function_call`, `custom_tool_call` or `local_shell_call`, if it is one of a command or
    /// a patch.
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
            _ => return None,
        };
        // Codex makes a patch of a command that calls the tool.
        let is_patch = command.starts_with("apply_patch") && command.contains("*** Begin Patch");
        Some(if is_patch { Self::Patch(files(&command)) } else { Self::Command(command) })
    }
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

/// The files of a patch.
fn files(patch: &str) -> Vec<String> {
    let headers = patch.lines().filter_map(|line| line.strip_prefix("*** "));
    let files = headers.filter_map(|header| header.split_once(" File: "));
    files.map(|(_, path)| path.trim().to_owned()).take(crate::codex::event::MAX_LISTED).collect()
}
