//! `read`, of what the real Codex printed and recorded, and of its jobs.

use std::fs::File;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::kit::cli::{self, Ran, kill_what_is_left, parsed, wait_nothing_left};
use crate::kit::real::{ByHand, obey};
use crate::kit::setup::home;
use crate::kit::wait::wait_until;
use crate::support::client::MARKER;
use crate::support::model::Model;
use crate::support::real_codex::{Home, Release, install};

fn run(home: &Home, arguments: &[&str]) -> Ran {
    cli::run(cli::program(home, &install().native, arguments))
}

/// What `read` prints, which must succeed.
fn read(home: &Home, arguments: &[&str]) -> String {
    let ran = run(home, &[&["read"], arguments].concat());
    assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), ""), "{}", ran.stdout);
    ran.stdout
}

/// `codex exec --json` with its output in a file.
fn exec_into(home: &Home, release: Release, file: &str) -> Command {
    let mut command = ByHand::command(home, release);
    let file = File::create(home.project().join(file)).expect("writable");
    command.arg("-").env(MARKER, home.path()).stdin(Stdio::piped()).stdout(file);
    command.stderr(Stdio::null());
    command
}

fn give(child: &mut std::process::Child, prompt: &str) {
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    stdin.write_all(prompt.as_bytes()).expect("Codex reads its input");
}

/// The session of the run whose output is in this file.
fn session_in(home: &Home, file: &str) -> Option<String> {
    let entries = parsed(&read(home, &[file, "--json"]));
    let session = entries.iter().find_map(|entry| entry["session"].as_str());
    session.map(str::to_owned)
}

#[test]
fn what_codex_exec_prints_and_records_is_read_in_each_release() {
    let model = Model::start(obey);
    for release in [Release::Newest, Release::V0_169, Release::V0_153] {
        let home = home(&model.url());
        let mut codex = exec_into(&home, release, "out.jsonl").spawn().expect("Codex starts");
        give(&mut codex, "do it [run echo made]");
        assert!(codex.wait().expect("it is a child").success());
        let session = session_in(&home, "out.jsonl").expect("a session");
        // The record has the times, the prompt and the context too.
        for target in ["out.jsonl", &session, &session[..13]] {
            let timeline = read(&home, &[target, "--timeline"]);
            for part in [
                &*format!("session {session}"),
                "command echo made → 0",
                " Output: made\n",
                "turn completed",
            ] {
                assert!(timeline.contains(part), "{part:?} is not in {timeline}");
            }
            let is_record = target != "out.jsonl";
            assert_eq!(
                timeline.contains("prompt do it [run echo made]\n"),
                is_record,
                "{timeline}"
            );
            let tokens = read(&home, &[target, "--tokens"]);
            assert!(tokens.starts_with("tokens: ") && tokens.contains(" used ("), "{tokens}");
            // Codex does not print how full the context is, so that comes from the record.
            assert!(tokens.contains(" left ("), "{tokens}");
            let stuck = read(&home, &[target, "--stuck"]);
            assert!(stuck.starts_with("not stuck: ") && stuck.contains("completed\n"), "{stuck}");
        }
    }
}

#[test]
fn a_codex_at_work_is_not_stuck_until_it_is_killed() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let mut codex = exec_into(&home, Release::Newest, "out.jsonl").spawn().expect("Codex starts");
    give(&mut codex, "wait [hang]");
    wait_until("the turn", || {
        let session = session_in(&home, "out.jsonl");
        // The record is there a moment after the session's id.
        let timeline = |id: String| run(&home, &["read", &id, "--timeline"]).stdout;
        session.is_some_and(|id| timeline(id).contains("prompt wait [hang]\n"))
    });
    let session = session_in(&home, "out.jsonl").expect("a session");
    for target in ["out.jsonl", &session] {
        let works = read(&home, &[target, "--stuck"]);
        assert!(works.contains("the model is thinking"), "{works}");
    }
    codex.kill().expect("it runs");
    codex.wait().expect("it is a child");
    kill_what_is_left(&home);
    let record = home.rollout(&session).expect("a record");
    for path in [home.project().join("out.jsonl"), record] {
        let file = File::options().append(true).open(path).expect("it is there");
        file.set_modified(SystemTime::now() - Duration::from_secs(60)).expect("it is ours");
    }
    if cfg!(target_os = "linux") {
        for target in ["out.jsonl", &session] {
            let left = run(&home, &["read", target, "--stuck"]);
            assert_eq!(left.status, Some(3), "{}{}", left.stdout, left.stderr);
            assert!(left.stdout.contains("the process that wrote this is gone"), "{}", left.stdout);
        }
    }
}

#[test]
fn a_job_of_the_real_codex_is_read_and_followed() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let started = run(&home, &["chat", "--detach", "do it [run echo made]"]);
    let job = started.stdout.trim();
    let followed = read(&home, &[job, "--follow", "--json"]);
    let entries = parsed(&followed);
    let kinds: Vec<&str> = entries.iter().filter_map(|entry| entry["type"].as_str()).collect();
    for kind in [
        "prompt",
        "session",
        "turn_started",
        "command_started",
        "command",
        "message",
        "turn_ended",
        "end",
    ] {
        assert!(kinds.contains(&kind), "{kind} is not in {kinds:?}");
    }
    let command = entries.iter().find(|entry| entry["type"] == "command").expect("a command");
    assert_eq!((&command["exit_code"], &command["request"]), (&Value::from(0), &Value::from(1)));
    assert_eq!(command["output"], "made\n");
    let summary = read(&home, &[job]);
    assert!(summary.contains("completed · 1 command\nlast message:\n"), "{summary}");
    assert!(summary.contains("\nmade\ntokens: "), "{summary}");
    // What jobs follow prints is the same.
    let by_jobs = run(&home, &["jobs", "follow", job]);
    assert_eq!(by_jobs.status, Some(0), "{}", by_jobs.stderr);
    assert!(by_jobs.stdout.contains("\nmade\n"), "{}", by_jobs.stdout);
    assert!(by_jobs.stderr.contains("\n$ echo made "), "{}", by_jobs.stderr);
    wait_nothing_left(&home);
}
