//! Reads what real releases wrote: `tests/fixtures/` has the recordings.

use std::time::Duration;

use serde_json::Value;

use super::entry::{Entry, What};
use super::line::{Decoded, Decoder};
use super::runs::{RunStatus, Runs};
use super::stuck::{MODEL_IDLE, Verdict, WORK_IDLE, judge};

/// What the server wrote in a recorded scenario.
fn server_lines(file: &str) -> Vec<String> {
    let lines = file.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    lines.filter_map(|line| Some(line.get("server")?.to_string())).collect()
}

macro_rules! fixture {
    ($path:literal) => {
        include_str!(concat!("../../../tests/fixtures/", $path))
    };
}

fn entries(lines: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<Entry> {
    let mut decoder = Decoder::new(|_| None);
    let decoded =
        lines.into_iter().flat_map(|line| match decoder.decode(line.as_ref().as_bytes()) {
            Decoded::Known(entries) => entries,
            other => panic!("{other:?}: {}", line.as_ref()),
        });
    decoded.collect()
}

fn runs(entries: &[Entry]) -> Runs {
    let mut runs = Runs::default();
    entries.iter().for_each(|entry| runs.take(entry, true));
    runs
}

/// The kinds of the entries of a request, without those that are in each.
fn kinds(entries: &[Entry], request: &str) -> Vec<&'static str> {
    let of = entries.iter().filter(|entry| entry.request.as_deref() == Some(request));
    let kinds = of.map(|entry| entry.what.kind());
    let usual = ["session", "tokens", "turn_started", "turn_ended", "prompt"];
    kinds.filter(|kind| !usual.contains(kind)).collect()
}

#[test]
fn each_release_of_the_old_server_is_read() {
    for (lines, commands, patch, failed) in [
        (server_lines(fixture!("mcp-server/0.77.0/call.jsonl")), "4", "5", "6"),
        (server_lines(fixture!("mcp-server/0.121.0/call.jsonl")), "4", "5", "6"),
    ] {
        let entries = entries(lines);
        assert_eq!(
            kinds(&entries, commands),
            ["command_started", "command", "command_started", "command", "message", "answer"]
        );
        assert_eq!(kinds(&entries, patch), ["patch_started", "patch", "message", "answer"]);
        assert_eq!(kinds(&entries, failed), ["error", "answer"]);
        let command = entries.iter().rev().find_map(|entry| match &entry.what {
            What::CommandEnded { command, exit_code, duration, output, .. } => {
                Some((command.as_deref()?, *exit_code, *duration, output.as_str()))
            }
            _ => None,
        });
        let took = Some(Duration::from_nanos(1_000));
        assert_eq!(command, Some(("echo bad >&2; exit 3", Some(3), took, "bad\n")));
        let runs = runs(&entries);
        let run = |request: &str| {
            let mut runs = runs.runs.iter();
            runs.find(|run| run.request.as_deref() == Some(request)).expect("it is there")
        };
        assert_eq!((run(commands).commands, run(commands).commands_failed), (2, 1));
        assert_eq!(run(patch).files_changed(), 1);
        assert_eq!(run(failed).status, RunStatus::Failed);
        // In 0.77 nothing names the session of a reply.
        assert!(runs.tokens.iter().any(|(session, _)| session.is_some()));
        assert!(runs.tokens.iter().all(|(_, tokens)| tokens.window == Some(258_400)));
    }
}

#[test]
fn every_step_of_the_last_release_is_read() {
    let entries = entries(server_lines(fixture!("mcp-server/0.153.4/steps.jsonl")));
    assert_eq!(
        kinds(&entries, "1"),
        [
            "reasoning",
            "message",
            "plan",
            "search_started",
            "search",
            "plan",
            "tool_started",
            "tool",
            "tool_started",
            "tool",
            "reasoning",
            "message",
            "answer"
        ]
    );
    let failed = entries.iter().filter(|entry| entry.what.is_failure());
    let failed: Vec<&What> = failed.map(|entry| &entry.what).collect();
    assert!(
        matches!(&failed[..], [What::ToolEnded { tool, error: Some(error), .. }]
            if tool == "stand_in/fail" && error == "it failed"),
        "{failed:?}"
    );
}

#[test]
fn a_failed_turn_ends_with_its_answer_and_a_cancelled_one_with_its_abortion() {
    let entries_of = |file| entries(server_lines(file));
    let failed = runs(&entries_of(fixture!("mcp-server/0.153.4/failed.jsonl")));
    let status: Vec<&RunStatus> = failed.runs.iter().map(|run| &run.status).collect();
    assert!(status[..6].iter().all(|status| **status == RunStatus::Failed), "{status:?}");
    // The old server answered a reply after a failed turn with the end of that turn.
    assert_eq!(status[6..], [&RunStatus::Failed, &RunStatus::Completed]);
    let cancelled = entries_of(fixture!("mcp-server/0.153.4/cancelled-command.jsonl"));
    let runs = runs(&cancelled);
    assert_eq!(runs.runs[0].status, RunStatus::Aborted);
    let ended = judge(&runs, WORK_IDLE, Some(false));
    assert_eq!(ended, Verdict::Ended("request 1: interrupted".into()));
}

#[test]
fn a_turn_that_has_not_ended_looks_stuck_for_a_reason() {
    let lines = server_lines(fixture!("mcp-server/0.153.4/command.jsonl"));
    let until = |kind: &str| {
        let at = lines.iter().position(|line| line.contains(&format!("\"type\":\"{kind}\"")));
        runs(&entries(&lines[..=at.expect("it is there")]))
    };
    let second = Duration::from_secs(1);
    let [works, thinks] = ["exec_command_begin", "exec_command_end"].map(until);
    let reason = |runs: &Runs, idle, is_open| match judge(runs, idle, is_open) {
        Verdict::Stuck(reason) => reason,
        other => format!("{other:?}"),
    };
    assert!(reason(&works, MODEL_IDLE, None).starts_with("Working("), "a command may take long");
    assert_eq!(
        reason(&works, WORK_IDLE, Some(true)),
        "request 1: no event for 15 min while running: echo hello"
    );
    assert!(reason(&thinks, MODEL_IDLE - second, None).starts_with("Working("));
    assert_eq!(reason(&thinks, MODEL_IDLE, None), "request 1: no event from the model for 3 min");
    assert!(reason(&thinks, second, Some(false)).starts_with("Working("), "it may open it again");
    assert!(reason(&thinks, 10 * second, Some(false)).contains("is gone"));
    let approval = server_lines(fixture!("mcp-server/0.153.4/approvals.jsonl"));
    let approval = runs(&entries(approval));
    assert_eq!(
        reason(&approval, MODEL_IDLE, Some(true)),
        "request 6: it has waited for an approval of echo asked for 3 min"
    );
    assert!(matches!(judge(&Runs::default(), WORK_IDLE, None), Verdict::Unknown(_)));
}

#[test]
fn repeated_steps_and_repeated_errors_look_stuck() {
    let item = |text: &str| {
        format!(
            r#"{{"type":"item.completed","item":{{"id":"1","type":"command_execution","command":"{text}","exit_code":1}}}}"#
        )
    };
    let error = r#"{"type":"error","message":"Reconnecting... 1/5"}"#.to_owned();
    let start = r#"{"type":"turn.started"}"#.to_owned();
    let judged = |lines: Vec<String>| judge(&runs(&entries(lines)), Duration::ZERO, Some(true));
    let turn = |steps: Vec<String>| judged([start.clone()].into_iter().chain(steps).collect());
    let repeated = "4 of the last 4 steps were the same command: make";
    assert_eq!(turn(vec![item("make"); 4]), Verdict::Stuck(repeated.into()));
    assert!(matches!(turn(vec![item("make"); 3]), Verdict::Working(_)));
    let errors = "3 errors without progress: Reconnecting... 1/5";
    assert_eq!(turn(vec![error.clone(); 3]), Verdict::Stuck(errors.into()));
    let progress = vec![error.clone(), error.clone(), item("ls"), error];
    assert!(matches!(turn(progress), Verdict::Working(_)));
}

#[test]
fn streams_of_each_release_are_read() {
    for (release, stream) in [
        ("0.77.0", fixture!("streams/0.77.0/steps.jsonl")),
        ("0.100.0", fixture!("streams/0.100.0/steps.jsonl")),
        ("0.120.0", fixture!("streams/0.120.0/steps.jsonl")),
        ("0.153.0", fixture!("streams/0.153.0/steps.jsonl")),
        ("0.171.0", fixture!("streams/0.171.0/steps.jsonl")),
    ] {
        let runs = runs(&entries(stream.lines()));
        let run = &runs.runs[0];
        assert_eq!(runs.runs.len(), 1, "{release}");
        assert_eq!((run.commands, run.commands_failed), (1, 1), "{release}");
        assert_eq!((run.files_changed(), &run.status), (1, &RunStatus::Completed), "{release}");
        assert!(run.session.is_some() && run.last_message.is_some(), "{release}");
        assert_eq!(runs.tokens.len(), 1, "{release}");
    }
}

#[test]
fn records_of_each_release_are_read() {
    for (release, record) in [
        (
            "0.77.0",
            fixture!(
                "records/0.77.0/sessions/2026/11/21/rollout-2026-11-21T16-11-14-01a1fee0-4bff-7d52-89ff-2ca05a08d1ef.jsonl"
            ),
        ),
        (
            "0.171.0",
            fixture!(
                "records/0.171.0/sessions/2026/11/26/rollout-2026-11-26T22-25-49-01a219f7-074e-71b2-a5ca-be0f218e565f.jsonl"
            ),
        ),
    ] {
        let entries = entries(record.lines());
        assert!(entries.iter().all(|entry| entry.at.is_some()), "{release}");
        let runs = runs(&entries);
        let (one, two) = (&runs.runs[0], &runs.runs[1]);
        assert_eq!(runs.runs.len(), 2, "{release}");
        assert_eq!((one.commands, one.commands_failed), (1, 1), "{release}");
        assert_eq!(one.status, RunStatus::Completed, "{release}");
        assert!(two.last_message.is_some(), "{release}");
        assert_eq!(runs.tokens.back().and_then(|(_, tokens)| tokens.window), Some(258_400));
    }
}

#[test]
fn lines_of_different_forms_follow_each_other() {
    let stream = fixture!("streams/0.171.0/new.jsonl");
    let old = server_lines(fixture!("mcp-server/0.153.4/one-shot.jsonl"));
    let mut decoder = Decoder::new(|_| None);
    let mut messages = 0;
    for line in stream.lines().chain(old.iter().map(String::as_str)) {
        let Decoded::Known(entries) = decoder.decode(line.as_bytes()) else { panic!("{line}") };
        let is_message = |entry: &&Entry| matches!(entry.what, What::Message { .. });
        messages += entries.iter().filter(is_message).count();
        let cut = &line.as_bytes()[..line.len() - 1];
        assert_eq!(decoder.decode(cut), Decoded::NotJson, "{line}");
    }
    assert_eq!(messages, 2);
    assert_eq!(decoder.decode(b"{\"a\":1}"), Decoded::Other);
    assert_eq!(decoder.decode(b"[1]"), Decoded::Other);
    assert_eq!(decoder.decode(b"codex: warning"), Decoded::NotJson);
    for binary in [&b"\xff\xfe"[..], b"a\0b"] {
        assert_eq!(decoder.decode(binary), Decoded::Binary);
    }
}

/// What Codex had recorded of a scenario.
fn recorded_lines(file: &str) -> Vec<String> {
    let lines = file.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    lines.filter_map(|line| Some(line.get("record")?.to_string())).collect()
}

#[test]
fn a_record_tells_what_runs_and_how_a_failed_turn_ended() {
    let lines = recorded_lines(fixture!("core-event/0.171.0/interrupted.jsonl"));
    let began = lines.iter().position(|line| line.contains("sleep 600"));
    let works = runs(&entries(&lines[..=began.expect("it is there")]));
    let last = works.runs.back().expect("a turn");
    assert_eq!(last.status, RunStatus::Running);
    assert!(last.open.back().is_some_and(|open| open.what.contains("sleep 600")), "{last:?}");
    let ended = runs(&entries(lines));
    assert!(ended.runs.iter().all(|run| run.status == RunStatus::Aborted), "{ended:?}");
    let failed = runs(&entries(recorded_lines(fixture!("core-event/0.171.0/failed.jsonl"))));
    let last = failed.runs.len() - 1;
    for (at, run) in failed.runs.iter().enumerate() {
        let expected = if at == last { RunStatus::Completed } else { RunStatus::Failed };
        assert_eq!(run.status, expected, "{run:?}");
    }
}
