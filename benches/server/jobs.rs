//! Jobs: their cost compared with a call, and whether reading depends on the length of a log or the number of
//! jobs.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use uuid::Uuid;

use crate::server::{Server, Setup};
use crate::table::{Samples, Table, kib};

const PAIRS: usize = 40;
const PAGES: u64 = 200;
const LISTS: usize = 50;

/// Number of events in a short and in a long log.
const SHORT: u64 = 1_000;
const LONG: u64 = 1_000_000;

/// Number of jobs in a long list.
const MANY: usize = 100;

/// Measures and prints.
pub fn run(home: &Path) {
    let [few, many] = ["few", "many"].map(|name| home.join(name));
    for home in [&few, &many] {
        fs::create_dir_all(home).expect("the scratch directory was just made");
    }
    start(&few);
    events(&few);
    list(&few, &many);
}

fn server(home: &Path) -> Server {
    let mut server = Server::spawn(Setup::scripted(home));
    server.initialize();
    server
}

/// Calls a tool and returns how long that took.
fn timed(server: &mut Server, tool: &str, arguments: &Value) -> (Value, Duration) {
    let began = Instant::now();
    let content = server.call(tool, arguments);
    (content, began.elapsed())
}

/// Runs a job to its end and returns how long its start and the whole job took.
fn run_job(server: &mut Server) -> (String, Duration, Duration) {
    let (job, started) = timed(server, "job_start", &json!({"prompt": "A question."}));
    let wait = json!({"job_ids": [job["job_id"]], "cursor": job["notification_cursor"]});
    let (told, waited) = timed(server, "job_wait", &wait);
    assert_eq!(told["notifications"][0]["status"], "completed", "{told}");
    let id = job["job_id"].as_str().expect("a job has an id").to_owned();
    (id, started, started + waited)
}

fn start(home: &Path) {
    let mut server = server(home);
    let (mut calls, mut starts, mut ends) =
        (Samples::default(), Samples::default(), Samples::default());
    for round in 0..=PAIRS {
        let began = Instant::now();
        server.calls(1);
        let call = began.elapsed();
        let (_, started, ended) = run_job(&mut server);
        if round > 0 {
            calls.push(call);
            starts.push(started);
            ends.push(ended);
        }
    }
    server.leave();
    Table::new(&format!("A job ({PAIRS} pairs; looked at every 50 ms)"))
        .times("call of codex_chat", &calls)
        .times("call of job_start, to its answer", &starts)
        .times("the same, to the end of the job", &ends)
        .difference(&calls, &ends, "under 100 ms")
        .print();
}

fn folder(home: &Path, job: &str) -> PathBuf {
    home.join("state/jobs").join(job)
}

/// Creates a job whose log has the given number of events.
fn job_of(server: &mut Server, home: &Path, events: u64) -> String {
    let (id, ..) = run_job(server);
    let log = folder(home, &id).join("events.jsonl");
    let first = fs::read_to_string(&log).expect("the job has a log").lines().count() as u64 + 1;
    let log = File::options().append(true).open(log).expect("the job has a log");
    let mut log = BufWriter::with_capacity(1 << 20, log);
    for cursor in first..=events {
        let item = format!(r#"{{"id":"i","type":"agent_message","text":"{cursor}"}}"#);
        let event = format!(r#"{{"type":"item.completed","item":{item}}}"#);
        writeln!(log, r#"{{"cursor":{cursor},"at":{cursor},"turn":1,"codex":{event}}}"#)
            .expect("there is room");
    }
    log.flush().expect("there is room");
    id
}

fn events(home: &Path) {
    let mut server = server(home);
    let [short, long] = [SHORT, LONG].map(|events| (job_of(&mut server, home, events), events));
    let before = server.resident();
    let mut page = |(job, events): &(String, u64), n: u64| {
        let cursor = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) % (events - 100);
        let (page, time) =
            timed(&mut server, "job_events", &json!({"job_id": job, "cursor": cursor}));
        assert!(page["events"][0]["cursor"].as_u64() > Some(cursor), "{page}");
        time
    };
    let (mut base, mut ours) = (Samples::default(), Samples::default());
    for n in 0..PAGES {
        base.push(page(&short, n));
        ours.push(page(&long, n));
    }
    let after = server.resident();
    server.leave();
    Table::new(&format!("A page of job_events at any cursor ({PAGES} pairs)"))
        .times("of a job with 1,000 events", &base)
        .times("of a job with 1,000,000 events", &ours)
        .difference(&base, &ours, "under 2 ms")
        .row("memory before and after", &[kib(before), kib(after)], "flat")
        .print();
}

/// Copies a job until there are the given number.
fn copy_jobs(home: &Path, job: &str, count: usize) {
    let state = fs::read(folder(home, job).join("state.json")).expect("a job has a state");
    let mut state: Value = serde_json::from_slice(&state).expect("it is JSON");
    for _ in 1..count {
        let id = Uuid::now_v7().to_string();
        fs::create_dir_all(folder(home, &id)).expect("there is room");
        state["job_id"] = id.as_str().into();
        fs::write(folder(home, &id).join("state.json"), state.to_string()).expect("there is room");
    }
}

fn list(few: &Path, many: &Path) {
    fs::remove_dir_all(few.join("state")).expect("nothing runs there");
    let mut servers = [few, many].map(server);
    let before = servers[1].resident();
    let [_, (job, ..)] = servers.each_mut().map(run_job);
    copy_jobs(many, &job, MANY);
    let mut time = |at: usize, expected: usize| {
        let (list, time) = timed(&mut servers[at], "job_list", &json!({"limit": 200}));
        assert_eq!(list["jobs"].as_array().map(Vec::len), Some(expected));
        time
    };
    let (mut base, mut ours) = (Samples::default(), Samples::default());
    for _ in 0..LISTS {
        base.push(time(0, 1));
        ours.push(time(1, MANY));
    }
    let after = servers[1].resident();
    servers.into_iter().for_each(Server::leave);
    Table::new(&format!("A list of jobs ({LISTS} pairs)"))
        .times("of one", &base)
        .times(&format!("of {MANY}"), &ours)
        .difference(&base, &ours, "under 10 ms")
        .row("memory before and after", &[kib(before), kib(after)], "flat")
        .print();
}
