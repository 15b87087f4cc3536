//! The lines of Codex's record of a session (0.77 to 0.171). Pure.

use serde_json::Value;

use super::entry::{File, MAX_LISTED, What, name, output};
use super::values::{command, string};
use super::{entry, event};
use crate::model::time::Time;

/// Whether the line is one of a record.
pub(super) fn is_line(line: &Value) -> bool {
    line["payload"].is_object() && line["type"].is_string()
}

pub(super) fn time(line: &Value) -> Option<Time> {
    Time::parse(line["timestamp"].as_str()?)
}

/// The session that the record is about, which only its first line says.
pub(super) fn session(line: &Value) -> Option<String> {
    if line["type"] != "session_meta" {
        return None;
    }
    line["payload"]["id"].as_str().map(name)
}

/// The turn that the line belongs to, if the line says so.
pub(super) fn turn(line: &Value) -> Option<&str> {
    line["payload"]["turn_id"].as_str()
}

/// What the line says.
pub(super) fn what(line: &Value) -> Option<What> {
    let payload = &line["payload"];
    match line["type"].as_str()? {
        "session_meta" => {
            let cwd = payload["cwd"].as_str().map(name);
            Some(What::Session { model: None, cwd, record: None })
        }
        "event_msg" => event::what(payload),
        "compacted" => Some(What::Note { text: "the context was compacted".into() }),
        // Releases that number their lines record what the model did as items too.
        "response_item" if line.get("ordinal").is_none() => call(payload),
        _ => None,
    }
}

/// A call of the model, or its output, in records up to 0.120.
fn call(payload: &Value) -> Option<What> {
    let call = name(string(&payload["call_id"]));
    match payload["type"].as_str()? {
        "function_call" | "custom_tool_call" | "local_shell_call" => Some(began(payload, call)),
        "function_call_output" | "custom_tool_call_output" => Some(ended(payload, call)),
        _ => None,
    }
}

fn began(payload: &Value, call: String) -> What {
    let tool = payload["name"].as_str().unwrap_or("local_shell");
    let input = payload["arguments"].as_str().or_else(|| payload["input"].as_str());
    let arguments: Value =
        input.and_then(|input| serde_json::from_str(input).ok()).unwrap_or_default();
    if tool == "apply_patch" {
        // If called as a function, the patch is in a field.
        let patch = arguments["input"].as_str().or(input).unwrap_or_default();
        return What::PatchBegan { call, files: files_of(patch) };
    }
    let commands = [&arguments["command"], &arguments["cmd"], &payload["action"]["command"]];
    match commands.into_iter().find_map(command) {
        Some(command) => What::CommandBegan { call, command },
        None => What::ToolBegan { call, tool: name(tool) },
    }
}

/// The files that the headers of a patch name.
fn files_of(patch: &str) -> Vec<File> {
    let headers = patch.lines().filter_map(|line| line.strip_prefix("*** "));
    let named = headers.filter_map(|header| header.split_once(" File: "));
    let file = |(kind, path): (&str, &str)| File {
        change: entry::Change::of(&kind.to_lowercase()),
        path: name(path),
    };
    named.take(MAX_LISTED).map(file).collect()
}

/// The output is text that may contain JSON.
fn ended(payload: &Value, call: String) -> What {
    let value = &payload["output"];
    let plain = value.as_str().or_else(|| value["content"].as_str()).unwrap_or_default();
    let decoded: Value = serde_json::from_str(plain).unwrap_or_default();
    let exit_code = decoded["metadata"]["exit_code"].as_i64().or_else(|| exit_code_in(plain));
    let text = decoded["output"].as_str().unwrap_or(plain);
    What::CallEnded { call, exit_code, output: output(text) }
}

/// The exit code in front of a command's output: `Exit code: 3`.
fn exit_code_in(output: &str) -> Option<i64> {
    let codes = output.lines().take(8).filter_map(|line| {
        line.strip_prefix("Exit code: ").or_else(|| line.strip_prefix("Process exited with code "))
    });
    codes.filter_map(|code| code.trim().parse().ok()).next()
}
