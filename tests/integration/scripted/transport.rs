//! Input and output of clients: every recognisable request is answered, and nothing that a client does costs
//! more than its bound.

mod end;
mod frames;
mod ids;
mod unread;

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::kit::setup::{PROGRAM, content, field, home, script, scripted, skipped};
use crate::kit::wait::{WAIT, wait_for};
use crate::support::client::{Builder, Call, Server};
use crate::support::environment::{clean, patient};
use crate::support::real_codex::Home;
use crate::support::scripted_codex;

const POLL: Duration = Duration::from_millis(5);
const MIB: usize = 1 << 20;

/// No test here reaches a model.
fn offline_home() -> Home {
    home("http://127.0.0.1:9/v1")
}

/// Waits for the answer to an id of any type.
fn answer_to(server: &Server, id: &Value) -> Value {
    server.wait_message(|message| &message["id"] == id && message.get("method").is_none())
}

/// Expects the connection to work in both directions.
fn assert_alive(server: &Server) {
    let pong = server.request("ping", &json!({}));
    assert!(pong["result"].is_object(), "{pong}");
}

fn assert_refused(server: &Server, id: &Value, code: i64) -> String {
    let answer = answer_to(server, id);
    assert_eq!(answer["error"]["code"], code, "{answer}");
    assert_alive(server);
    answer["error"]["message"].as_str().expect("an error says what it is").to_owned()
}

/// A call that runs until the test, or a signal, ends it, which makes a file.
fn begin_hanging(server: &Server, home: &Home, name: &str) -> Call {
    let here = home.project().join(format!("{name}-runs"));
    let steps = json!([
        {"on_interrupt": [{"touch": format!("{name}-interrupted")}]},
        {"started": {}},
        {"touch": here},
        {"hang": {}},
    ]);
    let call = server.begin_call("codex_chat", &json!({"prompt": script(&steps)}));
    wait_for(&here);
    call
}

fn interrupted(home: &Home, name: &str) -> std::path::PathBuf {
    home.project().join(format!("{name}-interrupted"))
}

/// Leaves stdout unread, with more in it than a pipe holds, so that the server notices.
fn clog(server: &Server) {
    server.stop_reading();
    for _ in 0..30 {
        server.begin("tools/list", &json!({}));
    }
}

/// A whole chat call as the text of one line, without its newline, that is longer than `length`.
fn long_call(before: &str, after: &str, length: usize) -> Vec<u8> {
    let mut line = format!(
        "{{\"jsonrpc\":\"2.0\",{before}\"method\":\"tools/call\",\"params\":{{\"name\":\
         \"codex_chat\",\"id\":5,\"arguments\":{{\"prompt\":\""
    )
    .into_bytes();
    line.resize(line.len() + length, b'x');
    writeln!(line, "\"}}}}{after}}}").expect("a list of bytes can be written to");
    line
}

#[test]
fn an_oversized_line_is_answered_wherever_its_id_is() {
    let home = offline_home();
    let server = scripted(&home).start();
    server.send_raw(&long_call("\"id\":7001,", "", 17 * MIB));
    let message = assert_refused(&server, &json!(7001), -32600);
    assert!(message.contains("16777216") && message.contains("file"), "{message}");

    server.send_raw(&long_call("", ",\"id\":\"at the end\"", 17 * MIB));
    assert_refused(&server, &json!("at the end"), -32600);

    // One without an id gets no answer, and one that just fits is accepted.
    server.send_raw(&long_call("", "", 17 * MIB));
    server.send_raw(&long_call("\"id\":7002,", "", 15 * MIB));
    let answer = answer_to(&server, &json!(7002));
    assert_eq!(answer["result"]["isError"], true, "{answer}");
    assert_alive(&server);
}

#[test]
fn half_an_emoji_is_read_as_a_replacement_character() {
    let home = offline_home();
    let log = home.path().join("starts.jsonl");
    let server = scripted(&home).env("SCRIPTED_CODEX_LOG", &log).start();
    server.send_raw(
        br#"{"jsonrpc":"2.0","id":7001,"method":"tools/call","params":{"name":"codex_chat","arguments":{"prompt":"cut \ud83d, whole \ud83d\ude00, late \ude00, escaped \\ud83d"}}}
"#,
    );
    let answer = answer_to(&server, &json!(7001));
    assert_eq!(field(&answer["result"], "reply"), "done");
    let starts = fs::read_to_string(log).expect("Codex was started");
    let start = starts.lines().last().expect("after it was asked for its version");
    let start: Value = serde_json::from_str(start).expect("a line is JSON");
    let prompt = start["stdin"].as_str().expect("there was a prompt");
    assert!(
        prompt.contains("cut \u{fffd}, whole \u{1f600}, late \u{fffd}, escaped \\ud83d"),
        "{prompt}"
    );
}

#[test]
fn an_unreadable_message_is_answered_if_its_id_is_readable() {
    let home = offline_home();
    let server = scripted(&home).start();
    server.send_raw(b"{\"jsonrpc\":\"2.0\",\"id\":7001,\"method\":\"tools/list\",\"params\":{\n");
    assert_refused(&server, &json!(7001), -32700);
    server.send_raw(
        b"{\"jsonrpc\":\"2.0\",\"id\":\"b\",\"method\":\"ping\",\"params\":{\"a\":nope}}\n",
    );
    assert_refused(&server, &json!("b"), -32700);
    server.send_raw(
        b"{\"jsonrpc\":\"2.0\",\"id\":7003,\"method\":\"ping\",\"params\":{\"a\":\"\xff\xfe\"}}\n",
    );
    let message = assert_refused(&server, &json!(7003), -32700);
    assert!(message.contains("UTF-8"), "{message}");
    server.send_raw(b"{\"jsonrpc\":\"2.0\",\"id\":7004}\n");
    assert_refused(&server, &json!(7004), -32600);
    server.send_raw(b"{\"id\":7005,\"method\":\"ping\"}\n");
    assert_refused(&server, &json!(7005), -32600);
}

#[test]
fn messages_that_nobody_waits_for_do_no_harm() {
    let home = offline_home();
    let server = scripted(&home).start();
    let lines: [&[u8]; 12] = [
        b"",
        b"   ",
        b"\r",
        b"hello",
        b"\xff\xfe\x00\x01",
        b"{",
        b"}}}}]]]]",
        b"null",
        b"42",
        b"\"text\"",
        b"{}",
        b"{\"jsonrpc\":\"2.0\",\"id\":9999,\"result\":",
    ];
    for line in lines {
        server.send_raw(&[line, b"\n"].concat());
    }
    for depth in [10_000, 200_000] {
        let deep = [b"[".repeat(depth), b"\n".to_vec()].concat();
        server.send_raw(&deep);
        let id = 7_000 + depth;
        let begin = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"#).into_bytes();
        server.send_raw(&[begin, deep].concat());
        assert_refused(&server, &json!(id), -32_700);
    }
    let strangers: Vec<Value> =
        server.messages().into_iter().filter(|message| message["id"].is_null()).collect();
    assert_eq!(strangers, Vec::<Value>::new(), "nothing is sent to nobody");
    assert_eq!(server.bad_lines(), Vec::<String>::new());
}

#[test]
fn a_call_with_malformed_parameters_gets_an_error() {
    let home = offline_home();
    let server = scripted(&home).start();
    for parameters in [
        json!({}),
        json!({"arguments": {"prompt": "hello"}}),
        json!({"name": 7}),
        json!({"name": null, "arguments": {}}),
        json!({"name": "codex_chat", "arguments": ["hello"]}),
        json!({"name": "codex_chat", "arguments": "hello"}),
        json!(["codex_chat"]),
    ] {
        let answer = server.request("tools/call", &parameters);
        assert_eq!(answer["error"]["code"], -32602, "{parameters}: {answer}");
    }
    let bare = json!({"jsonrpc": "2.0", "id": 7001, "method": "tools/call"});
    server.send(&bare);
    assert_refused(&server, &json!(7001), -32602);
}

#[test]
fn an_unknown_tool_and_an_unknown_method_are_protocol_errors() {
    let home = offline_home();
    let server = scripted(&home).start();
    let answer = server.request("tools/call", &json!({"name": "codex_chta", "arguments": {}}));
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    let message = answer["error"]["message"].as_str().expect("an error says what it is");
    assert!(message.contains("codex_chta") && message.contains("codex_chat"), "{message}");
    let answer = server.request("tools/cull", &json!({}));
    assert_eq!(answer["error"]["code"], -32601, "{answer}");
    assert_alive(&server);
}

#[test]
fn nothing_before_the_handshake_ends_the_server() {
    let home = offline_home();
    let server = scripted(&home).spawn();
    server.notify("notifications/initialized", &json!({}));
    server.notify("notifications/roots/list_changed", &json!({}));
    server.notify("notifications/never/heard/of", &json!({"a": 1}));
    server.notify("notifications/cancelled", &json!({"requestId": 99}));
    server.send(&json!({"jsonrpc": "2.0", "id": 99, "result": {}}));
    server.send(&json!({"jsonrpc": "2.0", "id": 98, "error": {"code": -1, "message": "no"}}));
    assert_alive(&server);
    assert_eq!(server.initialize("2025-06-18")["protocolVersion"], "2025-06-18");
    let answer = server.call("codex_chat", &json!({"prompt": "hello"}));
    assert_eq!(field(&answer, "reply"), "done");
}

#[test]
fn a_batch_is_answered_one_by_one() {
    let home = offline_home();
    let server = scripted(&home).start();
    let batch = json!([
        {"jsonrpc": "2.0", "id": 7001, "method": "ping"},
        {"jsonrpc": "2.0", "method": "notifications/never/heard/of"},
        {"jsonrpc": "2.0", "id": 7002},
        7,
        {"jsonrpc": "2.0", "id": 7003, "method": "tools/list"},
        {"jsonrpc": "2.0", "id": 7004, "method": "tools/call",
         "params": {"name": "codex_chat", "arguments": {"prompt": "hello"}}},
    ]);
    server.send(&batch);
    assert!(answer_to(&server, &json!(7001))["result"].is_object());
    assert_refused(&server, &json!(7002), -32600);
    assert!(answer_to(&server, &json!(7003))["result"]["tools"].is_array());
    assert_eq!(field(&answer_to(&server, &json!(7004))["result"], "reply"), "done");
}

#[test]
fn lines_may_end_as_on_windows_come_in_pieces_and_end_without_a_newline() {
    let home = offline_home();
    let server = scripted(&home).spawn();
    let ping = |id: u32| format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"ping\"}}");
    server.send_raw(format!("{}\r\n\r\n{}\r\n", ping(7001), ping(7002)).as_bytes());
    answer_to(&server, &json!(7001));
    answer_to(&server, &json!(7002));
    for byte in format!("{}\n", ping(7003)).bytes() {
        server.send_raw(&[byte]);
    }
    answer_to(&server, &json!(7003));
    server.send_raw(ping(7004).as_bytes());
    server.close_stdin();
    answer_to(&server, &json!(7004));
    assert!(server.wait_exit(WAIT).success());
}

#[test]
fn each_of_many_requests_is_answered_once() {
    let home = offline_home();
    let server = scripted(&home).start();
    let mut ids = HashSet::new();
    for number in 0..1_000 {
        let method = if number % 50 == 0 { "tools/list" } else { "ping" };
        ids.insert(server.begin(method, &json!({})));
    }
    let bad = json!({"prompt": ""});
    ids.extend((0..200).map(|_| server.begin_call("codex_chat", &bad).id));
    let calls: Vec<Call> =
        (0..30).map(|_| server.begin_call("codex_chat", &json!({"prompt": "hello"}))).collect();
    ids.extend(calls.iter().map(|call| call.id));
    server.close_stdin();
    assert!(server.wait_exit(WAIT).success());
    server.wait_stdout_closed();
    let messages = server.messages();
    let answered: Vec<i64> = messages
        .iter()
        .filter(|message| message.get("method").is_none())
        .filter_map(|message| message["id"].as_i64().filter(|id| ids.contains(id)))
        .collect();
    assert_eq!(answered.len(), ids.len(), "each once");
    assert_eq!(answered.into_iter().collect::<HashSet<_>>(), ids);
    for call in &calls {
        let answer = server.try_answer(call).expect("it was counted");
        assert_eq!(field(&answer["result"], "reply"), "done");
    }
}

#[test]
fn nothing_but_messages_is_written_to_stdout() {
    let home = offline_home();
    let start = |server: Builder| server.arg("--debug").start();
    let server = start(scripted(&home));
    let steps = json!([
        {"raw": "not an event\n"},
        {"stderr": "a warning"},
        {"started": {}},
        {"raw": "{\"half\":\n"},
        {"reply": "finished"},
    ]);
    let answer = server.call("codex_chat", &json!({"prompt": script(&steps)}));
    assert_eq!(field(&answer, "reply"), "finished");
    server.send_raw(b"garbage\n");
    server.close_stdin();
    server.wait_stdout_closed();
    assert_eq!(server.bad_lines(), Vec::<String>::new());
    for message in server.messages() {
        assert_eq!(message["jsonrpc"], "2.0", "{message}");
    }
}
