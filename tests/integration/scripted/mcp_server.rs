//! Endings of `codex` and `codex-reply` that the real Codex cannot be made to show.

use serde_json::{Value, json};

use crate::kit::mcp_server::{answer, begin_reply, beside, failed, refused, said, thread_of};
use crate::kit::play::{Stage, begin, session_of, settle, steps};
use crate::kit::setup::script;
use crate::support::client::Server;

const OTHER: &str = "01a21bc5-0000-7000-8000-000000000000";

fn codex(server: &Server, play: &Value) -> Value {
    server.call("codex", &steps(play))
}

#[test]
fn codex_that_leaves_without_a_word_is_a_failed_start() {
    let stage = Stage::new();
    let server = stage.server().arg("mcp-server").start();
    let result = codex(&server, &json!([{"stderr": "Error: out of luck"}, {"exit": 1}]));
    let text = refused(&result);
    assert!(
        text.starts_with("Failed to start Codex session: Codex exited without a result"),
        "{text}"
    );
    assert!(text.contains("out of luck"), "{text}");
    assert!(beside(&result).starts_with("Next: call codex again"), "{result}");

    let result = codex(&server, &json!([{"started": {}}, {"exit": 1}]));
    let text = failed(&result);
    assert!(
        text.starts_with("no_result: ") && text.contains("call codex-reply with this threadId"),
        "{text}"
    );
    assert!(text.contains(&format!("threadId: {}", thread_of(&result))), "{text}");
}

#[test]
fn a_reply_that_ends_in_another_thread_is_stopped() {
    let stage = Stage::new();
    let server = stage.server().arg("mcp-server").start();
    let first = codex(&server, &json!([{"started": {}}, {"reply": "Hi"}]));
    let thread = thread_of(&first).to_owned();
    let play =
        script(&json!([{"event": {"type": "thread.started", "thread_id": OTHER}}, {"hang": {}}]));
    let result = answer(&server, &begin_reply(&server, &thread, &play));
    let text = failed(&result);
    assert!(text.starts_with("another_session_answered: ") && text.contains(OTHER), "{text}");
    assert_eq!(thread_of(&result), thread);
}

#[test]
fn a_long_reply_is_cut_and_that_is_said() {
    let stage = Stage::new();
    let server = stage.server().arg("mcp-server").start();
    let result = codex(&server, &json!([{"started": {}}, {"reply": "x".repeat(500_000)}]));
    let reply = said(&result);
    assert!((400_000..401_000).contains(&reply.len()), "{}", reply.len());
    assert!(
        beside(&result).starts_with("Warning: The reply has 500000 characters"),
        "{}",
        beside(&result)
    );
}

#[test]
fn a_call_that_waits_too_long_in_the_queue_starts_nothing() {
    let stage = Stage::new();
    let server = stage
        .server()
        .arg("--list-codex-tools=true")
        .arg("--max-concurrent=1")
        .arg("--timeout=500ms")
        .start();
    let mut arguments = steps(&json!([{"started": {}}, {"hang": {}}]));
    arguments["timeout_ms"] = 600_000.into();
    let running = begin(&server, &arguments);
    let session = session_of(&server, &running);
    let result = codex(&server, &json!([{"touch": "started"}]));
    let text = refused(&result);
    assert!(text.starts_with("timed_out: ") && text.contains("Codex was not started"), "{text}");
    assert!(text.contains("raise --timeout"), "{text}");
    let result = answer(&server, &begin_reply(&server, &session, "Hi"));
    assert!(failed(&result).starts_with("timed_out: "), "{result}");
    assert_eq!(thread_of(&result), session);
    settle(&server);
    assert!(!stage.file("started").exists());
}
