//! The output of Codex in all its forms.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::kit::play::{Stage, begin, chat, message, result_of, session_of, steps, steps_in};
use crate::kit::setup::{content, error_text, field, skipped};
use crate::support::scripted_codex;

const SESSION: &str = "01a1fd84-0000-7000-8000-000000000001";
const ANOTHER: &str = "01a1fd84-0000-7000-8000-000000000002";

/// Plays steps in a new session.
fn play(list: &Value) -> Value {
    let stage = Stage::new();
    chat(&stage.server().start(), &steps(list))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn warnings(result: &Value) -> Vec<&str> {
    let warnings = content(result)["warnings"].as_array().map(Vec::as_slice).unwrap_or_default();
    warnings.iter().filter_map(Value::as_str).collect()
}

#[test]
fn unknown_and_broken_lines_are_skipped() {
    let result = play(&json!([
        {"raw": "a banner that nobody asked for\n\n"},
        {"started": {}},
        {"event": {"type": "turn.paused", "until": [1, 2]}},
        {"event": {"type": "item.completed", "item": {"id": "h", "type": "hologram", "text": "no reply"}}},
        {"event": {"type": "item.completed", "item": 7}},
        {"event": {"no": "type"}},
        {"event": [1, 2]},
        {"raw": "{\"type\":\"turn.completed\",\n"},
        {"bytes": hex(b"\xff\xfe\x00\n")},
        {"reply": "done"},
    ]));
    assert_eq!(field(&result, "reply"), "done");
    assert_eq!(warnings(&result), [""; 0]);
}

#[test]
fn lines_may_end_as_on_windows_and_the_last_not_at_all() {
    let result = play(&json!([{"raw": format!(
        "{{\"type\":\"thread.started\",\"thread_id\":\"{SESSION}\"}}\r\n\
         {{\"type\":\"item.completed\",\"item\":{{\"id\":\"0\",\"type\":\"agent_message\",\"text\":\"hi\"}}}}\r\n\
         {{\"type\":\"turn.completed\",\"usage\":{{\"input_tokens\":3}}}}"
    )}]));
    assert_eq!(field(&result, "reply"), "hi");
    assert_eq!(field(&result, "session_id"), SESSION);
    assert_eq!(content(&result)["usage"]["input_tokens"], 3);
}

#[test]
fn a_reply_that_is_not_utf8_is_read_with_replacement_characters() {
    let line = b"{\"type\":\"item.completed\",\"item\":{\"id\":\"0\",\"type\":\"agent_message\",\"text\":\"caf\xe9!\"}}\n";
    let result = play(&json!([{"started": {}}, {"bytes": hex(line)}, {"completed": {}}]));
    assert_eq!(field(&result, "reply"), "caf\u{fffd}!");
}

#[test]
fn half_a_line_at_the_end_does_not_end_the_turn() {
    let result = play(&json!([
        {"started": {}},
        message("I had begun"),
        {"raw": "{\"type\":\"turn.completed\",\"usage\":{\"inp"},
    ]));
    let text = error_text(&result);
    assert!(text.starts_with("no_result: "), "{text}");
    assert!(text.contains("I had begun"), "{text}");
}

#[test]
fn long_lines_before_the_reply_do_no_harm() {
    let result = play(&json!([
        {"started": {}},
        {"long_line": {"bytes": 3 << 20}},
        {"long_line": {"bytes": 5 << 20}},
        {"long_line": {"bytes": 40 << 20}},
        {"reply": "whole"},
    ]));
    assert_eq!(field(&result, "reply"), "whole");
    assert_eq!(warnings(&result), [""; 0]);
}

#[test]
fn an_oversized_line_that_may_be_the_reply_is_reported() {
    let size = 6 << 20;
    let result = play(&json!([
        {"started": {}},
        message("not the last"),
        {"long_line": {"bytes": size}},
        {"completed": {}},
    ]));
    assert_eq!(field(&result, "reply"), "not the last");
    let [warning] = warnings(&result)[..] else { panic!("one warning is expected: {result}") };
    // The newline does not count.
    assert!(warning.contains(&(size - 1).to_string()), "{warning}");
}

#[test]
fn a_turn_without_a_message_is_reported() {
    let result = play(&json!([{"started": {}}, {"completed": {}}]));
    assert_eq!(field(&result, "reply"), "");
    assert!(warnings(&result)[0].contains("without a message"), "{result}");
}

#[test]
fn the_last_event_outranks_the_exit_status() {
    let stage = Stage::new();
    let server = stage.server().start();
    let completed = json!([{"started": {}}, {"reply": "all well"}, {"exit": 1}]);
    let result = chat(&server, &steps(&completed));
    assert_eq!(field(&result, "reply"), "all well");

    let session = field(&result, "session_id");
    let failed = json!([
        {"started": {}},
        message("so far"),
        {"event": {"type": "turn.failed", "error": {"message": "the model fell over"}}},
        {"exit": 0},
    ]);
    let result = chat(&server, &steps_in(session, &failed));
    let text = error_text(&result);
    assert!(text.starts_with("turn_failed: "), "{text}");
    for part in ["the model fell over", "so far", &format!("codex resume {session}")] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}

#[test]
fn an_exit_without_a_result_reports_the_reason_and_the_partial_reply() {
    let stage = Stage::new();
    let server = stage.server().start();
    let call = begin(
        &server,
        &steps(&json!([
            {"started": {}},
            message("half of it"),
            {"stderr": "WARNING: proceeding, even though we could not create PATH aliases: no"},
            {"stderr": "2026-11-21T09:56:28.634824Z ERROR codex_core::session: it went wrong"},
            {"stderr": "Error: the disk is full"},
            {"stderr": "\nStack backtrace:\n   0: <unknown>\n  11: <unknown>"},
            {"exit": 3},
        ])),
    );
    let session = session_of(&server, &call);
    let result = result_of(&server, &call);
    let text = error_text(&result);
    assert!(text.starts_with("no_result: "), "{text}");
    let resume = format!("codex resume {session}");
    for part in ["exit status 3", "the disk is full", "half of it", &session, &resume] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    for noise in ["<unknown>", "backtrace", "WARNING", "codex_core"] {
        assert!(!text.contains(noise), "{noise:?} is in {text}");
    }
}

#[test]
fn without_a_word_on_stderr_the_last_error_event_is_the_reason() {
    let result = play(&json!([
        {"started": {}},
        {"event": {"type": "error", "message": "stream disconnected"}},
        {"exit": 1},
    ]));
    let text = error_text(&result);
    assert!(text.starts_with("no_result: ") && text.contains("stream disconnected"), "{text}");
}

#[test]
fn the_last_message_is_the_reply_and_what_follows_the_end_changes_nothing() {
    let result = play(&json!([
        {"started": {}},
        message("first"),
        message("second"),
        {"event": {"type": "item.updated", "item": {"id": "u", "type": "agent_message", "text": "unfinished"}}},
        {"completed": {}},
        message("too late"),
        {"event": {"type": "turn.failed", "error": {"message": "too late"}}},
    ]));
    assert_eq!(field(&result, "reply"), "second");
}

#[test]
fn a_long_reply_keeps_its_beginning_and_end() {
    let length = 600_000;
    let long = format!("HEAD{}TAIL", "x".repeat(length - 8));
    let result = play(&json!([{"started": {}}, {"reply": long}]));
    let reply = field(&result, "reply");
    assert!(reply.starts_with("HEAD") && reply.ends_with("TAIL"));
    assert!(reply.len() < 500_000, "{} bytes", reply.len());
    let [warning] = warnings(&result)[..] else { panic!("one warning is expected") };
    assert!(warning.contains(&length.to_string()), "{warning}");
}

#[test]
fn a_flood_of_events_costs_no_memory() {
    let stage = Stage::new();
    let server = stage.server().start();
    chat(&server, &steps(&json!([{"started": {}}, {"reply": "warm"}])));
    let Some(before) = server.rss_kib() else {
        return skipped("this system does not tell the memory of a process");
    };
    let call = begin(
        &server,
        &steps(&json!([
            {"started": {}},
            {"flood": {"bytes": 192 << 20, "line": 2000}},
            {"flood": {"bytes": 32 << 20, "line": 1 << 20}},
            {"long_line": {"bytes": 32 << 20}},
            {"reply": "dry again"},
        ])),
    );
    let mut most = before;
    let answer = loop {
        most = most.max(server.rss_kib().expect("it was known before"));
        if let Some(answer) = server.try_answer(&call) {
            break answer;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    assert_eq!(field(&answer["result"], "reply"), "dry again");
    let grown = most - before;
    assert!(grown < 8 << 10, "the server grew by {grown} KiB");
}

#[test]
fn another_session_than_the_requested_one_is_stopped_and_reported() {
    let stage = Stage::new();
    let server = stage.server().start();
    for other in [ANOTHER, "no session at all"] {
        let list = json!([
            {"on_interrupt": [{"touch": "interrupted"}]},
            {"event": {"type": "thread.started", "thread_id": other}},
            {"hang": {}},
        ]);
        let result = chat(&server, &steps_in(SESSION, &list));
        let text = error_text(&result);
        assert!(text.starts_with("another_session_answered: "), "{text}");
        assert!(text.contains(SESSION) && text.contains(other), "{text}");
        assert_eq!(server.descendants().map(|left| left.len()).unwrap_or_default(), 0);
        fs::remove_file(stage.file("interrupted")).expect("it was stopped by SIGINT");
    }
    let refused = json!([
        {"event": {"type": "thread.started", "thread_id": ANOTHER}},
        {"reply": "an answer to somebody else"},
    ]);
    let result = chat(&server, &steps_in(SESSION, &refused));
    assert!(error_text(&result).starts_with("another_session_answered: "), "{result}");
}

/// A recorded stream, as a script that ends with this exit status.
fn recorded(version: &Path, case: &str, exit: i32) -> (Vec<Value>, Value) {
    let text = fs::read_to_string(version.join(case).with_extension("jsonl"))
        .unwrap_or_else(|error| panic!("{}/{case}: {error}", version.display()));
    let events = text.lines().map(|line| serde_json::from_str(line).expect("recorded JSON"));
    (events.collect(), json!([{"raw": text}, {"exit": exit}]))
}

/// A scripted Codex that reports this version.
fn codex_of(version: &str, folder: &Path) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;

    let path = folder.join(format!("codex-{version}"));
    let scripted = scripted_codex();
    let text = format!(
        "#!/bin/sh\n[ \"$1\" = --version ] && exec echo codex-cli {version}\nexec '{}' \"$@\"\n",
        scripted.display()
    );
    fs::write(&path, text).expect("the home is writable");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it was just written");
    path
}

fn assert_tokens(counted: &Value, recorded: &Value, share: u64) {
    for name in ["input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens"]
    {
        let expected = recorded[name].as_u64().map(|tokens| tokens / share);
        assert_eq!(counted[name].as_u64(), expected, "{name} in {counted}");
    }
}

#[test]
fn recorded_streams_of_many_versions_are_understood() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/streams");
    let folders = fs::read_dir(fixtures).expect("the fixtures are there");
    let mut versions: Vec<_> =
        folders.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    versions.sort();
    assert!(versions.len() > 6, "some of {versions:?} are missing");
    for folder in versions {
        let version = folder.file_name().expect("a folder has a name").to_string_lossy();
        replay(&folder, &version);
    }
}

fn replay(folder: &Path, version: &str) {
    let stage = Stage::new();
    let codex = codex_of(version, stage.home.path());
    let server = stage.server().env("CODEX_BIN", codex).start();
    let thread = |events: &[Value]| events[0]["thread_id"].as_str().expect("an id").to_owned();
    let last = |events: &[Value]| events[events.len() - 1].clone();

    for (case, reply) in [
        ("new", "Hello. The project is empty."),
        ("command", "The folder holds nothing yet."),
        ("steps", "The note is written and checked."),
    ] {
        let (events, list) = recorded(folder, case, 0);
        let result = chat(&server, &steps(&list));
        assert_eq!(field(&result, "reply"), reply, "{version}/{case}");
        assert_eq!(field(&result, "session_id"), thread(&events), "{version}/{case}");
        assert_tokens(&content(&result)["usage"], &last(&events)["usage"], 1);
        assert!(content(&result)["session_usage"].is_null(), "in the first turn it is the same");
        assert_eq!(warnings(&result), [""; 0], "{version}/{case}");
    }

    // It follows `new`, and used as many tokens. A version counts them for the session
    // or, as the oldest one does, for the call.
    let (events, list) = recorded(folder, "resume", 0);
    let session = thread(&events);
    let result = chat(&server, &steps_in(&session, &list));
    assert_eq!(field(&result, "reply"), "As said before: the project is empty.", "{version}");
    assert_eq!(field(&result, "session_id"), session);
    if version == "0.77.0" {
        assert_tokens(&content(&result)["usage"], &last(&events)["usage"], 1);
        assert!(content(&result)["session_usage"].is_null(), "{result}");
    } else {
        assert_tokens(&content(&result)["usage"], &last(&events)["usage"], 2);
        assert_tokens(&content(&result)["session_usage"], &last(&events)["usage"], 1);
    }

    for (case, start, part) in [
        ("failed", "turn_failed: ", "currently experiencing high demand"),
        ("interrupted", "no_result: ", "I run the slow tests now."),
    ] {
        let (events, list) = recorded(folder, case, 1);
        let result = chat(&server, &steps(&list));
        let text = error_text(&result);
        assert!(text.starts_with(start) && text.contains(part), "{version}/{case}: {text}");
        let resume = format!("codex resume {}", thread(&events));
        assert!(text.contains(&resume), "{version}/{case}: {text}");
    }
}
