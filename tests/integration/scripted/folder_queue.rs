//! Turns that wait because one may write around the folder of another: their order.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::kit::play::{Stage, begin, reply_of, result_of, settle, steps, with};
use crate::kit::setup::error_text;
use crate::kit::wait::wait_until;
use crate::support::client::{Call, Server};

const MAX_CONCURRENT: &str = "CODEX_PERSISTENT_MCP_MAX_CONCURRENT";

/// The folder of a turn, in the stage's project.
fn folder(stage: &Stage, name: &str) -> PathBuf {
    let folder = stage.home.project().join(name);
    fs::create_dir_all(&folder).expect("the project is writable");
    folder
}

/// The arguments of a call that may write in a folder, and runs until `go-NAME` exists.
fn writes(stage: &Stage, name: &str, cwd: &str) -> Value {
    let file = |what: &str| stage.file(&format!("{what}-{name}"));
    let turn = json!([
        {"started": {}},
        {"touch": file("began")},
        {"wait_for": file("go")},
        {"reply": name},
    ]);
    let arguments = with(steps(&turn), "cwd", folder(stage, cwd).to_str());
    with(arguments, "sandbox", "workspace-write")
}

/// Starts a call, and waits until it runs (`true`) or waits for another one (`false`).
fn start(stage: &Stage, server: &Server, arguments: &Value, name: &str) -> (Call, bool) {
    let before = waiting(stage);
    let call = begin(server, arguments);
    let runs = || stage.file(&format!("began-{name}")).exists();
    // One that has just ended may still be in the queue.
    let waits = || waiting(stage).iter().any(|call| !before.contains(call));
    wait_until("the call to run or to wait", || runs() || waits());
    (call, runs())
}

fn calls(stage: &Stage) -> Vec<Value> {
    let table = fs::read_to_string(stage.home.state().join("line/calls-2")).unwrap_or_default();
    table.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The keys of the calls that wait and have announced where they write.
fn waiting(stage: &Stage) -> Vec<[Value; 2]> {
    let waits = |call: &&Value| call["running"] == false && call["roots"].is_object();
    let id = |call: &Value| [call["server"].clone(), call["ticket"].clone()];
    calls(stage).iter().filter(waits).map(id).collect()
}

fn two(stage: &Stage) -> [Server; 2] {
    [(); 2].map(|()| stage.server().start())
}

#[test]
fn turns_in_each_other_s_folders_run_one_after_the_other_in_order() {
    let stage = Stage::new();
    let servers = two(&stage);
    let turns = [("one", "a"), ("two", "a/b"), ("three", "a"), ("four", "a/b/c")];
    let calls: Vec<Call> = turns
        .iter()
        .enumerate()
        .map(|(at, (name, cwd))| {
            let arguments = writes(&stage, name, cwd);
            let (call, runs) = start(&stage, &servers[at % 2], &arguments, name);
            assert_eq!(runs, at == 0, "{name}");
            call
        })
        .collect();
    for (at, (name, _)) in turns.iter().enumerate() {
        stage.wait_for(&format!("began-{name}"));
        let next = turns.get(at + 1).map(|(name, _)| stage.file(&format!("began-{name}")));
        assert!(next.is_none_or(|next| !next.exists()), "{name} is not alone");
        stage.release(&format!("go-{name}"));
        assert_eq!(reply_of(&servers[at % 2], &calls[at]), *name);
    }
}

#[test]
fn turns_in_the_same_folder_or_beside_each_other_run_at_the_same_time() {
    let stage = Stage::new();
    let servers = two(&stage);
    let turns = [
        ("one", "a"),
        ("two", "a"),
        ("three", "b"),
        ("four", "ab"),
        ("five", "c/d"),
        ("six", "c/e"),
    ];
    let calls: Vec<Call> = turns
        .iter()
        .enumerate()
        .map(|(at, (name, cwd))| {
            let arguments = writes(&stage, name, cwd);
            let (call, runs) = start(&stage, &servers[at % 2], &arguments, name);
            assert!(runs, "{name}");
            call
        })
        .collect();
    for (at, (name, _)) in turns.iter().enumerate() {
        stage.release(&format!("go-{name}"));
        assert_eq!(reply_of(&servers[at % 2], &calls[at]), *name);
    }
}

#[test]
fn added_directories_are_waited_for_too() {
    let stage = Stage::new();
    let [first, second] = two(&stage);
    let added = folder(&stage, "shared/deep");
    let one = with(writes(&stage, "one", "a"), "add_dirs", json!([added]));
    let (one, runs) = start(&stage, &first, &one, "one");
    assert!(runs);
    let (two, runs) = start(&stage, &second, &writes(&stage, "two", "shared"), "two");
    assert!(!runs);
    stage.release("go-one");
    assert_eq!(reply_of(&first, &one), "one");
    stage.release("go-two");
    assert_eq!(reply_of(&second, &two), "two");
}

#[test]
fn a_wait_that_times_out_names_the_holder_and_leaves_the_queue() {
    let stage = Stage::new();
    let [first, second] = two(&stage);
    let (one, _) = start(&stage, &first, &writes(&stage, "one", "a"), "one");
    let late = with(writes(&stage, "two", "a/b"), "timeout_ms", 3_000);
    let text = result_of(&second, &begin(&second, &late));
    let text = error_text(&text);
    let outer = folder(&stage, "a").canonicalize().expect("it exists");
    let names = [
        "timed_out: ".to_owned(),
        format!("process {}) is running a call that may write to {}", first.pid(), outer.display()),
        outer.join("b").display().to_string(),
    ];
    assert!(names.iter().all(|name| text.contains(name)), "{text}");
    // A cancelled one leaves it too.
    let (cancelled, _) = start(&stage, &second, &writes(&stage, "three", "a/b"), "three");
    second.cancel(&cancelled);
    wait_until("the queue without it", || calls(&stage).len() == 1);
    assert_eq!(stage.started(&["go-one", "go-two", "go-three"]), ["go-one"]);
    stage.release("go-one");
    assert_eq!(reply_of(&first, &one), "one");
}

#[test]
fn a_turn_whose_server_was_killed_blocks_nobody() {
    let stage = Stage::new();
    let [first, second] = two(&stage);
    start(&stage, &first, &writes(&stage, "one", "a"), "one");
    let (two, runs) = start(&stage, &second, &writes(&stage, "two", "a/b"), "two");
    assert!(!runs);
    first.kill();
    stage.release("go-two");
    assert_eq!(reply_of(&second, &two), "two");
}

#[test]
fn a_turn_that_waits_for_a_folder_takes_no_place() {
    let stage = Stage::new();
    let server = stage.server().env(MAX_CONCURRENT, "2").start();
    let turns = [("one", "a", true), ("two", "a/b", false), ("three", "c", true)];
    let calls = turns.map(|(name, cwd, expected)| {
        let (call, runs) = start(&stage, &server, &writes(&stage, name, cwd), name);
        assert_eq!(runs, expected, "{name}");
        (name, call)
    });
    // One too many for the limit.
    let four = begin(&server, &writes(&stage, "four", "d"));
    settle(&server);
    assert!(!stage.file("began-four").exists());
    for (name, call) in calls {
        stage.release(&format!("go-{name}"));
        assert_eq!(reply_of(&server, &call), name);
    }
    stage.release("go-four");
    assert_eq!(reply_of(&server, &four), "four");
}

#[test]
fn a_turn_with_too_many_folders_to_announce_runs_beside_none_that_writes() {
    let stage = Stage::new();
    let [first, second] = two(&stage);
    let folders: Vec<PathBuf> =
        (0..50).map(|number| folder(&stage, &format!("{}/{number}", "x".repeat(100)))).collect();
    let many = with(writes(&stage, "one", "a"), "add_dirs", json!(folders));
    let (one, runs) = start(&stage, &first, &many, "one");
    assert!(runs);
    let (two, runs) = start(&stage, &second, &writes(&stage, "two", "b"), "two");
    assert!(!runs, "it cannot know that this is none of them");
    let reads = with(writes(&stage, "three", "b"), "sandbox", "read-only");
    let (three, runs) = start(&stage, &second, &reads, "three");
    assert!(runs);
    for (name, server, call) in
        [("one", &first, one), ("two", &second, two), ("three", &second, three)]
    {
        stage.release(&format!("go-{name}"));
        assert_eq!(reply_of(server, &call), name);
    }
}
