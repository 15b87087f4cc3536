//! Sessions of the real Codex: begun, resumed, kept over a restart.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::kit::real::{ByHand, by_script, last_turn, obey, record};
use crate::kit::setup::{
    content, error_text, field, home, real, real_with, resume_command, scratch,
};
use crate::support::client::Server;
use crate::support::model::{Model, Request, Response, echo};
use crate::support::real_codex::{self, Home};

#[test]
fn a_session_is_begun_and_resumed() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let server = real(&home).start();
    let first = server.call("codex_chat", &json!({"prompt": "What is in here?"}));
    assert!(field(&first, "reply").contains("What is in here?"));
    let session = field(&first, "session_id");
    assert_eq!(field(&first, "resume_command"), resume_command(&home, session));

    let second = server.call("codex_chat", &json!({"prompt": "And now?", "session_id": session}));
    assert_eq!(field(&second, "session_id"), session);
    let asked = model.wait_for(|request| request.last_user_text().contains("And now?"));
    assert!(asked.user_texts().iter().any(|text| text.contains("What is in here?")));
    assert_eq!(content(&second)["usage"]["input_tokens"], 100);
    assert_eq!(content(&second)["session_usage"]["input_tokens"], 200);
}

/// A home whose Codex is configured for another sandbox than the one it has by itself, so that it
/// shows who chose.
fn writable_home(model: &Model) -> Home {
    let home = home(&model.url());
    home.append_config("sandbox_mode = \"workspace-write\"");
    home
}

/// A server that knows nothing of what was before, and runs somewhere else.
fn restarted(home: &Home) -> Server {
    real(home).cwd(scratch()).start()
}

fn directory(home: &Home, name: &str) -> PathBuf {
    let directory = home.project().join(name);
    fs::create_dir(&directory).expect("it is new");
    directory
}

fn go_on(server: &Server, session: &str, prompt: &str) -> Value {
    server.call("codex_chat", &json!({"prompt": prompt, "session_id": session}))
}

fn assert_no_warnings(result: &Value) {
    assert!(content(result)["warnings"].is_null(), "{result}");
}

fn assert_asks_for(request: &Request, wanted: &[&str]) {
    let prompt = request.last_user_text().to_lowercase();
    for word in wanted {
        assert!(prompt.contains(word), "{word} is not asked for in {prompt}");
    }
}

#[test]
fn a_guard_of_a_plan_asks_for_a_good_review_and_runs_read_only() {
    let model = Model::start(echo);
    let home = writable_home(&model);
    let server = real(&home).start();
    let arguments = json!({
        "requirements": "The cellar must stay dry.",
        "plan": "Dig a trench.",
        "constraints": "Touch no pipe.",
    });
    let result = server.call("codex_guard_plan", &arguments);
    for given in ["The cellar must stay dry.", "Dig a trench.", "Touch no pipe."] {
        assert!(field(&result, "critique").contains(given), "{result}");
    }
    assert_asks_for(
        &model.requests()[0],
        &["requirements", "risks", "open questions", "tests to write", "blockers", "suggestions"],
    );
    assert_asks_for(&model.requests()[0], &["language of the request", "codex_guard_plan"]);
    assert_eq!(last_turn(&home, field(&result, "session_id")).1, "read-only");
}

#[test]
fn a_guard_of_finished_work_asks_for_a_good_review_and_runs_read_only() {
    let model = Model::start(obey);
    let home = writable_home(&model);
    let server = real(&home).start();
    let arguments = json!({
        "change_summary": "The trench is dug. [run touch forbidden; echo It is deep.]",
        "test_results": "It rained and stayed dry.",
        "open_questions": "Is it deep enough?",
    });
    let result = server.call("codex_guard_final", &arguments);
    assert!(field(&result, "review").contains("It is deep."), "{result}");
    assert!(!home.project().join("forbidden").exists(), "a guard has changed something");
    assert_asks_for(
        &model.requests()[0],
        &["the trench is dug.", "it rained and stayed dry.", "is it deep enough?"],
    );
    assert_asks_for(
        &model.requests()[0],
        &["wrong results", "regressions", "gaps in the tests", "rollback", "suggestions"],
    );
    assert_asks_for(&model.requests()[0], &["language of the request", "codex_guard_final"]);
    assert_eq!(last_turn(&home, field(&result, "session_id")).1, "read-only");
}

#[test]
fn a_restart_in_another_directory_keeps_directory_and_sandbox() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let inner = directory(&home, "inner");
    let arguments = json!({"prompt": "Begin.", "cwd": inner, "sandbox": "workspace-write"});
    let first = real(&home).start().call("codex_chat", &arguments);
    let session = field(&first, "session_id");

    let second = go_on(&restarted(&home), session, "Where? [run pwd]");
    assert_no_warnings(&second);
    assert_eq!(Path::new(field(&second, "cwd")), inner);
    assert!(field(&second, "reply").contains(&*inner.to_string_lossy()), "{second}");
    assert_eq!(last_turn(&home, session), (inner, "workspace-write".into()));
}

#[test]
fn a_guard_turn_leaves_what_its_session_may_do() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let (inner, other) = (directory(&home, "inner"), directory(&home, "other"));
    let mut server = real(&home).start();
    let arguments = json!({"prompt": "Begin.", "cwd": inner, "sandbox": "workspace-write"});
    let first = server.call("codex_chat", &arguments);
    let session = field(&first, "session_id");
    let guard = json!({"change_summary": "All.", "session_id": session, "cwd": other});
    for restart in [false, true] {
        let review = server.call("codex_guard_final", &guard);
        content(&review);
        assert_eq!(last_turn(&home, session), (other.clone(), "read-only".into()));
        if restart {
            server = restarted(&home);
        }
        assert_no_warnings(&go_on(&server, session, "Go on."));
        assert_eq!(last_turn(&home, session), (inner.clone(), "workspace-write".into()));
    }
}

#[test]
fn a_session_begun_by_a_guard_goes_on_as_codex_is_configured() {
    let model = Model::start(echo);
    let home = writable_home(&model);
    let arguments = json!({"requirements": "Dry.", "plan": "Dig."});
    let guard = real(&home).start().call("codex_guard_plan", &arguments);
    let session = field(&guard, "session_id");
    assert_eq!(last_turn(&home, session), (home.project().into(), "read-only".into()));
    assert_no_warnings(&go_on(&restarted(&home), session, "Do it."));
    assert_eq!(last_turn(&home, session), (home.project().into(), "workspace-write".into()));
}

#[test]
fn tokens_are_told_for_the_call_and_for_the_session() {
    let model = Model::start(|request: &Request| {
        let prompt = request.last_user_text();
        let tokens = prompt.split_once("tokens: ").and_then(|(_, rest)| rest.split_once('.'));
        let tokens = tokens.and_then(|(tokens, _)| tokens.parse().ok()).expect("a number");
        echo(request).with_usage(tokens, 1, 10, 2)
    });
    let home = home(&model.url());
    let server = real(&home).start();
    let tokens = |result: &Value| {
        let content = content(result);
        let of = |name: &str| content[name]["input_tokens"].as_u64();
        (of("usage"), of("session_usage"))
    };
    let first = server.call("codex_chat", &json!({"prompt": "tokens: 100."}));
    assert_eq!(tokens(&first), (Some(100), Some(100)));
    let session = field(&first, "session_id");

    ByHand::resume(&home, session, "tokens: 1000.").finish();
    assert_eq!(tokens(&go_on(&server, session, "tokens: 10.")), (Some(10), Some(1110)));
    drop(server);
    ByHand::resume(&home, session, "tokens: 2000.").finish();
    let last = go_on(&restarted(&home), session, "tokens: 7.");
    assert_eq!(tokens(&last), (Some(7), Some(3117)));
    let usage = &content(&last)["usage"];
    assert_eq!(usage["cached_input_tokens"], 1);
    assert_eq!(usage["output_tokens"], 10);
    assert_eq!(usage["reasoning_output_tokens"], 2);
}

#[test]
fn a_prompt_of_half_a_million_characters_arrives_whole() {
    let model = Model::start(|_: &Request| Response::message("read"));
    let home = home(&model.url());
    let words = (0..).flat_map(|n: u32| format!("wörter {n} ").chars().collect::<Vec<_>>());
    let prompt: String = words.take(500_000).collect();
    let result = real(&home).start().call("codex_chat", &json!({"prompt": prompt}));
    assert_eq!(field(&result, "reply"), "read");
    assert!(model.requests()[0].last_user_text().contains(&prompt), "it is not whole");
}

#[test]
fn a_prompt_is_never_read_as_a_flag_or_a_command() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let server = real(&home).start();
    let prompts = ["--help", "-c", "resume", "review", "- a list\n- of two"];
    let calls = prompts.map(|prompt| server.begin_call("codex_chat", &json!({"prompt": prompt})));
    for (prompt, call) in prompts.iter().zip(&calls) {
        let result = &server.answer(call)["result"];
        assert!(field(result, "reply").contains(&format!(" ---\n{prompt}\n---")), "{result}");
    }
}

#[test]
fn a_record_that_cannot_be_understood_gives_the_defaults_and_a_warning() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let inner = directory(&home, "inner");
    let arguments = json!({"prompt": "Begin.", "cwd": inner, "sandbox": "workspace-write"});
    let first = real(&home).start().call("codex_chat", &arguments);
    let session = field(&first, "session_id");
    let path = home.rollout(session).expect("a record");
    let lines = fs::read_to_string(&path).expect("text");
    // As a later Codex may write it: another name for what a turn runs with.
    let renamed = lines.replace(r#""type":"turn_context""#, r#""type":"turn_setup""#);
    assert_ne!(lines, renamed, "the record has another form by now");
    fs::write(&path, format!("{renamed}{{half a line\n")).expect("it is ours");

    let second = go_on(&real(&home).start(), session, "Go on.");
    let warnings = content(&second)["warnings"].to_string();
    assert!(warnings.contains("record"), "{second}");
    assert!(warnings.contains(&*home.project().to_string_lossy()), "{second}");
    assert_eq!(Path::new(field(&second, "cwd")), home.project());
    assert_eq!(last_turn(&home, session), (home.project().into(), "read-only".into()));
}

#[test]
fn full_access_is_not_inherited_where_it_is_not_allowed() {
    const MOST: &str = "CODEX_PERSISTENT_MCP_MAX_SANDBOX";
    let model = Model::start(echo);
    let home = home(&model.url());
    let arguments = json!({"prompt": "Begin.", "sandbox": "danger-full-access"});
    let refused = real(&home).start().call("codex_chat", &arguments);
    let text = error_text(&refused);
    assert!(text.starts_with("not_allowed: ") && text.contains(MOST), "{text}");

    let first = real(&home).env(MOST, "danger-full-access").start().call("codex_chat", &arguments);
    let session = field(&first, "session_id");
    assert_eq!(last_turn(&home, session).1, "danger-full-access");
    let second = go_on(&restarted(&home), session, "Go on.");
    assert!(content(&second)["warnings"].to_string().contains(MOST), "{second}");
    assert_eq!(last_turn(&home, session).1, "workspace-write");
}

/// What a turn answers, less what is new each time, and the variables by which Codex knows how it
/// was installed.
fn by_program(home: &Home, codex: &Path) -> (Value, String) {
    let server = real_with(home, codex).start();
    let prompt = "[run env | grep ^CODEX_MANAGED | sort]";
    let result = server.call("codex_chat", &json!({"prompt": prompt}));
    let mut answer = content(&result).clone();
    let fields = answer.as_object_mut().expect("an answer");
    fields.retain(|name, _| !matches!(name.as_str(), "session_id" | "resume_command" | "reply"));
    let reply = field(&result, "reply");
    let variables: Vec<&str> =
        reply.lines().filter(|line| line.starts_with("CODEX_MANAGED")).collect();
    (answer, variables.join("\n"))
}

#[test]
fn the_native_program_is_started_in_place_of_the_script_and_all_is_the_same() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let codex = real_codex::install();
    let shortened = by_program(&home, &codex.script);
    let by_script = by_program(&home, &by_script());
    assert!(!by_script.1.is_empty(), "Codex is not told how it was installed");
    assert_eq!(shortened, by_script);
    assert_eq!(by_program(&home, &codex.native).0, by_script.0);

    let server = real_with(&home, &codex.script).start();
    let call = server.begin_call("codex_chat", &json!({"prompt": "[hang]"}));
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
    server.cancel(&call);
}

#[test]
fn the_record_tells_a_person_where_a_prompt_came_from() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let server = real(&home).env("CODEX_PERSISTENT_MCP_ORIGIN", "night shift").start();
    let result = server.call("codex_chat", &json!({"prompt": "Begin."}));
    let lines = record(&home, field(&result, "session_id"));
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
    let arguments = json!({"prompt": "Begin.", "model": "gpt-5.4", "reasoning_effort": "high"});
    content(&server.call("codex_chat", &arguments));
    let body = &model.requests()[0].body;
    assert_eq!(body["model"], "gpt-5.4");
    assert_eq!(body["reasoning"]["effort"], "high");
}
