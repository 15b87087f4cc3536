//! Calls of tools in a record: how a step begins, and how one ends that has no item. Pure.

use serde_json::{Map, Value, json};

use super::super::fields;
use super::super::shell::{file_url, in_shell, unparsed};
use crate::codex::turn_record::action::{Action, call_id};
use crate::codex::turn_record::output::{Output, parts};
use crate::model::time::Time;

/// What the output of a command says that was stopped with its turn.
const ABORTED: &str = "aborted by user";

/// A call of a tool.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) id: String,
    turn: String,
    what: What,
}

/// What a call does.
#[derive(Debug)]
enum What {
    /// The fields that both events of a command have.
    Command { common: Map<String, Value>, started: Option<Time> },
    /// The changes.
    Patch(Value),
    /// The invocation.
    McpTool(Value),
    /// The fields of the event.
    Plan(Map<String, Value>),
}

/// What the record says about the time of a call.
pub(super) struct Around<'a> {
    pub(super) turn: &'a str,
    pub(super) cwd: &'a str,
    pub(super) shell: Option<&'a [String; 2]>,
    pub(super) time: Option<Time>,
}

impl Call {
    /// Reads the payload of a `function_call`, `custom_tool_call` or `local_shell_call`, if it has events.
    pub(super) fn read(payload: &Value, around: &Around<'_>) -> Option<Self> {
        let id = call_id(payload)?.to_owned();
        let turn = around.turn.to_owned();
        let arguments = || -> Value {
            let text = payload["arguments"].as_str().or_else(|| payload["input"].as_str());
            text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
        };
        let what = if payload["name"] == "update_plan" {
            What::Plan(plan(&arguments())?)
        } else if let Some((server, tool)) = mcp_tool(payload) {
            What::McpTool(json!({ "server": server, "tool": tool, "arguments": arguments() }))
        } else {
            match Action::from_call(payload)? {
                Action::Command(script) => What::Command {
                    common: command(&script, &arguments(), payload, around),
                    started: around.time,
                },
                Action::Patch(changes) => {
                    let change = |(kind, path)| (path, json!({ "type": kind }));
                    What::Patch(Value::Object(changes.into_iter().map(change).collect()))
                }
                Action::Script(_) => return None,
            }
        };
        Some(Self { id, turn, what })
    }

    pub(super) fn is_patch(&self) -> bool {
        matches!(self.what, What::Patch(_))
    }

    pub(super) fn is_plan(&self) -> bool {
        matches!(self.what, What::Plan(_))
    }

    /// The event that says that the step has started.
    pub(super) fn begin(&self) -> Map<String, Value> {
        let (id, turn) = (&self.id, &self.turn);
        match &self.what {
            What::Command { common, started } => {
                let mut msg =
                    fields(json!({ "type": "exec_command_begin", "call_id": id, "turn_id": turn }));
                msg.extend(started.map(|time| ("started_at_ms".to_owned(), time.0.into())));
                msg.extend(common.clone());
                msg
            }
            What::Patch(changes) => fields(json!({
                "type": "patch_apply_begin",
                "call_id": id,
                "turn_id": turn,
                "auto_approved": true,
                "changes": changes,
            })),
            What::McpTool(invocation) => fields(
                json!({ "type": "mcp_tool_call_begin", "call_id": id, "invocation": invocation }),
            ),
            What::Plan(msg) => msg.clone(),
        }
    }

    /// The event that says how the step ended, by its output. `None` if it has not ended, or was stopped with
    /// its turn.
    pub(super) fn end(&self, output: &Value, has_items: bool) -> Option<Map<String, Value>> {
        let (id, turn) = (&self.id, &self.turn);
        let Output { exit_code, printed } = Output::read(output);
        Some(match &self.what {
            What::Command { common, .. } => {
                let is_refused = !parts(output).concat().contains("Wall time");
                if exit_code.is_none() && (!is_refused || printed.contains(ABORTED)) {
                    return None;
                }
                let status = if exit_code == Some(0) { "completed" } else { "failed" };
                let mut msg =
                    fields(json!({ "type": "exec_command_end", "call_id": id, "turn_id": turn }));
                msg.extend(common.clone());
                msg.extend(fields(json!({
                    "stdout": printed,
                    "stderr": "",
                    "aggregated_output": printed,
                    "exit_code": exit_code.unwrap_or(-1),
                    "formatted_output": printed,
                    "status": status,
                })));
                msg
            }
            What::Patch(changes) => {
                let success = printed.contains("Success. Updated the following files");
                let (stdout, stderr) = if success { (&*printed, "") } else { ("", &*printed) };
                fields(json!({
                    "type": "patch_apply_end",
                    "call_id": id,
                    "turn_id": turn,
                    "stdout": stdout,
                    "stderr": stderr,
                    "success": success,
                    "changes": changes,
                    "status": if success { "completed" } else { "failed" },
                }))
            }
            What::McpTool(invocation) => {
                let result = if has_items {
                    json!({ "Err": printed })
                } else {
                    json!({ "Ok": { "content": [{ "type": "text", "text": printed }] } })
                };
                fields(json!({
                    "type": "mcp_tool_call_end",
                    "call_id": id,
                    "invocation": invocation,
                    "result": result,
                }))
            }
            What::Plan(_) => return None,
        })
    }
}

/// The fields that both events of a command have.
fn command(
    script: &str,
    arguments: &Value,
    payload: &Value,
    around: &Around<'_>,
) -> Map<String, Value> {
    let listed = [&arguments["command"], &payload["action"]["command"]];
    let words = match listed.into_iter().find(|words| words.is_array()) {
        Some(words) => words.clone(),
        None => json!(in_shell(script, around.shell)),
    };
    let workdir = arguments["workdir"].as_str().unwrap_or_default();
    let cwd = std::path::Path::new(around.cwd).join(workdir);
    let cwd = cwd.to_string_lossy();
    let source = if payload["name"] == "exec_command" { "unified_exec_startup" } else { "agent" };
    fields(json!({
        "command": words,
        "cwd": file_url(cwd.trim_end_matches('/')),
        "parsed_cmd": unparsed(script),
        "source": source,
    }))
}

/// The server and the tool, if the call is one of an MCP server's tools.
fn mcp_tool(payload: &Value) -> Option<(&str, &str)> {
    const PREFIX: &str = "mcp__";
    let name = payload["name"].as_str()?;
    match payload["namespace"].as_str().and_then(|namespace| namespace.strip_prefix(PREFIX)) {
        Some(server) => Some((server, name)),
        None => name.strip_prefix(PREFIX)?.split_once("__"),
    }
}

/// A change of the plan, as the model wrote it.
fn plan(arguments: &Value) -> Option<Map<String, Value>> {
    let plan = arguments["plan"].as_array()?;
    Some(fields(json!({
        "type": "plan_update",
        "explanation": arguments["explanation"],
        "plan": plan,
    })))
}
