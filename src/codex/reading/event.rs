//! Codex's own events: the `msg` of a `codex/event` notification, and the payload of an `event_msg` in a record.
//! Pure.
//!
//! The shapes are those of `codex mcp-server` 0.77.0, 0.121.0 and 0.153.4, and of records up to 0.171.

use serde_json::Value;

use super::entry::{MAX_LISTED, Step, What, name, output, paths, text};
use super::values::{command, content, duration, files, millis, string, tokens, tool_error};
use crate::model::prompt_envelope;

/// What the event says. `None` if it is of no interest to a reader, or repeats another one.
pub(super) fn what(msg: &Value) -> Option<What> {
    let call = || name(string(&msg["call_id"]));
    Some(match msg["type"].as_str()? {
        "session_configured" => What::Session {
            model: msg["model"].as_str().map(name),
            cwd: msg["cwd"].as_str().map(name),
            record: msg["rollout_path"].as_str().map(name),
        },
        "task_started" | "turn_started" => {
            What::TurnStarted { window: msg["model_context_window"].as_u64() }
        }
        "user_message" => prompt(string(&msg["message"])),
        "agent_message" => What::Message { text: text(string(&msg["message"])) },
        "agent_reasoning" => What::Reasoning { text: text(string(&msg["text"])) },
        "exec_command_begin" => {
            What::CommandBegan { call: call(), command: command(&msg["command"])? }
        }
        "exec_command_end" => command_ended(msg, call()),
        "patch_apply_begin" => What::PatchBegan { call: call(), files: files(&msg["changes"]) },
        "patch_apply_end" => What::PatchEnded {
            call: call(),
            files: files(&msg["changes"]),
            applied: msg["success"] == true,
            output: output(string(&msg["stdout"])) + &output(string(&msg["stderr"])),
        },
        "mcp_tool_call_begin" => What::ToolBegan { call: call(), tool: tool(&msg["invocation"]) },
        "mcp_tool_call_end" => What::ToolEnded {
            call: call(),
            tool: tool(&msg["invocation"]),
            duration: duration(&msg["duration"]),
            error: tool_error(&msg["result"]),
        },
        "web_search_begin" => What::SearchBegan { call: call() },
        "web_search_end" => {
            What::SearchEnded { call: call(), query: output(string(&msg["query"])) }
        }
        "plan_update" => What::Plan { steps: steps(&msg["plan"]) },
        "token_count" => What::Tokens(tokens(&msg["info"])?),
        "error" | "stream_error" => What::Error { message: text(string(&msg["message"])) },
        "warning" => What::Warning { message: text(string(&msg["message"])) },
        "deprecation_notice" => What::Warning { message: text(string(&msg["summary"])) },
        "exec_approval_request" => What::Approval { call: call(), of: command(&msg["command"])? },
        "apply_patch_approval_request" => {
            let files = files(&msg["changes"]);
            let paths: Vec<&str> = paths(&files).collect();
            What::Approval { call: call(), of: format!("a patch of {}", paths.join(", ")) }
        }
        "context_compacted" => What::Note { text: "the context was compacted".into() },
        "turn_aborted" => What::TurnAborted {
            reason: name(string(&msg["reason"])),
            duration: millis(&msg["duration_ms"]),
        },
        "task_complete" | "turn_complete" => What::TurnEnded {
            reply: msg["last_agent_message"].as_str().map(text),
            duration: millis(&msg["duration_ms"]),
            error: error(&msg["error"]),
        },
        // From 0.153 on a record has items in place of the events above.
        "item_completed" => item(&msg["item"])?,
        _ => return None,
    })
}

/// A `codex/event` has an item beside the events above, which repeats them.
pub(super) fn is_repeated(msg: &Value) -> bool {
    msg["type"] == "item_completed"
}

fn item(item: &Value) -> Option<What> {
    let call = name(string(&item["id"]));
    Some(match item["type"].as_str()? {
        "UserMessage" => prompt(&content(&item["content"])),
        "AgentMessage" => What::Message { text: content(&item["content"]) },
        "Reasoning" => {
            let thought = content(&item["summary_text"]);
            What::Reasoning { text: Some(thought).filter(|thought| !thought.is_empty())? }
        }
        "CommandExecution" => command_ended(item, call),
        "FileChange" => What::PatchEnded {
            call,
            files: files(&item["changes"]),
            applied: item["status"] == "completed",
            output: output(string(&item["stdout"])) + &output(string(&item["stderr"])),
        },
        "McpToolCall" => What::ToolEnded {
            call,
            tool: tool(item),
            duration: duration(&item["duration"]),
            error: error(&item["error"]).or_else(|| tool_error(&item["result"])),
        },
        "WebSearch" => What::SearchEnded { call, query: output(string(&item["query"])) },
        "ContextCompaction" => What::Note { text: "the context was compacted".into() },
        _ => return None,
    })
}

/// A prompt, without the header that this program puts in front of it.
fn prompt(message: &str) -> What {
    What::Prompt { text: text(prompt_envelope::caller_text(message).text.trim()) }
}

fn command_ended(event: &Value, call: String) -> What {
    let aggregated = string(&event["aggregated_output"]);
    What::CommandEnded {
        call,
        command: command(&event["command"]),
        exit_code: event["exit_code"].as_i64(),
        duration: duration(&event["duration"]),
        output: if aggregated.is_empty() {
            output(string(&event["stdout"])) + &output(string(&event["stderr"]))
        } else {
            output(aggregated)
        },
        declined: event["status"] == "declined",
    }
}

fn tool(invocation: &Value) -> String {
    name(&format!("{}/{}", string(&invocation["server"]), string(&invocation["tool"])))
}

fn steps(plan: &Value) -> Vec<Step> {
    let steps = plan.as_array().map(Vec::as_slice).unwrap_or_default().iter().take(MAX_LISTED);
    let step = |step: &Value| Step {
        text: name(string(&step["step"])),
        is_done: step["status"] == "completed",
    };
    steps.map(step).collect()
}

/// An error as text, or as an object with a message.
pub(super) fn error(error: &Value) -> Option<String> {
    let message = error.as_str().or_else(|| error["message"].as_str());
    message.map(text).or_else(|| (!error.is_null()).then(|| text(&error.to_string())))
}
