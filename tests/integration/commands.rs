//! The commands beside the server, as a person sees them.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::play::{Stage, message, ran, running};
use crate::setup::{PROGRAM, script};
use crate::support::scripted_codex;
use crate::wait::wait_until;

/// What a command said, and how it ended.
pub struct Ran {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("the program writes text");
        Self {
            status: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

/// The program in the project of this stage, with its scripted Codex.
fn program(stage: &Stage, arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", stage.home.path())
        .env("CODEX_BIN", scripted_codex())
        .env("CODEX_HOME", stage.home.path())
        .env("CODEX_PERSISTENT_MCP_STATE_DIR", stage.home.state())
        .env("SCRIPTED_CODEX_LOG", stage.home.path().join("starts.jsonl"))
        .current_dir(stage.home.project())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs the program to its end.
pub fn run(stage: &Stage, arguments: &[&str]) -> Ran {
    program(stage, arguments).output().expect("the program starts").into()
}

/// Runs it with this on standard input.
fn run_with(stage: &Stage, arguments: &[&str], input: &str) -> Ran {
    let child = program(stage, arguments).stdin(Stdio::piped()).spawn();
    let mut child = child.expect("the program starts");
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    stdin.write_all(input.as_bytes()).expect("the program reads its input");
    drop(stdin);
    ended(child)
}

fn ended(child: Child) -> Ran {
    child.wait_with_output().expect("the program ends").into()
}

/// Starts a job and returns its id.
fn job(stage: &Stage, steps: &Value) -> String {
    let started = run(stage, &["chat", "--detach", &script(steps)]);
    assert_eq!((started.status, started.stderr.as_str()), (Some(0), ""));
    started.stdout.trim().to_owned()
}

/// Lines of JSON.
pub fn parsed(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

/// What the session line on standard error says.
fn session(stderr: &str) -> &str {
    let line = stderr.lines().find_map(|line| line.strip_prefix("session: "));
    line.unwrap_or_else(|| panic!("no session in {stderr}"))
}

/// Waits until the job's process is gone, so that nothing is left of the test.
fn wait_gone(stage: &Stage, job: &str) {
    let state = stage.home.state().join("jobs").join(job).join("state.json");
    let Ok(state) = std::fs::read(state) else { return };
    let state: Value = serde_json::from_slice(&state).expect("the state is JSON");
    let pid = state["runner"]["pid"].as_i64().expect("somebody runs the job");
    let pid = Pid::from_raw(i32::try_from(pid).expect("a process id"));
    wait_until("the job's process to leave", || kill(pid, None).is_err() || is_zombie(pid));
}

/// Whether the process is dead, and only nobody has asked how it ended.
fn is_zombie(pid: Pid) -> bool {
    let status = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
    status.is_ok_and(|status| status.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z')))
}

#[test]
fn chat_prints_the_reply_alone_and_the_way_there_on_stderr() {
    let stage = Stage::new();
    let steps = json!([{"started": {}}, running("ls"), ran(), {"reply": "42\nindeed"}]);
    let ran = run(&stage, &["chat", &script(&steps)]);
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(0), "42\nindeed\n"), "{}", ran.stderr);
    let session = session(&ran.stderr);
    assert!(ran.stderr.starts_with(&format!("session {session} started\n")), "{}", ran.stderr);
    assert!(ran.stderr.contains("running: ls\n"), "{}", ran.stderr);
    assert!(ran.stderr.ends_with(&format!("resume: codex resume {session}\n")), "{}", ran.stderr);

    let again = run(&stage, &["chat", "hello", "--session", session, "--json"]);
    let answer = &parsed(&again.stdout)[0];
    assert_eq!((again.status, &answer["session_id"]), (Some(0), &json!(session)));
    assert_eq!(answer["reply"], "done");
}

#[test]
fn chat_takes_the_prompt_from_stdin_and_the_directory_from_the_flag() {
    let stage = Stage::new();
    let elsewhere = stage.home.path().to_str().expect("test paths are text");
    let ran = run_with(&stage, &["chat", "-", "--json", "--cwd", elsewhere], "from a pipe");
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    assert_eq!(parsed(&ran.stdout)[0]["cwd"], elsewhere);
    let starts = stage.starts();
    assert!(starts[0]["stdin"].as_str().is_some_and(|prompt| prompt.contains("from a pipe")));
}

#[test]
fn chat_exits_with_what_went_wrong() {
    let stage = Stage::new();
    for arguments in
        [&["chat", "  "][..], &["chat", "x", "--session", "y"], &["chat", "x", "--sandbox", "z"]]
    {
        let ran = run(&stage, arguments);
        assert_eq!((ran.status, ran.stdout.as_str()), (Some(2), ""), "{}", ran.stderr);
        assert!(ran.stderr.starts_with("error: "), "{}", ran.stderr);
    }
    assert_eq!(stage.starts().len(), 0, "nothing was started");

    let steps = json!([{"started": {}}, message("so far"), {"stderr": "broken"}, {"exit": 3}]);
    let failed = run(&stage, &["chat", &script(&steps)]);
    assert_eq!((failed.status, failed.stdout.as_str()), (Some(1), ""));
    assert!(failed.stderr.contains("error: no_result: "), "{}", failed.stderr);
    assert!(failed.stderr.contains("so far"), "{}", failed.stderr);
    session(&failed.stderr);

    let slow = script(&json!([{"started": {}}, {"hang": {}}]));
    let slow = run(&stage, &["chat", &slow, "--timeout-ms", "500", "--json"]);
    assert_eq!(slow.status, Some(124), "{}", slow.stderr);
    assert_eq!(parsed(&slow.stdout)[0]["error"]["kind"], "timed_out");
}

#[test]
fn a_signal_stops_the_codex_of_chat() {
    for (signal, status) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let stage = Stage::new();
        let steps = json!([{"started": {}}, {"touch": stage.file("up")}, {"hang": {}}]);
        let chat = program(&stage, &["chat", &script(&steps)]).spawn().expect("it starts");
        stage.wait_for("up");
        let codex = stage.starts()[0]["pid"].as_i64().expect("the log has process ids");
        let pid = Pid::from_raw(i32::try_from(chat.id()).expect("a process id"));
        kill(pid, signal).expect("the program is running");
        let ran = ended(chat);
        assert_eq!((ran.status, ran.stdout.as_str()), (Some(status), ""), "{}", ran.stderr);
        assert!(ran.stderr.contains("error: cancelled: stopped by SIG"), "{}", ran.stderr);
        session(&ran.stderr);
        let codex = Pid::from_raw(i32::try_from(codex).expect("a process id"));
        assert!(kill(codex, None).is_err(), "Codex is still there");
    }
}

#[test]
fn a_job_is_started_listed_shown_and_followed() {
    let stage = Stage::new();
    let failed = json!({"event": {"type": "item.completed", "item": {
        "id": "run", "type": "command_execution", "command": "make", "exit_code": 2,
        "aggregated_output": "\u{1b}[31mno rule\u{1b}[0m\n"}}});
    let steps = json!([
        {"started": {}}, running("make"), failed, {"touch": stage.file("up")},
        {"wait_for": stage.file("go")}, {"reply": "all is well"},
    ]);
    let id = job(&stage, &steps);
    stage.wait_for("up");
    // It is at work, and who follows it is there all the time.
    let follow = program(&stage, &["jobs", "follow", &id[..13]]).spawn().expect("it starts");
    wait_until("the job to run", || {
        let listed = run(&stage, &["jobs", "--status", "running"]);
        assert_eq!(listed.status, Some(0), "{}", listed.stderr);
        listed.stdout.contains(&id)
    });
    stage.release("go");
    let followed = ended(follow);
    assert_eq!(followed.status, Some(0), "{}", followed.stderr);
    for told in ["running: make\n", "failed with 2: ", "no rule", "\nresult:\nall is well\n"] {
        assert!(followed.stdout.contains(told), "{told:?} is not in {}", followed.stdout);
    }
    assert!(!followed.stdout.contains('\u{1b}'), "{}", followed.stdout);
    let last = followed.stdout.lines().last().expect("there is a status line");
    assert!(last.starts_with("completed · 1 turn · 1 command (1 failed) · "), "{last}");

    let shown = run(&stage, &["jobs", "show", &id[24..]]);
    assert_eq!(shown.status, Some(0), "{}", shown.stderr);
    assert!(shown.stdout.contains(&id) && shown.stdout.contains("codex resume "));
    assert!(shown.stdout.contains(last.split(" · last").next().expect("the first part")));
    assert!(shown.stdout.ends_with("result:\nall is well\n"), "{}", shown.stdout);

    for arguments in
        [&["jobs", "--json"][..], &["jobs", "list", "--json"], &["jobs", "show", &id, "--json"]]
    {
        let told = parsed(&run(&stage, arguments).stdout);
        assert_eq!(
            (told.len(), &told[0]["job_id"], &told[0]["result"]),
            (1, &json!(id), &json!("all is well"))
        );
    }
    let events = parsed(&run(&stage, &["jobs", "follow", &id, "--json"]).stdout);
    assert_eq!(events.last().expect("the snapshot")["status"], "completed");
    assert!(events.iter().any(|event| event["event"]["type"] == "thread.started"));

    wait_gone(&stage, &id);
    let pruned = run(&stage, &["jobs", "prune", "--json"]);
    assert_eq!(parsed(&pruned.stdout)[0]["jobs"], 0, "it is not old");
    let pruned = run(&stage, &["jobs", "prune", "--all"]);
    assert!(pruned.stdout.starts_with("removed 1 job, "), "{}", pruned.stdout);
    assert_eq!(run(&stage, &["jobs", "--json"]).stdout, "");
}

#[test]
fn a_cancelled_job_ends_who_follows_it_with_130() {
    let stage = Stage::new();
    let id = job(&stage, &json!([{"started": {}}, {"touch": stage.file("up")}, {"hang": {}}]));
    stage.wait_for("up");
    let follow = program(&stage, &["jobs", "follow", &id]).spawn().expect("it starts");
    let cancelled = run(&stage, &["jobs", "cancel", &id]);
    assert_eq!(cancelled.status, Some(0), "{}", cancelled.stderr);
    assert_eq!(cancelled.stdout, format!("job {id} cancelled\n"));
    let followed = ended(follow);
    assert_eq!(followed.status, Some(130), "{}", followed.stderr);
    assert!(followed.stdout.contains("cancelled: "), "{}", followed.stdout);
    let again = run(&stage, &["jobs", "cancel", &id]);
    assert_eq!(again.stdout, format!("job {id} had already ended: cancelled\n"));
    wait_gone(&stage, &id);
}

#[test]
fn an_end_of_following_is_no_end_of_the_job() {
    let stage = Stage::new();
    let steps = json!([{"started": {}}, {"touch": stage.file("up")}, {"wait_for": stage.file("go")},
                       {"reply": "went on"}]);
    let id = job(&stage, &steps);
    stage.wait_for("up");
    let follow = program(&stage, &["jobs", "follow", &id]).spawn().expect("it starts");
    let pid = Pid::from_raw(i32::try_from(follow.id()).expect("a process id"));
    kill(pid, Signal::SIGINT).expect("it is running");
    let followed = follow.wait_with_output().expect("it ends");
    assert!(!followed.status.success());
    // And one whose reader is gone leaves quietly.
    let mut unread = program(&stage, &["jobs", "follow", &id]).spawn().expect("it starts");
    drop(unread.stdout.take());
    stage.release("go");
    let unread = ended(unread);
    assert_eq!(unread.stderr, "");
    let followed = run(&stage, &["jobs", "follow", &id]);
    assert!(followed.stdout.contains("went on"), "{}", followed.stdout);
    wait_gone(&stage, &id);
}

#[test]
fn an_id_must_be_that_of_one_job() {
    let stage = Stage::new();
    let jobs = [0, 1].map(|_| job(&stage, &json!([{"started": {}}, {"reply": "done"}])));
    for id in &jobs {
        assert_eq!(run(&stage, &["jobs", "follow", id]).status, Some(0));
        wait_gone(&stage, id);
    }
    let same = jobs[0].bytes().zip(jobs[1].bytes()).take_while(|(one, two)| one == two).count();
    assert!(same >= 4, "both begin with the time");
    let ran = run(&stage, &["jobs", "show", &jobs[0][..same]]);
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(2), ""), "{}", ran.stderr);
    assert!(jobs.iter().all(|id| ran.stderr.contains(id)), "{}", ran.stderr);
    for unknown in ["zzzz", "01", "", "0199a213-81c0-7800-8aa1-bbab2a035a53"] {
        for command in ["show", "follow", "cancel"] {
            let ran = run(&stage, &["jobs", command, unknown]);
            assert_eq!((ran.status, ran.stdout.as_str()), (Some(2), ""), "{}", ran.stderr);
            assert!(ran.stderr.starts_with("error: "), "{}", ran.stderr);
        }
    }
    // Newest first.
    let listed = parsed(&run(&stage, &["jobs", "list", "--limit", "1", "--json"]).stdout);
    assert_eq!((listed.len(), &listed[0]["job_id"]), (1, &json!(jobs[1])));
}

#[test]
fn chat_with_the_real_codex_names_a_session_that_is_not_there() {
    let stage = Stage::new();
    let unknown = "0199a213-81c0-7800-8aa1-bbab2a035a53";
    let codex = &crate::support::real_codex::install().native;
    let chat =
        program(&stage, &["chat", "hello", "--session", unknown]).env("CODEX_BIN", codex).output();
    let ran = Ran::from(chat.expect("the program starts"));
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(1), ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("error: session_not_found: "), "{}", ran.stderr);
}
