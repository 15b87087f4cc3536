//! Folders on a disk that does not answer. A call that names one waits for it no longer than its timeout, and
//! no other call waits for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::kit::jobs::{
    assert_nothing_left, folder, notifications_of, start_with, text, wait_notifications,
};
use crate::kit::play::{Stage, begin, chat, reply_of, result_of, settle, steps, turn, with};
use crate::kit::setup::{content, error_text, field, skipped};
use crate::kit::wait::{WAIT, wait_until};
use crate::support::client::{Builder, Server};
use crate::support::hung_disk::HungDisk;

/// Longer than the server takes to exit on a busy machine.
const LEAVES_WITHIN: Duration = Duration::from_secs(8);

/// A disk, and the folders on it.
struct Disk {
    disk: HungDisk,
    folder: PathBuf,
}

impl Disk {
    fn of(stage: &Stage, server: Builder) -> Option<(Self, Builder)> {
        let folder = stage.home.path().join("disk");
        let Some((disk, server)) = HungDisk::under(&folder, server) else {
            skipped("there is no C compiler `cc` to make a disk with that hangs");
            return None;
        };
        fs::write(folder.join("picture.png"), b"\x89PNG\r\n\x1a\n").expect("writable");
        Some((Self { disk, folder }, server))
    }

    fn text(&self) -> &str {
        self.folder.to_str().expect("test paths are text")
    }

    /// Calls that name something on the disk.
    fn calls(&self) -> Vec<(&'static str, Value)> {
        let hello = || json!({"prompt": "hello"});
        let plan = json!({"requirements": "r", "plan": "p", "cwd": self.text()});
        let picture = format!("{}/picture.png", self.text());
        let mut calls = vec![("codex_guard_plan", plan)];
        for tool in ["codex_chat", "job_start"] {
            calls.push((tool, with(hello(), "cwd", self.text())));
            calls.push((tool, with(hello(), "add_dirs", json!([self.text()]))));
            calls.push((tool, with(hello(), "images", json!([picture]))));
            let last = with(hello(), "cwd", self.text());
            calls.push((tool, with(last, "continue_last", true)));
        }
        calls
    }
}

fn assert_others_work(server: &Server) {
    assert_eq!(field(&chat(server, &json!({"prompt": "another one"})), "reply"), "done");
}

#[test]
fn only_a_call_that_names_a_hung_disk_waits_for_it_and_not_forever() {
    let stage = Stage::new();
    let Some((disk, server)) = Disk::of(&stage, stage.server()) else { return };
    let server = server.start();
    assert_eq!(
        field(&chat(&server, &with(json!({"prompt": "hello"}), "cwd", disk.text())), "reply"),
        "done"
    );
    disk.disk.hang();
    let calls = disk.calls();
    let begun: Vec<_> =
        calls.iter().map(|(tool, arguments)| server.begin_call(tool, arguments)).collect();
    assert_others_work(&server);
    for ((tool, arguments), call) in calls.iter().zip(&begun) {
        let answer = result_of(&server, call);
        let text = error_text(&answer);
        assert!(text.contains("does not respond"), "{tool} {arguments}: {text}");
    }
    disk.disk.answer();
    assert_others_work(&server);
    assert_eq!(
        field(&chat(&server, &with(json!({"prompt": "hello"}), "cwd", disk.text())), "reply"),
        "done"
    );
}

#[test]
fn a_limit_or_a_cancellation_ends_a_call_before_a_disk_answers() {
    let stage = Stage::new();
    let Some((disk, server)) = Disk::of(&stage, stage.server()) else { return };
    let server = server.env("CODEX_PERSISTENT_MCP_MAX_CONCURRENT", "1").start();
    disk.disk.hang();
    for (tool, arguments) in disk.calls() {
        if tool == "job_start" || arguments["continue_last"] == true {
            continue;
        }
        let late = server.call(tool, &with(arguments.clone(), "timeout_ms", 300));
        assert!(error_text(&late).starts_with("timed_out: "), "{tool} {arguments}: {late}");
        let call = server.begin_call(tool, &arguments);
        server.cancel(&call);
        assert_others_work(&server);
    }
}

/// The properties and the list of sessions are read from the disk too.
#[test]
fn a_session_store_that_hangs_ends_with_the_call() {
    let stage = Stage::new();
    let Some((disk, server)) = Disk::of(&stage, stage.server()) else { return };
    let sessions = stage.home.path().join("sessions");
    drop(fs::remove_dir_all(&sessions));
    std::os::unix::fs::symlink(&disk.folder, &sessions).expect("links can be made");
    let day = disk.folder.join("2026/01/02");
    fs::create_dir_all(&day).expect("writable");
    let session = "0199a213-81c0-7800-8aa1-bbab2a035a53";
    let elsewhere = stage.file("elsewhere.jsonl");
    fs::write(&elsewhere, "{}\n").expect("writable");
    let record = day.join(format!("rollout-2026-01-02T03-04-05-{session}.jsonl"));
    std::os::unix::fs::symlink(disk.folder.join("nowhere"), record).expect("links can be made");
    let server = server.start();
    disk.disk.hang();
    let arguments = json!({"prompt": "hello", "session_id": session, "timeout_ms": 2_000});
    let call = begin(&server, &arguments);
    assert_others_work(&server);
    drop(result_of(&server, &call));
    assert_others_work(&server);
}

fn assert_leaves(server: &Server) {
    server.request("ping", &json!({}));
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait_exit(LEAVES_WITHIN).code(), Some(143));
}

#[test]
fn a_server_exits_on_a_signal_although_a_disk_hangs() {
    let stage = Stage::new();
    let Some((disk, server)) = Disk::of(&stage, stage.server()) else { return };
    let server = server.start();
    disk.disk.hang();
    for (tool, arguments) in disk.calls() {
        server.begin_call(tool, &arguments);
    }
    assert_leaves(&server);
}

/// Even if it is the disk of its own state.
#[test]
fn a_server_exits_on_a_signal_although_the_disk_of_its_state_hangs() {
    let stage = Stage::new();
    let Some((disk, server)) = Disk::of(&stage, stage.server()) else { return };
    let server = server.env("CODEX_PERSISTENT_MCP_STATE_DIR", disk.folder.join("state")).start();
    assert_others_work(&server);
    disk.disk.hang();
    server.request("ping", &json!({}));
    begin(&server, &json!({"prompt": "hello"}));
    server.begin_call("job_list", &json!({}));
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait_exit(LEAVES_WITHIN).code(), Some(143));
}

/// The folder of the shared queue. Servers work without it, as if it stayed locked.
#[test]
fn calls_continue_although_the_shared_queue_does_not_answer() {
    let stage = Stage::new();
    let line = stage.home.state().join("line");
    let Some((disk, server)) = HungDisk::under(&line, stage.server()) else {
        return skipped("there is no C compiler `cc` to make a disk with that hangs");
    };
    let server = server.env("CODEX_PERSISTENT_MCP_MAX_CONCURRENT", "2").start();
    assert_others_work(&server);
    let runs = begin(&server, &steps(&turn("runs")));
    stage.wait_for("began-runs");
    disk.hang();
    // A call that is cancelled or times out before that does not wait for it.
    let late = begin(&server, &json!({"prompt": "hello", "timeout_ms": 100}));
    let cancelled = begin(&server, &json!({"prompt": "hello"}));
    server.cancel(&cancelled);
    settle(&server);
    server.request("tools/list", &json!({}));
    let text = result_of(&server, &late);
    assert!(error_text(&text).starts_with("timed_out: "), "{text}");
    // No turn that may write runs beside turns that are unknown to this server.
    assert_others_work(&server);
    server.wait_stderr(|log| log.contains("the queue is not shared"));
    let writes = json!({"prompt": "hello", "sandbox": "workspace-write"});
    let text = chat(&server, &with(writes.clone(), "timeout_ms", 500));
    assert!(error_text(&text).contains("does not respond"), "{text}");
    stage.release("go-runs");
    assert_eq!(reply_of(&server, &runs), "runs");
    for _ in 0..3 {
        assert_others_work(&server);
    }
    assert_eq!(threads(&server, "queue"), 1, "one waits for it");
    assert_eq!(server.try_answer(&cancelled), None);
    // Now others see the calls that were not announced.
    let writes = begin(&server, &writes);
    disk.answer();
    assert_eq!(reply_of(&server, &writes), "done");
    let table = || fs::read_to_string(line.join("calls-2")).unwrap_or_default();
    wait_until("an empty line", || !table().contains('{'));
    disk.hang();
    begin(&server, &json!({"prompt": "hello"}));
    assert_leaves(&server);
}

/// The number of threads of this name in a server.
fn threads(server: &Server, name: &str) -> usize {
    let tasks = fs::read_dir(format!("/proc/{}/task", server.pid())).expect("it runs").flatten();
    let names = tasks.map(|task| fs::read_to_string(task.path().join("comm")).unwrap_or_default());
    names.filter(|thread| thread.trim() == name).count()
}

/// The rest of the server's state that a turn needs is on the same disk.
#[test]
fn a_hung_disk_of_the_state_blocks_only_turns_and_these_only_until_their_timeout() {
    let stage = Stage::new();
    let Some((disk, server)) = Disk::of(&stage, stage.server()) else { return };
    let state = disk.folder.join("state");
    let server = server.env("CODEX_PERSISTENT_MCP_STATE_DIR", &state).start();
    assert_others_work(&server);
    disk.disk.hang();
    let hello = json!({"prompt": "hello"});
    let cancelled = begin(&server, &hello);
    let late = [(); 3].map(|()| begin(&server, &with(hello.clone(), "timeout_ms", 300)));
    settle(&server);
    server.request("tools/list", &json!({}));
    for call in &late {
        let text = result_of(&server, call);
        assert!(error_text(&text).starts_with("timed_out: "), "{text}");
    }
    server.wait_stderr(|log| log.contains("the queue is not shared"));
    let text = chat(&server, &with(hello.clone(), "timeout_ms", 300));
    assert!(error_text(&text).starts_with("timed_out: "), "{text}");
    server.cancel(&cancelled);
    // However many calls arrive, no more threads than this wait.
    for _ in 0..10 {
        let calls = [(); 20].map(|()| begin(&server, &with(hello.clone(), "timeout_ms", 50)));
        for call in &calls {
            result_of(&server, call);
        }
    }
    let all = fs::read_dir(format!("/proc/{}/task", server.pid())).expect("it runs").count();
    assert!(all < 100, "there are {all} threads");
    let waits = begin(&server, &hello);
    disk.disk.answer();
    assert_eq!(reply_of(&server, &waits), "done");
    assert_others_work(&server);
    assert_eq!(server.try_answer(&cancelled), None);
}

/// At the end of the input the server does not wait for it either.
#[test]
fn a_server_exits_at_the_end_of_its_input_although_the_disk_of_its_state_hangs() {
    let stage = Stage::new();
    let Some((disk, server)) = Disk::of(&stage, stage.server()) else { return };
    let server = server.env("CODEX_PERSISTENT_MCP_STATE_DIR", disk.folder.join("state")).start();
    assert_others_work(&server);
    disk.disk.hang();
    chat(&server, &json!({"prompt": "hello", "timeout_ms": 100}));
    server.close_stdin();
    assert_eq!(server.wait_exit(LEAVES_WITHIN).code(), Some(0));
}

/// What was reported as abandoned is not done once the disk answers again.
#[test]
fn a_job_abandoned_because_of_a_hung_disk_does_not_start_later() {
    let stage = Stage::new();
    let starts = |stage: &Stage| stage.started(&["go-one", "go-two"]);
    let replies = Stage::new();
    let first = replies.server().start();
    let job = start_with(&first, &steps(&turn("one")));
    replies.release("go-one");
    let id = text(&job, "job_id");
    wait_notifications(&first, id, 1);
    assert_nothing_left(&replies.home, &first);
    // The folder of its prompts, and that of all jobs.
    let inbox = folder(&replies.home, id).join("inbox");
    let jobs = stage.home.state().join("jobs");
    let [Some((inbox, replier)), Some((jobs, starter))] =
        [HungDisk::under(&inbox, replies.server()), HungDisk::under(&jobs, stage.server())]
    else {
        return skipped("there is no C compiler `cc` to make a disk with that hangs");
    };
    let [replier, starter] = [replier, starter].map(Builder::start);
    inbox.hang();
    jobs.hang();
    let prompt = crate::kit::setup::script(&turn("two"));
    let replied = replier.begin_call("job_reply", &json!({"job_id": id, "prompt": prompt}));
    let started = starter.begin_call("job_start", &steps(&turn("two")));
    for answer in [result_of(&replier, &replied), result_of(&starter, &started)] {
        let text = error_text(&answer);
        assert!(text.starts_with("storage: ") && text.contains("does not respond"), "{text}");
        assert!(text.contains("Nothing was "), "{text}");
    }
    inbox.answer();
    jobs.answer();
    // Jobs are started one after the other, so this one follows the abandoned one.
    let last = start_with(&starter, &json!({"prompt": "last"}));
    wait_notifications(&starter, text(&last, "job_id"), 1);
    let listed = content(&starter.call("job_list", &json!({})))["jobs"].clone();
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    content(&replier.call("job_reply", &json!({"job_id": id, "prompt": "last"})));
    wait_notifications(&replier, id, 2);
    assert_nothing_left(&replies.home, &replier);
    assert_eq!((starts(&stage), starts(&replies)), (vec![], vec!["go-one".to_owned()]));
    assert_eq!(notifications_of(&replier, id).len(), 2);
}

/// A list that is limited to a folder that does not answer.
#[test]
fn listing_a_folder_on_a_hung_disk_blocks_nobody() {
    let stage = Stage::new();
    let Some((disk, server)) = Disk::of(&stage, stage.server()) else { return };
    let allowed: &Path = stage.home.project();
    let server = server.env("CODEX_PERSISTENT_MCP_ALLOWED_DIRS", allowed).start();
    disk.disk.hang();
    let calls = ["job_list", "codex_sessions"]
        .map(|tool| server.begin_call(tool, &json!({"cwd": disk.text()})));
    assert_others_work(&server);
    for call in &calls {
        server.cancel(call);
    }
    server.request("ping", &json!({}));
    let _ = (WAIT, content(&server.call("job_list", &json!({}))));
}
