//! Sessions that are added to Codex's own list, and those that must not be.

use std::fs;

use serde_json::{Value, json};

use crate::kit::play::{Stage, chat, steps};
use crate::kit::setup::field;
use crate::kit::store::Made;
use crate::support::client::Server;

/// Steps of a turn that starts the session of this record.
fn begins(made: &Made) -> Value {
    json!([{"event": {"type": "thread.started", "thread_id": made.id()}}, {"reply": "done"}])
}

/// Runs a turn in it, and waits until the server has handled its record.
fn turn(server: &Server, made: &Made, reported: &str) {
    let answer = chat(server, &steps(&begins(made)));
    assert_eq!(field(&answer, "session_id"), made.id());
    let id = made.id();
    server.wait_stderr(|log| log.lines().any(|line| line.contains(reported) && line.contains(&id)));
}

fn record(stage: &Stage, made: &Made) -> String {
    fs::read_to_string(made.path(&stage.home)).expect("it exists")
}

#[test]
#[cfg(target_os = "linux")]
fn an_open_session_is_unchanged() {
    let stage = Stage::new();
    let (open, free) = (Made::new(1), Made::new(2));
    open.put(&stage.home);
    free.put(&stage.home);
    let locks = stage.home.path().join("thread-writer-locks");
    fs::create_dir(&locks).expect("the home is writable");
    let lock = fs::File::create(locks.join(format!("{}.lock", open.id()))).expect("it is new");
    lock.lock().expect("nobody else has it");
    let server = stage.server().arg("--debug").arg("--list-sessions").start();
    turn(&server, &open, "the session is not listed");
    assert_eq!(record(&stage, &open), open.record());
    turn(&server, &free, "the session is in Codex's list");
    let listed = free.record().replacen(r#""source":"exec""#, r#""source":"cli" "#, 1);
    assert_eq!(record(&stage, &free), listed);
}

#[test]
fn a_session_of_another_source_is_unchanged() {
    let stage = Stage::new();
    let mut inner = Made::new(1);
    inner.source = json!({"subagent": "review"});
    inner.put(&stage.home);
    let server = stage.server().arg("--debug").arg("--list-sessions").start();
    turn(&server, &inner, "the session is not listed");
    assert_eq!(record(&stage, &inner), inner.record());
}
