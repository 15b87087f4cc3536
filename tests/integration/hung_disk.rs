//! Folders on a disk that does not answer. Who names one waits for it no longer than a call may take, and
//! nobody else waits for it at all.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::play::{Stage, begin, chat, result_of, with};
use crate::setup::{content, error_text, field, skipped};
use crate::support::client::{Builder, Server};
use crate::support::hung_disk::HungDisk;
use crate::wait::WAIT;

/// Longer than the server leaves itself on a busy machine.
const LEAVES_WITHIN: Duration = Duration::from_secs(8);

/// A disk, and what lies on it.
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
fn nobody_but_who_names_it_waits_for_a_disk_that_hangs_and_that_one_not_for_ever() {
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
        assert!(text.contains("does not answer"), "{tool} {arguments}: {text}");
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

/// What a session is like, and which there are, is looked up on the disk too.
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
fn a_server_leaves_when_asked_although_a_disk_hangs() {
    let stage = Stage::new();
    let Some((disk, server)) = Disk::of(&stage, stage.server()) else { return };
    let server = server.start();
    disk.disk.hang();
    for (tool, arguments) in disk.calls() {
        server.begin_call(tool, &arguments);
    }
    assert_leaves(&server);
}

/// Even if it is the one with its own state.
#[test]
fn a_server_leaves_when_asked_although_the_disk_of_its_state_hangs() {
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

/// A list that is limited to a folder that does not answer.
#[test]
fn lists_of_a_folder_on_a_disk_that_hangs_hold_nobody_up() {
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
