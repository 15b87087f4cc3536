//! The commands for users, with a scripted Codex.

use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::kit::cli::{self, Ran, ended, parsed, run_with, session, start, wait_nothing_left};
use crate::kit::play::{Stage, message, ran, running};
use crate::kit::setup::{resume_command, script};
use crate::kit::wait::wait_until;
use crate::support::{real_codex, scripted_codex};

/// The program in the project of this stage, with its scripted Codex.
fn program(stage: &Stage, arguments: &[&str]) -> Command {
    cli::program(&stage.home, &scripted_codex(), arguments)
}

pub fn run(stage: &Stage, arguments: &[&str]) -> Ran {
    cli::run(program(stage, arguments))
}

/// Starts a job and returns its id.
fn job(stage: &Stage, steps: &Value) -> String {
    let started = run(stage, &["chat", "--detach", &script(steps)]);
    assert_eq!((started.status, started.stderr.as_str()), (Some(0), ""));
    started.stdout.trim().to_owned()
}

#[test]
fn chat_prints_only_the_reply_with_progress_on_stderr() {
    let stage = Stage::new();
    let steps = json!([{"started": {}}, running("ls"), ran(), {"reply": "42\nindeed"}]);
    let ran = run(&stage, &["chat", &script(&steps)]);
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(0), "42\nindeed\n"), "{}", ran.stderr);
    let session = session(&ran.stderr);
    assert!(ran.stderr.starts_with(&format!("session {session} started · ")), "{}", ran.stderr);
    let resume = resume_command(&stage.home, session);
    assert!(ran.stderr.ends_with(&format!("take over: {resume}\n")), "{}", ran.stderr);

    let again = run(&stage, &["chat", "hello", "--session", session, "--json"]);
    let answer = &parsed(&again.stdout)[0];
    assert_eq!((again.status, &answer["session_id"]), (Some(0), &json!(session)));
    assert_eq!(answer["reply"], "done");
}

#[test]
fn chat_takes_the_prompt_from_stdin_and_the_directory_from_the_flag() {
    let stage = Stage::new();
    let elsewhere = stage.home.path().to_str().expect("test paths are text");
    let ran =
        run_with(program(&stage, &["chat", "-", "--json", "--cwd", elsewhere]), "from a pipe");
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    assert_eq!(parsed(&ran.stdout)[0]["cwd"], elsewhere);
    let starts = stage.starts();
    let asked = starts.iter().find_map(|start| start["stdin"].as_str());
    assert!(asked.is_some_and(|prompt| prompt.contains("from a pipe")));
}

#[test]
fn chat_exits_with_a_status_for_each_failure() {
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
        let chat = start(&mut program(&stage, &["chat", &script(&steps)]));
        stage.wait_for("up");
        let codex = stage.starts()[0]["pid"].as_i64().expect("the log has process ids");
        cli::signal(&chat, signal);
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
    // The job runs, and is followed all the time.
    let follow = start(&mut program(&stage, &["jobs", "follow", &id[..13]]));
    wait_until("the job to run", || {
        let listed = run(&stage, &["jobs", "--status", "running"]);
        assert_eq!(listed.status, Some(0), "{}", listed.stderr);
        listed.stdout.contains(&id)
    });
    stage.release("go");
    let followed = ended(follow);
    assert_eq!(followed.status, Some(0), "{}", followed.stderr);
    assert_eq!(followed.stdout, "all is well\n");
    for reported in ["\n$ make exit 2 ", "no rule", "\nturn 1 completed\n"] {
        assert!(followed.stderr.contains(reported), "{reported:?} is not in {}", followed.stderr);
    }
    assert!(!followed.stderr.contains('\u{1b}'), "{}", followed.stderr);
    assert!(!followed.stderr.contains("all is well"), "{}", followed.stderr);
    let mut lines = followed.stderr.lines();
    let figures = lines.find(|line| line.starts_with("1 turn · ")).expect("a summary");
    assert!(figures.contains(" · 1 command (1 failed) · 0 files changed · "), "{figures}");

    let shown = run(&stage, &["jobs", "show", &id[24..]]);
    assert_eq!(shown.status, Some(0), "{}", shown.stderr);
    assert!(shown.stdout.contains(&id) && shown.stdout.contains("codex resume "));
    assert!(shown.stdout.contains("completed · 1 turn · 1 command (1 failed) · "));
    assert!(shown.stdout.ends_with("result:\nall is well\n"), "{}", shown.stdout);

    for arguments in
        [&["jobs", "--json"][..], &["jobs", "list", "--json"], &["jobs", "show", &id, "--json"]]
    {
        let reported = parsed(&run(&stage, arguments).stdout);
        assert_eq!(
            (reported.len(), &reported[0]["job_id"], &reported[0]["result"]),
            (1, &json!(id), &json!("all is well"))
        );
    }
    let events = parsed(&run(&stage, &["jobs", "follow", &id, "--json"]).stdout);
    assert_eq!(events.last().expect("the snapshot")["status"], "completed");
    assert!(events.iter().any(|event| event["event"]["type"] == "thread.started"));

    wait_nothing_left(&stage.home);
    let pruned = run(&stage, &["jobs", "prune", "--json"]);
    assert_eq!(parsed(&pruned.stdout)[0]["jobs"], 0, "it is not old");
    let pruned = run(&stage, &["jobs", "prune", "--all"]);
    assert!(pruned.stdout.starts_with("removed 1 job, "), "{}", pruned.stdout);
    assert_eq!(run(&stage, &["jobs", "--json"]).stdout, "");
}

#[test]
fn following_a_cancelled_job_exits_with_130() {
    let stage = Stage::new();
    let id = job(&stage, &json!([{"started": {}}, {"touch": stage.file("up")}, {"hang": {}}]));
    stage.wait_for("up");
    let follow = start(&mut program(&stage, &["jobs", "follow", &id]));
    let cancelled = run(&stage, &["jobs", "cancel", &id]);
    assert_eq!(cancelled.status, Some(0), "{}", cancelled.stderr);
    assert_eq!(cancelled.stdout, format!("job {id} cancelled\n"));
    let followed = ended(follow);
    assert_eq!(followed.status, Some(130), "{}", followed.stderr);
    assert!(followed.stderr.contains("error: cancelled: "), "{}", followed.stderr);
    let again = run(&stage, &["jobs", "cancel", &id]);
    assert_eq!(again.stdout, format!("job {id} had already ended: cancelled\n"));
    wait_nothing_left(&stage.home);
}

#[test]
fn the_job_continues_when_following_ends() {
    let stage = Stage::new();
    let steps = json!([{"started": {}}, {"touch": stage.file("up")}, {"wait_for": stage.file("go")},
                       {"reply": "went on"}]);
    let id = job(&stage, &steps);
    stage.wait_for("up");
    let follow = start(&mut program(&stage, &["jobs", "follow", &id]));
    // Not SIGINT, which may be ignored in the shell of the tests.
    cli::signal(&follow, Signal::SIGTERM);
    let followed = follow.wait_with_output().expect("it ends");
    assert!(!followed.status.success());
    // One whose reader is gone exits quietly, even while the job has no events.
    let mut unread = start(&mut program(&stage, &["jobs", "follow", &id]));
    drop(unread.stdout.take());
    let unread = ended(unread);
    assert_eq!(unread.status, Some(0), "{}", unread.stderr);
    assert!(!unread.stderr.contains("error: "), "{}", unread.stderr);
    stage.release("go");
    let followed = run(&stage, &["jobs", "follow", &id]);
    assert_eq!(followed.stdout, "went on\n", "{}", followed.stderr);
    wait_nothing_left(&stage.home);
}

#[test]
fn an_id_must_match_exactly_one_job() {
    let stage = Stage::new();
    let jobs = [0, 1].map(|_| job(&stage, &json!([{"started": {}}, {"reply": "done"}])));
    for id in &jobs {
        assert_eq!(run(&stage, &["jobs", "follow", id]).status, Some(0));
        wait_nothing_left(&stage.home);
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
    let codex = &real_codex::install().native;
    let ran = cli::run(cli::program(&stage.home, codex, &["chat", "hello", "--session", unknown]));
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(1), ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("error: session_not_found: "), "{}", ran.stderr);
}
