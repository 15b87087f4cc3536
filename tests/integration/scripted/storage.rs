//! Errors of the disk: it is full, or the state folder is not writable. Only Linux has a way to test this
//! without privileges.

use std::fs;

use serde_json::{Value, json};

use crate::kit::play::{Stage, message, steps};
use crate::kit::setup::{content, error_text, field, script};
use crate::kit::wait::wait_until;
use crate::support::client::{Server, result};
use crate::support::small_disk::{Means, SmallDisk};

const DISK: u64 = 640 << 10;

/// Freed later, so that there is room again.
const BALLAST: u64 = 256 << 10;

/// Enough for a prompt, and too little for a job that has used up its reserve.
const HARDLY_ANY: u64 = 24 << 10;

/// Waits for the next notification of a job, and returns it.
fn reported(server: &Server, job: &str, cursor: &Value) -> Value {
    let answer = server.call("job_wait", &json!({"job_ids": [job], "cursor": cursor}));
    let reported = content(&answer)["notifications"].as_array().expect("a list").clone();
    assert_eq!(reported.len(), 1, "{answer}");
    reported[0].clone()
}

fn assert_nothing_left(server: &Server) {
    let left = || server.descendants().expect("Linux lists processes");
    wait_until("all processes to be gone", || left().is_empty());
}

fn assert_storage(server: &Server, tool: &str, arguments: &Value, nothing: &str) {
    let answer = server.call(tool, arguments);
    let error = error_text(&answer);
    assert!(error.starts_with("storage: ") && error.contains(nothing), "{tool}: {error}");
    assert!(error.contains("CODEX_PERSISTENT_MCP_STATE_DIR"), "{tool}: {error}");
    // More room helps.
    let is_full = error.contains("No space left on device");
    assert_eq!(error.contains("free disk space"), is_full, "{tool}: {error}");
}

/// The names of all jobs' folders.
fn folders(disk: &SmallDisk) -> usize {
    fs::read_dir(disk.folder().join("jobs")).map_or(0, Iterator::count)
}

/// Expects the job to have failed because nothing more could be written, with one readable notification.
fn assert_not_recorded(server: &Server, job: &str, cursor: &Value) {
    let reported = reported(server, job, cursor);
    assert_eq!(
        (&reported["status"], &reported["error"]["kind"]),
        (&json!("failed"), &json!("not_recorded"))
    );
    // Codex would not have exited by itself.
    assert_nothing_left(server);
    let all = server.call("job_notifications", &json!({"cursor": cursor}));
    assert_eq!(content(&all)["notifications"], json!([reported]), "it is reported once");
    let last =
        server.call("job_events", &json!({"job_id": job, "types": ["turn.ended"], "limit": 200}));
    let last = content(&last);
    let reason = last["job"]["error"]["message"].as_str().expect("an error");
    assert!(reason.contains("No space left on device"), "{last}");
    assert_eq!(last["events"][0]["text"], format!("not_recorded: {reason}"), "{last}");
    let listed = server.call("job_list", &json!({"status": "failed"}));
    assert_eq!(content(&listed)["jobs"][0]["job_id"], job);
}

/// With so little room no job starts, and calls that need none work.
fn assert_nothing_begins(
    stage: &Stage,
    server: &Server,
    disk: &SmallDisk,
    job: &str,
    lefts: &[u64],
) {
    let (starts, jobs) = (stage.starts().len(), folders(disk));
    let hello = json!({"prompt": "hello"});
    for left in lefts {
        disk.fill_but(*left);
        assert_storage(server, "job_start", &hello, "Nothing was started");
        let reply = json!({"prompt": "not yet", "job_id": job});
        assert_storage(server, "job_reply", &reply, "Nothing was sent");
        assert_nothing_left(server);
        assert_eq!((stage.starts().len(), folders(disk)), (starts, jobs));
    }
    assert_eq!(field(&server.call("codex_chat", &hello), "reply"), "done");
}

/// With room again the job continues in its session, with the new prompt alone.
fn assert_goes_on(stage: &Stage, server: &Server, job: &str, session: &Value) {
    let starts = stage.starts().len();
    let reply = json!({"job_id": job, "prompt": "go on"});
    let reply = content(&server.call("job_reply", &reply)).clone();
    let reported = reported(server, job, &reply["notification_cursor"]);
    assert_eq!(
        (&reported["status"], &reported["result"]),
        (&json!("completed"), &json!("done")),
        "{reported}"
    );
    assert_eq!(&reported["session_id"], session);
    assert_nothing_left(server);
    assert_eq!(stage.starts().len(), starts + 1);
}

#[test]
fn a_job_that_fills_the_disk_is_stopped_and_continues_once_there_is_room() {
    for means in Means::all() {
        let stage = Stage::new();
        let (disk, server) = SmallDisk::start(means, DISK, stage.home.state(), stage.server());
        disk.take(BALLAST);
        let flood =
            json!([{"started": {}}, {"flood": {"bytes": DISK, "line": 1_000}}, {"hang": {}}]);
        let job = content(&server.call("job_start", &steps(&flood))).clone();
        let id = job["job_id"].as_str().expect("an id");
        assert_not_recorded(&server, id, &job["notification_cursor"]);
        let events = server.call("job_events", &json!({"job_id": id, "limit": 200, "raw": true}));
        assert_eq!(content(&events)["more"], true, "what could be written is there");

        assert_nothing_begins(&stage, &server, &disk, id, &[0]);
        disk.make_room();
        assert_goes_on(&stage, &server, id, &job["session_id"]);
    }
}

#[test]
fn a_disk_filled_by_others_stops_a_job_with_few_events() {
    for means in Means::all() {
        let stage = Stage::new();
        let (disk, server) = SmallDisk::start(means, DISK, stage.home.state(), stage.server());
        let said = json!([{"started": {}}, {"touch": "up"}, {"wait_for": "full"},
                          message("there is little to say"), {"hang": {}}]);
        let job = content(&server.call("job_start", &steps(&said))).clone();
        let id = job["job_id"].as_str().expect("an id");
        stage.wait_for("up");
        disk.fill_but(0);
        stage.release("full");
        assert_not_recorded(&server, id, &job["notification_cursor"]);

        assert_nothing_begins(&stage, &server, &disk, id, &[HARDLY_ANY, 0]);
        disk.make_room();
        assert_goes_on(&stage, &server, id, &job["session_id"]);
    }
}

#[test]
fn a_running_job_can_be_cancelled_without_a_byte_of_room() {
    for means in Means::all() {
        let stage = Stage::new();
        let (disk, server) = SmallDisk::start(means, DISK, stage.home.state(), stage.server());
        let quiet = json!([{"started": {}}, {"touch": "up"}, {"hang": {}}]);
        let job = content(&server.call("job_start", &steps(&quiet))).clone();
        let id = job["job_id"].as_str().expect("an id");
        stage.wait_for("up");
        disk.fill_but(0);
        for _ in 0..2 {
            let cancelled = server.call("job_cancel", &json!({"job_id": id}));
            assert_eq!(field(&cancelled, "status"), "cancelled");
        }
        assert_nothing_left(&server);
        let reported = reported(&server, id, &job["notification_cursor"]);
        assert_eq!(reported["status"], "cancelled");
        let inbox = disk.folder().join("jobs").join(id).join("inbox");
        assert_eq!(fs::read_dir(inbox).expect("it has one").count(), 0);
        // And once more, after it continued.
        disk.make_room();
        let again = json!({"job_id": id, "prompt": script(&quiet)});
        fs::remove_file(stage.file("up")).expect("it was made");
        let reply = content(&server.call("job_reply", &again)).clone();
        stage.wait_for("up");
        disk.fill_but(0);
        let cancelled = server.call("job_cancel", &json!({"job_id": id}));
        assert_eq!(field(&cancelled, "status"), "cancelled");
        assert_nothing_left(&server);
        assert_eq!(
            self::reported(&server, id, &reply["notification_cursor"])["status"],
            "cancelled"
        );
    }
}

/// A turn could fill the disk itself, so that servers do not see each other.
#[test]
fn a_turn_that_cannot_be_announced_to_others_waits_for_room_if_it_may_write() {
    for means in Means::all() {
        let stage = Stage::new();
        let (disk, server) = SmallDisk::start(means, DISK, stage.home.state(), stage.server());
        fs::create_dir_all(disk.folder().join("line")).expect("the disk has room");
        disk.fill_but(0);
        let reads = json!({"prompt": "hello", "sandbox": "read-only"});
        assert_eq!(field(&server.call("codex_chat", &reads), "reply"), "done");
        let writes = json!({"prompt": "hello", "sandbox": "workspace-write", "timeout_ms": 3_000});
        let answer = server.call("codex_chat", &writes);
        let text = error_text(&answer);
        assert!(text.starts_with("timed_out: ") && text.contains("cannot be written"), "{text}");
        assert_eq!(stage.starts().len(), 1);
        let writes = json!({"prompt": "hello", "sandbox": "workspace-write"});
        let call = server.begin_call("codex_chat", &writes);
        disk.make_room();
        assert_eq!(field(&result(server.answer(&call)), "reply"), "done");
    }
}

#[test]
fn an_unusable_state_folder_is_reported_by_every_tool_that_needs_it() {
    let stage = Stage::new();
    fs::write(stage.home.state(), "not a folder").expect("writable");
    let server = stage.server().start();
    assert_storage(&server, "job_start", &json!({"prompt": "hello"}), "Nothing was started");
    for tool in ["job_list", "job_notifications", "job_wait"] {
        assert_storage(&server, tool, &json!({}), "");
    }
    assert_eq!(stage.starts().len(), 0);
}
