//! Many jobs, and jobs of many events: nothing is lost, and the server stays small.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use serde_json::{Value, json};

use crate::kit::play::{Stage, result_of, steps, with};
use crate::kit::setup::{content, field};
use crate::kit::wait::wait_until;
use crate::support::client::Server;

const EVENTS: u64 = 1_000_000;

/// Every this many events there is one with a long output, and one of another type.
const LONG: u64 = 10_007;
const RARE: u64 = 99_991;

/// How much the server may grow, in KiB. It grows by 2 MiB in the one test and by 6 in the other; the
/// log that it reads has 80.
const GROWTH: u64 = 16 << 10;

/// The highest memory of the server so far.
fn peak(server: &Server) -> u64 {
    server.peak_kib().expect("Linux lists processes")
}

fn assert_has_not_grown(server: &Server, before: u64) {
    let after = peak(server);
    assert!(after <= before + GROWTH, "the server grew from {before} to {after} KiB");
}

/// Waits until the server has no descendants.
fn assert_nothing_left(server: &Server) {
    let left = || server.descendants().expect("Linux lists processes");
    wait_until("all processes to be gone", || left().is_empty());
}

/// An ended job with this many events in its log. Returns its id and the number of its first event that
/// was made here.
fn long_job(stage: &Stage, server: &Server) -> (String, u64) {
    let job = server.call("job_start", &steps(&json!([{"started": {}}, {"reply": "done"}])));
    let id = field(&job, "job_id").to_owned();
    let cursor = &content(&job)["notification_cursor"];
    server.call("job_wait", &json!({"job_ids": [id], "cursor": cursor}));
    assert_nothing_left(server);
    let folder = stage.home.state().join("jobs").join(&id);
    let state = folder.join("state.json");
    let mut state_now: Value =
        serde_json::from_slice(&fs::read(&state).expect("it has a state")).expect("JSON");
    let first = state_now["cursor"].as_u64().expect("a number") + 1;
    state_now["cursor"] = EVENTS.into();
    state_now["log_bytes"] = append_events(&folder.join("events.jsonl"), first).into();
    fs::write(state, state_now.to_string()).expect("nobody else writes");
    (id, first)
}

/// Appends events as a job's process would, and returns the length of the log.
fn append_events(log: &Path, first: u64) -> u64 {
    let log = File::options().append(true).open(log).expect("the job has a log");
    let mut lines = BufWriter::with_capacity(1 << 20, log);
    for cursor in first..=EVENTS {
        let event = match cursor {
            rare if rare % RARE == 0 => {
                format!(
                    r#"{{"type":"item.completed","item":{{"type":"reasoning","text":"{rare}"}}}}"#
                )
            }
            long if long % LONG == 0 => {
                format!(r#"{{"type":"error","message":"{long} {}"}}"#, "x".repeat(100_000))
            }
            cursor => format!(r#"{{"type":"error","message":"{cursor}"}}"#),
        };
        writeln!(lines, r#"{{"cursor":{cursor},"at":{cursor},"turn":1,"codex":{event}}}"#)
            .expect("the disk has room");
    }
    lines.flush().expect("the disk has room");
    lines.get_ref().metadata().expect("it is open").len()
}

fn page(server: &Server, arguments: &Value) -> Value {
    content(&server.call("job_events", arguments)).clone()
}

/// The cursors of a page, each of which must be the event with that number in its text.
fn cursors(page: &Value) -> Vec<u64> {
    let number = |event: &Value| {
        let cursor = event["cursor"].as_u64().expect("a number");
        let text = event["text"].as_str().expect("a text");
        assert_eq!(text.split(' ').next(), Some(cursor.to_string().as_str()), "{event}");
        cursor
    };
    page["events"].as_array().expect("a list").iter().map(number).collect()
}

/// Numbers across a range, the same in every run.
fn scattered(count: u64, from: u64, to: u64) -> impl Iterator<Item = u64> {
    (0..count).map(move |n| from + n.wrapping_mul(0x9E37_79B9_7F4A_7C15) % (to - from))
}

#[test]
fn a_million_events_are_found_at_every_cursor_by_a_server_that_stays_small() {
    let stage = Stage::new();
    let maker = stage.server().start();
    let (id, first) = long_job(&stage, &maker);
    let server = stage.server().start();
    server.call("job_list", &json!({}));
    let before = peak(&server);

    let edges = [first - 1, first, EVENTS / 2, EVENTS - 200, EVENTS - 199, EVENTS - 1, EVENTS];
    for after in edges.into_iter().chain(scattered(150, first, EVENTS)) {
        let arguments = json!({"job_id": id, "cursor": after, "limit": 200, "truncate": 50});
        let page = page(&server, &arguments);
        let last = EVENTS.min(after + 200);
        assert_eq!(cursors(&page), (after + 1..=last).collect::<Vec<_>>(), "after {after}");
        let expected = (json!(last), json!(last < EVENTS));
        assert_eq!((&page["cursor"], &page["more"]), (&expected.0, &expected.1));
    }

    // The whole log, by a rare type of event.
    let (mut after, mut found, mut more) = (0, Vec::new(), true);
    while more {
        let arguments = json!({"job_id": id, "cursor": after, "types": ["reasoning"]});
        let page = page(&server, &arguments);
        found.extend(cursors(&page));
        after = page["cursor"].as_u64().expect("a number");
        more = page["more"].as_bool().expect("yes or no");
    }
    assert_eq!(after, EVENTS);
    let rare = (1..=EVENTS / RARE).map(|n| n * RARE);
    assert_eq!(found, rare.collect::<Vec<_>>());
    assert_has_not_grown(&server, before);

    // And it continues from its cursor.
    let reply = server.call("job_reply", &json!({"job_id": id, "prompt": "go on"}));
    let reported = content(&reply)["notification_cursor"].clone();
    server.call("job_wait", &json!({"job_ids": [id], "cursor": reported}));
    let page = page(&server, &json!({"job_id": id, "cursor": EVENTS}));
    assert_eq!(page["events"][0]["cursor"], EVENTS + 1, "{page}");
    assert_eq!(page["job"]["status"], "completed");
    assert_has_not_grown(&server, before);
    assert_nothing_left(&server);
}

const JOBS: usize = 100;
const AT_ONCE: usize = 8;

/// The ids of the jobs with this status.
fn with_status(server: &Server, status: &str) -> Vec<String> {
    let listed = server.call("job_list", &json!({"status": status, "limit": 200}));
    let jobs = content(&listed)["jobs"].as_array().expect("a list").clone();
    jobs.iter().map(|job| job["job_id"].as_str().expect("an id").to_owned()).collect()
}

/// All notifications, page by page.
fn all_reported(server: &Server) -> Vec<Value> {
    let (mut cursor, mut reported) = (json!(0), Vec::new());
    loop {
        let page = server.call("job_notifications", &json!({"cursor": cursor}));
        let page = content(&page);
        let more = page["notifications"].as_array().expect("a list");
        if more.is_empty() {
            return reported;
        }
        reported.extend(more.iter().cloned());
        cursor = page["cursor"].clone();
    }
}

#[test]
fn of_a_hundred_jobs_eight_run_at_a_time_until_all_are_completed_and_reported_once() {
    let stage = Stage::new();
    let server = stage.server().start();
    server.call("job_list", &json!({}));
    let before = peak(&server);
    let gate = json!([{"started": {}}, {"wait_for": stage.file("gate")}, {"reply": "done"}]);
    let start = with(steps(&gate), "label", "one of many");
    let calls: Vec<_> = (0..JOBS).map(|_| server.begin_call("job_start", &start)).collect();
    let mut jobs: Vec<String> =
        calls.iter().map(|call| field(&result_of(&server, call), "job_id").to_owned()).collect();
    jobs.sort();
    jobs.dedup();
    assert_eq!(jobs.len(), JOBS, "each has an id of its own");

    wait_until("so many to run as may", || with_status(&server, "running").len() == AT_ONCE);
    assert_eq!(with_status(&server, "queued").len(), JOBS - AT_ONCE);
    assert_eq!(stage.starts().len(), AT_ONCE, "what is queued has no Codex");

    stage.release("gate");
    wait_until("all to be completed", || with_status(&server, "completed").len() == JOBS);
    let reported = all_reported(&server);
    let mut reported_jobs: Vec<&str> =
        reported.iter().map(|reported| reported["job_id"].as_str().expect("an id")).collect();
    reported_jobs.sort_unstable();
    assert_eq!(reported_jobs, jobs, "each is reported once");
    assert!(
        reported
            .iter()
            .all(|reported| reported["status"] == "completed" && reported["result"] == "done")
    );
    assert_eq!(stage.starts().len(), JOBS, "each has had one turn");
    assert_nothing_left(&server);
    assert_has_not_grown(&server, before);
}
