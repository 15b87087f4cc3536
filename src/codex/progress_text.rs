//! Describes events to a user in one line each. Pure.

use std::borrow::Cow;

use crate::model::event::{Event, Item, Phase};
use crate::model::text::head_on_one_line;

/// Maximum length of a description, in characters.
const MAX_CHARS: usize = 160;

/// Describes an event in one line. `None` if it is of no interest to a user. `resumed`: the turn continues an
/// existing session.
pub(crate) fn progress_text(event: &Event, resumed: bool) -> Option<String> {
    match event {
        Event::ThreadStarted { thread_id } => {
            let what = if resumed { "resumed" } else { "started" };
            Some(format!("session {} {what}", one_line(thread_id)))
        }
        Event::TurnStarted => Some("thinking".into()),
        Event::Item { phase, item, .. } => item_text(*phase, item),
        Event::Error { message } => Some(one_line(&format!("Codex reports: {message}"))),
        Event::TurnCompleted { .. } | Event::TurnFailed { .. } | Event::Unknown { .. } => None,
    }
}

fn item_text(phase: Phase, item: &Item) -> Option<String> {
    let is_started = phase == Phase::Started;
    let is_completed = phase == Phase::Completed;
    match item {
        Item::Command { command, .. } if is_started => {
            Some(one_line(&format!("running: {}", without_shell(command))))
        }
        Item::FileChange { paths, made, .. } if is_completed => {
            let what = if *made { "edited" } else { "could not edit" };
            Some(match &paths[..] {
                [path] => one_line(&format!("{what} {path}")),
                paths => format!("{what} {} files", paths.len()),
            })
        }
        Item::TodoList { steps } => {
            let current = steps.iter().position(|step| !step.completed)?;
            let text = &steps[current].text;
            Some(one_line(&format!("to-do {}/{}: {text}", current + 1, steps.len())))
        }
        Item::Reasoning { text } if is_completed => heading(text),
        Item::AgentMessage { text } if is_completed => heading(text),
        Item::McpToolCall { server, tool, .. } if is_started => {
            Some(one_line(&format!("calling {server}/{tool}")))
        }
        Item::CollabToolCall { tool } if is_started => Some(one_line(&format!("calling {tool}"))),
        Item::WebSearch { query } if is_started || is_completed => {
            Some(one_line(&format!("searching: {query}")))
        }
        Item::Error { message } if is_completed => {
            Some(one_line(&format!("Codex reports: {message}")))
        }
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

/// A command as the model wrote it: without the shell around it, and without the quotes that this needed. Codex
/// reports its words joined as for a shell (`/bin/bash -lc "echo 'a b'"`).
pub(crate) fn without_shell(command: &str) -> Cow<'_, str> {
    let is_shell = |word: &str| word.ends_with("sh") && !word.contains(' ');
    let is_wrapped = command
        .split_once(' ')
        .is_some_and(|(shell, rest)| is_shell(shell) && rest.starts_with('-'));
    if !is_wrapped {
        return command.into();
    }
    match shlex::split(command).as_deref() {
        Some([shell, flag, script]) if is_shell(shell) && (flag == "-lc" || flag == "-c") => {
            script.clone().into()
        }
        _ => command.into(),
    }
}

/// The first non-blank line, without Markdown markup around it.
pub(crate) fn heading(text: &str) -> Option<String> {
    let mut lines = text.lines().map(|line| line.trim().trim_matches(['*', '#', ' ']));
    lines.find(|line| !line.is_empty()).map(one_line)
}

/// A text shortened to one line of at most [`MAX_CHARS`] characters.
pub(crate) fn one_line(text: &str) -> String {
    head_on_one_line(text, MAX_CHARS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{completed, started};

    #[test]
    fn a_command_is_shown_as_it_ran() {
        for (reported, ran) in [
            (r#"bash -lc "echo 'a b'""#, "echo 'a b'"),
            (r#"/bin/zsh -lc 'echo "a"'"#, r#"echo "a""#),
            (r#"/bin/bash -lc "printf \"it's\"""#, r#"printf "it's""#),
            ("bash -lc ls", "ls"),
            // No shell, or not only the script.
            ("cargo test -c 'a b'", "cargo test -c 'a b'"),
            ("bash -lc 'a' b", "bash -lc 'a' b"),
            ("bash -lc 'not closed", "bash -lc 'not closed"),
        ] {
            assert_eq!(without_shell(reported), ran);
        }
    }

    proptest::proptest! {
        #[test]
        fn every_quoting_is_undone(
            script in "[^\0]{0,80}",
            quotes in "['\"\\\\$` \n]{0,20}",
            shell in "(/bin/)?(bash|zsh|sh)",
            flag in "-l?c",
        ) {
            for script in [script.clone(), quotes.clone(), format!("{script}{quotes}{script}")] {
                let words = [&*shell, &*flag, &*script];
                let reported = shlex::try_join(words).expect("there is no NUL");
                proptest::prop_assert_eq!(without_shell(&reported), script);
            }
        }
    }

    #[test]
    fn each_event_is_described_for_a_user() {
        let text = |event: Event| progress_text(&event, false).unwrap_or_default();
        let command = r#""type":"command_execution","command":"/bin/bash -lc 'cargo test'""#;
        assert_eq!(text(started(command)), "running: cargo test");
        assert_eq!(text(completed(command)), "");
        let change = r#""type":"file_change","changes":[{"path":"a"},{"path":"b"},{"path":"c"}]"#;
        assert_eq!(text(completed(change)), "edited 3 files");
        let todo = r#""type":"todo_list","items":[{"text":"read","completed":true},{"text":"write","completed":false}]"#;
        assert_eq!(text(completed(todo)), "to-do 2/2: write");
        assert_eq!(
            text(completed(r#""type":"reasoning","text":"**Looking**\n\nmore""#)),
            "Looking"
        );
        assert_eq!(
            text(started(r#""type":"mcp_tool_call","server":"s","tool":"t""#)),
            "calling s/t"
        );
        let long = format!(r#""type":"command_execution","command":"{}""#, "é".repeat(500));
        assert_eq!(text(started(&long)).chars().count(), MAX_CHARS + 1);
    }
}
