//! The lines that `codex exec --json` prints (0.77 to 0.171). Pure.

use serde::Deserialize;
use serde_json::Value;

use super::entry::{MAX_LISTED, Step, Tokens, What, name, output, text};
use super::event::error;
use super::values::{command, files, string, tool_error};
use crate::model::usage::Usage;

/// Whether the line is an event of `codex exec --json`. Its types have a dot, but for `error`.
pub(super) fn is_event(line: &Value) -> bool {
    line["type"].as_str().is_some_and(|kind| {
        ["thread.", "turn.", "item."].iter().any(|start| kind.starts_with(start))
            || (kind == "error" && line["message"].is_string())
    })
}

/// The session that the event names.
pub(super) fn session(event: &Value) -> Option<String> {
    event["thread_id"].as_str().map(name)
}

/// What the event says, in order.
pub(crate) fn whats(event: &Value) -> Vec<What> {
    match string(&event["type"]) {
        "thread.started" => vec![What::Session { model: None, cwd: None, record: None }],
        "turn.started" => vec![What::TurnStarted { window: None }],
        "turn.completed" => {
            let total = Usage::deserialize(&event["usage"]).ok();
            let tokens =
                total.map(|total| What::Tokens(Tokens { total, context: None, window: None }));
            let ended = What::TurnEnded { reply: None, duration: None, error: None };
            tokens.into_iter().chain([ended]).collect()
        }
        "turn.failed" => {
            let error = error(&event["error"]).unwrap_or_default();
            vec![What::TurnEnded { reply: None, duration: None, error: Some(error) }]
        }
        "error" => vec![What::Error { message: text(string(&event["message"])) }],
        "item.started" => started(&event["item"]).into_iter().collect(),
        "item.updated" => plan(&event["item"]).into_iter().collect(),
        "item.completed" => completed(&event["item"]).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn started(item: &Value) -> Option<What> {
    let call = name(string(&item["id"]));
    Some(match item["type"].as_str()? {
        "command_execution" => What::CommandBegan { call, command: command(&item["command"])? },
        "file_change" => What::PatchBegan { call, files: files(&item["changes"]) },
        "mcp_tool_call" | "collab_tool_call" => What::ToolBegan { call, tool: tool(item) },
        "web_search" => What::SearchBegan { call },
        _ => return plan(item),
    })
}

fn completed(item: &Value) -> Option<What> {
    let call = name(string(&item["id"]));
    Some(match item["type"].as_str()? {
        "agent_message" => What::Message { text: text(string(&item["text"])) },
        "reasoning" => What::Reasoning { text: text(string(&item["text"])) },
        "command_execution" => What::CommandEnded {
            call,
            command: command(&item["command"]),
            exit_code: item["exit_code"].as_i64(),
            duration: None,
            output: output(string(&item["aggregated_output"])),
            declined: item["status"] == "declined",
        },
        "file_change" => What::PatchEnded {
            call,
            files: files(&item["changes"]),
            applied: item["status"] != "failed",
            output: output(string(&item["aggregated_output"])),
        },
        "mcp_tool_call" | "collab_tool_call" => What::ToolEnded {
            call,
            tool: tool(item),
            duration: None,
            error: error(&item["error"]).or_else(|| tool_error(&item["result"])),
        },
        "web_search" => What::SearchEnded { call, query: output(string(&item["query"])) },
        "error" => What::Error { message: text(string(&item["message"])) },
        "todo_list" => return plan(item),
        other => What::Note { text: name(other) },
    })
}

fn tool(item: &Value) -> String {
    match item["server"].as_str() {
        Some(server) => name(&format!("{server}/{}", string(&item["tool"]))),
        None => name(string(&item["tool"])),
    }
}

fn plan(item: &Value) -> Option<What> {
    let steps = (item["type"] == "todo_list").then(|| item["items"].as_array())??;
    let step = |step: &Value| Step {
        text: name(string(&step["text"])),
        is_done: step["completed"] == true,
    };
    Some(What::Plan { steps: steps.iter().take(MAX_LISTED).map(step).collect() })
}
