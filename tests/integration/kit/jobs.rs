//! What the tests of jobs share: starting them, waiting for them, and what can be seen of them.

use std::fs;
use std::path::{Path, PathBuf};

use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::kit::setup::content;
use crate::kit::wait::{WAIT, wait_until};
use crate::support::client::{Server, result};
use crate::support::environment::patient;
use crate::support::real_codex::Home;

/// What a request carries of a client that takes tasks, or does not.
pub fn meta(takes_tasks: bool) -> Value {
    let tasks = json!({"io.modelcontextprotocol/tasks": {}});
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "tests", "version": "0"},
        "io.modelcontextprotocol/clientCapabilities":
            if takes_tasks { json!({"extensions": tasks}) } else { json!({}) },
    })
}

/// Starts a job that runs a command, and returns its answer.
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

/// Waits for one more notification of the job.
pub fn wait(server: &Server, job: &str, cursor: &Value) -> (Value, Value) {
    let arguments = json!({"job_ids": [job], "cursor": cursor, "timeout_ms": wait_ms()});
    let answer = content(&server.call("job_wait", &arguments)).clone();
    let told = answer["notifications"].as_array().expect("a list").clone();
    assert_eq!(told.len(), 1, "{answer}");
    (told[0].clone(), answer["cursor"].clone())
}

pub fn snapshot(server: &Server, job: &str) -> Value {
    content(&server.call("job_events", &json!({"job_id": job})))["job"].clone()
}

/// The process that runs the job, from its own record.
pub fn runner(home: &Home, job: &str) -> Pid {
    let state = fs::read(home.state().join("jobs").join(job).join("state.json"));
    let state: Value = serde_json::from_slice(&state.expect("it has a state")).expect("JSON");
    let pid = state["runner"]["pid"].as_i64().expect("a process runs it");
    Pid::from_raw(i32::try_from(pid).expect("a process id"))
}

/// How often a process and its threads have waited so far.
pub fn waits(pid: Pid) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs").flatten();
    let waits = tasks.map(|task| {
        let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.and_then(|count| count.trim().parse::<u64>().ok()).unwrap_or_default()
    });
    waits.sum()
}

/// Nothing runs that the server began, and nothing is locked.
pub fn assert_nothing_left(home: &Home, server: &Server) {
    wait_until("all processes to be gone", || {
        server.descendants().expect("Linux tells").is_empty()
    });
    let locks = home.path().join("thread-writer-locks");
    for lock in fs::read_dir(&locks).into_iter().flatten().flatten() {
        // A lock that a test has tried lives on for a moment in a process that another test starts.
        wait_until(&format!("{} to be free", lock.path().display()), || {
            fs::File::open(lock.path()).expect("readable").try_lock().is_ok()
        });
    }
}

/// A file that a command waits for.
pub fn gate(home: &Home, name: &str) -> (PathBuf, String) {
    let path = home.project().join(name);
    let command = format!(
        "[run touch {path}.begun; until test -e {path}; do sleep 0.02; done; echo opened]",
        path = path.display()
    );
    (path, command)
}

/// Starts a job whose turn runs a command that does not end, and returns the job's answer.
pub fn start_blocked(home: &Home, server: &Server) -> Value {
    let (path, prompt) = gate(home, "gate");
    let job = start(server, &prompt);
    wait_started(&path);
    job
}

pub fn wait_started(path: &Path) {
    let begun = path.with_extension("begun");
    wait_until("the command to begin", || begun.exists());
}

/// Starts a job and returns its answer.
pub fn start_with(server: &Server, arguments: &Value) -> Value {
    content(&server.call("job_start", arguments)).clone()
}

/// Hands a job its next prompt and returns the answer.
pub fn reply(server: &Server, job: &str, prompt: &str) -> Value {
    content(&server.call("job_reply", &json!({"job_id": job, "prompt": prompt}))).clone()
}

/// What is told of a job, from the first notification on.
pub fn notifications_of(server: &Server, job: &str) -> Vec<Value> {
    let answer = server.call("job_notifications", &json!({"job_ids": [job]}));
    content(&answer)["notifications"].as_array().expect("a list").clone()
}

/// Waits until so many endings of the job were told, and returns all that were.
pub fn wait_notifications(server: &Server, job: &str, count: usize) -> Vec<Value> {
    let mut all = Vec::new();
    let mut cursor = json!(0);
    while all.len() < count {
        let arguments = json!({"job_ids": [job], "cursor": cursor, "timeout_ms": wait_ms()});
        let answer = content(&server.call("job_wait", &arguments)).clone();
        let told = answer["notifications"].as_array().expect("a list");
        assert!(!told.is_empty(), "waited in vain for {count} endings: {all:?}");
        all.extend_from_slice(told);
        cursor = answer["cursor"].clone();
    }
    all
}

/// Makes the same moment of two calls, and returns their results.
pub fn at_once(calls: [(&Server, &str, Value); 2]) -> [Value; 2] {
    let sent = calls.map(|(server, tool, arguments)| (server, server.begin_call(tool, &arguments)));
    sent.map(|(server, call)| result(server.answer(&call)))
}

/// Where the job's files are.
pub fn folder(home: &Home, job: &str) -> PathBuf {
    home.state().join("jobs").join(job)
}

/// How many processes have been there to run the job.
pub fn runners(home: &Home, job: &str) -> usize {
    let log = fs::read_to_string(folder(home, job).join("runner.log")).expect("a log");
    log.lines().filter(|line| line.contains("the job's process is here")).count()
}

/// All events of a job after a cursor, as far as there are any for now, and the cursor to go on from.
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
