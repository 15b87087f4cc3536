//! Each prompt that a job accepted runs once, or has its own ending, whatever happens to the job's process.

use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};

use crate::kit::jobs::meta;
use crate::kit::jobs::{
    assert_nothing_left, folder, notifications_of, reply, runner, snapshot, start, start_blocked,
    start_with, text, wait_notifications,
};
use crate::kit::life::{kill_together, watchdog_of};
use crate::kit::play::{Stage, result_of, steps, turn};
use crate::kit::real::obey;
use crate::kit::setup::{content, error_text, home, real};
use crate::kit::wait::wait_until;
use crate::support::client::{Server, result};
use crate::support::model::Model;

/// How many prompts may wait in one job.
const MOST: usize = 64;

/// How often a race is repeated: an error in one shows only sometimes.
const ROUNDS: usize = 6;

/// How often the model got this prompt.
fn asked(model: &Model, prompt: &str) -> usize {
    let line = format!("\n{prompt}\n");
    model.requests().iter().filter(|request| request.last_user_text().contains(&line)).count()
}

fn statuses(endings: &[Value]) -> Vec<&str> {
    endings.iter().map(|ending| text(ending, "status")).collect()
}

/// Expects an empty inbox, without temporary files.
fn nothing_waits(stage: &std::path::Path) {
    let inbox = std::fs::read_dir(stage.join("inbox")).expect("it has an inbox");
    let left: Vec<_> = inbox.flatten().map(|entry| entry.file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn each_prompt_that_waits_when_the_job_s_process_is_killed_has_its_own_ending() {
    // Not SIGQUIT, which may be ignored where the tests run in the background.
    for signal in [Signal::SIGKILL, Signal::SIGABRT, Signal::SIGTERM] {
        let model = Model::start(obey);
        let home = home(&model.url());
        let server = real(&home).start();
        let job = start_blocked(&home, &server);
        let id = text(&job, "job_id");
        let prompts = ["one", "two", "three"];
        prompts.iter().for_each(|prompt| drop(reply(&server, id, prompt)));
        kill(runner(&home, id), signal).expect("it runs");
        let endings = wait_notifications(&server, id, 4);
        assert_eq!(statuses(&endings), ["interrupted"; 4], "{signal}");
        assert_nothing_left(&home, &server);
        assert_eq!(text(&snapshot(&server, id), "status"), "interrupted");
        // They did not run, and each ending says so, with its prompt.
        for prompt in prompts {
            let mut of_it = endings.iter().filter(|ending| text(ending, "prompt") == prompt);
            let error = &of_it.next().expect("it has an end")["error"];
            assert!(of_it.next().is_none(), "{signal}: {endings:?}");
            let said = format!("{} {}", text(error, "message"), text(error, "next"));
            assert!(said.contains("not started") && !said.contains("nothing is lost"), "{said}");
        }
        reply(&server, id, "go on");
        let endings = wait_notifications(&server, id, 5);
        assert_eq!(text(&endings[4], "status"), "completed", "{signal}");
        assert_nothing_left(&home, &server);
        assert_eq!(prompts.map(|prompt| asked(&model, prompt)), [0; 3], "{signal}");
        assert_eq!(
            (asked(&model, "go on"), notifications_of(&server, id).len()),
            (1, 5),
            "{signal}"
        );
    }
}

/// A job whose Codex has not reported its session, so that the next prompt stays in the inbox, and that
/// prompt.
fn before_its_session(stage: &Stage, server: &Server) -> String {
    let hangs = json!([{"touch": "up"}, {"wait_for": "never"}]);
    let job = server.begin_call("job_start", &steps(&hangs));
    stage.wait_for("up");
    let job = content(&result_of(server, &job)).clone();
    let id = text(&job, "job_id").to_owned();
    reply(server, &id, "the second");
    id
}

#[test]
fn a_prompt_that_waits_before_the_session_is_known_has_an_end_and_never_runs_later() {
    for how in ["SIGKILL", "SIGTERM", "cancel"] {
        let stage = Stage::new();
        let server = stage.server().start();
        let id = before_its_session(&stage, &server);
        let status = match how {
            "cancel" => {
                server.call("job_cancel", &json!({"job_id": id}));
                "cancelled"
            }
            signal => {
                let signal = signal.parse::<Signal>().expect("a signal");
                kill(runner(&stage.home, &id), signal).expect("it runs");
                "interrupted"
            }
        };
        let endings = wait_notifications(&server, &id, 2);
        assert_eq!(statuses(&endings), [status; 2], "{how}");
        let of_it = endings.iter().filter(|ending| text(ending, "prompt") == "the second");
        assert_eq!(of_it.count(), 1, "{how}: {endings:?}");
        assert_nothing_left(&stage.home, &server);
        nothing_waits(&folder(&stage.home, &id));
        reply(&server, &id, "go on");
        assert_eq!(text(&wait_notifications(&server, &id, 3)[2], "status"), "completed", "{how}");
        assert_nothing_left(&stage.home, &server);
        assert_eq!(stage.started(&["the second", "go on"]), ["go on"], "{how}");
    }
}

#[test]
fn a_prompt_whose_process_is_killed_at_its_start_runs_once_or_has_an_end() {
    let stage = Stage::new();
    let server = stage.server().start();
    let job = start_with(&server, &json!({"prompt": "hello"}));
    let id = text(&job, "job_id");
    for round in 1..=ROUNDS {
        wait_notifications(&server, id, round);
        assert_nothing_left(&stage.home, &server);
        let prompt = format!("round {round}.");
        reply(&server, id, &prompt);
        // It may have ended already.
        let _gone = kill(runner(&stage.home, id), Signal::SIGKILL);
        let ending = wait_notifications(&server, id, round + 1)[round].clone();
        assert_nothing_left(&stage.home, &server);
        let ran = stage.started(&[&prompt]).len();
        match text(&ending, "status") {
            "completed" => assert_eq!(ran, 1, "{ending}"),
            "interrupted" => assert!(ran < 2, "{ending}"),
            other => panic!("{other}: {ending}"),
        }
        nothing_waits(&folder(&stage.home, id));
        assert_eq!(notifications_of(&server, id).len(), round + 1);
    }
}

#[test]
fn prompts_of_a_job_are_limited_independently_of_the_queue() {
    let stage = Stage::new();
    let server = stage.server().env("CODEX_PERSISTENT_MCP_MAX_QUEUED", "0").start();
    let job = start_with(&server, &steps(&turn("first")));
    let id = text(&job, "job_id");
    stage.wait_for("began-first");
    for number in 0..MOST {
        reply(&server, id, &format!("number {number}."));
    }
    let refused = server.call("job_reply", &json!({"job_id": id, "prompt": "one more"}));
    let error = error_text(&refused);
    assert!(error.starts_with("too_many_prompts: "), "{error}");
    assert!(error.contains("64") && error.contains("Nothing was sent"), "{error}");
    stage.release("go-first");
    let endings = wait_notifications(&server, id, 1 + MOST);
    assert!(statuses(&endings).iter().all(|status| *status == "completed"), "{endings:?}");
    assert_nothing_left(&stage.home, &server);
    assert_eq!(stage.starts().len(), 1 + MOST);
    assert!(stage.started(&["one more"]).is_empty());
}

/// The lock is held, as by a program that is stopped.
#[test]
fn an_ending_that_cannot_be_recorded_because_of_a_lock_is_recorded_later_unchanged() {
    let stage = Stage::new();
    let server = stage.server().start();
    let job = start_with(&server, &steps(&turn("first")));
    let id = text(&job, "job_id");
    stage.wait_for("began-first");
    reply(&server, id, "the second");
    let lock = stage.home.state().join("notifications.lock");
    let lock = std::fs::File::create(lock).expect("it is ours");
    lock.lock().expect("nobody has it");
    stage.release("go-first");
    wait_until("both turns to be over and all to be gone", || {
        server.descendants().expect("Linux lists processes").is_empty()
    });
    drop(lock);
    let endings = wait_notifications(&server, id, 2);
    assert_eq!(statuses(&endings), ["completed"; 2], "{endings:?}");
    assert_eq!(text(&endings[0], "result"), "first");
    assert_eq!(stage.started(&["the second"]).len(), 1);
    assert_eq!(notifications_of(&server, id).len(), 2);
}

#[test]
fn a_job_works_or_explains_its_failure_when_a_folder_of_its_server_was_deleted() {
    for allowed in [false, true] {
        let stage = Stage::new();
        let gone = stage.home.path().join("gone");
        std::fs::create_dir(&gone).expect("the disk has room");
        let server = stage.server();
        let server = if allowed {
            let both = std::env::join_paths([gone.as_path(), stage.home.project()])
                .expect("no separator in it");
            server.env("CODEX_PERSISTENT_MCP_ALLOWED_DIRS", both)
        } else {
            server.cwd(&gone)
        };
        let server = server.start();
        std::fs::remove_dir(&gone).expect("it is empty");
        let here = json!({"prompt": "hello", "cwd": stage.home.project()});
        let job = start_with(&server, &here);
        let ending = wait_notifications(&server, text(&job, "job_id"), 1)[0].clone();
        if text(&ending, "status") != "completed" {
            let message = text(&ending["error"], "message");
            assert!(message.contains(gone.to_str().expect("text")), "{ending}");
            assert!(!message.contains("anew"), "{ending}");
        }
        assert_nothing_left(&stage.home, &server);
    }
}

#[test]
fn a_job_that_is_cancelled_by_many_at_once_is_cancelled_for_each() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = real(&home).start();
    let _other = real(&home).start();
    for round in 0..ROUNDS {
        let job = start(&server, &format!("[hang] in round {round}"));
        let id = text(&job, "job_id");
        let tools: Vec<_> =
            (0..8).map(|_| server.begin_call("job_cancel", &json!({"job_id": id}))).collect();
        let task = json!({"taskId": id, "_meta": meta(true)});
        let tasks: Vec<_> = (0..8).map(|_| server.begin("tasks/cancel", &task)).collect();
        for call in tools {
            let answer = result(server.answer(&call));
            assert_eq!(content(&answer)["status"], "cancelled", "{answer}");
        }
        for id in tasks {
            let answer = server.wait_message(|message| message["id"] == id);
            assert!(answer["error"].is_null(), "{answer}");
        }
        // The ending does not change.
        let again = server.call("job_cancel", &json!({"job_id": id}));
        assert_eq!(content(&again)["status"], "cancelled", "{again}");
        assert_eq!(content(&again)["had_ended"], true, "{again}");
        assert_nothing_left(&home, &server);
        nothing_waits(&folder(&home, id));
        assert_eq!(notifications_of(&server, id).len(), 1);
    }
}

#[test]
fn a_codex_whose_job_and_watchdog_were_killed_together_is_stopped_before_the_job_is_reported_as_ended()
 {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = real(&home).start();
    let job = start_blocked(&home, &server);
    let id = text(&job, "job_id");
    let runner = runner(&home, id);
    let parent = u32::try_from(runner.as_raw()).expect("a process id");
    let watchdog = watchdog_of(parent).expect("it has one");
    kill_together([watchdog, parent]);
    wait_until("the ending to be reported", || !notifications_of(&server, id).is_empty());
    let left = server.descendants().expect("Linux lists processes");
    assert!(left.is_empty(), "{left:?}");
    assert_nothing_left(&home, &server);
    // It may have exited by itself before the signal, as nobody reads its output.
    reply(&server, id, "go on");
    assert_eq!(text(&wait_notifications(&server, id, 2)[1], "status"), "completed");
}
