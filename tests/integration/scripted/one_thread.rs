//! `mcp-server --one-thread` while the first call has no thread yet.

use std::fs::File;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::kit::setup::{home, script, scripted};
use crate::kit::wait::{WAIT, wait_for};
use crate::support::client::{Call, Server};
use crate::support::real_codex::Home;

fn start(home: &Home) -> Server {
    scripted(home).arg("mcp-server").arg("--one-thread").start()
}

/// A file in the home's project.
fn file(home: &Home, name: &str) -> PathBuf {
    home.project().join(name)
}

/// A call of `codex` that plays these steps.
fn begin(server: &Server, steps: &Value) -> Call {
    server.begin_call("codex", &json!({"prompt": script(steps)}))
}

/// A call whose Codex starts no thread before the test lets it, and then does the rest.
fn begin_first(server: &Server, home: &Home, rest: &[Value]) -> Call {
    let mut steps = vec![json!({"touch": "first-runs"}), json!({"wait_for": "first-may-go-on"})];
    steps.extend_from_slice(rest);
    let call = begin(server, &Value::from(steps));
    wait_for(&file(home, "first-runs"));
    call
}

fn let_first_go_on(home: &Home) {
    File::create(file(home, "first-may-go-on")).expect("the project is writable");
}

fn begin_named(server: &Server, name: &str) -> Call {
    begin(server, &json!([{"touch": format!("{name}-runs")}, {"started": {}}, {"reply": name}]))
}

fn thread(answer: &Value) -> &Value {
    let thread = &answer["result"]["structuredContent"]["threadId"];
    assert!(thread.is_string(), "{answer}");
    thread
}

#[test]
fn calls_wait_for_the_thread_and_one_that_waits_can_be_cancelled() {
    let home = home("http://127.0.0.1:9/v1");
    let server = start(&home);
    let first =
        begin_first(&server, &home, &[json!({"started": {}}), json!({"reply": "the first"})]);
    let second = begin_named(&server, "second");
    let third = begin_named(&server, "third");
    server.cancel(&second);
    assert!(server.request("ping", &json!({}))["result"].is_object());
    assert!(!file(&home, "third-runs").exists(), "there is no thread yet");
    let_first_go_on(&home);
    let (first, third) = (server.answer(&first), server.answer(&third));
    assert_eq!(thread(&first), thread(&third));
    assert_eq!(third["result"]["structuredContent"]["content"], "third");
    server.close_stdin();
    assert!(server.wait_exit(WAIT).success());
    assert_eq!(server.try_answer(&second), None);
    assert!(!file(&home, "second-runs").exists());
}

#[test]
fn if_the_first_call_fails_without_a_thread_the_next_starts_it() {
    let home = home("http://127.0.0.1:9/v1");
    let server = start(&home);
    let first = begin_first(&server, &home, &[json!({"stderr": "no"}), json!({"exit": 1})]);
    let second = begin_named(&server, "second");
    let third = begin_named(&server, "third");
    let_first_go_on(&home);
    let first = server.answer(&first);
    assert_eq!(first["result"]["isError"], true, "{first}");
    assert!(first["result"]["structuredContent"].is_null(), "{first}");
    let (second, third) = (server.answer(&second), server.answer(&third));
    assert_eq!(thread(&second), thread(&third));
}
