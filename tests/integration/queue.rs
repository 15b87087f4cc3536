//! Who runs when: in one session, across sessions, across servers.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::play::{Stage, begin, chat, result_of, session_of, settle, steps, steps_in, with};
use crate::setup::{error_text, field};
use crate::support::client::{Call, Server, wait_no_descendants_of};
use crate::wait::{wait_for, wait_until};

const MAX_CONCURRENT: &str = "CODEX_PERSISTENT_MCP_MAX_CONCURRENT";
const MAX_QUEUED: &str = "CODEX_PERSISTENT_MCP_MAX_QUEUED";
const BUSY_WAIT: &str = "CODEX_PERSISTENT_MCP_BUSY_WAIT_MS";
const SESSION: &str = "01a1fd84-0000-7000-8000-000000000001";

/// Steps of a turn that goes on until the file `go-NAME` is there, and replies with its name.
fn turn(name: &str) -> Value {
    json!([
        {"started": {}},
        {"touch": format!("began-{name}")},
        {"wait_for": format!("go-{name}")},
        {"reply": name},
    ])
}

/// A turn in another session, begun after all that was sent before and now complete: whatever else
/// could start has had its chance.
fn pass_by(server: &Server) {
    assert_eq!(field(&chat(server, &json!({"prompt": "pass by"})), "reply"), "done");
}

fn lock_file(stage: &Stage, session: &str) -> PathBuf {
    stage.home.path().join("codex-persistent-mcp/locks").join(format!("{session}.lock"))
}

fn reply_of(server: &Server, call: &Call) -> String {
    field(&result_of(server, call), "reply").to_owned()
}

#[test]
fn calls_of_one_session_run_in_order_also_while_it_is_in_its_first_turn() {
    let stage = Stage::new();
    // Whoever waits in line does not find the session busy.
    let server = stage.server().env(BUSY_WAIT, "0").start();
    let started = || stage.started(&["go-one", "go-two", "go-three"]);
    let one = begin(&server, &steps(&turn("one")));
    let session = session_of(&server, &one);
    let two = begin(&server, &steps_in(&session, &turn("two")));
    let three = begin(&server, &steps_in(&session, &turn("three")));
    pass_by(&server);
    assert_eq!(started(), ["go-one"]);

    stage.release("go-one");
    assert_eq!(reply_of(&server, &one), "one");
    stage.wait_for("began-two");
    pass_by(&server);
    assert_eq!(started(), ["go-one", "go-two"]);

    stage.release("go-two");
    stage.release("go-three");
    assert_eq!(reply_of(&server, &two), "two");
    assert_eq!(reply_of(&server, &three), "three");
    assert_eq!(started(), ["go-one", "go-two", "go-three"]);
}

#[test]
fn sessions_run_side_by_side() {
    let stage = Stage::new();
    let server = stage.server().start();
    // Each waits for all the others.
    let calls: Vec<Call> = (0..4)
        .map(|own| {
            let mut list = vec![json!({"started": {}}), json!({"touch": format!("here-{own}")})];
            list.extend((0..4).map(|other| json!({"wait_for": format!("here-{other}")})));
            list.push(json!({"reply": "together"}));
            begin(&server, &steps(&list.into()))
        })
        .collect();
    for call in &calls {
        assert_eq!(reply_of(&server, call), "together");
    }
}

#[test]
fn beyond_the_limit_calls_wait_in_order_and_beyond_the_line_they_are_refused() {
    let stage = Stage::new();
    let server = stage.server().env(MAX_CONCURRENT, "2").env(MAX_QUEUED, "2").start();
    let names = ["one", "two", "three", "four"];
    let calls = names.map(|name| begin(&server, &steps(&turn(name))));
    let refused = chat(&server, &steps(&turn("five")));
    let text = error_text(&refused);
    assert!(text.starts_with("too_many_calls: "), "{text}");
    assert!(text.contains("2 calls are running and 2 are waiting"), "{text}");

    let started = || stage.started(&["go-one", "go-two", "go-three", "go-four", "go-five"]);
    stage.wait_for("began-one");
    stage.wait_for("began-two");
    assert_eq!(started().len(), 2);
    stage.release("go-two");
    assert_eq!(reply_of(&server, &calls[1]), "two");
    stage.wait_for("began-three");
    settle(&server);
    assert_eq!(started().last().map(String::as_str), Some("go-three"));

    stage.release("go-one");
    stage.wait_for("began-four");
    stage.release("go-three");
    stage.release("go-four");
    for at in [0, 2, 3] {
        assert_eq!(reply_of(&server, &calls[at]), names[at]);
    }
    assert_eq!(started().len(), 4, "the one that was refused started nothing");
}

#[test]
fn a_waiting_call_that_is_cancelled_makes_room_and_starts_nothing() {
    let stage = Stage::new();
    let server = stage.server().env(MAX_CONCURRENT, "1").env(MAX_QUEUED, "1").start();
    let one = begin(&server, &steps(&turn("one")));
    stage.wait_for("began-one");
    let two = begin(&server, &steps(&turn("two")));
    // It takes the only place in the line.
    let text = chat(&server, &steps(&turn("three")));
    assert!(error_text(&text).starts_with("too_many_calls: "), "{text}");
    server.cancel(&two);
    // There is room when a call may wait for as long as it can.
    let impatient = with(steps(&turn("three")), "timeout_ms", 50);
    wait_until("room in the line", || {
        error_text(&chat(&server, &impatient)).starts_with("timed_out: ")
    });

    let four = begin(&server, &steps(&json!([{"started": {}}, {"reply": "four"}])));
    stage.release("go-one");
    assert_eq!(reply_of(&server, &one), "one");
    assert_eq!(reply_of(&server, &four), "four");
    assert_eq!(stage.started(&["go-two", "go-three"]), [""; 0]);
    assert_eq!(server.try_answer(&two), None, "no message follows a cancellation");
}

#[test]
fn a_call_that_waits_for_its_whole_time_starts_nothing() {
    let stage = Stage::new();
    let server = stage.server().start();
    let one = begin(&server, &steps(&turn("one")));
    let session = session_of(&server, &one);
    let two = with(steps_in(&session, &turn("two")), "timeout_ms", 200);
    let result = chat(&server, &two);
    let text = error_text(&result);
    assert!(text.starts_with("timed_out: "), "{text}");
    assert!(text.contains("Codex was not started") && text.contains(&session), "{text}");
    stage.release("go-one");
    assert_eq!(reply_of(&server, &one), "one");
    pass_by(&server);
    assert_eq!(stage.started(&["go-one", "go-two"]), ["go-one"]);
}

#[test]
fn the_answer_does_not_wait_for_the_process_and_the_next_call_does() {
    let stage = Stage::new();
    let server = stage.server().start();
    let lingering = json!([{"started": {}}, {"reply": "one"}, {"wait_for": "leave"}]);
    let one = chat(&server, &steps(&lingering));
    let session = field(&one, "session_id");
    let two = begin(&server, &steps_in(session, &turn("two")));
    pass_by(&server);
    assert_eq!(stage.started(&["go-two"]), [""; 0]);
    stage.release("leave");
    stage.release("go-two");
    assert_eq!(reply_of(&server, &two), "two");
}

#[test]
fn two_servers_take_turns_in_one_session() {
    let stage = Stage::new();
    let [first, second] = [stage.server().start(), stage.server().start()];
    let one = begin(&first, &steps(&turn("one")));
    let session = session_of(&first, &one);
    let two = begin(&second, &steps_in(&session, &turn("two")));
    pass_by(&second);
    assert_eq!(stage.started(&["go-one", "go-two"]), ["go-one"]);
    stage.release("go-one");
    stage.release("go-two");
    assert_eq!(reply_of(&first, &one), "one");
    assert_eq!(reply_of(&second, &two), "two");
}

#[test]
fn a_session_that_another_server_works_in_is_busy_after_a_while() {
    let stage = Stage::new();
    let first = stage.server().env("CODEX_PERSISTENT_MCP_ORIGIN", "the first").start();
    let second = stage.server().env(BUSY_WAIT, "300").start();
    let one = begin(&first, &steps(&turn("one")));
    let session = session_of(&first, &one);
    let result = chat(&second, &steps_in(&session, &turn("two")));
    let text = error_text(&result);
    assert!(text.starts_with("session_busy: "), "{text}");
    for part in [&session, "the first", &format!("process {}", first.pid())] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    assert_eq!(stage.started(&["go-two"]), [""; 0]);
}

#[test]
fn a_call_that_waits_for_another_server_can_be_cancelled() {
    let stage = Stage::new();
    let [first, second] = [stage.server().start(), stage.server().start()];
    let one = begin(&first, &steps(&turn("one")));
    let session = session_of(&first, &one);
    let two = begin(&second, &steps_in(&session, &turn("two")));
    pass_by(&second);
    second.cancel(&two);
    // The next call of the session waits for the one before it, if that is still there.
    let result = chat(&second, &with(steps_in(&session, &turn("three")), "timeout_ms", 200));
    assert!(error_text(&result).starts_with("timed_out: "), "{result}");
    stage.release("go-one");
    assert_eq!(reply_of(&first, &one), "one");
    let done = json!([{"started": {}}, {"reply": "four"}]);
    assert_eq!(field(&chat(&second, &steps_in(&session, &done)), "reply"), "four");
    assert_eq!(stage.started(&["go-two", "go-three"]), [""; 0]);
}

#[test]
fn lock_files_are_private_and_go_with_the_turn() {
    let stage = Stage::new();
    let server = stage.server().start();
    let one = begin(&server, &steps(&turn("one")));
    let session = session_of(&server, &one);
    let lock = lock_file(&stage, &session);
    let mode = |path: &Path| {
        path.metadata().expect("it is there while the turn runs").permissions().mode() & 0o777
    };
    assert_eq!(mode(&lock), 0o600);
    assert!(lock.ancestors().skip(1).take(2).all(|folder| mode(folder) == 0o700));
    let owner: Value = serde_json::from_str(&fs::read_to_string(&lock).expect("it can be read"))
        .expect("the lock says who has it");
    assert_eq!(owner["pid"], server.pid());

    stage.release("go-one");
    assert_eq!(reply_of(&server, &one), "one");
    wait_until("the lock to be removed", || !lock.exists());
}

#[test]
fn a_server_that_was_killed_leaves_no_lock() {
    let stage = Stage::new();
    let first = stage.server().start();
    let one = begin(&first, &steps(&turn("one")));
    let session = session_of(&first, &one);
    first.kill();
    first.wait_exit(Duration::from_secs(5));
    let lock = lock_file(&stage, &session);
    assert!(lock.exists(), "nobody was left to remove the file");
    let second = stage.server().env(BUSY_WAIT, "0").start();
    let list = json!([{"started": {}}, {"reply": "two"}]);
    assert_eq!(field(&chat(&second, &steps_in(&session, &list)), "reply"), "two");
    wait_until("the lock to be removed", || !lock.exists());
    wait_no_descendants_of(first.marker(), Duration::from_secs(5)).expect("the watchdog is there");
}

/// What Codex does when another process has the session open.
fn refusal() -> Value {
    let reason =
        "Error: thread/resume: thread/resume failed: thread ID already has an active writer";
    json!([{"stderr": reason}, {"stderr": "\nStack backtrace:\n   0: <unknown>"}, {"exit": 1}])
}

/// A stage whose Codex plays the file `script.json`, for what is not the same at each start.
fn set_script(stage: &Stage, list: &Value) -> PathBuf {
    let [new, path] = ["new.json", "script.json"].map(|name| stage.home.path().join(name));
    fs::write(&new, list.to_string()).expect("the home can be written to");
    fs::rename(new, &path).expect("both are in one folder");
    path
}

#[test]
fn a_session_that_codex_refuses_is_tried_again() {
    let stage = Stage::new();
    let path = set_script(&stage, &refusal());
    let server = stage.server().env("SCRIPTED_CODEX", path).start();
    let call = begin(&server, &json!({"prompt": "go on", "session_id": SESSION}));
    wait_until("a second attempt", || stage.starts().len() > 1);
    set_script(&stage, &json!([{"started": {}}, {"reply": "at last"}]));
    assert_eq!(reply_of(&server, &call), "at last");
}

#[test]
fn a_session_that_codex_refuses_for_too_long_is_busy_and_the_holder_is_named() {
    let stage = Stage::new();
    let path = set_script(&stage, &refusal());
    let server = stage.server().env("SCRIPTED_CODEX", path).env(BUSY_WAIT, "1200").start();
    let locks = stage.home.path().join("thread-writer-locks");
    fs::create_dir(&locks).expect("the home was just made");
    let lock = File::create(locks.join(format!("{SESSION}.lock"))).expect("the folder is there");
    lock.lock().expect("nobody else has it");
    let result = chat(&server, &json!({"prompt": "go on", "session_id": SESSION}));
    let text = error_text(&result);
    assert!(text.starts_with("session_busy: ") && text.contains(SESSION), "{text}");
    assert!(!text.contains("<unknown>"), "{text}");
    assert!(stage.starts().len() > 1, "it was tried again");
    if cfg!(target_os = "linux") {
        assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
    }
}

#[test]
fn a_session_that_codex_refuses_can_be_given_up() {
    let stage = Stage::new();
    let path = set_script(&stage, &refusal());
    let server = stage.server().env("SCRIPTED_CODEX", path).start();
    let arguments = json!({"prompt": "go on", "session_id": SESSION});
    let call = begin(&server, &arguments);
    wait_for(&lock_file(&stage, SESSION));
    wait_until("an attempt", || !stage.starts().is_empty());
    server.cancel(&call);
    set_script(&stage, &json!([{"started": {}}, {"reply": "at last"}]));
    assert_eq!(field(&chat(&server, &arguments), "reply"), "at last");
    assert_eq!(server.try_answer(&call), None, "no message follows a cancellation");
    let limited = with(arguments, "timeout_ms", 1_000);
    set_script(&stage, &refusal());
    let result = chat(&server, &limited);
    assert!(error_text(&result).starts_with("timed_out: "), "{result}");
}
