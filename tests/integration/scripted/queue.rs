//! The order of calls in one server: in one session, and across sessions.

use std::fs::{self, File};
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::kit::play::{
    Stage, begin, chat, pass_by, reply_of, session_of, settle, steps, steps_in, turn, with,
};
use crate::kit::setup::{error_text, field};
use crate::kit::wait::wait_until;
use crate::support::client::Call;

const MAX_CONCURRENT: &str = "CODEX_PERSISTENT_MCP_MAX_CONCURRENT";
const MAX_QUEUED: &str = "CODEX_PERSISTENT_MCP_MAX_QUEUED";
const BUSY_WAIT: &str = "CODEX_PERSISTENT_MCP_BUSY_WAIT_MS";
const SESSION: &str = "01a1fd84-0000-7000-8000-000000000001";

#[test]
fn calls_of_one_session_run_in_order_also_while_it_is_in_its_first_turn() {
    let stage = Stage::new();
    // A call in the queue does not find the session busy.
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
fn beyond_the_limit_calls_wait_in_order_and_beyond_the_queue_they_are_refused() {
    let stage = Stage::new();
    let server = stage.server().env(MAX_CONCURRENT, "2").env(MAX_QUEUED, "2").start();
    let names = ["one", "two", "three", "four"];
    let calls = names.map(|name| begin(&server, &steps(&turn(name))));
    let refused = chat(&server, &steps(&turn("five")));
    let text = error_text(&refused);
    assert!(text.starts_with("too_many_calls: "), "{text}");
    assert!(text.contains("2 calls running, 2 waiting"), "{text}");

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
    // It takes the only place in the queue.
    let text = chat(&server, &steps(&turn("three")));
    assert!(error_text(&text).starts_with("too_many_calls: "), "{text}");
    server.cancel(&two);
    // There is room once a call waits until its timeout.
    let impatient = with(steps(&turn("three")), "timeout_ms", 50);
    wait_until("room in the queue", || {
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
fn a_call_that_times_out_in_the_queue_starts_nothing() {
    let stage = Stage::new();
    let server = stage.server().start();
    let one = begin(&server, &steps(&turn("one")));
    let session = session_of(&server, &one);
    let two = with(steps_in(&session, &turn("two")), "timeout_ms", 200);
    let result = chat(&server, &two);
    let text = error_text(&result);
    assert!(text.starts_with("timed_out: "), "{text}");
    assert!(text.contains("Codex was not started") && text.contains(&session), "{text}");
    assert!(text.contains("this server is running a call in this session"), "{text}");
    stage.release("go-one");
    assert_eq!(reply_of(&server, &one), "one");
    pass_by(&server);
    assert_eq!(stage.started(&["go-one", "go-two"]), ["go-one"]);
}

#[test]
fn the_next_call_waits_for_the_process_although_the_answer_does_not() {
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

/// Codex's reaction to a session that another process has open.
fn refusal() -> Value {
    let reason =
        "Error: thread/resume: thread/resume failed: thread ID already has an active writer";
    json!([{"stderr": reason}, {"stderr": "\nStack backtrace:\n   0: <unknown>"}, {"exit": 1}])
}

/// A stage whose Codex plays the file `script.json`, for starts that differ.
fn set_script(stage: &Stage, list: &Value) -> PathBuf {
    let [new, path] = ["new.json", "script.json"].map(|name| stage.home.path().join(name));
    fs::write(&new, list.to_string()).expect("the home is writable");
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
    let lock = File::create(locks.join(format!("{SESSION}.lock"))).expect("the folder exists");
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
fn a_call_to_a_session_that_codex_refuses_can_be_cancelled_or_time_out() {
    let stage = Stage::new();
    let path = set_script(&stage, &refusal());
    let server = stage.server().env("SCRIPTED_CODEX", path).start();
    let arguments = json!({"prompt": "go on", "session_id": SESSION});
    let call = begin(&server, &arguments);
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
