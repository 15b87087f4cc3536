//! `job_wait` and `codex_job_wait`: how they wait, and how a wait ends.

use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};

use crate::kit::jobs::{
    assert_nothing_left, notifications_of, runner, snapshot, start_with, text, wait_notifications,
};
use crate::kit::play::{Stage, item, result_of, running, settle, steps, with};
use crate::kit::setup::{content, error_text, script as script_of};
use crate::kit::wait::{WAIT, wait_until};
use crate::support::client::Server;

/// A job whose command runs until the file `go` exists.
fn at_work(stage: &Stage, server: &Server) -> Value {
    let script = json!([
        {"started": {}}, running("make"), {"touch": stage.file("up")},
        {"wait_for": stage.file("go")}, {"reply": "built"},
    ]);
    let job = start_with(server, &with(steps(&script), "label", "the build"));
    stage.wait_for("up");
    job
}

#[test]
fn waiting_ends_with_an_empty_list_and_the_same_cursor() {
    let stage = Stage::new();
    let server = stage.server().start();
    let before = start_with(&server, &json!({"prompt": "before"}));
    let arguments = json!({"cursor": before["notification_cursor"], "timeout_ms": 60_000});
    let seen = content(&server.call("job_wait", &arguments))["cursor"].clone();
    let job = at_work(&stage, &server);
    for job_ids in [json!([]), json!([job["job_id"]])] {
        let arguments = json!({"cursor": seen, "job_ids": job_ids, "timeout_ms": 200});
        let none = server.call("job_wait", &arguments);
        assert_eq!(content(&none), &json!({"cursor": seen, "notifications": []}));
    }
    assert_eq!(text(&snapshot(&server, text(&job, "job_id")), "status"), "running");
}

#[test]
fn waiting_reports_the_job_s_activity_and_ends_with_the_job() {
    let stage = Stage::new();
    let server = stage.server().start();
    let job = at_work(&stage, &server);
    let id = text(&job, "job_id");
    let arguments = json!({"job_ids": [id], "timeout_ms": 280_000});
    let waits = server.begin_call("job_wait", &arguments);
    let progress = server.wait_progress(&waits, |message| message.contains("make"));
    assert_eq!(progress, "the build: running: make");
    // The end of another job does not matter.
    let other = start_with(&server, &json!({"prompt": "in between"}));
    let arguments = json!({"job_ids": [other["job_id"]], "timeout_ms": 60_000});
    server.call("job_wait", &arguments);
    settle(&server);
    assert_eq!(server.try_answer(&waits), None);
    stage.release("go");
    let answer = result_of(&server, &waits);
    let ending = &content(&answer)["notifications"];
    assert_eq!((text(&ending[0], "job_id"), text(&ending[0], "result")), (id, "built"));
    assert_eq!(ending[1], Value::Null);
    let numbers: Vec<f64> = server
        .progress(&waits)
        .iter()
        .map(|progress| progress["progress"].as_f64().expect("a number"))
        .collect();
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
    assert_nothing_left(&stage.home, &server);
}

#[test]
fn notifications_beyond_the_cursor_are_returned_without_waiting() {
    let stage = Stage::new();
    let server = stage.server().start();
    let jobs = ["one", "two"].map(|name| {
        let job = start_with(&server, &json!({"prompt": name}));
        let id = text(&job, "job_id").to_owned();
        wait_notifications(&server, &id, 1);
        id
    });
    // Longer than any wait of the test, so the answer must be one that exists already.
    let wait = |arguments: Value| {
        content(&server.call("job_wait", &with(arguments, "timeout_ms", 280_000))).clone()
    };
    let all = wait(json!({"cursor": 0}));
    let ids: Vec<&str> = reported_ids(&all);
    assert_eq!(ids, [&jobs[0], &jobs[1]]);
    let second = wait(json!({"cursor": all["notifications"][0]["cursor"]}));
    assert_eq!(reported_ids(&second), [&jobs[1]]);
    assert_eq!(second["cursor"], all["cursor"]);
    assert_eq!(reported_ids(&wait(json!({"job_ids": [jobs[1]]}))), [&jobs[1]]);
    assert_nothing_left(&stage.home, &server);
}

fn reported_ids(answer: &Value) -> Vec<&str> {
    let reported = answer["notifications"].as_array().expect("a list");
    reported.iter().map(|reported| text(reported, "job_id")).collect()
}

#[test]
fn a_client_that_stops_waiting_does_not_affect_the_job() {
    let stage = Stage::new();
    let server = stage.server().start();
    let job = at_work(&stage, &server);
    let id = text(&job, "job_id");
    let arguments = json!({"job_ids": [id], "timeout_ms": 280_000});
    let waits = server.begin_call("job_wait", &arguments);
    let still_waits = server.begin_call("job_wait", &arguments);
    settle(&server);
    server.cancel(&waits);
    // Each ending of another job is an occasion to report progress to those who wait.
    for count in 1..=2 {
        start_with(&server, &json!({"prompt": "in between"}));
        wait_until("progress", || server.progress(&still_waits).len() >= count);
    }
    assert_eq!(server.progress(&waits), [] as [Value; 0], "nobody waits any more");
    assert_eq!(text(&snapshot(&server, id), "status"), "running");
    server.cancel(&still_waits);
    // A server exits once everything is answered.
    server.close_stdin();
    assert!(server.wait_exit(WAIT).success());
    for call in [&waits, &still_waits] {
        assert_eq!(server.try_answer(call), None, "nobody waits for an answer");
    }

    let second = stage.server().start();
    assert_eq!(text(&snapshot(&second, id), "status"), "running");
    stage.release("go");
    let ending = wait_notifications(&second, id, 1);
    assert_eq!(text(&ending[0], "result"), "built");
    assert_nothing_left(&stage.home, &server);
    assert_eq!(notifications_of(&second, id).len(), 1);
}

/// Its end is noticed as soon as that of older jobs, even if it is killed.
#[test]
fn a_job_that_is_started_meanwhile_is_included_in_the_wait() {
    let stage = Stage::new();
    let [waiting, starting] = [(); 2].map(|()| stage.server().start());
    let waits = waiting.begin_call("job_wait", &json!({"timeout_ms": 280_000}));
    settle(&waiting);
    let hang = json!([{"started": {}}, {"touch": "up"}, {"hang": {}}]);
    let job = start_with(&starting, &steps(&hang));
    stage.wait_for("up");
    // Shorter than the interval in which jobs are polled anyway.
    let meanwhile = json!({"job_ids": [job["job_id"]], "timeout_ms": 2_500});
    let meanwhile = starting.begin_call("job_wait", &meanwhile);
    waiting.wait_progress(&waits, |message| message != "waiting");
    assert_eq!(starting.try_answer(&meanwhile), None, "it took too long");
    kill(runner(&stage.home, text(&job, "job_id")), Signal::SIGKILL).expect("it runs");
    let answer = result_of(&waiting, &waits);
    let reported = &content(&answer)["notifications"][0];
    assert_eq!((&reported["job_id"], text(reported, "status")), (&job["job_id"], "interrupted"));
    assert_nothing_left(&stage.home, &starting);
}

/// The tool that agents see: its wait ends with the client's, and counts towards the limit.
#[test]
fn a_hundred_calls_wait_and_leave_when_their_client_does() {
    let stage = Stage::new();
    let server = stage.server().start();
    let job = at_work(&stage, &server);
    let arguments = json!({"job_id": job["job_id"], "timeout_ms": 280_000});
    let waits: Vec<_> = (0..100).map(|_| server.begin_call("codex_job_wait", &arguments)).collect();
    settle(&server);
    for tool in ["codex_job_wait", "job_wait"] {
        let answer = server.call(tool, &json!({"timeout_ms": 280_000}));
        let error = error_text(&answer);
        assert!(error.starts_with("too_many_calls: "), "{tool}: {error}");
    }
    for call in &waits {
        server.cancel(call);
    }
    // There is room as soon as they are gone.
    wait_until("the calls to end", || {
        let arguments = json!({"job_id": job["job_id"], "timeout_ms": 1});
        server.call("codex_job_wait", &arguments)["isError"] != true
    });
    assert!(waits.iter().all(|call| server.try_answer(call).is_none()));
    stage.release("go");
    let arguments = json!({"timeout_ms": 280_000});
    let ended = server.call("codex_job_wait", &arguments);
    assert_eq!(text(content(&ended), "result"), "built");
    assert_nothing_left(&stage.home, &server);
}

#[test]
fn a_wait_without_a_job_includes_what_the_client_starts_meanwhile() {
    let stage = Stage::new();
    let server = stage.server().start();
    let job = at_work(&stage, &server);
    let waits = server.begin_call("codex_job_wait", &json!({"timeout_ms": 280_000}));
    let progress = server.wait_progress(&waits, |message| message.contains("make"));
    assert_eq!(progress, "the build: running: make");
    let quick = start_with(&server, &json!({"prompt": "in between"}));
    let answer = result_of(&server, &waits);
    assert_eq!(content(&answer)["job_id"], quick["job_id"], "{answer}");
    stage.release("go");
    let ended = server.call("codex_job_wait", &json!({"timeout_ms": 280_000}));
    assert_eq!(content(&ended)["job_id"], job["job_id"], "{ended}");
    assert_nothing_left(&stage.home, &server);
}

/// What one turn changed or was warned about is not that of another, which the process did not survive.
#[test]
fn a_turn_that_was_interrupted_shows_nothing_of_the_turn_before() {
    let stage = Stage::new();
    let server = stage.server().start();
    let change = json!({"id": "edit", "type": "file_change", "status": "completed",
                        "changes": [{"path": stage.file("a.txt"), "kind": "add"}]});
    let script = json!([{"started": {}}, item("completed", &change), {"reply": "made"}]);
    let job = start_with(&server, &with(steps(&script), "sandbox", "workspace-write"));
    let id = text(&job, "job_id");
    let wait = || content(&server.call("codex_job_wait", &json!({"job_id": id}))).clone();
    assert_eq!(wait()["files_changed"], json!(["a.txt"]));
    let hang = json!([{"started": {}}, {"touch": "up"}, {"hang": {}}]);
    let arguments = json!({"job_id": id, "prompt": script_of(&hang)});
    server.call("codex_job_send", &arguments);
    stage.wait_for("up");
    kill(runner(&stage.home, id), Signal::SIGKILL).expect("it runs");
    let ended = wait();
    assert_eq!((text(&ended, "status"), &ended["turn"]), ("interrupted", &json!(2)), "{ended}");
    assert_eq!(ended["files_changed"], Value::Null, "{ended}");
    assert_nothing_left(&stage.home, &server);
}
