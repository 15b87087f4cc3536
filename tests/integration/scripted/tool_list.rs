//! Which tools clients see, and that all that could be asked before still can be.

use std::fs;

use serde_json::{Value, json};

use super::protocol::{LISTED, misfits};
use crate::kit::call::call;
use crate::kit::jobs::meta;
use crate::kit::setup::{content, error_text, home, scripted};
use crate::support::client::{Server, result};
use crate::support::real_codex::Home;

const SESSION: &str = "0199a213-81c0-7800-8aa1-bbab2a035a53";

fn offline_home() -> Home {
    home("http://127.0.0.1:9/v1")
}

fn listed(server: &Server) -> Vec<Value> {
    let list = result(server.request("tools/list", &json!({})));
    list["tools"].as_array().expect("tools are a list").clone()
}

fn names(server: &Server) -> Vec<String> {
    let name = |tool: &Value| tool["name"].as_str().expect("a tool has a name").to_owned();
    listed(server).iter().map(name).collect()
}

const CORE: [&str; 4] = ["codex_chat", "codex_guard_plan", "codex_guard_final", "codex_job_wait"];

/// The names of codex-async-mcp.
const ASYNC: [&str; 7] = [
    "job_start",
    "job_wait",
    "job_events",
    "job_reply",
    "job_notifications",
    "job_list",
    "job_cancel",
];

#[test]
fn the_operator_chooses_the_listed_tools_and_every_tool_can_be_called() {
    let home = offline_home();
    let cases: [(&str, Vec<&str>); 6] = [
        ("default", LISTED.to_vec()),
        ("core", CORE.to_vec()),
        ("async", ASYNC.to_vec()),
        ("core,async", [&CORE[..], &ASYNC].concat()),
        ("all", [&LISTED[..], &["codex_session_read"], &ASYNC].concat()),
        ("codex_sessions,codex_chat", vec!["codex_chat", "codex_sessions"]),
    ];
    for (tools, expected) in cases {
        let server = scripted(&home).arg(format!("--tools={tools}")).start();
        assert_eq!(names(&server), expected, "{tools}");
        call(&server).prompt("hello").replies("done");
        call(&server).tool("job_list").succeeds();
        call(&server).tool("codex_jobs").succeeds();
    }
    let server = scripted(&home).env("CODEX_PERSISTENT_MCP_TOOLS", "core").start();
    assert_eq!(names(&server), CORE);
    // Codex's own tools have a setting of their own.
    let server = scripted(&home).arg("--tools=core").arg("--list-codex-tools=true").start();
    assert_eq!(names(&server), [&CORE[..], &["codex", "codex-reply"]].concat());
}

#[test]
fn claude_code_is_told_how_to_find_the_tools() {
    let home = offline_home();
    let list = listed(&scripted(&home).start());
    let hints: Vec<&str> =
        list.iter().filter_map(|tool| tool["_meta"]["anthropic/searchHint"].as_str()).collect();
    let hints = hints.join(", ");
    for words in ["gpt", "ask another model", "delegate work to another agent", "long running task"]
    {
        assert!(hints.contains(words), "{words} is not in {hints}");
    }
    for tool in &list {
        let is_always_loaded = tool["_meta"]["anthropic/alwaysLoad"] == true;
        assert_eq!(is_always_loaded, tool["name"] == "codex_chat", "{tool}");
    }
}

/// The parameters that each tool had when twelve were listed.
const FORMER: [(&str, &[&str]); 12] = [
    (
        "codex_chat",
        &["prompt", "sandbox", "session_id", "cwd", "model", "reasoning_effort", "timeout_ms"],
    ),
    ("codex_chat", &RARE),
    (
        "codex_guard_plan",
        &[
            "requirements",
            "plan",
            "constraints",
            "session_id",
            "cwd",
            "model",
            "reasoning_effort",
            "timeout_ms",
            "idle_timeout_ms",
        ],
    ),
    (
        "codex_guard_final",
        &[
            "change_summary",
            "test_results",
            "open_questions",
            "diff",
            "session_id",
            "cwd",
            "model",
            "reasoning_effort",
            "timeout_ms",
            "idle_timeout_ms",
        ],
    ),
    ("job_wait", &["cursor", "job_ids", "timeout_ms"]),
    ("job_events", &["job_id", "cursor", "limit", "types", "truncate", "raw"]),
    ("job_reply", &["job_id", "prompt", "interrupt"]),
    ("job_notifications", &["cursor", "job_ids"]),
    ("job_list", &["status", "cwd", "limit"]),
    ("job_cancel", &["job_id"]),
    ("codex_sessions", &["cwd", "text", "source", "since", "until", "limit", "cursor"]),
    (
        "codex_session_read",
        &["session_id", "include", "cursor", "from_end", "before", "limit", "truncate"],
    ),
];

/// The parameters of `codex_chat` that are in `options` now.
const RARE: [&str; 12] = [
    "fork",
    "continue_last",
    "images",
    "add_dirs",
    "output_schema",
    "web_search",
    "profile",
    "config",
    "approval_policy",
    "base_instructions",
    "extra_arguments",
    "idle_timeout_ms",
];

/// A scripted Codex that records how it was started, a job that has ended, and values for all parameters.
struct Stage {
    home: Home,
    server: Server,
    job: String,
}

impl Stage {
    fn new() -> Self {
        let home = offline_home();
        let log = home.path().join("starts.jsonl");
        fs::write(home.project().join("a.png"), b"\x89PNG\r\n\x1a\n")
            .expect("the project is writable");
        fs::write(home.path().join("words.config.toml"), "").expect("the home is writable");
        let server =
            scripted(&home).env("SCRIPTED_CODEX_LOG", log).arg("--allow-extra-arguments=true");
        let server = server.start();
        let job = call(&server).prompt("hello").argument("background", true).succeeds();
        let job = job.text("job_id").to_owned();
        call(&server).tool("codex_job_wait").argument("job_id", &job).succeeds();
        Self { home, server, job }
    }

    /// The arguments of the last start.
    fn last_start(&self) -> Vec<String> {
        let log = fs::read_to_string(self.home.path().join("starts.jsonl"));
        let log = log.expect("Codex was started");
        let start: Value =
            serde_json::from_str(log.lines().last().expect("a start")).expect("it is JSON");
        let arguments = start["argv"].as_array().expect("a list").iter();
        // Files for Codex are in a folder whose name is new each time.
        let words =
            arguments.filter_map(Value::as_str).map(|word| match word.split_once("/run-") {
                Some((before, name)) => {
                    format!("{before}/run-{}", name.split_once('/').unwrap_or_default().1)
                }
                None => word.to_owned(),
            });
        words.collect()
    }

    /// What the tool requires.
    fn minimal(&self, tool: &str) -> Value {
        match tool {
            "codex_chat" | "job_start" => json!({"prompt": "hello"}),
            "codex_guard_plan" => json!({"requirements": "a", "plan": "b"}),
            "codex_guard_final" => json!({"change_summary": "c"}),
            "job_events" | "job_cancel" => json!({"job_id": self.job}),
            "job_reply" => json!({"job_id": self.job, "prompt": "more"}),
            "job_wait" => json!({"timeout_ms": 1}),
            "codex_session_read" => json!({"session_id": SESSION}),
            _ => json!({}),
        }
    }

    /// A value that the parameter accepts.
    fn value(&self, tool: &str, name: &str) -> Value {
        let project = self.home.project();
        match (tool, name) {
            ("codex_sessions", "cursor") => Value::Null,
            ("job_events", "types") => json!(["error"]),
            ("codex_session_read", "include") => json!(["commands"]),
            (_, "job_ids") => json!([self.job]),
            (_, "job_id") => json!(self.job),
            (_, "session_id") => json!(SESSION),
            (_, "cwd") => json!(project),
            (_, "images") => json!([project.join("a.png")]),
            (_, "add_dirs") => json!([project]),
            (_, "timeout_ms") => json!(60),
            (_, "idle_timeout_ms") => json!(50_000),
            (_, "cursor" | "before" | "truncate") => json!(0),
            (_, "limit") => json!(3),
            (_, "fork" | "continue_last" | "raw" | "interrupt" | "from_end") => json!(true),
            (_, "output_schema") => json!({"type": "object", "additionalProperties": false}),
            (_, "config") => json!({"model_verbosity": "low"}),
            (_, "extra_arguments") => json!(["--ephemeral"]),
            (_, "sandbox") => json!("read-only"),
            (_, "reasoning_effort") => json!("high"),
            (_, "web_search") => json!("live"),
            (_, "approval_policy") => json!("never"),
            (_, "diff") => json!("uncommitted"),
            (_, "status") => json!("completed"),
            (_, "since" | "until") => json!("2h"),
            _ => json!("words"),
        }
    }

    /// Calls the tool with these arguments. Returns the error, or how Codex was started.
    fn outcome(&self, tool: &str, arguments: &Value) -> Result<Vec<String>, String> {
        let answer = self.server.call(tool, arguments);
        match answer["isError"] == true {
            true => Err(error_text(&answer).to_owned()),
            false => Ok(self.last_start()),
        }
    }
}

#[test]
fn every_former_parameter_is_accepted() {
    let stage = Stage::new();
    let job_start = ("job_start", &[FORMER[0].1, &RARE, &["label"]].concat()[..]);
    for (tool, parameters) in FORMER.into_iter().chain([job_start]) {
        for name in parameters {
            let mut arguments = stage.minimal(tool);
            arguments[*name] = match *name {
                "timeout_ms" if tool != "job_wait" => json!(60_000),
                name => stage.value(tool, name),
            };
            if *name == "fork" {
                arguments["session_id"] = SESSION.into();
            }
            // The scripted Codex keeps no sessions.
            let expected = (tool == "codex_session_read").then_some("session_not_found: ");
            match (stage.outcome(tool, &arguments), expected) {
                (Ok(_), None) => {}
                (Err(error), Some(expected)) if error.starts_with(expected) => {}
                (outcome, _) => panic!("{tool} {arguments}: {outcome:?}"),
            }
        }
    }
}

#[test]
fn an_option_means_the_same_in_options_and_beside_it_but_not_in_both() {
    let stage = Stage::new();
    for name in RARE {
        let beside = json!({"prompt": "hello", "session_id": SESSION, name: stage.value("codex_chat", name)});
        let inside = json!({"prompt": "hello", "session_id": SESSION, "options": {name: stage.value("codex_chat", name)}});
        assert_eq!(
            stage.outcome("codex_chat", &inside),
            stage.outcome("codex_chat", &beside),
            "{name}"
        );
        let mut both = inside.clone();
        both[name] = stage.value("codex_chat", name);
        let refused = call(&stage.server).arguments(&both).fails_with("bad_input");
        refused.about(&format!("options.{name}")).mentions("give it once");
        // One that is null is not given.
        both[name] = Value::Null;
        assert_eq!(
            stage.outcome("codex_chat", &both),
            stage.outcome("codex_chat", &beside),
            "{name}"
        );
    }
    // All of it may be a text, which some models write.
    let written = json!({"prompt": "hello", "options": "{\"web_search\": \"live\"}"});
    let typed = json!({"prompt": "hello", "options": {"web_search": "live"}});
    let started = stage.outcome("codex_chat", &typed);
    assert!(started.is_ok(), "{started:?}");
    assert_eq!(stage.outcome("codex_chat", &written), started);
}

#[test]
fn a_wrong_option_is_refused_by_name() {
    let stage = Stage::new();
    let deep = (0..50).fold(json!(1), |value, _| json!([value]));
    for (options, field, fix) in [
        (json!({"forks": true}), "options.forks", "the options are fork, "),
        (json!({"model": "gpt"}), "options.model", "pass it beside options"),
        (json!({"prompt": "again"}), "options.prompt", "pass it beside options"),
        (json!({"options": {"fork": true}}), "options.options", "pass it beside options"),
        (json!({"": true}), "options.", "is not an option"),
        (json!({"fork": "yes"}), "fork", "true or false"),
        (json!({"images": deep}), "images", "list"),
        (json!(["fork"]), "options", "must be an object"),
        (json!("fork"), "options", "must be an object"),
        (json!(true), "options", "must be an object"),
    ] {
        let refused = call(&stage.server).prompt("hello").argument("options", &options);
        refused.fails_with("bad_input").about(field).mentions(fix);
    }
    for nothing in [json!({}), Value::Null, json!("")] {
        call(&stage.server).prompt("hello").argument("options", nothing).replies("done");
    }
    // The guards have no options.
    let guard = call(&stage.server).tool("codex_guard_final").argument("change_summary", "c");
    guard.argument("options", json!({})).fails_with("bad_input").about("options");
}

#[test]
fn in_the_background_a_question_is_a_job() {
    let home = offline_home();
    let server = scripted(&home).start();
    for background in [json!(true), json!("true")] {
        let started = call(&server)
            .prompt("hello")
            .argument("background", background)
            .argument("options", json!({"label": "a name"}))
            .succeeds();
        let job = started.text("job_id").to_owned();
        started.lacks("reply");
        let ended = call(&server).tool("codex_job_wait").argument("job_id", &job).succeeds();
        ended.has("result", "done").has("status", "completed");
        let listed = call(&server).tool("codex_jobs").succeeds();
        assert_eq!(listed["jobs"][0]["what"], "a name", "{listed}");
    }
    call(&server).prompt("hello").argument("background", false).replies("done").lacks("job_id");
    let wrong = call(&server).prompt("hello").argument("label", "a name");
    wrong.fails_with("bad_input").about("label").mentions("requires background");
    let wrong = call(&server).argument("background", true);
    wrong.fails_with("bad_input").about("prompt").mentions("Nothing was started");
    let wrong = call(&server).prompt("hello").argument("background", "yes");
    wrong.fails_with("bad_input").about("background").mentions("true or false");
}

#[test]
fn in_the_background_a_client_with_tasks_gets_a_job_too() {
    let home = offline_home();
    let server = scripted(&home).start();
    let ask = |arguments: Value| {
        let params = json!({"name": "codex_chat", "arguments": arguments, "_meta": meta(true)});
        result(server.request("tools/call", &params))
    };
    let job = ask(json!({"prompt": "hello", "background": true}));
    assert!(content(&job)["job_id"].is_string(), "{job}");
    // Otherwise its call is a task, which may have a label.
    let task =
        ask(json!({"prompt": "[sleep]", "background": false, "options": {"label": "named"}}));
    let job = task["taskId"].as_str().or_else(|| task["task"]["taskId"].as_str());
    let job = job.map(str::to_owned).unwrap_or_else(|| {
        task["structuredContent"]["job_id"].as_str().expect("it is a job").to_owned()
    });
    let jobs = call(&server).tool("job_list").succeeds();
    let jobs = jobs["jobs"].as_array().expect("a list").clone();
    let named = jobs.iter().find(|row| row["job_id"] == job).expect("it is listed");
    assert_eq!(named["label"], "named");
}

#[test]
fn the_schema_names_the_allowed_sandboxes_and_models() {
    let home = offline_home();
    let fields = |settings: &[&str]| {
        let server = settings.iter().fold(scripted(&home), |server, setting| server.arg(setting));
        let list = listed(&server.start());
        list[0]["inputSchema"]["properties"].clone()
    };
    let said = |fields: &Value, name: &str| {
        fields[name]["description"].as_str().expect("it is described").to_owned()
    };
    let usual = fields(&[]);
    assert!(said(&usual, "sandbox").contains("pass workspace-write to have files changed"));
    let only_read = fields(&["--max-sandbox=read-only"]);
    assert_eq!(only_read["sandbox"]["enum"], json!(["read-only"]));
    assert!(!said(&only_read, "sandbox").contains("workspace-write"));
    let full = fields(&["--max-sandbox=danger-full-access"]);
    assert_eq!(full["sandbox"]["enum"][2], "danger-full-access");

    let few = fields(&["--allowed-models=gpt-a,gpt-b"]);
    assert!(said(&few, "model").contains("gpt-a, gpt-b"), "{few}");
    let models: Vec<String> = (0..100).map(|number| format!("model-{number}")).collect();
    let many = said(&fields(&[&format!("--allowed-models={}", models.join(","))]), "model");
    assert!(many.contains("model-9 and 90 more") && many.len() < 300, "{many}");
}

#[test]
fn the_answer_of_each_tool_matches_its_schema() {
    let stage = Stage::new();
    let all = scripted(&stage.home).arg("--tools=all").start();
    let chat = call(&all).prompt("hello").succeeds();
    let job = &stage.job;
    for definition in listed(&all) {
        let tool = definition["name"].as_str().expect("a tool has a name");
        let mut cases = vec![stage.minimal(tool)];
        match tool {
            "codex_chat" => cases.push(json!({"prompt": "hello", "background": true})),
            "codex_job_wait" => {
                cases.extend([json!({"job_id": job}), json!({"timeout_ms": 1})]);
            }
            "codex_jobs" => cases.push(json!({"job_id": job})),
            "codex_job_send" => {
                cases = vec![
                    json!({"job_id": job, "prompt": "more"}),
                    json!({"job_id": job, "cancel": true}),
                ];
            }
            // Its sessions come from the real Codex.
            "codex_session_read" => cases = Vec::new(),
            _ => {}
        }
        for arguments in cases {
            let answer = all.call(tool, &arguments);
            let found = misfits(content(&answer), &definition["outputSchema"], tool);
            assert_eq!(found, Vec::<String>::new(), "{arguments}: {answer}");
        }
        // An error's structure matches it, too: nothing is required.
        assert!(definition["outputSchema"]["required"].is_null(), "{tool}");
        // A keyword for each field, which strict clients want.
        let fields = definition["outputSchema"]["properties"].as_object().expect("fields");
        assert!(fields.values().all(|field| field["type"].is_string()), "{definition}");
    }
    drop(chat);
}
