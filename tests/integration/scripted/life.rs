//! How processes end: Codex, and the server itself.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::kit::life::watchdog_of;
use crate::kit::play::{
    Stage, begin, chat, message, ran, result_of, running, session_of, steps, steps_in, with,
};
use crate::kit::setup::{error_text, field, skipped};
use crate::kit::wait::{wait_until, wait_within};
use crate::support::client::{Call, Server, wait_no_descendants_of};
use crate::support::environment::patient;

/// How long processes may outlive a killed server.
const ORPHANED: Duration = Duration::from_secs(2);

/// Longer than the whole sequence of signals takes.
const LADDER: Duration = Duration::from_secs(20);

/// A turn that hangs, ignores these signals, and records all signals in `signals-NAME`.
fn deaf(name: &str, ignored: &Value) -> Value {
    json!([
        {"note_signals": format!("signals-{name}")},
        {"ignore": ignored},
        {"on_interrupt": [message("I was interrupted")]},
        {"started": {}},
        {"touch": format!("began-{name}")},
        {"hang": {}},
    ])
}

/// A turn that hangs and records its signals.
fn hanging(name: &str) -> Value {
    deaf(name, &json!([]))
}

fn signals(stage: &Stage, name: &str) -> Vec<String> {
    let text = fs::read_to_string(stage.file(&format!("signals-{name}"))).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn assert_nothing_left(server: &Server, bound: Duration) {
    if let Err(left) = wait_no_descendants_of(server.marker(), bound) {
        panic!("{bound:?} later: {left:?}");
    }
}

fn watchdog(server: &Server) -> Option<u32> {
    watchdog_of(server.pid())
}

fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with('Z'))
}

/// Waits until the server has read the end of its input: then its reading thread is gone.
fn wait_input_ended(server: &Server) {
    let tasks = format!("/proc/{}/task", server.pid());
    wait_until("the end of the input to be seen", || {
        !fs::read_dir(&tasks).into_iter().flatten().flatten().any(|task| {
            fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.trim() == "stdin")
        })
    });
}

#[test]
fn every_stop_sends_as_many_signals_as_it_needs() {
    const RUNGS: [(&str, &[&str], &[&str]); 3] = [
        ("polite", &[], &["INT"]),
        ("stubborn", &["INT"], &["INT", "TERM"]),
        ("deaf", &["INT", "TERM"], &["INT", "TERM"]),
    ];
    let stage = Stage::new();
    let server = stage.server().env("CODEX_PERSISTENT_MCP_MAX_CONCURRENT", "9").start();
    let calls: Vec<[(String, Call); 3]> = RUNGS
        .iter()
        .map(|(rung, ignored, _)| {
            ["timeout_ms", "idle_timeout_ms", "cancel"].map(|why| {
                let name = format!("{rung}-{why}");
                let list = steps(&deaf(&name, &json!(ignored)));
                let arguments = if why == "cancel" { list } else { with(list, why, 3_000) };
                let call = begin(&server, &arguments);
                (name, call)
            })
        })
        .collect();
    for [.., (name, call)] in &calls {
        stage.wait_for(&format!("began-{name}"));
        server.cancel(call);
    }
    for ([(_, total), (_, idle), _], (rung, ..)) in calls.iter().zip(RUNGS) {
        for (call, reason) in [(total, ": the timeout of 3 s"), (idle, "the idle timeout of")] {
            let session = session_of(&server, call);
            let result = result_of(&server, call);
            let text = error_text(&result);
            assert!(text.starts_with("timed_out: ") && text.contains(reason), "{text}");
            assert!(text.contains(&format!("codex resume {session}")), "{text}");
            assert_eq!(text.contains("I was interrupted"), rung == "polite", "{text}");
        }
    }
    server.wait_no_descendants(LADDER).expect("nothing is left");
    for ([total, idle, cancelled], (_, _, expected)) in calls.iter().zip(RUNGS) {
        for (name, _) in [total, idle, cancelled] {
            assert_eq!(signals(&stage, name), expected, "{name}");
        }
        assert_eq!(server.try_answer(&cancelled.1), None, "no message follows a cancellation");
    }
}

#[test]
fn the_idle_timeout_counts_only_while_no_command_runs() {
    let idle = |list: Value| with(steps(&list), "idle_timeout_ms", 2_000);
    let stage = Stage::new();
    let server = stage.server().start();
    let building = json!([
        {"started": {}},
        running("make"),
        {"touch": "building"},
        {"wait_for": "built"},
        ran(),
        {"touch": "thinking"},
        {"hang": {}},
    ]);
    let build = begin(&server, &idle(building));
    stage.wait_for("building");
    // Another call is idle for as long, and starts later.
    let result = chat(&server, &idle(json!([{"started": {}}, {"hang": {}}])));
    assert!(error_text(&result).starts_with("timed_out: "), "{result}");
    assert_eq!(server.try_answer(&build), None);

    stage.release("built");
    let result = result_of(&server, &build);
    let text = error_text(&result);
    assert!(text.contains("the idle timeout of 2 s expired"), "{text}");
    assert!(stage.file("thinking").exists());
}

#[test]
fn a_codex_that_does_not_exit_is_stopped_without_blocking_others() {
    let stage = Stage::new();
    let server = stage.server().start();
    let staying = json!([
        {"note_signals": "signals-stays"}, {"started": {}}, {"reply": "done"}, {"hang": {}},
    ]);
    let result = chat(&server, &steps(&staying));
    let session = field(&result, "session_id");
    if let Ok(left) = server.descendants() {
        assert_eq!(left.len(), 1, "it is answered while Codex is there");
    }
    let next = json!([{"started": {}}, {"reply": "next"}]);
    assert_eq!(field(&chat(&server, &steps_in(session, &next)), "reply"), "next");
    assert_eq!(signals(&stage, "stays"), ["INT"]);
}

#[test]
fn a_codex_that_is_killed_ends_the_turn() {
    let stage = Stage::new();
    let server = stage.server().start();
    let call = begin(&server, &steps(&hanging("one")));
    stage.wait_for("began-one");
    let pid = stage.starts()[0]["pid"].as_i64().expect("the log has the process id");
    let pid = Pid::from_raw(i32::try_from(pid).expect("process ids are small"));
    kill(pid, Signal::SIGKILL).expect("it exists");
    let result = result_of(&server, &call);
    let text = error_text(&result);
    assert!(text.starts_with("no_result: ") && text.contains("SIGKILL"), "{text}");
}

#[test]
fn a_process_that_holds_the_output_open_does_not_block_the_answer() {
    let stage = Stage::new();
    let server = stage.server().start();
    for own_group in [false, true] {
        let holder = json!({"grandchild":
            {"seconds": 600, "hold_stdout": true, "own_group": own_group}});
        let began = Instant::now();
        let complete = json!([{"started": {}}, holder, {"reply": "here"}]);
        let result = chat(&server, &steps(&complete));
        assert_eq!(field(&result, "reply"), "here");

        let session = field(&result, "session_id");
        let broken = json!([{"started": {}}, holder, message("half"), {"exit": 1}]);
        let result = chat(&server, &steps_in(session, &broken));
        let text = error_text(&result);
        assert!(text.starts_with("no_result: ") && text.contains("half"), "{text}");
        assert!(began.elapsed() < patient(LADDER), "{:?}", began.elapsed());
        if !own_group {
            // Processes in Codex's own group end with it.
            server.wait_no_descendants(LADDER).expect("nothing is left");
        }
    }
}

#[test]
fn a_codex_that_closes_its_output_is_still_stopped() {
    let stage = Stage::new();
    let server = stage.server().start();
    let list = json!([{"started": {}}, message("half"), {"close_stdout": {}}, {"hang": {}}]);
    let result = chat(&server, &with(steps(&list), "idle_timeout_ms", 1_500));
    let text = error_text(&result);
    assert!(text.starts_with("timed_out: ") && text.contains("half"), "{text}");
    server.wait_no_descendants(LADDER).expect("nothing is left");
}

#[test]
fn a_signal_stops_codex_and_the_server_answers_before_it_exits() {
    for (signal, status) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143), (Signal::SIGHUP, 129)] {
        let stage = Stage::new();
        let server = stage.server().start();
        let call = begin(&server, &steps(&hanging("one")));
        let session = session_of(&server, &call);
        stage.wait_for("began-one");
        server.signal(signal);
        let exit = server.wait_exit(Duration::from_secs(2));
        assert_eq!(exit.code(), Some(status), "{signal}");
        let result = result_of(&server, &call);
        let text = error_text(&result);
        assert!(text.starts_with("cancelled: ") && text.contains("shutting down"), "{text}");
        assert!(text.contains(&session) && text.contains("I was interrupted"), "{text}");
        assert_eq!(signals(&stage, "one"), ["INT"]);
        assert_nothing_left(&server, ORPHANED);
    }
}

#[test]
fn a_codex_that_ignores_signals_does_not_keep_the_server_alive() {
    let stage = Stage::new();
    let server = stage.server().start();
    begin(&server, &steps(&deaf("one", &json!(["INT", "TERM"]))));
    stage.wait_for("began-one");
    server.signal(Signal::SIGTERM);
    server.wait_stderr(|log| log.contains("shutting down"));
    server.signal(Signal::SIGINT);
    // Whichever is second, the first one counts.
    let exit = server.wait_exit(Duration::from_secs(2));
    assert_eq!(exit.code(), Some(143));
    assert_nothing_left(&server, ORPHANED);
}

#[test]
fn a_codex_that_stays_after_its_answer_gets_the_signal_too() {
    let stage = Stage::new();
    let server = stage.server().start();
    let staying = json!([
        {"note_signals": "signals-stays"}, {"started": {}}, {"reply": "done"}, {"hang": {}},
    ]);
    chat(&server, &steps(&staying));
    assert_eq!(signals(&stage, "stays"), [""; 0]);
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait_exit(Duration::from_secs(2)).code(), Some(143));
    assert_nothing_left(&server, ORPHANED);
    assert_eq!(signals(&stage, "stays"), ["INT"]);
}

#[test]
fn a_signal_ends_an_idle_server_at_once() {
    let stage = Stage::new();
    let server = stage.server().start();
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait_exit(Duration::from_secs(2)).code(), Some(143));
}

#[test]
fn nothing_outlives_a_server_that_is_killed() {
    let stage = Stage::new();
    let server = stage.server().start();
    let all: [(&str, Value); 3] =
        [("polite", json!([])), ("stubborn", json!(["INT"])), ("deaf", json!(["INT", "TERM"]))];
    for (name, ignored) in &all {
        begin(&server, &steps(&deaf(name, ignored)));
    }
    for (name, _) in &all {
        stage.wait_for(&format!("began-{name}"));
    }
    let watchdog = watchdog(&server);
    server.kill();
    assert_nothing_left(&server, ORPHANED);
    // Each got SIGINT before it was killed, so that its session has the interruption on record.
    assert_eq!(signals(&stage, "polite"), ["INT"]);
    assert_eq!(signals(&stage, "stubborn"), ["INT", "TERM"]);
    assert_eq!(signals(&stage, "deaf"), ["INT", "TERM"]);
    if cfg!(target_os = "linux") {
        let watchdog = watchdog.expect("there is a watchdog while Codex runs");
        wait_within(ORPHANED, "the watchdog to leave", || !is_alive(watchdog));
    }
}

#[test]
fn a_kill_by_the_programs_name_leaves_no_codex_behind() {
    if !cfg!(target_os = "linux") {
        return skipped("processes are looked for in /proc");
    }
    let stage = Stage::new();
    let server = stage.server().start();
    begin(&server, &steps(&deaf("one", &json!(["INT", "TERM"]))));
    stage.wait_for("began-one");
    // As `pkill -KILL -f codex-persistent-mcp` does it, but only among this test's own processes, and
    // whatever the name of the checkout is.
    let named = |command: &str| {
        let names = command.split(' ').filter_map(|word| word.rsplit('/').next());
        names.into_iter().any(|name| name.contains("codex-persistent-mcp"))
    };
    let below = server.descendants().expect("Linux lists processes");
    let hit = below.iter().filter(|process| named(&process.cmdline)).map(|process| process.pid);
    let pids: Vec<_> = hit.chain(watchdog_named(&server, named)).chain([server.pid()]).collect();
    for pid in pids {
        let pid = Pid::from_raw(i32::try_from(pid).expect("it is small"));
        kill(pid, Signal::SIGKILL).expect("it exists");
    }
    assert_nothing_left(&server, ORPHANED);
}

/// The watchdog, which has no marker in its environment, if its command line matches.
fn watchdog_named(server: &Server, named: impl Fn(&str) -> bool) -> Option<u32> {
    let watchdog = watchdog(server).expect("there is a watchdog while Codex runs");
    let command = fs::read(format!("/proc/{watchdog}/cmdline")).expect("it exists");
    named(&String::from_utf8_lossy(&command).replace('\0', " ")).then_some(watchdog)
}

#[test]
fn a_watchdog_that_is_killed_is_replaced_at_the_next_call() {
    if !cfg!(target_os = "linux") {
        return skipped("the watchdog is looked for in /proc");
    }
    let stage = Stage::new();
    let server = stage.server().start();
    let one = begin(&server, &steps(&deaf("one", &json!(["INT", "TERM"]))));
    let release =
        json!([{"started": {}}, {"touch": "began-two"}, {"wait_for": "go"}, {"reply": "two"}]);
    let two = begin(&server, &steps(&release));
    stage.wait_for("began-one");
    stage.wait_for("began-two");
    let first = watchdog(&server).expect("there is a watchdog while Codex runs");
    kill(Pid::from_raw(i32::try_from(first).expect("it is small")), Signal::SIGKILL)
        .expect("it exists");
    wait_until("the watchdog to be gone", || !is_alive(first));

    begin(&server, &steps(&deaf("three", &json!(["INT", "TERM"]))));
    stage.wait_for("began-three");
    stage.release("go");
    assert_eq!(field(&result_of(&server, &two), "reply"), "two");
    let second = watchdog(&server).expect("there is another one");
    assert_ne!(first, second);
    assert_eq!(server.try_answer(&one), None);
    server.kill();
    assert_nothing_left(&server, ORPHANED);
    wait_within(ORPHANED, "the watchdog to leave", || !is_alive(second));
}

#[test]
fn at_the_end_of_the_input_calls_are_finished() {
    let stage = Stage::new();
    let server = stage.server().env("CODEX_PERSISTENT_MCP_MAX_CONCURRENT", "1").start();
    let one = begin(
        &server,
        &steps(&json!([{"started": {}}, {"touch": "began"}, {"wait_for": "go"}, {"reply": "one"}])),
    );
    let two = begin(&server, &steps(&json!([{"started": {}}, {"reply": "two"}])));
    stage.wait_for("began");
    server.close_stdin();
    if cfg!(target_os = "linux") {
        wait_input_ended(&server);
    }
    stage.release("go");
    assert_eq!(field(&result_of(&server, &one), "reply"), "one");
    assert_eq!(field(&result_of(&server, &two), "reply"), "two");
    assert_eq!(server.wait_exit(Duration::from_secs(10)).code(), Some(0));
    assert_nothing_left(&server, ORPHANED);
}

#[test]
fn calls_are_stopped_when_nobody_can_read_their_answers() {
    for end_of_input in [true, false] {
        let stage = Stage::new();
        let server = stage.server().start();
        // Without progress nothing is written, and only a write shows that nobody reads.
        let call = json!({"name": "codex_chat", "arguments": steps(&hanging("one"))});
        server.begin("tools/call", &call);
        stage.wait_for("began-one");
        if end_of_input {
            server.close_stdin();
            if cfg!(target_os = "linux") {
                wait_input_ended(&server);
            }
        }
        server.close_stdout();
        // The call has no answer.
        assert_eq!(server.wait_exit(Duration::from_secs(10)).code(), Some(1));
        assert_eq!(signals(&stage, "one"), ["INT"], "end of input: {end_of_input}");
        assert_nothing_left(&server, ORPHANED);
    }
}

#[test]
fn a_server_without_a_client_kills_a_codex_that_ignores_signals_before_it_exits() {
    let stage = Stage::new();
    let server = stage.server().start();
    begin(&server, &steps(&deaf("one", &json!(["INT", "TERM"]))));
    stage.wait_for("began-one");
    server.close_stdin();
    server.close_stdout();
    assert_eq!(server.wait_exit(LADDER).code(), Some(1), "the call has no answer");
    assert_nothing_left(&server, ORPHANED);
    assert_eq!(signals(&stage, "one"), ["INT", "TERM"]);
}

fn write_program(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).expect("the home is writable");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it was just written");
}

#[test]
fn a_codex_that_cannot_be_started_is_reported_and_the_server_goes_on() {
    let stage = Stage::new();
    let codex = stage.home.path().join("codex");
    let server = stage.server().env("CODEX_BIN", &codex).start();
    let fails = || {
        let result = chat(&server, &json!({"prompt": "hello"}));
        let text = error_text(&result).to_owned();
        assert!(text.starts_with("codex_not_found: "), "{text}");
        assert!(text.contains(&codex.display().to_string()), "{text}");
        assert!(!text.contains("session_id:"), "there is no session: {text}");
    };
    fails();
    write_program(&codex, "#!/bin/sh\n", 0o644);
    fails();
    write_program(&codex, "#!/nowhere/interpreter\n", 0o755);
    fails();
    fs::remove_file(&codex).expect("it was just written");
    std::os::unix::fs::symlink(crate::support::scripted_codex(), &codex).expect("the name is free");
    assert_eq!(field(&chat(&server, &json!({"prompt": "hello"})), "reply"), "done");
}
