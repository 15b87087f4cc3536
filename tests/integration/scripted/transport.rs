//! Input and output of clients: every recognisable request is answered, and nothing that a client does costs
//! more than its bound.

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
fn at_the_end_of_the_input_the_calls_in_flight_are_finished() {
    let home = offline_home();
    // One at a time: all but the first start after the end of the input.
    let server = scripted(&home).arg("--max-concurrent=1").start();
    let go = home.project().join("go");
    let steps = json!([{"started": {}}, {"wait_for": go}, {"reply": "finished"}]);
    let prompt = json!({"prompt": script(&steps)});
    let calls: Vec<Call> = (0..4).map(|_| server.begin_call("codex_chat", &prompt)).collect();
    server.wait_progress(&calls[0], |message| message.contains("started"));
    server.close_stdin();
    File::create(&go).expect("the project is writable");
    for call in &calls {
        assert_eq!(field(&server.answer(call)["result"], "reply"), "finished");
    }
    assert!(server.wait_exit(WAIT).success());
}

#[test]
fn a_file_of_requests_makes_a_file_of_answers() {
    let home = offline_home();
    let requests = home.path().join("requests.jsonl");
    let answers = home.path().join("answers.jsonl");
    let call = |id: u32, prompt: &str| {
        json!({"jsonrpc": "2.0", "id": id, "method": "tools/call",
               "params": {"name": "codex_chat", "arguments": {"prompt": prompt}}})
    };
    let initialize = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {},
        "clientInfo": {"name": "tests", "version": "0"}}});
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let lines = [initialize, initialized, call(2, "hello"), call(3, " "), call(4, "hello")]
        .map(|line| line.to_string());
    fs::write(&requests, lines.join("\n")).expect("the home is writable");
    let status = clean(&mut Command::new(PROGRAM), home.user())
        .env("CODEX_BIN", scripted_codex())
        .env("CODEX_HOME", home.path())
        .current_dir(home.project())
        .stdin(File::open(&requests).expect("it was just written"))
        .stdout(File::create(&answers).expect("the home is writable"))
        .stderr(Stdio::null())
        .status()
        .expect("the program starts");
    assert!(status.success(), "{status}");
    let answers = fs::read_to_string(&answers).expect("answers are text");
    let answers: Vec<Value> = answers
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is a message"))
        .collect();
    let answer = |id: u32| answers.iter().find(|answer| answer["id"] == id).expect("an answer");
    assert_eq!(answers.len(), 4, "{answers:?}");
    assert_eq!(answer(1)["result"]["protocolVersion"], "2025-06-18");
    assert_eq!(content(&answer(2)["result"])["reply"], "done");
    assert_eq!(answer(3)["result"]["isError"], true);
    assert_eq!(content(&answer(4)["result"])["reply"], "done");
}

#[test]
fn a_cancellation_arrives_although_nobody_reads() {
    let home = offline_home();
    let server = scripted(&home).start();
    let call = begin_hanging(&server, &home, "first");
    clog(&server);
    let second = begin_hanging(&server, &home, "second");
    server.cancel(&call);
    wait_for(&interrupted(&home, "first"));
    // More than the 4 MiB of answers that are buffered without a reader: requests are held back now,
    // and fewer than the 256 that can be.
    for _ in 0..350 {
        server.begin("tools/list", &json!({}));
    }
    server.cancel(&second);
    wait_for(&interrupted(&home, "second"));

    server.resume_reading();
    assert_alive(&server);
    server.close_stdin();
    assert!(server.wait_exit(WAIT).success());
    server.wait_stdout_closed();
    assert_eq!(server.try_answer(&call), None, "nothing follows a cancellation");
    assert_eq!(server.try_answer(&second), None, "nothing follows a cancellation");
    assert_eq!(server.progress(&second), Vec::<Value>::new(), "nor does what had to wait");
}

#[test]
fn progress_that_nobody_reads_is_merged() {
    const STEPS: usize = 4;
    let home = offline_home();
    let read = scripted(&home).start();
    let unread = scripted(&home).start();
    // Both play the same steps. The one with a reader shows when each was reported.
    let mut steps = vec![json!({"started": {}})];
    for number in 0..STEPS {
        let item = json!({"id": format!("item_{number}"), "type": "command_execution",
                          "command": format!("step {number}"), "status": "in_progress"});
        steps.push(json!({"wait_for": format!("go-{number}")}));
        steps.push(json!({"event": {"type": "item.started", "item": item}}));
    }
    steps.push(json!({"wait_for": "end"}));
    steps.push(json!({"reply": "finished"}));
    let prompt = json!({"prompt": script(&Value::from(steps))});
    clog(&unread);
    let merged = unread.begin_call("codex_chat", &prompt);
    let reported = read.begin_call("codex_chat", &prompt);
    for number in 0..STEPS {
        File::create(home.project().join(format!("go-{number}"))).expect("it is writable");
        read.wait_progress(&reported, |message| message == format!("running: step {number}"));
    }
    unread.resume_reading();
    unread.wait_progress(&merged, |message| message == format!("running: step {}", STEPS - 1));
    File::create(home.project().join("end")).expect("it is writable");
    assert_eq!(field(&unread.answer(&merged)["result"], "reply"), "finished");
    assert!(read.progress(&reported).len() > STEPS, "each step was reported to the reader");
    // The last one may have arrived while the one before it was written.
    let progress = unread.progress(&merged);
    assert!(progress.len() <= 2, "{progress:?}");
}

/// The processor time that a process has used, in the system's units; it stands still when the
/// process waits.
fn processor_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

/// Waits until a process is idle. False where that is unknown.
fn wait_idle(pid: u32) -> bool {
    const QUIET: Duration = Duration::from_millis(500);
    let deadline = Instant::now() + patient(WAIT);
    let Some(mut last) = processor_time(pid) else { return false };
    let mut since = Instant::now();
    while since.elapsed() < QUIET {
        assert!(Instant::now() < deadline, "the server is always busy");
        thread::sleep(POLL);
        let now = processor_time(pid).expect("the server lives");
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
    true
}

#[test]
fn a_flood_of_requests_takes_bounded_memory_while_nobody_reads() {
    let home = offline_home();
    let server = scripted(&home).start();
    server.stop_reading();
    // Unbounded, the answers would take 160 MB.
    for _ in 0..20_000 {
        server.begin("tools/list", &json!({}));
    }
    if !wait_idle(server.pid()) {
        return skipped("this system does not show what processes do");
    }
    let resident = server.rss_kib().expect("where there is a time there is a size");
    assert!(resident < 64 * 1024, "{resident} KiB are resident");

    server.close_stdout();
    server.wait_exit(WAIT);
}

#[test]
fn a_flood_of_long_messages_takes_bounded_memory() {
    let home = offline_home();
    let server = scripted(&home).start();
    for _ in 0..8 {
        server.send_raw(&long_call("", "", 32 * MIB));
    }
    assert_alive(&server);
    if let Some(resident) = server.rss_kib() {
        assert!(resident < 96 * 1024, "{resident} KiB are resident after 256 MiB in 8 lines");
    }
}

fn assert_leaves(server: &Server, bound: Duration) -> Option<i32> {
    let status = server.wait_exit(bound);
    server.wait_no_descendants(Duration::from_secs(5)).expect("nothing is left running");
    status.code()
}

#[test]
fn signals_end_the_server_quickly_with_its_input_open() {
    for (signal, status) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130), (Signal::SIGHUP, 129)] {
        let home = offline_home();
        let server = scripted(&home).start();
        server.signal(signal);
        assert_eq!(server.wait_exit(Duration::from_secs(2)).code(), Some(status));
    }
}

#[test]
fn a_signal_ends_the_server_quickly_with_its_output_full() {
    let home = offline_home();
    let server = scripted(&home).start();
    let _call = begin_hanging(&server, &home, "it");
    clog(&server);
    let late = begin_hanging(&server, &home, "late");
    server.signal(Signal::SIGTERM);
    assert_eq!(assert_leaves(&server, Duration::from_secs(2)), Some(143));
    assert!(interrupted(&home, "it").exists() && interrupted(&home, "late").exists());
    assert_eq!(server.try_answer(&late), None, "nobody read it");
}

#[test]
fn calls_of_a_client_that_is_gone_are_stopped() {
    let home = offline_home();
    let server = scripted(&home).start();
    let _call = begin_hanging(&server, &home, "it");
    server.close_stdout();
    wait_for(&interrupted(&home, "it"));
    assert_leaves(&server, WAIT);
}

#[test]
fn unread_answers_do_not_keep_the_server_alive_forever() {
    let home = offline_home();
    let server = scripted(&home).start();
    clog(&server);
    let done = home.project().join("done");
    let steps = json!([{"started": {}}, {"reply": "finished"}, {"touch": done}]);
    server.begin_call("codex_chat", &json!({"prompt": script(&steps)}));
    wait_for(&done);
    server.close_stdin();
    assert_leaves(&server, WAIT);
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
