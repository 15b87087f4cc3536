//! Every ending of a call of `codex` and `codex-reply` names the thread, what Codex said until then, and what to do next.

use std::fs;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::kit::mcp_server::{
    answer, begin, begin_reply, beside, failed, mcp_server, refused, reply, said, thread,
};
use crate::kit::play::session_of;
use crate::kit::real::ByHand;
use crate::kit::setup::home;
use crate::kit::wait::WAIT;
use crate::support::client::{Builder, Call, Server};
use crate::support::environment::patient;
use crate::support::model::{Item, Model, Request, Response, echo};

/// Timeouts that leave a slow machine enough time to start Codex.
const TOTAL: Duration = Duration::from_secs(8);
const IDLE: Duration = Duration::from_secs(4);

/// A model that says something and then hangs or breaks off, if the prompt wants that.
fn half(request: &Request) -> Response {
    let half = || Response::items(vec![Item::message("Half of it.")]);
    match &*request.last_user_text() {
        "Hang" => half().then_hang(),
        "Break" => half().then_drop(),
        _ => echo(request),
    }
}

fn with(server: Builder, flag: &str, value: impl ToString) -> Builder {
    server.arg(flag).arg(value.to_string())
}

fn millis(duration: Duration) -> String {
    format!("{}ms", patient(duration).as_millis())
}

/// Starts a thread that hangs after half of its reply, and waits for that half.
fn hanging(server: &Server) -> (Call, String) {
    let call = begin(server, "Hang");
    let thread = session_of(server, &call);
    server.wait_progress(&call, |message| message == "Half of it.");
    (call, thread)
}

/// Checks the one text of an error that Codex's server never had.
#[track_caller]
fn assert_complete(result: &Value, kind: &str, thread: &str, parts: &[&str]) {
    let text = failed(result);
    assert_eq!(beside(result), "");
    assert_eq!(result["structuredContent"]["threadId"], thread);
    assert!(text.starts_with(&format!("{kind}: ")), "{text}");
    assert!(text.contains("\n\nNext: "), "{text}");
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}

#[test]
fn a_timeout_gives_the_thread_and_the_partial_reply() {
    for (flag, limit, name) in
        [("--timeout", TOTAL, "timeout"), ("--idle-timeout", IDLE, "idle timeout")]
    {
        let model = Model::start(half);
        let home = home(&model.url());
        let server = with(mcp_server(&home), flag, millis(limit)).start();
        let (call, thread) = hanging(&server);
        let result = answer(&server, &call);
        let id = format!("threadId: {thread}\nresume_command: ");
        let parts =
            [name, flag, "call codex-reply with this threadId", &id, "Partial reply:\nHalf of it."];
        assert_complete(&result, "timed_out", &thread, &parts);
        reply(&server, &thread, "Go on");
    }
}

#[test]
fn a_broken_stream_has_the_partial_reply_beside_its_message() {
    let model = Model::start(half);
    let home = home(&model.url());
    let server = mcp_server(&home).start();
    let result = server.call("codex", &json!({"prompt": "Break"}));
    assert!(failed(&result).starts_with("stream disconnected before completion"), "{result}");
    let thread = result["structuredContent"]["threadId"].as_str().expect("an id");
    let beside = beside(&result);
    for part in
        ["Next: call codex-reply", &format!("threadId: {thread}"), "Partial reply:\nHalf of it."]
    {
        assert!(beside.contains(part), "{part:?} is not in {beside}");
    }
}

#[test]
fn a_shutdown_answers_the_calls_that_it_stops() {
    let model = Model::start(half);
    let home = home(&model.url());
    let server = mcp_server(&home).start();
    let (call, thread) = hanging(&server);
    let queued = begin_reply(&server, &thread, "Then");
    server.request("ping", &json!({}));
    server.signal(Signal::SIGTERM);
    let stopped = answer(&server, &call);
    let parts = ["the server is shutting down", "when the server runs again", "Half of it."];
    assert_complete(&stopped, "cancelled", &thread, &parts);
    assert_complete(&answer(&server, &queued), "cancelled", &thread, &["shutting down"]);
    assert_eq!(server.wait_exit(WAIT).code(), Some(143));
}

#[test]
fn a_full_queue_refuses_a_call() {
    let model = Model::start(half);
    let home = home(&model.url());
    let server = with(mcp_server(&home), "--max-concurrent", 1);
    let server = with(server, "--max-queued", 1).start();
    let (running, thread) = hanging(&server);
    let waiting = begin_reply(&server, &thread, "Wait");
    server.request("ping", &json!({}));
    let full = server.call("codex", &json!({"prompt": "Hi"}));
    let text = refused(&full);
    assert!(
        text.starts_with("too_many_calls: ") && text.contains("\n\nNext: wait for calls to end"),
        "{text}"
    );
    server.cancel(&running);
    assert_eq!(said(&answer(&server, &waiting)), "echo: Wait");
}

#[test]
fn a_thread_that_is_open_elsewhere_is_reported() {
    let model = Model::start(half);
    let home = home(&model.url());
    let server = with(mcp_server(&home), "--busy-wait", "100ms").start();
    let thread = thread(&server, "Hi");
    let elsewhere = ByHand::resume(&home, &thread, "Hang");
    model.wait_for(|request| request.last_user_text() == "Hang");
    let result = answer(&server, &begin_reply(&server, &thread, "Me too"));
    assert_complete(&result, "session_busy", &thread, &["close the thread where it is open"]);
    drop(elsewhere);
    reply(&server, &thread, "And now?");
}

#[test]
fn a_codex_that_cannot_start_is_reported_in_the_words_of_codex() {
    let home = home("http://127.0.0.1:9/v1");
    let server = mcp_server(&home).env("CODEX_BIN", home.project().join("missing")).start();
    let result = server.call("codex", &json!({"prompt": "Hi"}));
    assert!(
        refused(&result).starts_with("Failed to start Codex session: cannot find or execute "),
        "{result}"
    );
    assert!(beside(&result).starts_with("Next: install Codex"), "{result}");

    home.append_config("model_context_window = \"wide\"");
    let result = mcp_server(&home).start().call("codex", &json!({"prompt": "Hi"}));
    assert!(
        refused(&result).starts_with("Failed to load Codex configuration from overrides: "),
        "{result}"
    );
    assert!(beside(&result).contains("config.toml"), "{result}");
}

#[test]
fn a_reply_whose_folder_is_gone_says_how_to_go_on() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let folder = home.project().join("inner");
    fs::create_dir(&folder).expect("it is new");
    let server = mcp_server(&home).start();
    let first = server.call("codex", &json!({"prompt": "Hi", "cwd": "inner"}));
    let thread = first["structuredContent"]["threadId"].as_str().expect("an id");
    fs::remove_dir(&folder).expect("it is empty");
    let result = answer(&server, &begin_reply(&server, thread, "Again"));
    assert_complete(&result, "bad_input", thread, &["cwd of the session", "restore that folder"]);
}

#[test]
fn a_reply_to_a_thread_that_is_not_allowed_says_which_part_is_not() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let first =
        mcp_server(&home).start().call("codex", &json!({"prompt": "Hi", "model": "gpt-5.2"}));
    let thread = first["structuredContent"]["threadId"].as_str().expect("an id");
    let server = with(mcp_server(&home), "--allowed-models", "gpt-5.5").start();
    let result = answer(&server, &begin_reply(&server, thread, "Again"));
    let parts = ["model gpt-5.2 is not allowed", "Next: call codex with another model"];
    assert_complete(&result, "not_allowed", thread, &parts);

    let elsewhere = home.user();
    let server = with(mcp_server(&home).cwd(elsewhere), "--allowed-dirs", elsewhere.display());
    let server = server.start();
    let result = answer(&server, &begin_reply(&server, thread, "Again"));
    let parts = ["not_allowed: threadId ", "Next: use another threadId"];
    assert_complete(&result, "not_allowed", thread, &parts);
    assert_eq!(model.requests().len(), 1);
}
