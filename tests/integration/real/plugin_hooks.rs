//! The hooks of the plugin in the real Claude Code: the review before it stops, and the jobs that ended.

use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::kit::claude::{Claude, texts};
use crate::kit::cli::{self, parsed, run, run_with};
use crate::kit::plugin::Have;
use crate::kit::setup::{git, home};
use crate::kit::wait::wait_until;
use crate::support::claude_model::{ClaudeModel, Says};
use crate::support::model::{Model, Response, echo};
use crate::support::real_codex::{Home, install};

/// A Codex whose reviews have this verdict.
fn reviewer(verdict: &str) -> Model {
    let finding = json!({
        "severity": "major", "title": "the file is empty", "where": "new.txt", "why": "w", "suggestion": "s",
    });
    let review = json!({ "review": "I looked.", "verdict": verdict, "findings": [finding] });
    Model::start(move |_| Response::message(review.to_string()))
}

/// A repository with a commit in the home's project.
fn repository(home: &Home) {
    let project = home.project();
    git(project, &["init", "--quiet"]);
    git(project, &["commit", "--quiet", "--allow-empty", "-m", "first"]);
}

/// A Claude that writes a file and stops, and then what it was asked.
fn writes(home: &Home, claude: &Claude<'_>) -> (String, Vec<Value>) {
    let file = home.project().join("new.txt");
    let model = ClaudeModel::start(vec![
        Says::call("Write", json!({ "file_path": file, "content": "new" })),
        Says::text("I wrote it."),
        Says::text("I looked at the findings."),
    ]);
    let said = claude.asked(&model, "write new.txt");
    assert!(file.exists(), "{:?}", model.requests());
    (said, model.requests())
}

#[test]
fn without_the_option_nothing_is_reviewed() {
    let codex = reviewer("revise");
    let home = home(&codex.url());
    repository(&home);
    let claude = Claude::with_plugin(&home, Have::Installed, &[]);
    let (said, asked) = writes(&home, &claude);
    assert_eq!((said.as_str(), asked.len()), ("I wrote it.", 2));
    assert_eq!(codex.requests().len(), 0);
}

#[test]
fn with_it_claude_gets_the_findings_before_it_stops_and_then_stops() {
    let codex = reviewer("revise");
    let home = home(&codex.url());
    repository(&home);
    let claude = Claude::with_plugin(&home, Have::Npx, &["review=true"]);
    let (said, asked) = writes(&home, &claude);
    assert_eq!(said, "I looked at the findings.");
    let [.., last] = &asked[..] else { panic!("nothing was asked") };
    assert_eq!(asked.len(), 3);
    assert!(texts(last).contains("Verdict: revise"), "{last}");
    assert!(texts(last).contains("the file is empty"), "{last}");
    // Once: what it did because of the review is not reviewed.
    let [review] = &codex.requests()[..] else { panic!("{} reviews", codex.requests().len()) };
    let prompt = review.last_user_text();
    assert!(prompt.contains("tool: codex_guard_final"), "{prompt}");
    assert!(prompt.contains("I wrote it.") && prompt.contains("git diff HEAD"), "{prompt}");
}

#[test]
fn what_codex_approves_and_what_it_cannot_review_keeps_nobody() {
    let codex = reviewer("approve");
    let home = home(&codex.url());
    repository(&home);
    let claude = Claude::with_plugin(&home, Have::Installed, &["review=true"]);
    let (said, asked) = writes(&home, &claude);
    assert_eq!((said.as_str(), asked.len()), ("I wrote it.", 2));
    assert_eq!(codex.requests().len(), 1);
    // What was there before the session is not reviewed, nor an answer that changed nothing.
    let model = ClaudeModel::start(vec![Says::text("Nothing to do.")]);
    assert_eq!(claude.asked(&model, "is there something to do?"), "Nothing to do.");
    assert_eq!(codex.requests().len(), 1);
    let claude = claude.codex(home.user().join("no-codex"));
    std::fs::remove_file(home.project().join("new.txt")).expect("it was written");
    let (said, asked) = writes(&home, &claude);
    assert_eq!((said.as_str(), asked.len()), ("I wrote it.", 2));
}

/// A review that Codex does not finish, in a repository with a change.
fn hanging_review(home: &Home, timeout: &str) -> Command {
    repository(home);
    std::fs::write(home.project().join("new.txt"), "new").expect("writable");
    let mut command = cli::program(home, &install().native, &["hook", "review"]);
    command.env("CODEX_PERSISTENT_MCP_TIMEOUT", timeout);
    command
}

fn stop(home: &Home) -> String {
    let event = "Stop";
    json!({ "hook_event_name": event, "session_id": "1", "cwd": home.project() }).to_string()
}

#[test]
fn a_review_that_takes_too_long_says_so() {
    let codex = Model::start(|_| Response::hang());
    let home = home(&codex.url());
    let ran = run_with(hanging_review(&home, "3s"), &stop(&home));
    assert_eq!(ran.status, Some(0));
    let message = &parsed(&ran.stdout)[0];
    assert!(message["systemMessage"].to_string().contains("not finished in time"), "{message}");
    assert!(message.get("decision").is_none(), "{message}");
    cli::wait_nothing_left(&home);
}

#[test]
fn a_user_who_does_not_wait_for_the_review_leaves_nothing_behind() {
    let codex = Model::start(|_| Response::hang());
    let home = home(&codex.url());
    let mut child = cli::start(hanging_review(&home, "10m").stdin(Stdio::piped()));
    cli::give(&mut child, &stop(&home));
    codex.wait_for(|_| true);
    cli::signal(&child, Signal::SIGTERM);
    let ran = cli::ended(child);
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(0), ""));
    cli::wait_nothing_left(&home);
}

#[test]
fn claude_hears_once_of_a_job_that_ended() {
    let codex = Model::start(echo);
    let home = home(&codex.url());
    let claude = Claude::with_plugin(&home, Have::Installed, &[]);
    let started = run(claude.program(&["chat", "--detach", "count the stars"]));
    let job = started.stdout.trim();
    wait_until("the job to end", || {
        let shown = run(claude.program(&["jobs", "show", job, "--json"]));
        parsed(&shown.stdout)[0]["status"] == "completed"
    });
    let heard = || {
        let model = ClaudeModel::start(vec![Says::text("Hello.")]);
        assert_eq!(claude.asked(&model, "hello"), "Hello.");
        texts(&model.requests()[0])
    };
    let first = heard();
    assert!(first.contains(&format!("job_id {job}, completed")), "{first}");
    assert!(first.contains("echo: count the stars"), "{first}");
    let second = heard();
    assert!(!second.contains(job), "{second}");
    cli::wait_nothing_left(&home);
}
