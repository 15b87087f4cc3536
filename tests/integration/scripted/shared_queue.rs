//! The queue that servers share in their state folder: the order of calls across servers.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::kit::play::{
    Stage, begin, chat, pass_by, reply_of, session_of, settle, steps, steps_in, turn, with,
};
use crate::kit::setup::{error_text, field, skipped};
use crate::kit::wait::wait_until;
use crate::support::client::{Server, wait_no_descendants_of};

const MAX_CONCURRENT: &str = "CODEX_PERSISTENT_MCP_MAX_CONCURRENT";
const STATE_DIR: &str = "CODEX_PERSISTENT_MCP_STATE_DIR";
const SESSION: &str = "01a1fd84-0000-7000-8000-000000000001";

fn folder(stage: &Stage) -> PathBuf {
    stage.home.state().join("line")
}

/// The calls in the shared queue of a stage.
fn calls(stage: &Stage) -> Vec<Value> {
    let table = fs::read_to_string(folder(stage).join("calls-2")).unwrap_or_default();
    table.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn wait_for_calls(stage: &Stage, count: usize) {
    wait_until(&format!("{count} calls in the queue"), || calls(stage).len() == count);
}

/// The lock files of living servers.
fn servers(stage: &Stage) -> Vec<PathBuf> {
    let files = folder(stage).read_dir().into_iter().flatten().flatten().map(|file| file.path());
    files.filter(|path| path.extension().is_some_and(|kind| kind == "server")).collect()
}

fn started(stage: &Stage) -> Vec<String> {
    stage.started(&["go-one", "go-two", "go-three", "go-four", "go-five"])
}

/// Two servers with this limit of running calls.
fn two(stage: &Stage, limit: &str) -> [Server; 2] {
    [(); 2].map(|()| stage.server().env(MAX_CONCURRENT, limit).start())
}

#[test]
fn calls_of_one_session_run_in_order_across_servers() {
    let stage = Stage::new();
    let [first, second] = two(&stage, "8");
    let one = begin(&first, &steps_in(SESSION, &turn("one")));
    stage.wait_for("began-one");
    // Each is in the queue before the next one is sent, and they come from the two servers in turn.
    let later = [(&second, "two"), (&first, "three"), (&second, "four")].map(|(server, name)| {
        let call = begin(server, &steps_in(SESSION, &turn(name)));
        pass_by(server);
        (server, name, call)
    });
    assert_eq!(started(&stage), ["go-one"]);
    for name in ["one", "two", "three", "four"] {
        stage.release(&format!("go-{name}"));
    }
    assert_eq!(reply_of(&first, &one), "one");
    for (server, name, call) in &later {
        assert_eq!(reply_of(server, call), *name);
    }
    assert_eq!(started(&stage), ["go-one", "go-two", "go-three", "go-four"]);
}

#[test]
fn a_session_that_started_in_one_server_is_awaited_in_the_other() {
    let stage = Stage::new();
    let [first, second] = two(&stage, "8");
    let one = begin(&first, &steps(&turn("one")));
    let session = session_of(&first, &one);
    let two = begin(&second, &steps_in(&session, &turn("two")));
    pass_by(&second);
    assert_eq!(started(&stage), ["go-one"]);
    stage.release("go-one");
    stage.release("go-two");
    assert_eq!(reply_of(&first, &one), "one");
    assert_eq!(reply_of(&second, &two), "two");
}

#[test]
fn the_limit_is_one_for_all_servers_and_no_server_passes_another() {
    let stage = Stage::new();
    let [first, second] = two(&stage, "2");
    // Each is in the queue before the next one is sent.
    let begun = |server, name, count| {
        let call = begin(server, &steps(&turn(name)));
        wait_for_calls(&stage, count);
        call
    };
    let one = begun(&first, "one", 1);
    let two = begun(&first, "two", 2);
    let three = begun(&second, "three", 3);
    let four = begun(&first, "four", 4);
    let five = begun(&second, "five", 5);
    stage.wait_for("began-one");
    stage.wait_for("began-two");
    assert_eq!(started(&stage).len(), 2);
    // The second server gets the place that the first one frees, although the first waits too.
    stage.release("go-one");
    assert_eq!(reply_of(&first, &one), "one");
    stage.wait_for("began-three");
    wait_for_calls(&stage, 4);
    assert_eq!(started(&stage)[2..], ["go-three"]);
    stage.release("go-three");
    assert_eq!(reply_of(&second, &three), "three");
    stage.wait_for("began-four");
    wait_for_calls(&stage, 3);
    assert_eq!(started(&stage)[3..], ["go-four"]);
    for name in ["go-two", "go-four", "go-five"] {
        stage.release(name);
    }
    assert_eq!(reply_of(&first, &two), "two");
    assert_eq!(reply_of(&first, &four), "four");
    assert_eq!(reply_of(&second, &five), "five");
}

#[test]
fn a_call_that_times_out_behind_another_server_names_that_server() {
    let stage = Stage::new();
    let first = stage.server().env("CODEX_PERSISTENT_MCP_ORIGIN", "the first").start();
    let second = stage.server().env("CODEX_PERSISTENT_MCP_BUSY_WAIT_MS", "0").start();
    let one = begin(&first, &steps(&turn("one")));
    let session = session_of(&first, &one);
    let result = chat(&second, &with(steps_in(&session, &turn("two")), "timeout_ms", 300));
    let text = error_text(&result);
    assert!(text.starts_with("timed_out: "), "{text}");
    let who = format!("another server (the first, process {})", first.pid());
    for part in [&session, &who, "Codex was not started"] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    assert_eq!(started(&stage), ["go-one"]);
}

#[test]
fn a_call_that_waits_for_another_server_can_be_cancelled() {
    let stage = Stage::new();
    let [first, second] = two(&stage, "8");
    let one = begin(&first, &steps(&turn("one")));
    let session = session_of(&first, &one);
    let two = begin(&second, &steps_in(&session, &turn("two")));
    wait_for_calls(&stage, 2);
    second.cancel(&two);
    wait_for_calls(&stage, 1);
    stage.release("go-one");
    assert_eq!(reply_of(&first, &one), "one");
    let done = json!([{"started": {}}, {"reply": "three"}]);
    assert_eq!(field(&chat(&second, &steps_in(&session, &done)), "reply"), "three");
    assert_eq!(started(&stage), ["go-one"]);
}

#[test]
fn a_killed_server_gives_up_its_places_and_its_waiting_calls_are_skipped() {
    let stage = Stage::new();
    let [first, second] = two(&stage, "1");
    let one = begin(&first, &steps(&turn("one")));
    let session = session_of(&first, &one);
    begin(&first, &steps_in(&session, &turn("two")));
    begin(&first, &steps(&turn("three")));
    wait_for_calls(&stage, 3);
    let four = begin(&second, &steps_in(&session, &turn("four")));
    wait_for_calls(&stage, 4);
    assert_eq!(started(&stage), ["go-one"]);
    first.kill();
    first.wait_exit(Duration::from_secs(5));
    stage.release("go-four");
    assert_eq!(reply_of(&second, &four), "four");
    assert_eq!(started(&stage), ["go-one", "go-four"]);
    wait_for_calls(&stage, 0);
    assert_eq!(servers(&stage).len(), 1, "what the killed one left behind is gone");
    wait_no_descendants_of(first.marker(), Duration::from_secs(5)).expect("the watchdog is there");
}

#[test]
fn a_stopped_server_does_not_block_the_others() {
    let stage = Stage::new();
    let [first, second] = two(&stage, "1");
    let third = stage.server().env(MAX_CONCURRENT, "1").start();
    let one = begin(&first, &steps(&turn("one")));
    stage.wait_for("began-one");
    let [two, four] = ["two", "four"].map(|name| begin(&second, &steps(&turn(name))));
    wait_for_calls(&stage, 3);
    let three = begin(&third, &steps(&turn("three")));
    wait_for_calls(&stage, 4);
    second.signal(Signal::SIGSTOP);
    stage.release("go-one");
    stage.release("go-three");
    assert_eq!(reply_of(&first, &one), "one");
    assert_eq!(reply_of(&third, &three), "three");
    // It arrives late, and still gets its place.
    second.signal(Signal::SIGCONT);
    stage.release("go-two");
    stage.release("go-four");
    assert_eq!(reply_of(&second, &two), "two");
    assert_eq!(reply_of(&second, &four), "four");
}

#[test]
fn files_of_the_queue_are_private_and_only_an_empty_table_remains() {
    let stage = Stage::new();
    let server = stage.server().start();
    let one = begin(&server, &steps(&turn("one")));
    let session = session_of(&server, &one);
    wait_until("the session in the queue", || {
        calls(&stage).iter().any(|call| call["session"] == session)
    });
    let mode = |path: &Path| path.metadata().expect("it exists").permissions().mode() & 0o777;
    let files: Vec<PathBuf> =
        folder(&stage).read_dir().expect("it exists").flatten().map(|file| file.path()).collect();
    assert_eq!(files.len(), 3, "a table, a server, and what wakes it: {files:?}");
    assert!(files.iter().all(|file| mode(file) == 0o600));
    assert!(folder(&stage).ancestors().take(2).all(|folder| mode(folder) == 0o700));

    stage.release("go-one");
    assert_eq!(reply_of(&server, &one), "one");
    wait_for_calls(&stage, 0);
    server.close_stdin();
    server.wait_exit(Duration::from_secs(5));
    assert_eq!(servers(&stage).len(), 0);
}

#[test]
fn a_deleted_queue_is_recreated_by_those_who_wait_in_it() {
    let stage = Stage::new();
    let [first, second] = two(&stage, "1");
    let one = begin(&first, &steps(&turn("one")));
    stage.wait_for("began-one");
    fs::remove_dir_all(folder(&stage)).expect("it exists");
    let waits = begin(&first, &steps(&turn("two")));
    wait_for_calls(&stage, 2);
    let three = begin(&second, &steps(&turn("three")));
    wait_for_calls(&stage, 3);
    assert_eq!(started(&stage), ["go-one"]);
    for name in ["go-one", "go-two", "go-three"] {
        stage.release(name);
    }
    assert_eq!(reply_of(&first, &one), "one");
    assert_eq!(reply_of(&first, &waits), "two");
    assert_eq!(reply_of(&second, &three), "three");
    assert_eq!(started(&stage), ["go-one", "go-two", "go-three"]);
}

#[test]
fn a_queue_that_is_deleted_while_its_calls_run_is_recreated_too() {
    let stage = Stage::new();
    let server = stage.server().start();
    let call = begin(&server, &steps_in(SESSION, &turn("one")));
    stage.wait_for("began-one");
    fs::remove_dir_all(stage.home.state().join("line")).expect("it is ours");
    // No other server is there to notice.
    wait_for_calls(&stage, 1);
    stage.release("go-one");
    assert_eq!(reply_of(&server, &call), "one");
}

#[test]
fn the_place_of_a_killed_server_is_free_once_its_codex_is_gone() {
    if !cfg!(target_os = "linux") {
        return skipped("processes are looked for in /proc");
    }
    let stage = Stage::new();
    let [first, second] = two(&stage, "8");
    // Its watchdog gets as far as the last signal.
    let deaf =
        json!([{"ignore": ["INT", "TERM"]}, {"started": {}}, {"touch": "began"}, {"hang": {}}]);
    begin(&first, &steps_in(SESSION, &deaf));
    stage.wait_for("began");
    let codex = stage.starts()[0]["pid"].as_u64().expect("the log has the process id");
    let next = begin(&second, &steps_in(SESSION, &turn("next")));
    pass_by(&second);
    first.kill();
    stage.wait_for("began-next");
    let stat = fs::read_to_string(format!("/proc/{codex}/stat")).unwrap_or_default();
    let is_gone = stat.rsplit_once(") ").is_none_or(|(_, state)| state.starts_with('Z'));
    assert!(is_gone, "two work in the session: {stat}");
    stage.release("go-next");
    assert_eq!(reply_of(&second, &next), "next");
}

#[test]
fn a_server_works_without_a_table_that_another_process_never_unlocks() {
    let stage = Stage::new();
    let server = stage.server().start();
    pass_by(&server);
    let table = File::open(folder(&stage).join("calls-2")).expect("there was a call");
    table.lock().expect("it can be locked");
    let one = begin(&server, &steps(&turn("one")));
    stage.release("go-one");
    assert_eq!(reply_of(&server, &one), "one");
    server.wait_stderr(|log| log.contains("the queue is not shared"));
    table.unlock().expect("it was locked");
    let two = begin(&server, &steps(&turn("two")));
    wait_for_calls(&stage, 1);
    stage.release("go-two");
    assert_eq!(reply_of(&server, &two), "two");
}

#[test]
fn a_table_with_foreign_content_does_no_harm() {
    let stage = Stage::new();
    fs::create_dir_all(folder(&stage)).expect("the home is writable");
    let junk = format!("{{\"ticket\":\n{}\n\u{0}\u{7f}{{}}", "{".repeat(1_000));
    fs::write(folder(&stage).join("calls-2"), junk).expect("the folder was just made");
    let server = stage.server().env(MAX_CONCURRENT, "1").start();
    pass_by(&server);
    wait_for_calls(&stage, 0);
    assert!(!server.stderr().contains("WARN"), "{}", server.stderr());
}

#[test]
fn without_a_writable_folder_a_server_works_alone_and_warns_once() {
    let stage = Stage::new();
    let file = stage.home.path().join("a-file");
    fs::write(&file, "").expect("the home is writable");
    let server = stage.server().env(STATE_DIR, &file).env(MAX_CONCURRENT, "1").start();
    let one = begin(&server, &steps(&turn("one")));
    stage.wait_for("began-one");
    let two = begin(&server, &steps(&turn("two")));
    settle(&server);
    assert_eq!(started(&stage), ["go-one"]);
    stage.release("go-one");
    stage.release("go-two");
    assert_eq!(reply_of(&server, &one), "one");
    assert_eq!(reply_of(&server, &two), "two");
    server.close_stdin();
    server.wait_exit(Duration::from_secs(5));
    let warnings = server.stderr().matches("the queue is not shared").count();
    assert_eq!(warnings, 1, "{}", server.stderr());
}

/// A server that frees a place wakes only the next one in the queue.
#[test]
fn the_next_server_in_the_queue_is_woken() {
    let stage = Stage::new();
    let server = stage.server().env(MAX_CONCURRENT, "1").start();
    let one = begin(&server, &steps(&turn("one")));
    stage.wait_for("began-one");
    // Two more servers, as the queue shows them.
    let table = File::options().write(true).open(folder(&stage).join("calls-2")).expect("there");
    let others = [(); 2].map(|()| format!("1-{}", uuid::Uuid::new_v4().as_simple())).map(|name| {
        let path = |kind| folder(&stage).join(format!("{name}.{kind}"));
        let alive = File::create(path("server")).expect("the folder exists");
        alive.lock().expect("nobody else has it");
        nix::unistd::mkfifo(&path("bell"), nix::sys::stat::Mode::S_IRWXU).expect("it is new");
        let mut bell = File::options();
        bell.read(true).write(true).custom_flags(nix::libc::O_NONBLOCK);
        (name.clone(), alive, bell.open(path("bell")).expect("it exists"))
    });
    for (at, (name, ..)) in others.iter().enumerate() {
        let call = json!({"ticket": 1_000 + at, "server": name, "running": false, "front": false,
                          "session": null, "limit": 1});
        let slot = format!("{:<4095}\n", call.to_string());
        table.write_all_at(slot.as_bytes(), 4096 * (1 + at as u64)).expect("writable");
    }
    stage.release("go-one");
    assert_eq!(reply_of(&server, &one), "one");
    let is_rung = |at: usize| (&others[at].2).read(&mut [0; 8]).is_ok();
    wait_until("the bell of the next one", || is_rung(0));
    assert!(!is_rung(1), "it is not the turn of this one");
}
