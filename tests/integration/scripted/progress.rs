//! Progress messages while a turn runs.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::kit::play::{
    Stage, begin, chat, item, message, ran, result_of, running, session_of, steps, steps_in,
};
use crate::kit::setup::field;
use crate::support::client::{Call, Server};
use crate::support::environment::patient;

/// The messages of a call so far.
fn reported(server: &Server, call: &Call) -> Vec<String> {
    let messages = server.progress(call);
    let text = |parameters: &Value| parameters["message"].as_str().map(str::to_owned);
    messages.iter().map(|parameters| text(parameters).expect("there is a text")).collect()
}

/// Expects the numbers of a call's messages to grow.
fn assert_increasing(server: &Server, call: &Call) {
    let numbers: Vec<f64> = server
        .progress(call)
        .iter()
        .map(|parameters| parameters["progress"].as_f64().expect("it is a number"))
        .collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
}

#[test]
fn the_session_is_reported_first_and_whole() {
    let stage = Stage::new();
    let server = stage.server().start();
    let hurried = json!([{"started": {}}, running("make"), ran(), {"reply": "done"}]);
    let call = begin(&server, &steps(&hurried));
    let result = result_of(&server, &call);
    let session = field(&result, "session_id");
    assert_eq!(reported(&server, &call)[0], format!("session {session} started"));

    let call = begin(&server, &steps_in(session, &hurried));
    result_of(&server, &call);
    assert_eq!(reported(&server, &call)[0], format!("session {session} resumed"));
}

#[test]
fn each_step_is_reported_as_it_comes() {
    let stage = Stage::new();
    let server = stage.server().start();
    let step = |phase: &str, fields: Value| item(phase, &fields);
    let all = [
        (running("/bin/bash -lc 'cargo test'"), "running: cargo test"),
        (
            step(
                "completed",
                json!({"id": "f", "type": "file_change", "changes": [
                {"path": "a"}, {"path": "b"}, {"path": "c"}]}),
            ),
            "edited 3 files",
        ),
        (
            step(
                "updated",
                json!({"id": "t", "type": "todo_list", "items": [
                {"text": "read", "completed": true}, {"text": "write", "completed": false}]}),
            ),
            "to-do 2/2: write",
        ),
        (
            step(
                "completed",
                json!({"id": "r", "type": "reasoning", "text": "**Weighing it**\n\nLong."}),
            ),
            "Weighing it",
        ),
    ];
    let mut list = vec![json!({"started": {}})];
    for (at, (event, _)) in all.iter().enumerate() {
        list.extend([event.clone(), json!({"wait_for": format!("told-{at}")})]);
    }
    list.push(json!({"reply": "done"}));
    let call = begin(&server, &steps(&list.into()));
    for (at, (_, expected)) in all.iter().enumerate() {
        server.wait_progress(&call, |message| message == *expected);
        stage.release(&format!("told-{at}"));
    }
    result_of(&server, &call);
    assert_increasing(&server, &call);
}

#[test]
fn steps_that_come_fast_are_merged_to_about_one_message_a_second() {
    let stage = Stage::new();
    let server = stage.server().start();
    let mut list = vec![json!({"started": {}})];
    list.extend((0..500).map(|number| running(&format!("step {number}"))));
    list.extend([json!({"wait_for": "told"}), json!({"reply": "done"})]);
    let began = Instant::now();
    let call = begin(&server, &steps(&list.into()));
    server.wait_progress(&call, |message| message == "running: step 499");
    let most = 2 + usize::try_from(began.elapsed().as_secs()).expect("it is a short time");
    stage.release("told");
    result_of(&server, &call);
    let reported = reported(&server, &call);
    assert!(reported.len() <= most, "{reported:?}");
    assert_increasing(&server, &call);
}

#[test]
fn a_long_step_reports_the_elapsed_time() {
    let stage = Stage::new();
    let server = stage.server().start();
    let list = json!([{"started": {}}, running("make"), {"wait_for": "told"}, {"reply": "done"}]);
    let call = begin(&server, &steps(&list));
    let heartbeat = server.wait_progress(&call, |message| message.ends_with(" s)"));
    stage.release("told");
    let seconds =
        heartbeat.strip_prefix("running: make (").and_then(|rest| rest.strip_suffix(" s)"));
    let seconds: f64 = seconds.and_then(|text| text.parse().ok()).expect(&heartbeat);
    assert!((10.0..40.0).contains(&seconds), "{heartbeat}");
    result_of(&server, &call);
    assert_increasing(&server, &call);
}

#[test]
fn nothing_follows_the_answer() {
    let stage = Stage::new();
    let server = stage.server().start();
    let list = json!([
        {"started": {}},
        message("a thought"),
        {"reply": "done"},
        running("something more"),
        {"touch": "said"},
        {"wait_for": "leave"},
        running("still more"),
    ]);
    let call = begin(&server, &steps(&list));
    let session = session_of(&server, &call);
    result_of(&server, &call);
    stage.wait_for("said");
    stage.release("leave");
    // It starts once the process of the one before is gone, and all its output is read.
    chat(&server, &steps_in(&session, &json!([{"started": {}}, {"reply": "next"}])));
    let messages = server.messages();
    let answer = messages.iter().position(|message| message["id"] == call.id);
    let answer = answer.expect("it was answered");
    let after = &messages[answer + 1..];
    assert!(after.iter().all(|message| message["params"]["progressToken"] != call.token));
}

#[test]
fn a_call_without_a_progress_token_gets_no_progress() {
    let stage = Stage::new();
    let server = stage.server().start();
    let list = json!([{"started": {}}, running("make"), ran(), {"reply": "done"}]);
    let parameters = json!({"name": "codex_chat", "arguments": steps(&list)});
    let answer = server.request("tools/call", &parameters);
    assert_eq!(field(&answer["result"], "reply"), "done");
    let messages = server.messages();
    assert!(messages.iter().all(|message| message["method"] != "notifications/progress"));
}

/// A turn that prints more than is kept for a reader.
fn flood() -> Value {
    json!([
        {"on_interrupt": [{"touch": "interrupted"}]},
        {"started": {}},
        {"flood": {"bytes": 1_u64 << 40, "line": 1000}},
    ])
}

#[test]
fn a_flood_of_events_does_not_block_a_cancellation() {
    let stage = Stage::new();
    let server = stage.server().start();
    let call = begin(&server, &steps(&flood()));
    session_of(&server, &call);
    server.cancel(&call);
    let cancelled = Instant::now();
    stage.wait_for("interrupted");
    server.wait_no_descendants(Duration::from_secs(5)).expect("it exits on SIGINT");
    assert!(cancelled.elapsed() < patient(Duration::from_secs(5)), "{:?}", cancelled.elapsed());
    assert_eq!(server.try_answer(&call), None, "no message follows a cancellation");
}

#[test]
fn an_unread_output_does_not_block_a_cancellation() {
    let stage = Stage::new();
    let server = stage.server().start();
    let call = begin(&server, &steps(&flood()));
    session_of(&server, &call);
    server.stop_reading();
    // More answers than the pipe holds.
    let last = (0..5_000).map(|_| server.begin("ping", &json!({}))).last().expect("some were sent");
    server.cancel(&call);
    stage.wait_for("interrupted");
    server.wait_no_descendants(Duration::from_secs(5)).expect("it exits on SIGINT");

    server.resume_reading();
    server.wait_message(|message| message["id"] == last);
    assert_eq!(server.try_answer(&call), None, "no message follows a cancellation");
    let before = reported(&server, &call);
    let done = chat(&server, &json!({"prompt": "and now?"}));
    assert_eq!(field(&done, "reply"), "done");
    assert_eq!(reported(&server, &call), before);
}
