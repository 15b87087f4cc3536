//! `doctor` with the real Codex.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::kit::cli::{self, kill_what_is_left, parsed, run};
use crate::kit::doctor::{check, text};
use crate::kit::real::last_turn;
use crate::kit::setup::{PROGRAM, home, resume_command};
use crate::support::model::{Model, Request, Response};
use crate::support::real_codex::{Home, install};

/// Codex's own doctor connects to addresses beyond this machine: here it finds none.
fn program(home: &Home, arguments: &[&str]) -> Command {
    let arguments = [&["doctor", "--json"], arguments].concat();
    let mut command = cli::program(home, &install().script, &arguments);
    for proxy in ["HTTPS_PROXY", "ALL_PROXY"] {
        command.env(proxy, "http://127.0.0.1:9");
    }
    command.env("NO_PROXY", "127.0.0.1");
    command
}

fn examined(home: &Home, arguments: &[&str]) -> (Option<i32>, Value) {
    let ran = run(program(home, arguments));
    assert_eq!(ran.stderr, "");
    (ran.status, parsed(&ran.stdout)[0].clone())
}

fn ready(_: &Request) -> Response {
    Response::message("ready")
}

#[test]
fn codex_is_found_by_its_script_and_is_not_logged_in() {
    let model = Model::start(ready);
    let home = home(&model.url());
    let (_, report) = examined(&home, &[]);
    let codex = check(&report, "codex");
    assert_eq!((text(codex, "status"), text(&codex["details"], "version")), ("ok", "0.171.0"));
    let script = install().script.to_str().expect("test paths are text");
    assert_eq!(codex["details"]["program"], script);
    let native = install().native.canonicalize().expect("it exists");
    let started = fs::canonicalize(text(&codex["details"], "started")).expect("it exists");
    assert_eq!(started, native);
    assert_eq!(text(check(&report, "login"), "status"), "ok", "the stand-in wants no login");

    // As for a user who has just installed Codex.
    fs::write(home.path().join("config.toml"), "").expect("writable");
    let (status, report) = examined(&home, &[]);
    let login = check(&report, "login");
    assert_eq!((status, text(login, "status")), (Some(1), "problem"));
    assert!(text(login, "fix").contains("codex login"), "{login}");
    let mut command = program(&home, &[]);
    command.env("CODEX_API_KEY", "hush");
    let ran = run(command);
    let login = check(&parsed(&ran.stdout)[0], "login").clone();
    assert!(text(&login, "summary").contains("CODEX_API_KEY may replace the login"), "{login}");
    assert!(!ran.stdout.contains("hush"), "{}", ran.stdout);

    fs::write(home.path().join("auth.json"), r#"{"OPENAI_API_KEY": "sk-hush-hush-hush-hush"}"#)
        .expect("writable");
    let (_, report) = examined(&home, &[]);
    assert_eq!(check(&report, "login")["status"], "ok", "{report:#}");
    assert!(!report.to_string().contains("hush"), "{report:#}");
    assert_eq!(model.requests().len(), 0, "the model is not asked without --live");
}

#[test]
fn a_live_check_is_one_turn_that_may_change_nothing() {
    let model = Model::start(ready);
    let home = home(&model.url());
    // Where Codex may write by default.
    let project = home.project().display();
    home.append_config(&format!("[projects.\"{project}\"]\ntrust_level = \"trusted\""));
    let (status, report) = examined(&home, &["--live"]);
    assert_eq!(status, Some(0), "{report:#}");
    let live = check(&report, "live");
    let session = text(&live["details"], "session_id");
    assert_eq!(live["details"]["resume_command"], resume_command(&home, session));
    let (cwd, sandbox) = last_turn(&home, session);
    assert_eq!((cwd.as_path(), sandbox.as_str()), (home.project(), "read-only"));
    // Codex's own doctor only connects to the model, and sends no prompt.
    let asked = model.requests().into_iter().map(|request| request.last_user_text());
    let asked: Vec<String> = asked.filter(|text| !text.is_empty()).collect();
    assert_eq!(asked, ["Reply with the word ready."]);
    // Codex's own doctor does not know this provider, which is no problem if it works.
    let checks = report["checks"].as_array().expect("a list");
    let own: Vec<&Value> =
        checks.iter().filter(|check| text(check, "id").starts_with("codex_doctor")).collect();
    assert!(!own.is_empty(), "{report:#}");
    assert!(own.iter().all(|check| check["status"] != "problem"), "{own:#?}");
}

#[test]
fn a_model_that_is_not_reachable_by_websocket_is_reported_with_a_fix() {
    let model = Model::start(ready);
    let home = home(&model.url());
    let said = |report: &Value| {
        let checks = report["checks"].as_array().expect("a list").clone();
        checks.into_iter().find(|check| check["id"] == "live.websocket")
    };
    let (_, report) = examined(&home, &["--live"]);
    assert_eq!(said(&report), None, "it is not tried");
    home.append_config("model_providers.stand-in.supports_websockets = true");
    let (_, report) = examined(&home, &[]);
    assert_eq!(said(&report), None, "nothing is asked without --live");
    let (status, report) = examined(&home, &["--live"]);
    assert_eq!((status, text(check(&report, "live"), "status")), (Some(0), "ok"), "{report:#}");
    let reported = said(&report).unwrap_or_else(|| panic!("it is not reported: {report:#}"));
    assert_eq!(text(&reported, "status"), "warning");
    assert!(text(&reported, "fix").contains("supports_websockets = false"), "{reported}");
}

#[test]
fn a_failing_live_check_says_what_failed() {
    let model =
        Model::start(|_: &Request| Response::status(500, json!({"error": {"message": "no"}})));
    let home = home(&model.url());
    let (status, report) = examined(&home, &["--live"]);
    let live = check(&report, "live");
    assert_eq!((status, text(live, "status")), (Some(1), "problem"));
    assert!(text(live, "summary").starts_with("turn_failed: "), "{live}");
    assert!(text(live, "fix").contains(text(&live["details"], "session_id")), "{live}");
}

#[test]
fn everything_is_in_order_once_the_fixes_are_made() {
    let model = Model::start(ready);
    let home = home(&model.url());
    let codex = install().native.to_str().expect("test paths are text");
    let codex = |arguments: &[&str]| {
        let ran = run(cli::command(&home, &install().native, codex, arguments));
        assert_eq!(ran.status, Some(0), "{}", ran.stderr);
        ran.stdout
    };
    let folder = home.project().join("hush");
    fs::create_dir(&folder).expect("writable");
    let variable = format!("CODEX_MCP_CWD={}", folder.display());
    codex(&["mcp", "add", "mine", "--env", &variable, "--", PROGRAM]);
    let complaints = || -> Vec<String> {
        let (_, report) = examined(&home, &[]);
        assert!(!report.to_string().contains("hush"), "{report:#}");
        let mine = check(&report, "codex_client.mine");
        assert_eq!(mine["details"]["variables"], json!(["CODEX_MCP_CWD"]));
        let checks = report["checks"].as_array().expect("a list").iter();
        let mine = checks.filter(|check| text(check, "id").starts_with("codex_client.mine."));
        mine.map(|check| text(check, "fix").to_owned()).collect()
    };
    let fixes = complaints();
    assert_eq!(fixes.len(), 3, "{fixes:?}");
    let config = home.path().join("config.toml");
    for fix in fixes {
        let end = format!(" in [mcp_servers.mine] in {}", config.display());
        let line = fix.strip_prefix("set ").and_then(|fix| fix.strip_suffix(&end));
        let line = line.unwrap_or_else(|| panic!("no line to set: {fix}"));
        let table = "[mcp_servers.mine]\n";
        let text = fs::read_to_string(&config).expect("it exists");
        let mended = text.replace(table, &format!("{table}{line}\n"));
        fs::write(&config, mended).expect("writable");
    }
    assert_eq!(complaints(), [""; 0]);
    let listed: Value = serde_json::from_str(&codex(&["mcp", "list", "--json"])).expect("JSON");
    assert_eq!(listed[0]["tool_timeout_sec"], 3600.0);
}

#[test]
fn an_open_session_is_reported_with_its_holder() {
    let model = Model::start(|_: &Request| Response::hang());
    let home = home(&model.url());
    let chat = ["chat", "--detach", "wait for ever"];
    let started = run(cli::program(&home, &install().native, &chat));
    assert_eq!(started.status, Some(0), "{}", started.stderr);
    let asked = model.wait_for(|request| request.last_user_text().contains("wait for ever"));
    drop(asked);
    let (_, report) = examined(&home, &[]);
    assert_eq!(check(&report, "jobs")["details"]["running"], 1, "{report:#}");
    let sessions = check(&report, "sessions");
    if cfg!(target_os = "linux") {
        assert_eq!(sessions["summary"], json!("1 session open"));
        let who = sessions["details"].as_object().expect("each has its holder").values();
        assert!(
            who.into_iter().all(|who| who.as_str().is_some_and(|who| who.contains("codex exec")))
        );
    }
    kill_what_is_left(&home);
}

#[test]
fn a_configuration_that_codex_refuses_is_a_problem_in_its_words() {
    let model = Model::start(ready);
    let home = home(&model.url());
    let config = home.path().join("config.toml");
    for (text_of_file, said) in [
        ("approval_policy = \"sometimes\"", "unknown variant `sometimes`"),
        ("model_reasoning_effort = 3", "invalid type: integer `3`, expected a string"),
        ("project_doc_max_bytes = \"hush\"", "invalid type: string \"…\""),
        ("key = \"hush", "invalid basic string"),
    ] {
        fs::write(&config, text_of_file).expect("writable");
        let (status, report) = examined(&home, &[]);
        let refused = check(&report, "codex_home");
        assert_eq!((status, text(refused, "status")), (Some(1), "problem"), "{report:#}");
        assert!(text(refused, "summary").contains(said), "{refused}");
        assert!(text(refused, "summary").contains("config.toml:1:"), "{refused}");
        assert!(text(refused, "fix").contains("config.toml:1:"), "{refused}");
        assert!(!report.to_string().contains("hush"), "{report:#}");
    }
}
