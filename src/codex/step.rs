//! An event in the words of a person. Pure.

use crate::model::event::{Event, Item, Phase};
use crate::model::text::head_on_one_line;

/// How much of a command or a thought is told, in characters.
const MAX_CHARS: usize = 160;

/// What an event means to a person, in one line.
pub(crate) fn step(event: &Event, resumed: bool) -> Option<String> {
    match event {
        Event::ThreadStarted { thread_id } => {
            let what = if resumed { "resumed" } else { "started" };
            Some(format!("session {} {what}", head(thread_id)))
        }
        Event::TurnStarted => Some("thinking".into()),
        Event::Item { phase, item, .. } => item_step(*phase, item),
        Event::Error { message } => Some(head(&format!("Codex reports: {message}"))),
        Event::TurnCompleted { .. } | Event::TurnFailed { .. } | Event::Unknown { .. } => None,
    }
}

fn item_step(phase: Phase, item: &Item) -> Option<String> {
    let begins = phase == Phase::Started;
    let ends = phase == Phase::Completed;
    match item {
        Item::Command { command, .. } if begins => {
            Some(head(&format!("running: {}", unwrapped(command))))
        }
        Item::FileChange { paths, made, .. } if ends => {
            let what = if *made { "edited" } else { "could not edit" };
            Some(match &paths[..] {
                [path] => head(&format!("{what} {path}")),
                paths => format!("{what} {} files", paths.len()),
            })
        }
        Item::TodoList { steps } => {
            let current = steps.iter().position(|step| !step.completed)?;
            let text = &steps[current].text;
            Some(head(&format!("to-do {}/{}: {text}", current + 1, steps.len())))
        }
        Item::Reasoning { text } if ends => heading(text),
        Item::AgentMessage { text } if ends => heading(text),
        Item::McpToolCall { server, tool, .. } if begins => {
            Some(head(&format!("calling {server}/{tool}")))
        }
        Item::CollabToolCall { tool } if begins => Some(head(&format!("calling {tool}"))),
        Item::WebSearch { query } if begins || ends => Some(head(&format!("searching: {query}"))),
        Item::Error { message } if ends => Some(head(&format!("Codex reports: {message}"))),
        Item::Command { .. }
        | Item::FileChange { .. }
        | Item::Reasoning { .. }
        | Item::AgentMessage { .. }
        | Item::McpToolCall { .. }
        | Item::CollabToolCall { .. }
        | Item::WebSearch { .. }
        | Item::Error { .. }
        | Item::Other { .. } => None,
    }
}

/// A command without the shell that Codex puts around it.
pub(crate) fn unwrapped(command: &str) -> &str {
    let Some((shell, script)) = command.split_once(" -lc ").or_else(|| command.split_once(" -c "))
    else {
        return command;
    };
    let is_shell = !shell.contains(' ') && shell.ends_with("sh");
    let quoted = ['\'', '"']
        .into_iter()
        .find_map(|quote| script.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)));
    if is_shell { quoted.unwrap_or(script) } else { command }
}

/// The first line that says something, without Markdown around it.
pub(crate) fn heading(text: &str) -> Option<String> {
    let mut lines = text.lines().map(|line| line.trim().trim_matches(['*', '#', ' ']));
    lines.find(|line| !line.is_empty()).map(head)
}

/// One line, cut to what can be shown.
pub(crate) fn head(text: &str) -> String {
    head_on_one_line(text, MAX_CHARS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(line: &str) -> Event {
        Event::decode(line.as_bytes()).expect("the test writes events")
    }

    fn started(kind_and_fields: &str) -> Event {
        event(&format!(r#"{{"type":"item.started","item":{{"id":"1",{kind_and_fields}}}}}"#))
    }

    fn completed(kind_and_fields: &str) -> Event {
        event(&format!(r#"{{"type":"item.completed","item":{{"id":"1",{kind_and_fields}}}}}"#))
    }

    #[test]
    fn each_step_is_told_as_a_person_would_say_it() {
        let told = |event: Event| step(&event, false).unwrap_or_default();
        let command = r#""type":"command_execution","command":"/bin/bash -lc 'cargo test'""#;
        assert_eq!(told(started(command)), "running: cargo test");
        assert_eq!(told(completed(command)), "");
        let change = r#""type":"file_change","changes":[{"path":"a"},{"path":"b"},{"path":"c"}]"#;
        assert_eq!(told(completed(change)), "edited 3 files");
        let todo = r#""type":"todo_list","items":[{"text":"read","completed":true},{"text":"write","completed":false}]"#;
        assert_eq!(told(completed(todo)), "to-do 2/2: write");
        assert_eq!(
            told(completed(r#""type":"reasoning","text":"**Looking**\n\nmore""#)),
            "Looking"
        );
        assert_eq!(
            told(started(r#""type":"mcp_tool_call","server":"s","tool":"t""#)),
            "calling s/t"
        );
        let long = format!(r#""type":"command_execution","command":"{}""#, "é".repeat(500));
        assert_eq!(told(started(&long)).chars().count(), MAX_CHARS + 1);
    }
}
