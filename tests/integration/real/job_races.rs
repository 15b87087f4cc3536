//! Two servers with one job of the real Codex at the same time, and a job's process that is stopped.

use std::fs;

use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};

use crate::kit::jobs::{
    assert_nothing_left, at_once, folder, gate, notifications_of, pages, reply, runner, runners,
    snapshot, start, start_blocked, text, wait, wait_notifications, wait_started,
};
use crate::kit::real::{obey, record};
use crate::kit::setup::{content, home, real, resume_command};
use crate::kit::wait::wait_until;
use crate::support::client::Server;
use crate::support::model::Model;
use crate::support::real_codex::Home;

/// How often a race is repeated: an error in one shows only sometimes.
const ROUNDS: usize = 4;

/// How often the model got this prompt.
fn asked(model: &Model, prompt: &str) -> usize {
    let line = format!("\n{prompt}\n");
    model.requests().iter().filter(|request| request.last_user_text().contains(&line)).count()
}

fn two(home: &Home) -> [Server; 2] {
    [(); 2].map(|()| real(home).start())
}

fn two_left(home: &Home, servers: &[Server; 2]) {
    // Either server may have started the job's process.
    wait_until("all processes to be gone", || {
        servers.iter().all(|server| server.descendants().expect("Linux lists processes").is_empty())
    });
    servers.iter().for_each(|server| assert_nothing_left(home, server));
}

fn a_reply(job: &str, prompt: &str) -> Value {
    json!({"job_id": job, "prompt": prompt})
}

/// Both servers reply at once, each with its own prompt.
fn both_reply(servers: &[Server; 2], job: &str, prompts: &[String; 2]) {
    let calls = [0, 1].map(|at| (&servers[at], "job_reply", a_reply(job, &prompts[at])));
    for answer in at_once(calls) {
        assert_eq!(content(&answer)["job_id"], job);
    }
}

/// Expects each event of the job once: the numbers have no gap, and each prompt was accepted, run
/// and answered once.
fn each_event_is_there_once(server: &Server, job: &str, prompts: &[String]) {
    let (events, last) = pages(server, &json!({"job_id": job, "raw": true, "limit": 200}), 0);
    let numbers: Vec<u64> =
        events.iter().map(|event| event["cursor"].as_u64().expect("a number")).collect();
    assert_eq!(numbers, (1..=last).collect::<Vec<_>>());
    let count = |is_it: &dyn Fn(&Value) -> bool| {
        events.iter().filter(|event| is_it(&event["event"])).count()
    };
    let turns = prompts.len();
    for kind in ["job.prompt", "turn.running", "turn.started", "turn.completed", "turn.ended"] {
        assert_eq!(count(&|event| event["type"] == kind), turns, "{kind}: {events:?}");
    }
    for prompt in prompts {
        let taken = count(&|event| event["type"] == "job.prompt" && event["text"] == **prompt);
        assert_eq!(taken, 1, "{prompt:?} in {events:?}");
    }
}

#[test]
fn two_replies_at_once_to_a_running_job_run_once_each() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let servers = two(&home);
    let (path, prompt) = gate(&home, "gate");
    let job = start(&servers[0], &prompt);
    let id = text(&job, "job_id");
    wait_started(&path);
    let prompts = ["from one", "from the other"].map(str::to_owned);
    both_reply(&servers, id, &prompts);
    fs::write(&path, "").expect("writable");
    let endings = wait_notifications(&servers[1], id, 3);
    assert!(endings.iter().all(|ending| ending["status"] == "completed"), "{endings:?}");
    two_left(&home, &servers);
    assert_eq!(prompts.each_ref().map(|prompt| asked(&model, prompt)), [1, 1]);
    assert_eq!((notifications_of(&servers[0], id).len(), runners(&home, id)), (3, 1));
    let [one, other] = prompts;
    each_event_is_there_once(&servers[1], id, &[prompt, one, other]);
}

#[test]
fn two_replies_at_once_to_an_ended_job_start_one_process_and_run_once_each() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let servers = two(&home);
    let job = start(&servers[0], "hello");
    let id = text(&job, "job_id");
    wait(&servers[0], id, &job["notification_cursor"]);
    let mut all = vec!["hello".to_owned()];
    for round in 1..=ROUNDS {
        two_left(&home, &servers);
        let prompts = ["one", "the other"].map(|who| format!("{who} in round {round}"));
        both_reply(&servers, id, &prompts);
        let endings = wait_notifications(&servers[0], id, 1 + 2 * round);
        assert!(endings.iter().all(|ending| ending["status"] == "completed"), "{endings:?}");
        two_left(&home, &servers);
        assert_eq!(runners(&home, id), 1 + round, "one process for each round");
        all.extend(prompts);
    }
    for prompt in &all {
        assert_eq!(asked(&model, prompt), 1, "{prompt}");
    }
    assert_eq!(text(&snapshot(&servers[1], id), "session_id"), text(&job, "session_id"));
    each_event_is_there_once(&servers[1], id, &all);
}

#[test]
fn replies_to_a_job_whose_process_is_just_leaving_run_once_each() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let servers = two(&home);
    let job = start(&servers[0], "hello");
    let id = text(&job, "job_id");
    let mut all = vec!["hello".to_owned()];
    for round in 1..=ROUNDS {
        // The last ending was just reported.
        wait_notifications(&servers[0], id, all.len());
        let prompts = ["one", "the other"].map(|who| format!("{who} in round {round}"));
        both_reply(&servers, id, &prompts);
        all.extend(prompts);
    }
    wait_notifications(&servers[1], id, all.len());
    two_left(&home, &servers);
    for prompt in &all {
        assert_eq!(asked(&model, prompt), 1, "{prompt}");
    }
    assert_eq!(notifications_of(&servers[0], id).len(), all.len());
    each_event_is_there_once(&servers[1], id, &all);
}

#[test]
fn two_cancellations_at_once_are_one() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let servers = two(&home);
    let job = start_blocked(&home, &servers[0]);
    let id = text(&job, "job_id");
    let cancel = json!({"job_id": id});
    let calls = [0, 1].map(|at| (&servers[at], "job_cancel", cancel.clone()));
    for answer in at_once(calls) {
        assert_eq!(content(&answer)["status"], "cancelled", "{answer}");
    }
    two_left(&home, &servers);
    let endings = notifications_of(&servers[0], id);
    assert_eq!((endings.len(), &endings[0]["status"]), (1, &json!("cancelled")));
    nothing_waits(&home, id);
}

/// Expects no prompt in the job's inbox, and no cancellation.
fn nothing_waits(home: &Home, job: &str) {
    let inbox = fs::read_dir(folder(home, job).join("inbox")).expect("it has an inbox");
    let left: Vec<_> = inbox.flatten().map(|entry| entry.file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_reply_and_a_cancellation_at_once_have_a_definite_end() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let servers = two(&home);
    for round in 0..ROUNDS {
        let (path, prompt) = gate(&home, &format!("gate-{round}"));
        let job = start(&servers[0], &prompt);
        let id = text(&job, "job_id");
        wait_started(&path);
        let next = format!("next in round {round}");
        let cancel = (&servers[0], "job_cancel", json!({"job_id": id}));
        let next_call = (&servers[1], "job_reply", a_reply(id, &next));
        let calls = if round % 2 == 0 { [cancel, next_call] } else { [next_call, cancel] };
        for answer in at_once(calls) {
            assert_eq!(content(&answer)["job_id"], id);
        }
        two_left(&home, &servers);
        nothing_waits(&home, id);
        let ended = snapshot(&servers[0], id);
        let status = text(&ended, "status");
        let endings = notifications_of(&servers[0], id);
        // The first turn was cancelled. The prompt ran after it, or was cancelled too.
        assert_eq!(endings[0]["status"], "cancelled", "{endings:?}");
        let prompts = json!({"job_id": id, "types": ["job.prompt"]});
        let (taken, _) = pages(&servers[1], &prompts, 0);
        assert_eq!(endings.len(), taken.len(), "each has one end: {taken:?} {endings:?}");
        let ran = asked(&model, &next);
        assert!(
            matches!((status, ran), ("completed", 1) | ("cancelled", 0 | 1)),
            "{status}, and the model was asked {ran} times: {endings:?}"
        );
        assert_eq!(endings.last().expect("at least one")["status"], status);
        // A removed job stays removed.
        let last = format!("last in round {round}");
        let again = reply(&servers[1], id, &last);
        let (ending, _) = wait(&servers[1], id, &again["notification_cursor"]);
        assert_eq!(text(&ending, "status"), "completed", "{ending}");
        two_left(&home, &servers);
        assert_eq!((asked(&model, &next), asked(&model, &last)), (ran, 1));
    }
}

#[test]
fn a_signal_to_a_job_s_process_interrupts_the_turn_and_the_job_can_continue() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = real(&home).start();
    let (path, prompt) = gate(&home, "gate");
    let job = start(&server, &prompt);
    let (id, session) = (text(&job, "job_id"), text(&job, "session_id"));
    wait_started(&path);
    kill(runner(&home, id), Signal::SIGTERM).expect("it runs");
    let (ending, cursor) = wait(&server, id, &job["notification_cursor"]);
    assert_eq!(text(&ending, "status"), "interrupted");
    assert_eq!(text(&ending["error"], "kind"), "interrupted", "{ending}");
    assert!(text(&ending["error"], "message").contains("terminated by a signal"), "{ending}");
    assert_nothing_left(&home, &server);
    // Its Codex was interrupted and not killed: the session has that on record.
    let aborted = |line: &Value| line.to_string().contains("turn_aborted");
    assert!(record(&home, session).iter().any(aborted));
    let shown = snapshot(&server, id);
    assert_eq!((text(&shown, "status"), text(&shown, "session_id")), ("interrupted", session));
    assert_eq!(text(&shown, "resume_command"), resume_command(&home, session));

    reply(&server, id, "go on");
    let (ending, _) = wait(&server, id, &cursor);
    assert_eq!((text(&ending, "status"), text(&ending, "session_id")), ("completed", session));
    assert!(text(&ending, "result").contains("\ngo on\n"), "{ending}");
    wait_until("all to be gone", || {
        server.descendants().expect("Linux lists processes").is_empty()
    });
    assert_eq!(notifications_of(&server, id).len(), 2, "each ending is reported once");
    assert_eq!(runners(&home, id), 2);
}
