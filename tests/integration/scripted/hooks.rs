//! `hook`, as the plugin runs it, with what Claude Code passes to it.

use std::fs;

use serde_json::{Value, json};

use crate::kit::cli::{self, Ran, parsed, run, run_with};
use crate::kit::play::Stage;
use crate::kit::setup::git;
use crate::kit::wait::wait_until;
use crate::support::scripted_codex;

const SESSION: &str = "5d2f6c1e-8a51-4c0c-9d1c-0b6f4d8f3a10";

/// Runs a hook in the home's project.
fn hook(stage: &Stage, name: &str, input: &str) -> Vec<Value> {
    let ran = run_with(cli::program(&stage.home, &scripted_codex(), &["hook", name]), input);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    parsed(&ran.stdout)
}

fn event(stage: &Stage, event: &str) -> Value {
    json!({ "hook_event_name": event, "session_id": SESSION, "cwd": stage.home.project() })
}

fn told(stage: &Stage, name: &str) -> Vec<String> {
    let answers = hook(stage, "jobs", &event(stage, name).to_string());
    let context = |answer: &Value| {
        assert_eq!(answer["hookSpecificOutput"]["hookEventName"], name);
        answer["hookSpecificOutput"]["additionalContext"].as_str().expect("a text").to_owned()
    };
    answers.iter().map(context).collect()
}

/// Runs a job to its end, in this directory.
fn job(stage: &Stage, prompt: &str, arguments: &[&str]) -> String {
    let program = |arguments: &[&str]| cli::program(&stage.home, &scripted_codex(), arguments);
    let Ran { stdout, stderr, .. } =
        run(program(&[&["chat", "--detach", prompt], arguments].concat()));
    let job = stdout.trim().to_owned();
    assert!(!job.is_empty(), "{stderr}");
    wait_until("the job to end", || {
        let shown = parsed(&run(program(&["jobs", "show", &job, "--json"])).stdout);
        shown[0].get("ended_at").is_some()
    });
    job
}

#[test]
fn whatever_is_passed_a_hook_is_silent_and_succeeds() {
    let stage = Stage::new();
    for name in ["jobs", "review"] {
        for input in ["", "no JSON", "[]", "{}", r#"{"hook_event_name": 1}"#] {
            assert_eq!(hook(&stage, name, input), [Value::Null; 0], "{name} {input}");
        }
        let mut elsewhere = event(&stage, "Stop");
        elsewhere["cwd"] = "/does/not/exist".into();
        assert_eq!(hook(&stage, name, &elsewhere.to_string()), [Value::Null; 0]);
    }
}

#[test]
fn each_job_of_the_project_is_told_once() {
    let stage = Stage::new();
    assert_eq!(told(&stage, "SessionStart"), [""; 0]);
    let first = job(&stage, "one\ntwo", &[]);
    let elsewhere = stage.home.user().to_str().expect("test paths are text");
    let other = job(&stage, "elsewhere", &["--cd", elsewhere]);
    let [text] = &told(&stage, "UserPromptSubmit")[..] else { panic!("it is not told") };
    assert!(text.contains(&first) && !text.contains(&other), "{text}");
    assert!(text.contains(r#"asked: "one two""#), "{text}");
    for name in ["UserPromptSubmit", "SessionStart"] {
        assert_eq!(told(&stage, name), [""; 0]);
    }
    let second = job(&stage, "three", &[]);
    let [text] = &told(&stage, "SessionStart")[..] else { panic!("it is not told") };
    assert!(text.contains(&second) && !text.contains(&first), "{text}");
    // A new state folder counts from 1 again.
    fs::remove_dir_all(stage.home.state().join("jobs")).expect("it is there");
    fs::remove_file(stage.home.state().join("notifications.jsonl")).expect("it is there");
    let third = job(&stage, "four", &[]);
    assert!(told(&stage, "SessionStart")[0].contains(&third));
}

#[test]
fn changes_are_reviewed_once_and_only_those_of_the_session() {
    let stage = Stage::new();
    let project = stage.home.project();
    let review = |name: &str, again: bool| {
        let mut input = event(&stage, name);
        input["stop_hook_active"] = again.into();
        let before = stage.starts().len();
        hook(&stage, "review", &input.to_string());
        stage.starts().len() - before
    };
    let change = |name: &str, text: &str| fs::write(project.join(name), text).expect("writable");
    // Without a repository nothing is known to have changed.
    if !project.ancestors().any(|dir| dir.join(".git").exists()) {
        assert_eq!(review("Stop", false), 0);
    }
    git(project, &["init", "--quiet"]);
    git(project, &["commit", "--quiet", "--allow-empty", "-m", "first"]);
    change("old", "of the user");
    assert_eq!(review("SessionStart", false), 0);
    assert_eq!(review("Stop", false), 0);
    change("new", "one");
    assert_eq!(review("SessionStart", false), 0, "a session that goes on");
    assert_eq!(review("Stop", true), 0, "a stop after a review");
    assert_eq!(review("Stop", false), 1);
    assert_eq!(review("Stop", false), 0, "the same changes");
    change("new", "longer");
    assert_eq!(review("Stop", false), 1);
    git(project, &["add", "."]);
    git(project, &["commit", "--quiet", "-m", "second"]);
    assert_eq!(review("Stop", false), 1, "commits");
    let prompt = stage.starts().pop().expect("it started")["stdin"].to_string();
    assert!(prompt.contains("base:"), "{prompt}");
}
