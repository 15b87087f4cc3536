//! Turns a line of a record into entries of a transcript. Pure, except that the output of a call may require
//! reading earlier lines.

use std::io;

use serde_json::{Map, Value};

use super::call_lookup::CallLookup;
use super::include::Include;
use super::line::{Kind, decoded, message, time};
use super::lines::RawLine;
use crate::model::prompt_envelope;

type Fields = Map<String, Value>;

/// The entries of a line that are included, each with `at`, `type`, `text` and further fields.
pub(super) fn entries(
    line: &RawLine<'_>,
    include: Include,
    calls: &mut CallLookup,
) -> io::Result<Vec<Fields>> {
    let kind = Kind::of(line);
    let found = match kind {
        Kind::Result if include.commands || include.changes => calls.actions(line, include)?,
        _ => entry(line, kind, include).into_iter().collect(),
    };
    let with_time = |(kind, other): (&str, Fields)| {
        let mut fields = Fields::new();
        fields.extend(time(line).map(|time| ("at".into(), time.to_string().into())));
        fields.insert("type".into(), kind.into());
        fields.extend(other);
        fields
    };
    Ok(found.into_iter().map(with_time).collect())
}

fn entry(line: &RawLine<'_>, kind: Kind, include: Include) -> Option<(&'static str, Fields)> {
    Some(match kind {
        Kind::User => ("user", user(line)?),
        Kind::Agent => ("agent", text(message(line)?)),
        Kind::Reasoning if include.reasoning => ("reasoning", text(message(line)?)),
        Kind::Command if include.commands => ("command", command(&decoded(line)?)?),
        Kind::FileChange if include.changes => ("change", change(&decoded(line)?)?),
        Kind::ToolCall if include.tools => ("tool", tool(&decoded(line)?)?),
        Kind::Call => call(&decoded(line)?, include)?,
        // The call is in an earlier line, which may be on another page.
        Kind::Output if include.commands || include.tools => ("output", output(&decoded(line)?)?),
        Kind::Aborted => ("interrupted", text(string(&decoded(line)?["payload"]["reason"])?)),
        Kind::Error => ("error", text(message(line)?)),
        _ => return None,
    })
}

fn text(text: impl Into<String>) -> Fields {
    Fields::from_iter([("text".into(), text.into().into())])
}

fn string(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// The strings in a value that is a string or a list of strings.
fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::String(word) => vec![word],
        Value::Array(words) => words.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn user(line: &RawLine<'_>) -> Option<Fields> {
    let message = message(line)?;
    let sent = prompt_envelope::caller_text(&message);
    let mut fields = text(sent.text.trim());
    fields.extend(sent.tool.map(|tool| ("tool".into(), tool.into())));
    Some(fields)
}

/// A command without the shell invocation that Codex wraps around it.
fn without_shell(value: &Value) -> Option<String> {
    match &strings(value)[..] {
        [] => None,
        [_, flag, command] if flag.starts_with('-') && flag.ends_with('c') => {
            Some((*command).into())
        }
        words => Some(words.join(" ")),
    }
}

fn command(line: &Value) -> Option<Fields> {
    let item = &line["payload"]["item"];
    let mut fields = text(without_shell(&item["command"])?);
    for (name, from) in [("exit_code", "exit_code"), ("output", "aggregated_output")] {
        fields.extend(item.get(from).map(|value| (name.to_owned(), value.clone())));
    }
    Some(fields)
}

fn change(line: &Value) -> Option<Fields> {
    let item = &line["payload"]["item"];
    let changes = item["changes"].as_object()?;
    let mut fields =
        text(lines(changes.iter().map(|(path, change)| {
            format!("{} {path}", change["type"].as_str().unwrap_or("change"))
        })));
    let differences = changes.iter().filter_map(|(path, change)| {
        let difference = change["unified_diff"].as_str().or_else(|| change["content"].as_str())?;
        Some(format!("+++ {path}\n{difference}"))
    });
    fields.insert("diff".into(), lines(differences).into());
    fields.extend(item.get("status").map(|status| ("status".to_owned(), status.clone())));
    Some(fields)
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<Vec<_>>().join("\n")
}

fn tool(line: &Value) -> Option<Fields> {
    let item = &line["payload"]["item"];
    let mut fields = match item["tool"].as_str() {
        Some(tool) => text(format!("{}/{tool}", item["server"].as_str().unwrap_or_default())),
        None => text(format!("web search: {}", item["query"].as_str()?)),
    };
    for name in ["arguments", "status", "error"] {
        let value = item.get(name).filter(|value| !value.is_null());
        fields.extend(value.map(|value| (name.to_owned(), value.clone())));
    }
    Some(fields)
}

/// A call of the model in the format up to 0.120.
fn call(line: &Value, include: Include) -> Option<(&'static str, Fields)> {
    let payload = &line["payload"];
    let name = payload["name"].as_str().unwrap_or("local_shell");
    let input = payload["arguments"].as_str().or_else(|| payload["input"].as_str());
    if name == "apply_patch" {
        let patch = input.filter(|_| include.changes)?;
        // If called as a function, the patch is in a field.
        let decoded: Option<Value> = serde_json::from_str(patch).ok();
        let patch = decoded.as_ref().and_then(|decoded| decoded["input"].as_str()).unwrap_or(patch);
        let headers = patch.lines().filter_map(|line| line.strip_prefix("*** "));
        let changes = headers.filter_map(|header| header.split_once(" File: "));
        let mut fields =
            text(lines(changes.map(|(what, path)| format!("{} {path}", what.to_lowercase()))));
        fields.insert("diff".into(), patch.into());
        return Some(("change", fields));
    }
    let arguments: Value =
        input.and_then(|input| serde_json::from_str(input).ok()).unwrap_or_default();
    let commands = [&arguments["command"], &arguments["cmd"], &payload["action"]["command"]];
    let command = commands.into_iter().find_map(without_shell);
    match command {
        Some(command) => include.commands.then(|| ("command", text(command))),
        None => include.tools.then(|| {
            let mut fields = text(name);
            fields.insert("arguments".into(), arguments);
            ("tool", fields)
        }),
    }
}

/// The output of a call in the format up to 0.120: text that may contain JSON.
fn output(line: &Value) -> Option<Fields> {
    let output = &line["payload"]["output"];
    let plain = string(output).or_else(|| string(&output["content"]))?;
    let decoded: Option<Value> = serde_json::from_str(&plain).ok();
    let Some(decoded) = decoded.filter(|decoded| decoded["output"].is_string()) else {
        return Some(text(plain));
    };
    let mut fields = text(string(&decoded["output"])?);
    let exit_code = decoded["metadata"].get("exit_code");
    fields.extend(exit_code.map(|code| ("exit_code".to_owned(), code.clone())));
    Some(fields)
}
