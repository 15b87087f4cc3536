//! The timeouts of a job's turn, and jobs that wait.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::kit::jobs::{
    assert_nothing_left, notifications_of, reply, runner, snapshot, start_with, text, wait, waits,
};
use crate::kit::play::{Stage, chat, message, running, steps, steps_in, turn, with};
use crate::kit::setup::{content, error_text, field, resume_command};
use crate::kit::wait::wait_until;
use crate::support::client::Server;

const TIMEOUT: &str = "CODEX_PERSISTENT_MCP_JOB_TIMEOUT_MS";
const IDLE_TIMEOUT: &str = "CODEX_PERSISTENT_MCP_JOB_IDLE_TIMEOUT_MS";

/// Codex sends a message and then nothing more, with a running command or without.
fn stuck(at_work: bool) -> Value {
    let mut steps = json!([{"started": {}}, message("half of it")]);
    let steps_so_far = steps.as_array_mut().expect("a list");
    steps_so_far.extend(at_work.then(|| running("make")));
    steps_so_far.push(json!({"hang": {}}));
    steps
}

/// Waits for the end of a job that timed out, and continues it.
fn reaches(stage: &Stage, server: &Server, job: &Value, message: &str) {
    let id = text(job, "job_id");
    let (ending, _) = wait(server, id, &job["notification_cursor"]);
    let session = text(&ending, "session_id");
    assert_eq!((text(&ending, "status"), &ending["turn"]), ("timed_out", &json!(1)));
    let shown = snapshot(server, id);
    for (what, error) in [(&ending, &ending["error"]), (&shown, &shown["error"])] {
        assert_eq!(text(error, "kind"), "timed_out", "{what}");
        assert_eq!(text(error, "partial_reply"), "half of it", "{what}");
        assert!(text(error, "message").starts_with(message), "{what}");
    }
    assert_eq!((text(&shown, "status"), text(&shown, "session_id")), ("timed_out", session));
    assert_eq!(text(&shown, "resume_command"), resume_command(&stage.home, session));
    assert!(shown["ended_at"].is_string() && shown["result"].is_null(), "{shown}");
    assert_nothing_left(&stage.home, server);
    assert_eq!(notifications_of(server, id), std::slice::from_ref(&ending), "it is reported once");

    let again = reply(server, id, "go on");
    let (ending, _) = wait(server, id, &again["notification_cursor"]);
    assert_eq!((text(&ending, "status"), text(&ending, "session_id")), ("completed", session));
    assert_nothing_left(&stage.home, server);
}

#[test]
fn a_job_that_reaches_its_timeout_is_stopped_and_reported_once() {
    let stage = Stage::new();
    // While a command runs, the job is not idle.
    let server = stage.server().env(TIMEOUT, "3000").env(IDLE_TIMEOUT, "1500").start();
    let by_setting = start_with(&server, &steps(&stuck(true)));
    reaches(&stage, &server, &by_setting, "the timeout of 3 s expired");
    // The timeouts of a call take precedence, for later turns too.
    let server = stage.server().env(TIMEOUT, "3600000").start();
    let by_call = start_with(&server, &with(steps(&stuck(false)), "timeout_ms", 2_000));
    reaches(&stage, &server, &by_call, "the timeout of 2 s expired");
}

#[test]
fn a_job_that_reaches_its_idle_timeout_is_stopped_and_reported_once() {
    let stage = Stage::new();
    let server = stage.server().env(IDLE_TIMEOUT, "2000").start();
    let by_setting = start_with(&server, &steps(&stuck(false)));
    reaches(&stage, &server, &by_setting, "the idle timeout of 2 s expired");
    let server = stage.server().start();
    let by_call = start_with(&server, &with(steps(&stuck(false)), "idle_timeout_ms", 1_500));
    reaches(&stage, &server, &by_call, "the idle timeout of 1.5 s expired");
}

/// Everything stops and continues, as on a machine that was suspended.
#[test]
fn time_in_which_a_job_and_its_codex_were_stopped_does_not_count_as_idle() {
    let stage = Stage::new();
    let server = stage.server().env(IDLE_TIMEOUT, "3000").start();
    let job = start_with(&server, &steps(&turn("first")));
    let id = text(&job, "job_id");
    stage.wait_for("began-first");
    let processes = server.descendants().expect("Linux lists processes");
    let all = |signal| {
        for process in &processes {
            let pid = i32::try_from(process.pid).expect("a process id");
            kill(Pid::from_raw(pid), signal).expect("it exists");
        }
    };
    all(Signal::SIGSTOP);
    // Longer than the timeout.
    std::thread::sleep(Duration::from_secs(6));
    let process = runner(&stage.home, id);
    let before = waits(process);
    all(Signal::SIGCONT);
    // A server that counted this time would have stopped the job by the time that it waits again.
    wait_until("the job's process to go on", || waits(process) >= before + 4);
    stage.release("go-first");
    let (ending, _) = wait(&server, id, &job["notification_cursor"]);
    assert_eq!(text(&ending, "status"), "completed", "{ending}");
    assert_nothing_left(&stage.home, &server);
}

/// A job that runs until `go-first` exists, and its session.
fn first(stage: &Stage, server: &Server) -> (String, String) {
    let job = start_with(server, &steps(&turn("first")));
    stage.wait_for("began-first");
    (text(&job, "job_id").to_owned(), text(&job, "session_id").to_owned())
}

#[test]
fn waiting_in_the_queue_does_not_count_towards_a_job_s_timeouts() {
    let stage = Stage::new();
    let server = stage.server().env(TIMEOUT, "2000").env(IDLE_TIMEOUT, "2000").start();
    let patient = stage.server().start();
    let (_, session) = first(&stage, &patient);
    let job = start_with(&server, &steps_in(&session, &turn("second")));
    let id = text(&job, "job_id");
    assert_eq!(text(&job, "status"), "queued", "{job}");
    // A call in the same queue, whose waiting counts, has timed out by now.
    let call = with(steps_in(&session, &turn("third")), "timeout_ms", 2_000);
    let late = chat(&patient, &call);
    assert!(error_text(&late).starts_with("timed_out: "), "{late}");
    assert_eq!(text(&snapshot(&server, id), "status"), "queued");
    assert!(notifications_of(&server, id).is_empty());
    // Its own timeout starts when it runs.
    stage.release("go-first");
    stage.wait_for("began-second");
    let (ending, _) = wait(&server, id, &job["notification_cursor"]);
    let error = &ending["error"];
    assert_eq!(text(error, "kind"), "timed_out", "{ending}");
    assert!(!text(error, "message").contains("not started"), "{ending}");
    assert_eq!(stage.started(&["go-first", "go-second", "go-third"]), ["go-first", "go-second"]);
    assert_nothing_left(&stage.home, &server);
    assert_nothing_left(&stage.home, &patient);
}

#[test]
fn a_job_that_waits_can_be_cancelled_and_never_runs() {
    let stage = Stage::new();
    let server = stage.server().start();
    let (first, session) = first(&stage, &server);
    let job = start_with(&server, &steps_in(&session, &turn("second")));
    let id = text(&job, "job_id");
    let listed = server.call("job_list", &json!({"status": "queued"}));
    assert_eq!(content(&listed)["jobs"][0]["job_id"], id);
    // Whether or not its process has accepted the prompt already.
    let cancelled = server.call("job_cancel", &json!({"job_id": id}));
    assert_eq!(field(&cancelled, "status"), "cancelled");
    assert_eq!(content(&cancelled)["turns"], 0, "{cancelled}");
    assert!(content(&cancelled)["started_at"].is_null(), "{cancelled}");
    let (ending, _) = wait(&server, id, &job["notification_cursor"]);
    assert_eq!((text(&ending, "status"), &ending["turn"]), ("cancelled", &json!(0)));
    assert_eq!(text(&snapshot(&server, &first), "status"), "running");

    stage.release("go-first");
    wait_until("the first job's end", || !notifications_of(&server, &first).is_empty());
    assert_nothing_left(&stage.home, &server);
    assert_eq!(stage.started(&["go-first", "go-second"]), ["go-first"]);
    assert_eq!(notifications_of(&server, id), [ending], "it is reported once");
    // It can be continued, and the cancelled prompt does not return.
    let again = reply(&server, id, "go on");
    let (ending, _) = wait(&server, id, &again["notification_cursor"]);
    assert_eq!((text(&ending, "status"), text(&ending, "session_id")), ("completed", &*session));
    assert_eq!(stage.started(&["go-first", "go-second"]), ["go-first"]);
    assert_nothing_left(&stage.home, &server);
}
