//! The cost of jobs that wait, and of jobs that have ended.

use std::fs;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use crate::kit::jobs::{
    assert_nothing_left, folder, reply, runner, start_with, text, wait_notifications, waits,
};
use crate::kit::play::{Stage, steps};
use crate::kit::setup::{content, error_text, script};
use crate::kit::wait::wait_until;
use crate::support::client::{Server, result};

/// How many jobs may wait and run at a time.
const MOST: usize = 256;

/// How often a waiting process may wake per second. One that polls its inbox wakes 20
/// times.
const WAKES: f64 = 6.0;

/// A job whose Codex is idle forever.
fn silent(stage: &Stage, server: &Server) -> String {
    let job = start_with(server, &steps(&json!([{"started": {}}, {"touch": "up"}, {"hang": {}}])));
    stage.wait_for("up");
    text(&job, "job_id").to_owned()
}

#[test]
fn an_idle_job_is_woken_by_prompts_and_rarely_otherwise() {
    let stage = Stage::new();
    let server = stage.server().start();
    let id = silent(&stage, &server);
    let process = runner(&stage.home, &id);
    let (before, began) = (waits(process), Instant::now());
    // This counts what happens meanwhile, and bounds no time: on a busy machine the process wakes less
    // often, and never more.
    std::thread::sleep(Duration::from_secs(4));
    let rate = (waits(process) - before) as f64 / began.elapsed().as_secs_f64();
    assert!(rate <= WAKES, "it is woken {rate} times a second");
    // It still gets its prompts.
    let next = json!({"job_id": id, "prompt": "go on", "interrupt": true});
    content(&server.call("job_reply", &next));
    assert_eq!(text(&wait_notifications(&server, &id, 1)[0], "status"), "completed");
    assert_nothing_left(&stage.home, &server);
    assert!(!folder(&stage.home, &id).join("bell").exists());
}

#[test]
fn jobs_that_have_ended_are_not_read_again_before_they_change() {
    let stage = Stage::new();
    let server = stage.server().start();
    let ids = ["one", "two"].map(|prompt| {
        let job = start_with(&server, &json!({"prompt": prompt}));
        let id = text(&job, "job_id").to_owned();
        wait_notifications(&server, &id, 1);
        id
    });
    assert_nothing_left(&stage.home, &server);
    let of = |status: &str| {
        let jobs = content(&server.call("job_list", &json!({"status": status})))["jobs"].clone();
        let jobs = jobs.as_array().expect("a list").clone();
        jobs.iter().map(|job| text(job, "job_id").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(of("failed"), [""; 0]);
    // Written in place with the same length and time, which no server does: only a server that reads it
    // again notices.
    let state = folder(&stage.home, &ids[0]).join("state.json");
    let before = fs::read_to_string(&state).expect("it has a state");
    let modified =
        state.metadata().and_then(|metadata| metadata.modified()).expect("Linux lists processes");
    let other = before.replacen("\"status\":\"completed\"", "\"status\":\"failed\"   ", 1);
    assert!(other.len() == before.len() && other != before, "{before}");
    fs::write(&state, other).expect("it is ours");
    let file = fs::File::options().write(true).open(&state).expect("it is ours");
    file.set_modified(modified).expect("it is ours");
    assert_eq!(of("failed"), [""; 0]);
    // Changes are noticed.
    let touched = fs::File::options().write(true).open(&state).expect("it is ours");
    touched.set_modified(SystemTime::now()).expect("it is ours");
    assert_eq!(of("failed"), [ids[0].as_str()]);
    let hang = json!([{"started": {}}, {"touch": "up"}, {"hang": {}}]);
    reply(&server, &ids[1], &script(&hang));
    stage.wait_for("up");
    assert_eq!(of("running"), [ids[1].as_str()]);
    server.call("job_cancel", &json!({"job_id": ids[1]}));
    assert_eq!((of("running"), of("cancelled")), (vec![], vec![ids[1].clone()]));
    assert_nothing_left(&stage.home, &server);
}

/// Also with allowed folders, where the folders of jobs matter.
#[test]
fn notifications_read_only_the_jobs_that_they_report() {
    let stage = Stage::new();
    let server =
        stage.server().env("CODEX_PERSISTENT_MCP_ALLOWED_DIRS", stage.home.project()).start();
    let [one, two] = ["one", "two"].map(|prompt| {
        let job = start_with(&server, &json!({"prompt": prompt}));
        let id = text(&job, "job_id").to_owned();
        wait_notifications(&server, &id, 1);
        id
    });
    assert_nothing_left(&stage.home, &server);
    let reported = |cursor: &Value| {
        let answer = server.call("job_notifications", &json!({"cursor": cursor}));
        let reported = content(&answer)["notifications"].as_array().expect("a list").clone();
        reported
            .iter()
            .map(|reported| (text(reported, "job_id").to_owned(), reported["cursor"].clone()))
            .collect()
    };
    let all: Vec<(String, Value)> = reported(&json!(0));
    assert_eq!(all.iter().map(|(id, _)| id).collect::<Vec<_>>(), [&one, &two]);
    // A reader of its running state finds that it does not run, and records that.
    let state = folder(&stage.home, &one).join("state.json");
    let before = fs::read_to_string(&state).expect("it has a state");
    let modified =
        state.metadata().and_then(|metadata| metadata.modified()).expect("Linux lists processes");
    let other = before.replacen("\"status\":\"completed\"", "\"status\":\"running\"  ", 1);
    assert!(other.len() == before.len() && other != before, "{before}");
    fs::write(&state, &other).expect("it is ours");
    let file = fs::File::options().write(true).open(&state).expect("it is ours");
    file.set_modified(modified).expect("it is ours");
    let after: Vec<(String, Value)> = reported(&all[0].1);
    assert_eq!(after, all[1..]);
    assert_eq!(fs::read_to_string(&state).expect("it has a state"), other, "it was read");
}

/// Several servers start jobs at once, where there is room for one more.
#[test]
fn the_limit_of_jobs_holds_when_several_servers_start_some_at_once() {
    let stage = Stage::new();
    let server = stage.server().start();
    let id = silent(&stage, &server);
    let jobs = folder(&stage.home, &id);
    let jobs = jobs.parent().expect("it is in the folder of all jobs");
    // Jobs that one living process seems to run.
    for number in 0..MOST - 2 {
        let copy = jobs.join(format!("01900000-0000-7000-8000-{number:012}"));
        fs::create_dir(&copy).expect("the disk has room");
        for file in ["state.json", "events.jsonl"] {
            let text = fs::read_to_string(folder(&stage.home, &id).join(file)).expect("readable");
            let text = text.replace(&id, copy.file_name().and_then(|n| n.to_str()).expect("text"));
            fs::write(copy.join(file), text).expect("the disk has room");
        }
    }
    let servers = [(); 6].map(|()| stage.server().start());
    let hang = steps(&json!([{"started": {}}, {"hang": {}}]));
    let calls = servers.each_ref().map(|server| server.begin_call("job_start", &hang));
    let answers = [0, 1, 2, 3, 4, 5].map(|at| result(servers[at].answer(&calls[at])));
    let (refused, started): (Vec<&Value>, Vec<&Value>) =
        answers.iter().partition(|answer| answer["isError"] == true);
    assert_eq!((started.len(), refused.len()), (1, 5), "{answers:?}");
    for answer in refused {
        assert!(error_text(answer).starts_with("too_many_jobs: "), "{answer}");
    }
    for (job, server) in
        [(id.as_str(), &server), (text(content(started[0]), "job_id"), &servers[0])]
    {
        server.call("job_cancel", &json!({"job_id": job}));
    }
    wait_until("all processes to be gone", || {
        servers.iter().all(|server| server.descendants().expect("Linux lists processes").is_empty())
    });
}
