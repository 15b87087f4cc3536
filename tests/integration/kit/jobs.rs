//! Jobs: starting them, waiting for them, and observing them.

use std::fs;
use std::path::{Path, PathBuf};

use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::kit::setup::content;
use crate::kit::wait::{WAIT, wait_until};
use crate::support::client::{Server, result};
use crate::support::environment::patient;
use crate::support::real_codex::Home;

/// The metadata of a request, from a client that supports tasks or does not.
pub fn meta(takes_tasks: bool) -> Value {
    let tasks = json!({"io.modelcontextprotocol/tasks": {}});
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "tests", "version": "0"},
        "io.modelcontextprotocol/clientCapabilities":
            if takes_tasks { json!({"extensions": tasks}) } else { json!({}) },
    })
}

/// Starts a job that may write, and returns its answer.
pub fn start(server: &Server, prompt: &str) -> Value {
    let arguments = json!({"prompt": prompt, "label": "a test", "sandbox": "workspace-write"});
    content(&server.call("job_start", &arguments)).clone()
}

pub fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("there is no text {name} in {value}"))
}

/// How long `job_wait` waits here, which is at most as long as it can.
fn wait_ms() -> u128 {
    patient(WAIT).as_millis().min(280_000)
}

/// Waits for the next notification of the job, and returns it with the next cursor.
pub fn wait(server: &Server, job: &str, cursor: &Value) -> (Value, Value) {
    let arguments = json!({"job_ids": [job], "cursor": cursor, "timeout_ms": wait_ms()});
    let answer = content(&server.call("job_wait", &arguments)).clone();
    let new = answer["notifications"].as_array().expect("a list").clone();
    assert_eq!(new.len(), 1, "{answer}");
    (new[0].clone(), answer["cursor"].clone())
}

pub fn snapshot(server: &Server, job: &str) -> Value {
    content(&server.call("job_events", &json!({"job_id": job})))["job"].clone()
}

/// The process that runs the job, from its state file.
pub fn runner(home: &Home, job: &str) -> Pid {
    let state = fs::read(home.state().join("jobs").join(job).join("state.json"));
    let state: Value = serde_json::from_slice(&state.expect("it has a state")).expect("JSON");
    let pid = state["runner"]["pid"].as_i64().expect("a process runs it");
    Pid::from_raw(i32::try_from(pid).expect("a process id"))
}

/// How often the threads of a process have blocked so far.
pub fn waits(pid: Pid) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs").flatten();
    let waits = tasks.map(|task| {
        let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.and_then(|count| count.trim().parse::<u64>().ok()).unwrap_or_default()
    });
    waits.sum()
}

/// Waits until no process of the server runs and no session is locked.
pub fn assert_nothing_left(home: &Home, server: &Server) {
    wait_until("all processes to be gone", || {
        server.descendants().expect("Linux lists processes").is_empty()
    });
    let locks = home.path().join("thread-writer-locks");
    for lock in fs::read_dir(&locks).into_iter().flatten().flatten() {
        // A process that another test just started may have inherited a lock for a moment.
        wait_until(&format!("{} to be free", lock.path().display()), || {
            fs::File::open(lock.path()).expect("readable").try_lock().is_ok()
        });
    }
}

/// A file, and a prompt with a command that waits for it.
pub fn gate(home: &Home, name: &str) -> (PathBuf, String) {
    let path = home.project().join(name);
    let command = format!(
        "[run touch {path}.started; until test -e {path}; do sleep 0.02; done; echo opened]",
        path = path.display()
    );
    (path, command)
}

/// Starts a job whose command never ends, waits for that command, and returns the answer.
pub fn start_blocked(home: &Home, server: &Server) -> Value {
    let (path, prompt) = gate(home, "gate");
    let job = start(server, &prompt);
    wait_started(&path);
    job
}

pub fn wait_started(path: &Path) {
    let started = path.with_extension("started");
    wait_until("the command to start", || started.exists());
}

/// Starts a job and returns its answer.
pub fn start_with(server: &Server, arguments: &Value) -> Value {
    content(&server.call("job_start", arguments)).clone()
}

/// Sends a job its next prompt and returns the answer.
pub fn reply(server: &Server, job: &str, prompt: &str) -> Value {
    content(&server.call("job_reply", &json!({"job_id": job, "prompt": prompt}))).clone()
}

/// All notifications of a job so far.
pub fn notifications_of(server: &Server, job: &str) -> Vec<Value> {
    let answer = server.call("job_notifications", &json!({"job_ids": [job]}));
    content(&answer)["notifications"].as_array().expect("a list").clone()
}

/// Waits until the job has this many notifications, and returns all of them.
pub fn wait_notifications(server: &Server, job: &str, count: usize) -> Vec<Value> {
    let mut all = Vec::new();
    let mut cursor = json!(0);
    while all.len() < count {
        let arguments = json!({"job_ids": [job], "cursor": cursor, "timeout_ms": wait_ms()});
        let answer = content(&server.call("job_wait", &arguments)).clone();
        let new = answer["notifications"].as_array().expect("a list");
        assert!(!new.is_empty(), "waited in vain for {count} notifications: {all:?}");
        all.extend_from_slice(new);
        cursor = answer["cursor"].clone();
    }
    all
}

/// Makes two calls at the same time, and returns their results.
pub fn at_once(calls: [(&Server, &str, Value); 2]) -> [Value; 2] {
    let sent = calls.map(|(server, tool, arguments)| (server, server.begin_call(tool, &arguments)));
    sent.map(|(server, call)| result(server.answer(&call)))
}

/// The folder with the job's files.
pub fn folder(home: &Home, job: &str) -> PathBuf {
    home.state().join("jobs").join(job)
}

/// How many processes have run the job.
pub fn runners(home: &Home, job: &str) -> usize {
    let log = fs::read_to_string(folder(home, job).join("runner.log")).expect("a log");
    log.lines().filter(|line| line.contains("the job's process has started")).count()
}

/// All events of a job so far after a cursor, and the next cursor.
pub fn pages(server: &Server, query: &Value, cursor: u64) -> (Vec<Value>, u64) {
    let mut all = Vec::new();
    let mut query = query.clone();
    query["cursor"] = cursor.into();
    loop {
        let answer = server.call("job_events", &query);
        let page = content(&answer);
        all.extend_from_slice(page["events"].as_array().expect("a list"));
        query["cursor"] = page["cursor"].clone();
        if page["more"] == false {
            return (all, page["cursor"].as_u64().expect("a number"));
        }
    }
}
