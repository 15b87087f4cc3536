//! Sessions of the real Codex: started, resumed, kept over a restart.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::kit::call::{Answer, call};
use crate::kit::real::{ByHand, by_script, last_turn, obey, record};
use crate::kit::setup::{home, real, real_with, resume_command, scratch};
use crate::support::client::Server;
use crate::support::model::{Model, Request, Response, echo};
use crate::support::real_codex::{self, Home};

#[test]
fn a_session_is_started_and_resumed() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let server = real(&home).start();
    let first = call(&server).prompt("What is in here?").succeeds().says("What is in here?");
    let session = first.session();
    assert_eq!(first["resume_command"], resume_command(&home, session));

    resume(&server, session, "And now?")
        .has("usage.input_tokens", 100)
        .has("session_usage.input_tokens", 200);
    let asked = model.wait_for(|request| request.last_user_text().contains("And now?"));
    assert!(asked.user_texts().iter().any(|text| text.contains("What is in here?")));
}

/// A home whose Codex has a sandbox configured that is not the default, so that tests see which of them
/// was used.
fn writable_home(model: &Model) -> Home {
    let home = home(&model.url());
    home.append_config("sandbox_mode = \"workspace-write\"");
    home
}

/// A new server, which remembers nothing and runs in another directory.
fn restarted(home: &Home) -> Server {
    real(home).cwd(scratch()).start()
}

fn directory(home: &Home, name: &str) -> PathBuf {
    let directory = home.project().join(name);
    fs::create_dir(&directory).expect("it is new");
    directory
}

/// Resumes a session, which must stay the same.
fn resume(server: &Server, session: &str, prompt: &str) -> Answer {
    call(server).prompt(prompt).in_session(session).succeeds().in_session(session)
}

/// Starts a session that may write in this directory.
fn writing_in(server: &Server, directory: &Path) -> Answer {
    call(server).prompt("Begin.").argument("cwd", directory).sandbox("workspace-write").succeeds()
}

fn assert_asks_for(request: &Request, wanted: &[&str]) {
    let prompt = request.last_user_text().to_lowercase();
    for word in wanted {
        assert!(prompt.contains(word), "{word} is not asked for in {prompt}");
    }
}

#[test]
fn a_guard_of_a_plan_requests_a_thorough_review_and_runs_read_only() {
    let model = Model::start(echo);
    let home = writable_home(&model);
    let server = real(&home).start();
    let answer = call(&server)
        .tool("codex_guard_plan")
        .argument("requirements", "The cellar must stay dry.")
        .argument("plan", "Dig a trench.")
        .argument("constraints", "Touch no pipe.")
        .succeeds()
        .says("The cellar must stay dry.")
        .says("Dig a trench.")
        .says("Touch no pipe.");
    assert_asks_for(
        &model.requests()[0],
        &["requirements", "risks", "open questions", "tests to write", "blockers", "suggestions"],
    );
    assert_asks_for(&model.requests()[0], &["language of the request", "codex_guard_plan"]);
    assert_eq!(last_turn(&home, answer.session()).1, "read-only");
}

#[test]
fn a_guard_of_finished_work_requests_a_thorough_review_and_runs_read_only() {
    let model = Model::start(obey);
    let home = writable_home(&model);
    let server = real(&home).start();
    let answer = call(&server)
        .tool("codex_guard_final")
        .argument("change_summary", "The trench is dug. [run touch forbidden; echo It is deep.]")
        .argument("test_results", "It rained and stayed dry.")
        .argument("open_questions", "Is it deep enough?")
        .succeeds()
        .says("It is deep.");
    assert!(!home.project().join("forbidden").exists(), "a guard has changed something");
    assert_asks_for(
        &model.requests()[0],
        &["the trench is dug.", "it rained and stayed dry.", "is it deep enough?"],
    );
    assert_asks_for(
        &model.requests()[0],
        &["wrong results", "regressions", "test gaps", "rollback", "suggestions"],
    );
    assert_asks_for(&model.requests()[0], &["language of the request", "codex_guard_final"]);
    assert_eq!(last_turn(&home, answer.session()).1, "read-only");
}

#[test]
fn a_restart_in_another_directory_keeps_directory_and_sandbox() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let inner = directory(&home, "inner");
    let first = writing_in(&real(&home).start(), &inner);
    resume(&restarted(&home), first.session(), "Where? [run pwd]")
        .warns_of_nothing()
        .has("cwd", &inner)
        .says(&inner.to_string_lossy());
    assert_eq!(last_turn(&home, first.session()), (inner, "workspace-write".into()));
}

#[test]
fn a_guard_does_not_change_the_sandbox_of_its_session() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let (inner, other) = (directory(&home, "inner"), directory(&home, "other"));
    let mut server = real(&home).start();
    let first = writing_in(&server, &inner);
    let session = first.session();
    for restart in [false, true] {
        let guard = call(&server).tool("codex_guard_final").argument("change_summary", "All.");
        guard.in_session(session).argument("cwd", &other).succeeds();
        assert_eq!(last_turn(&home, session), (other.clone(), "read-only".into()));
        if restart {
            server = restarted(&home);
        }
        resume(&server, session, "Go on.").warns_of_nothing();
        assert_eq!(last_turn(&home, session), (inner.clone(), "workspace-write".into()));
    }
}

#[test]
fn a_session_started_by_a_guard_continues_as_codex_is_configured() {
    let model = Model::start(echo);
    let home = writable_home(&model);
    let guard = call(&real(&home).start())
        .tool("codex_guard_plan")
        .argument("requirements", "Dry.")
        .argument("plan", "Dig.")
        .succeeds();
    let session = guard.session();
    assert_eq!(last_turn(&home, session), (home.project().into(), "read-only".into()));
    resume(&restarted(&home), session, "Do it.").warns_of_nothing();
    assert_eq!(last_turn(&home, session), (home.project().into(), "workspace-write".into()));
}

#[test]
fn tokens_are_reported_for_the_call_and_for_the_session() {
    let model = Model::start(|request: &Request| {
        let prompt = request.last_user_text();
        let tokens = prompt.split_once("tokens: ").and_then(|(_, rest)| rest.split_once('.'));
        let tokens = tokens.and_then(|(tokens, _)| tokens.parse().ok()).expect("a number");
        echo(request).with_usage(tokens, 1, 10, 2)
    });
    let home = home(&model.url());
    let server = real(&home).start();
    let used = |answer: Answer, call: u64, session: u64| {
        answer.has("usage.input_tokens", call).has("session_usage.input_tokens", session)
    };
    // What the session has used so far is said only where it is more.
    let first = call(&server).prompt("tokens: 100.").succeeds();
    let first = first.has("usage.input_tokens", 100).lacks("session_usage");
    let session = first.session();

    ByHand::resume(&home, session, "tokens: 1000.").finish();
    used(resume(&server, session, "tokens: 10."), 10, 1110);
    drop(server);
    ByHand::resume(&home, session, "tokens: 2000.").finish();
    used(resume(&restarted(&home), session, "tokens: 7."), 7, 3117)
        .has("usage.cached_input_tokens", 1)
        .has("usage.output_tokens", 10)
        .has("usage.reasoning_output_tokens", 2);
}

#[test]
fn a_prompt_of_half_a_million_characters_arrives_whole() {
    let model = Model::start(|_: &Request| Response::message("read"));
    let home = home(&model.url());
    let words = (0..).flat_map(|n: u32| format!("wörter {n} ").chars().collect::<Vec<_>>());
    let prompt: String = words.take(500_000).collect();
    call(&real(&home).start()).prompt(&prompt).replies("read");
    assert!(model.requests()[0].last_user_text().contains(&prompt), "it is not whole");
}

#[test]
fn a_prompt_is_never_read_as_a_flag_or_a_command() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let server = real(&home).start();
    let prompts = ["--help", "-c", "resume", "review", "- a list\n- of two"];
    let sent = prompts.map(|prompt| (prompt, call(&server).prompt(prompt).send()));
    for (prompt, sent) in sent {
        sent.succeeds().says(&format!(" ---\n{prompt}\n---"));
    }
}

#[test]
fn an_unreadable_record_gives_the_defaults_and_a_warning() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let inner = directory(&home, "inner");
    let first = writing_in(&real(&home).start(), &inner);
    let session = first.session();
    let path = home.rollout(session).expect("a record");
    let lines = fs::read_to_string(&path).expect("text");
    // As a later Codex may write it: with another name for the context of a turn.
    let renamed = lines.replace(r#""type":"turn_context""#, r#""type":"turn_setup""#);
    assert_ne!(lines, renamed, "the record has another form by now");
    fs::write(&path, format!("{renamed}{{half a line\n")).expect("it is ours");

    resume(&real(&home).start(), session, "Go on.")
        .warns_of("record")
        .warns_of(&home.project().to_string_lossy())
        .has("cwd", home.project());
    assert_eq!(last_turn(&home, session), (home.project().into(), "read-only".into()));
}

#[test]
fn full_access_is_not_inherited_where_it_is_not_allowed() {
    const MOST: &str = "CODEX_PERSISTENT_MCP_MAX_SANDBOX";
    let model = Model::start(echo);
    let home = home(&model.url());
    let server = real(&home).start();
    let full = call(&server).prompt("Begin.").sandbox("danger-full-access");
    full.fails_with("not_allowed").mentions(MOST);

    let open = real(&home).env(MOST, "danger-full-access").start();
    let first = call(&open).prompt("Begin.").sandbox("danger-full-access").succeeds();
    let session = first.session();
    assert_eq!(last_turn(&home, session).1, "danger-full-access");
    resume(&restarted(&home), session, "Go on.").warns_of(MOST);
    assert_eq!(last_turn(&home, session).1, "workspace-write");
}

/// The answer of a turn without the fields that are new each time, and the variables by which Codex
/// knows how it was installed.
fn by_program(home: &Home, codex: &Path) -> (Value, String) {
    let server = real_with(home, codex).start();
    let answer = call(&server).prompt("[run env | grep ^CODEX_MANAGED | sort]").succeeds();
    let mut fields = answer.content().as_object().expect("an answer").clone();
    fields.retain(|name, _| !matches!(name.as_str(), "session_id" | "resume_command" | "reply"));
    let variables = answer.reply().lines().filter(|line| line.starts_with("CODEX_MANAGED"));
    (fields.into(), variables.collect::<Vec<_>>().join("\n"))
}

#[test]
fn the_native_program_is_started_in_place_of_the_script_with_the_same_result() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let codex = real_codex::install();
    let shortened = by_program(&home, &codex.script);
    let by_script = by_program(&home, &by_script());
    assert!(!by_script.1.is_empty(), "Codex does not know how it was installed");
    assert_eq!(shortened, by_script);
    assert_eq!(by_program(&home, &codex.native).0, by_script.0);

    let server = real_with(&home, &codex.script).start();
    let hanging = call(&server).prompt("[hang]").send();
    model.wait_for(|request| request.last_user_text().contains("[hang]"));
    if let Ok(running) = server.descendants() {
        let native = codex.native.canonicalize().expect("it is installed");
        let script = codex.script.to_string_lossy();
        assert!(running.iter().all(|process| !process.cmdline.contains(&*script)), "{running:?}");
        assert!(
            running.iter().any(|process| process.cmdline.starts_with(&*native.to_string_lossy())),
            "{running:?}"
        );
    }
    server.cancel(&hanging.call);
}

#[test]
fn the_record_shows_a_user_where_a_prompt_came_from() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let server = real(&home).env("CODEX_PERSISTENT_MCP_ORIGIN", "night shift").start();
    let answer = call(&server).prompt("Begin.").succeeds();
    let lines = record(&home, answer.session());
    let prompt = lines.iter().map(Value::to_string).find(|line| line.contains("Begin."));
    let prompt = prompt.expect("the prompt is recorded");
    for part in ["MCP", "AI agent", "tool: codex_chat", "origin: night shift"] {
        assert!(prompt.contains(part), "{part} is not in {prompt}");
    }
}

#[test]
fn model_and_reasoning_effort_reach_the_model() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let server = real(&home).start();
    let begin = call(&server).prompt("Begin.").argument("model", "gpt-5.4");
    begin.argument("reasoning_effort", "high").succeeds();
    let body = &model.requests()[0].body;
    assert_eq!(body["model"], "gpt-5.4");
    assert_eq!(body["reasoning"]["effort"], "high");
}
