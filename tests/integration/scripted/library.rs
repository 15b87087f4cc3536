//! The library without MCP: turns and jobs.

use std::path::PathBuf;
use std::time::Duration;

use codex_persistent_mcp::{
    Codex, Event, FailureKind, JobManager, JobProblem, Prompt, Sandbox, SandboxChoice, Settings,
    Turn, TurnRequest, WorkingDir,
};
use serde_json::{Value, json};

use crate::kit::setup::{PROGRAM, scratch, script};
use crate::kit::wait::WAIT;
use crate::support::environment::patient;
use crate::support::scripted_codex;

fn settings(state_dir: Option<PathBuf>) -> Settings {
    let mut settings = Settings::default();
    settings.state_dir = state_dir;
    settings.codex_bin = scripted_codex().into();
    settings.working_dir = WorkingDir::existing(scratch()).expect("tests may write there");
    settings
}

fn begin(steps: &Value, limit: Duration) -> (Codex, Turn) {
    let codex = Codex::new(settings(None));
    let prompt = Prompt::new(script(steps)).expect("it is not empty");
    let turn = codex.start(TurnRequest::new(prompt).total_limit(limit));
    (codex, turn)
}

/// More events than are buffered for a listener, and fewer than the pipe holds.
fn many_events() -> Vec<Value> {
    let error = |number| json!({"event": {"type": "error", "message": format!("{number}")}});
    std::iter::once(json!({"started": {}})).chain((0..500).map(error)).collect()
}

#[tokio::test]
async fn a_slow_listener_gets_every_event_although_codex_is_long_gone() {
    let mut steps = many_events();
    steps.push(json!({"reply": "all told"}));
    let (_codex, mut turn) = begin(&json!(steps), patient(WAIT));
    turn.next_event().await.expect("the session comes first");
    // Longer than the library waits for the output of a Codex that has exited.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut reported = 0;
    while let Some(event) = turn.next_event().await {
        reported += usize::from(matches!(event, Event::Error { .. }));
    }
    assert_eq!(reported, 500);
    assert_eq!(turn.outcome().await.expect("a good turn").reply, "all told");
}

#[tokio::test]
async fn an_inattentive_listener_does_not_block_the_timeout() {
    let outcome_of = async |ending: Value| {
        let mut steps = many_events();
        steps.push(ending);
        let (codex, turn) = begin(&json!(steps), Duration::from_secs(2));
        assert!(codex.finished(patient(Duration::from_secs(20))).await, "a turn is still there");
        turn.outcome().await
    };
    let stopped = outcome_of(json!({"hang": {}})).await.expect_err("it hangs");
    assert!(matches!(stopped.kind, FailureKind::TimedOut { .. }), "{stopped:?}");
    let unheard = outcome_of(json!({"reply": "unheard"})).await.expect("a good turn");
    assert_eq!(unheard.reply, "unheard");
}

fn request() -> TurnRequest {
    TurnRequest::new(Prompt::new("never run").expect("it is not empty"))
}

#[tokio::test]
async fn a_job_that_cannot_be_started_says_why_and_leaves_nothing() {
    let state_dir = scratch().join(format!("library-{}", uuid::Uuid::new_v4()));
    let codex = Codex::new(settings(Some(state_dir.clone())));
    let jobs = JobManager::new(&codex, "/no/such/program");
    let problem = jobs.start(request(), None).await.expect_err("there is no program");
    assert_eq!(problem.code(), "cannot_start");
    assert!(problem.to_string().contains("/no/such/program"), "{problem}");
    let long = "é".repeat(201);
    let problem = jobs.start(request(), Some(&long)).await.expect_err("the label is too long");
    assert_eq!(problem.to_string(), "label must have at most 200 characters");
    let full = request().sandbox(SandboxChoice::Set(Sandbox::DangerFullAccess));
    let problem = jobs.start(full, None).await.expect_err("the policy does not allow it");
    assert_eq!(problem.code(), "not_allowed");
    assert!(jobs.list(20).await.expect("the folder is readable").is_empty());
    let unknown = "0199a213-81c0-7800-8aa1-bbab2a035001".parse().expect("a UUID");
    for problem in [
        jobs.wait(unknown).await.expect_err("it does not exist"),
        jobs.cancel(unknown).await.expect_err("it does not exist"),
        jobs.follow(unknown, 0).next().await.expect_err("it does not exist"),
    ] {
        assert!(matches!(problem, JobProblem::NotFound(job) if job == unknown), "{problem:?}");
    }
    drop(std::fs::remove_dir_all(state_dir));
    let without_folder = JobManager::new(&Codex::new(settings(None)), PROGRAM);
    let problem = without_folder.start(request(), None).await.expect_err("there is no folder");
    assert!(matches!(problem, JobProblem::NoStateDir), "{problem:?}");
}
