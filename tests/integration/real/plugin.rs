//! The plugin in the real Claude Code and the real Codex.

use std::process::Command;

use serde_json::{Value, json};

use crate::kit::claude::{Claude, claude, texts};
use crate::kit::cli::{self, parsed, run};
use crate::kit::doctor::{check, text};
use crate::kit::plugin::{Have, PLUGIN, Programs, marketplace, path};
use crate::kit::setup::{git, home};
use crate::support::claude_model::{ClaudeModel, Says, next};
use crate::support::model::{Model, Request, Response, echo};
use crate::support::real_codex::install;

const CHAT: &str = "mcp__plugin_codex_codex__codex_chat";

#[test]
fn claude_finds_nothing_wrong_with_the_plugin_and_the_marketplace() {
    let home = home("http://127.0.0.1:9/v1");
    for folder in [marketplace().to_owned(), path("")] {
        let folder = folder.to_str().expect("test paths are text");
        let ran = run(claude(&home, &["plugin", "validate", "--strict", folder]));
        assert_eq!(ran.status, Some(0), "{ran:?}");
    }
}

#[test]
fn a_command_leads_to_a_call_whose_answer_reaches_claude() {
    for have in [Have::Installed, Have::Npx] {
        let codex = Model::start(echo);
        let home = home(&codex.url());
        let claude = Claude::with_plugin(&home, have, &[]);
        // The first time it takes npx longer than `claude -p` waits for a server.
        let model = ClaudeModel::start(vec![Says::text("All is well.")]);
        assert_eq!(claude.asked(&model, "/codex:setup"), "All is well.");
        let asked = texts(&model.requests()[0]);
        assert!(asked.contains("codex-persistent-mcp doctor 0."), "{have:?}: {asked}");
        let script = vec![
            Says::call(CHAT, json!({"prompt": "why is the sky blue?"})),
            Says::text("Codex told me."),
        ];
        let model = ClaudeModel::start(script);
        let said = claude.asked(&model, "/codex:ask about the sky");
        assert_eq!(said, "Codex told me.", "{have:?}");
        let [first, second] = &model.requests()[..] else { panic!("{:?}", model.requests()) };
        assert!(texts(first).contains("about the sky"), "{first}");
        assert!(texts(first).contains("tool `codex_chat`"), "{first}");
        let tools: Vec<_> = first["tools"].as_array().expect("a list").iter().collect();
        assert!(tools.iter().any(|tool| tool["name"] == CHAT), "{tools:?}");
        assert!(texts(second).contains("why is the sky blue?"), "{second}");
        assert!(texts(second).contains("resume_command"), "{second}");
        assert_eq!(codex.requests().len(), 1, "{have:?}");
    }
}

/// The answer of a tool in the last message of a request.
fn tool_answer(request: &Value) -> Value {
    let last = request["messages"].as_array().and_then(|messages| messages.last());
    let parts = last.expect("there are some")["content"].as_array().expect("it has parts");
    let result = parts.iter().find(|part| part["type"] == "tool_result");
    let result = result.unwrap_or_else(|| panic!("no answer of a tool in {last:?}"));
    assert_ne!(result["is_error"], true, "{result}");
    serde_json::from_str(result["content"].as_str().expect("a text")).expect("it is JSON")
}

#[test]
fn each_command_may_call_what_it_needs_without_asking() {
    let review = json!({ "review": "r", "critique": "c", "verdict": "approve", "findings": [] });
    let codex = Model::start(move |_| Response::message(review.to_string()));
    let home = home(&codex.url());
    git(home.project(), &["init", "--quiet"]);
    let claude = Claude::with_plugin(&home, Have::Installed, &[]);
    let call = |command: &str, tool: &str, input: Value| {
        let tool = format!("mcp__plugin_codex_codex__{tool}");
        let model = ClaudeModel::start(vec![Says::call(tool, input), Says::text("That is it.")]);
        assert_eq!(claude.asked(&model, command), "That is it.", "{command}");
        tool_answer(&model.requests()[1])
    };
    let work = json!({ "change_summary": "s", "diff": "uncommitted" });
    assert_eq!(call("/codex:review", "codex_guard_final", work)["verdict"], "approve");
    let plan = json!({ "requirements": "r", "plan": "p" });
    assert_eq!(call("/codex:plan it", "codex_guard_plan", plan)["verdict"], "approve");
    let job = json!({ "prompt": "count", "background": true });
    let job = call("/codex:job count", "codex_chat", job)["job_id"].clone();
    let result = call("/codex:result", "codex_job_wait", json!({ "job_id": job }));
    assert_eq!(result["status"], "completed", "{result}");
    let jobs = call("/codex:status", "codex_jobs", json!({}));
    assert_eq!(jobs["jobs"][0]["job_id"], job, "{jobs}");
    let stopped = call("/codex:stop", "codex_job_send", json!({ "job_id": job, "cancel": true }));
    assert_eq!(stopped["had_ended"], true, "{stopped}");
    let sessions = call("/codex:sessions", "codex_sessions", json!({}));
    assert!(sessions["sessions"].as_array().is_some_and(|all| all.len() == 3), "{sessions}");
}

#[test]
fn the_agent_asks_codex_and_reports() {
    let codex = Model::start(echo);
    let home = home(&codex.url());
    let claude = Claude::with_plugin(&home, Have::Installed, &[]);
    let claude = claude.allowing("mcp__plugin_codex_codex");
    let task = json!({ "subagent_type": "codex:codex", "description": "d", "prompt": "delegate it",
                       "run_in_background": false });
    let main = vec![Says::call("Agent", task), Says::text("Delegated.")];
    let agent = vec![
        Says::call(CHAT, json!({ "prompt": "count the stars" })),
        Says::text("Codex counted the stars."),
    ];
    let is_agent =
        |request: &Value| request["system"].to_string().contains("You delegate the task");
    let model = ClaudeModel::answering(move |request| {
        next(if is_agent(request) { &agent } else { &main }, request)
    });
    assert_eq!(claude.asked(&model, "delegate it to Codex"), "Delegated.");
    let requests = model.requests();
    let of_agent: Vec<_> = requests.iter().filter(|request| is_agent(request)).collect();
    assert!(texts(of_agent[1]).contains("echo: "), "{}", of_agent[1]);
    let last = requests.last().expect("there are some");
    assert!(texts(last).contains("Codex counted the stars."), "{last}");
    assert_eq!(codex.requests().len(), 1);
}

#[test]
fn doctor_has_no_complaint_about_the_plugin() {
    let home = home("http://127.0.0.1:9/v1");
    let claude = Claude::with_plugin(&home, Have::Installed, &[]);
    let ran = run(claude.program(&["doctor", "--json"]));
    let report = &parsed(&ran.stdout)[0];
    check(report, &format!("plugin.claude.{PLUGIN}.codex"));
    let checks = report["checks"].as_array().expect("a list").iter();
    let wrong = checks.filter(|it| text(it, "id").starts_with("plugin.") && it["status"] != "ok");
    assert_eq!(wrong.collect::<Vec<_>>(), Vec::<&Value>::new());
}

/// A model that calls the plugin's server when told to delegate, and replies with its answer.
fn delegate(request: &Request) -> Response {
    if !request.last_user_text().contains("[delegate]") {
        return echo(request);
    }
    if request.has_tool_output() {
        return Response::message(request.tool_outputs().join("\n"));
    }
    Response::call("mcp__codex/codex_chat", json!({"prompt": "to another session"}))
}

#[test]
fn codex_takes_the_plugin_too_and_calls_its_server() {
    for have in [Have::Installed, Have::Npx] {
        let model = Model::start(delegate);
        let home = home(&model.url());
        let programs = Programs::of(&home, have);
        let codex = |arguments: &[&str]| {
            let native = install().native.to_str().expect("test paths are text");
            let mut command: Command = cli::command(&home, &install().native, native, arguments);
            command.env("PATH", programs.path());
            let ran = run(command);
            assert_eq!(ran.status, Some(0), "{arguments:?}: {ran:?}");
            ran.stdout
        };
        let folder = marketplace().to_str().expect("test paths are text");
        codex(&["plugin", "marketplace", "add", folder]);
        codex(&["plugin", "add", PLUGIN]);
        let listed: Value = serde_json::from_str(&codex(&["mcp", "list", "--json"])).expect("JSON");
        assert_eq!(listed[0]["name"], "codex");
        assert_eq!(listed[0]["tool_timeout_sec"], 3600.0, "{listed}");
        if have == Have::Npx {
            // The first time it takes npx longer than Codex waits with its first request.
            let package = concat!("codex-persistent-mcp@", env!("CARGO_PKG_VERSION"));
            let mut npx =
                cli::command(&home, &install().native, "npx", &["-y", package, "--version"]);
            let ran = run({
                npx.env("PATH", programs.path());
                npx
            });
            assert_eq!(ran.status, Some(0), "{ran:?}");
        }
        let said = codex(&["exec", "--skip-git-repo-check", "[delegate]"]);
        assert!(said.contains("to another session"), "{have:?}: {said}");
        let asked = model.requests()[0].body.to_string();
        // It has a skill of its own, because that of Claude says that Codex is another agent.
        assert!(
            asked.contains("codex:other-session") && !asked.contains("codex:codex:"),
            "{asked}"
        );
        let report = run({
            let mut command = cli::program(&home, &install().native, &["doctor", "--json"]);
            command.env("PATH", programs.path());
            command
        });
        let report = &parsed(&report.stdout)[0];
        let entry = check(report, &format!("plugin.codex.{PLUGIN}.codex"));
        assert_eq!(entry["status"], "ok", "{entry}");
    }
}
