//! Events of a turn as what a reader wants to know. Pure.

use crate::codex::progress_text::without_shell;
use crate::codex::reading::entry::{Change, File, Step, What};
use crate::model::event::{Event, Item, Phase};

/// What the event says, if that is of interest to a user. The end of the turn is reported by its outcome.
pub(super) fn what(event: &Event) -> Option<What> {
    match event {
        Event::TurnStarted => Some(What::TurnStarted { window: None }),
        Event::Item { id, phase, item } => of_item(id, *phase, item),
        Event::Error { message } => Some(What::Error { message: message.clone() }),
        Event::ThreadStarted { .. }
        | Event::TurnCompleted { .. }
        | Event::TurnFailed { .. }
        | Event::Unknown { .. } => None,
    }
}

fn of_item(id: &str, phase: Phase, item: &Item) -> Option<What> {
    let (is_started, is_completed) = (phase == Phase::Started, phase == Phase::Completed);
    let call = id.to_owned();
    match item {
        Item::AgentMessage { text } if is_completed => Some(What::Message { text: text.clone() }),
        Item::Reasoning { text } if is_completed => Some(What::Reasoning { text: text.clone() }),
        Item::Command { command, .. } if is_started => {
            Some(What::CommandBegan { call, command: without_shell(command).into_owned() })
        }
        Item::Command { command, exit_code, no_sandbox, .. } if is_completed => {
            Some(What::CommandEnded {
                call,
                command: Some(without_shell(command).into_owned()),
                exit_code: *exit_code,
                duration: None,
                output: no_sandbox.clone().unwrap_or_default(),
                declined: false,
            })
        }
        Item::FileChange { paths, made, refused } if is_completed => {
            let file = |path: &String| File { change: Change::Update, path: path.clone() };
            let files = paths.iter().map(file).collect();
            let output = if *refused { "The sandbox refused it.".into() } else { String::new() };
            Some(What::PatchEnded { call, files, applied: *made, output })
        }
        Item::McpToolCall { server, tool, .. } if is_started => {
            Some(What::ToolBegan { call, tool: format!("{server}/{tool}") })
        }
        Item::McpToolCall { server, tool, refused } if is_completed => {
            let error = refused.then(|| "nobody could approve it".to_owned());
            Some(What::ToolEnded { call, tool: format!("{server}/{tool}"), duration: None, error })
        }
        Item::CollabToolCall { tool } if is_started => {
            Some(What::ToolBegan { call, tool: tool.clone() })
        }
        Item::CollabToolCall { tool } if is_completed => {
            Some(What::ToolEnded { call, tool: tool.clone(), duration: None, error: None })
        }
        Item::WebSearch { .. } if is_started => Some(What::SearchBegan { call }),
        Item::WebSearch { query } if is_completed => {
            Some(What::SearchEnded { call, query: query.clone() })
        }
        Item::TodoList { steps } => {
            let step = |step: &crate::model::event::TodoStep| Step {
                text: step.text.clone(),
                is_done: step.completed,
            };
            Some(What::Plan { steps: steps.iter().map(step).collect() })
        }
        Item::Error { message } if is_completed => Some(What::Error { message: message.clone() }),
        Item::AgentMessage { .. }
        | Item::Reasoning { .. }
        | Item::Command { .. }
        | Item::FileChange { .. }
        | Item::McpToolCall { .. }
        | Item::CollabToolCall { .. }
        | Item::WebSearch { .. }
        | Item::Error { .. }
        | Item::Other { .. } => None,
    }
}
