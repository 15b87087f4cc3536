//! Texts that have broken programs before, in every text of every tool: each is refused by the field's name, or
//! arrives unchanged. Only what was requested gets onto Codex's command line.

use serde_json::{Value, json};

use crate::kit::jobs::wait;
use crate::kit::play::{Stage, with};
use crate::kit::setup::{content, error_text};
use crate::support::client::Server;

const SESSION: &str = "0199a213-81c0-7800-8aa1-bbab2a035a53";

fn texts() -> Vec<String> {
    let mut texts: Vec<String> =
        serde_json::from_str(include_str!("../../fixtures/hostile.json")).expect("a list of texts");
    texts.extend(["x".repeat(70_000), "\"".repeat(40_000), "é\n".repeat(50_000)]);
    texts.extend([
        format!("/{}", "y".repeat(70_000)),
        format!("--{}", "z".repeat(60_000)),
        "k".repeat(60_000),
    ]);
    texts
}

/// The arguments of a start without the program, and its standard input.
fn last_start(stage: &Stage) -> (Vec<String>, String) {
    let start = stage.starts().pop().expect("Codex was started");
    let argv = start["argv"].as_array().expect("a list").iter().skip(1);
    let argv = argv.map(|word| word.as_str().expect("a text").to_owned()).collect();
    (argv, start["stdin"].as_str().unwrap_or_default().to_owned())
}

/// Removes an option with this value from an argument list.
fn take(argv: &mut Vec<String>, flag: &str, is_it: impl Fn(&str) -> bool) {
    let at = argv.windows(2).position(|pair| pair[0] == flag && is_it(&pair[1]));
    let at = at.unwrap_or_else(|| panic!("no {flag} with that value in {argv:?}"));
    argv.drain(at..at + 2);
}

/// Whether a setting has this key and, read as TOML, this value.
fn is_setting(setting: &str, key: &str, value: &str) -> bool {
    let table: Option<toml::Table> = setting.parse().ok();
    table.is_some_and(|table| {
        table.len() == 1 && table.get(key).and_then(toml::Value::as_str) == Some(value)
    })
}

/// The message of an error that names the field.
fn assert_names(answer: &Value, field: &str, shown: &str) {
    let text = error_text(answer);
    let named = ["bad_input", "not_allowed"].map(|kind| format!("{kind}: {field} "));
    assert!(named.iter().any(|begin| text.starts_with(begin)), "{field} {shown}: {text}");
    assert!(text.len() < 4_000, "a value is not thrown back whole: {} bytes", text.len());
}

fn shown(text: &str) -> String {
    format!("{:?}", text.chars().take(60).collect::<String>())
}

/// Expects the server to answer, and to have written nothing but messages.
fn assert_well(server: &Server) {
    server.request("ping", &json!({}));
    assert_eq!(server.bad_lines(), Vec::<String>::new());
}

#[test]
fn each_text_of_a_call_is_refused_by_name_or_unchanged() {
    let stage = Stage::new();
    let server = stage.server().env("CODEX_PERSISTENT_MCP_ALLOW_EXTRA_ARGUMENTS", "true").start();
    content(&server.call("codex_chat", &json!({"prompt": "hello"})));
    let (plain, _) = last_start(&stage);
    let starts = || stage.starts().len();
    for text in texts() {
        for field in [
            "session_id",
            "cwd",
            "model",
            "reasoning_effort",
            "sandbox",
            "profile",
            "web_search",
            "approval_policy",
            "images",
            "add_dirs",
            "extra_arguments",
            "config",
        ] {
            let value = match field {
                "images" | "add_dirs" | "extra_arguments" => json!([text]),
                "config" => json!({text.as_str(): "x"}),
                _ => json!(text),
            };
            let before = starts();
            let arguments = with(json!({"prompt": "hello"}), field, value);
            let answer = server.call("codex_chat", &arguments);
            if answer["isError"] == true {
                assert_names(&answer, field, &shown(&text));
                assert_eq!(starts(), before, "{field} {}", shown(&text));
                // A profile is searched for when the job's turn starts.
                if field != "profile" {
                    assert_names(&server.call("job_start", &arguments), field, &shown(&text));
                }
                continue;
            }
            let (mut argv, _) = last_start(&stage);
            match field {
                // It counts as absent.
                _ if arguments[field] == "" => {}
                "model" => take(&mut argv, "-m", |value| value == text),
                // The server shortens a path.
                "add_dirs" => take(&mut argv, "--add-dir", |value| {
                    value.trim_end_matches('/') == text.trim_end_matches('/')
                }),
                "reasoning_effort" => take(&mut argv, "-c", |setting| {
                    is_setting(setting, "model_reasoning_effort", &text)
                }),
                "cwd" => {
                    let at = argv.iter().position(|word| word == "-C").expect("always there") + 1;
                    assert_eq!(argv[at].trim_end_matches('/'), text.trim_end_matches('/'));
                    argv[at] = plain[at].clone();
                    // The untrusted folders belong to another directory.
                    let untrusted = |word: &String| word.starts_with("projects=");
                    let at = argv.iter().position(untrusted).expect("always there");
                    argv[at] = plain[at].clone();
                }
                _ => panic!("{field} {} was not refused: {answer}", shown(&text)),
            }
            assert_eq!(argv, plain, "{field} {}", shown(&text));
        }
    }
    assert_well(&server);
}

#[test]
fn free_texts_arrive_unchanged() {
    let stage = Stage::new();
    let server = stage.server().start();
    content(&server.call("codex_chat", &json!({"prompt": "hello"})));
    let (plain, _) = last_start(&stage);
    for text in texts().iter().filter(|text| !text.trim().is_empty()) {
        let long = text.len() > 10_000;
        let mut arguments = json!({"prompt": text, "base_instructions": text});
        if !long {
            arguments["config"] = json!({"compact_prompt": text});
            arguments["output_schema"] = json!({"type": "object", "additionalProperties": false});
            arguments["output_schema"][text.as_str()] = text.as_str().into();
        }
        let answer = server.call("codex_chat", &arguments);
        let kind = answer["content"][0]["text"].as_str().unwrap_or_default();
        assert_ne!(answer["isError"], true, "{}: {kind}", shown(text));
        let (mut argv, stdin) = last_start(&stage);
        assert!(stdin.contains(&format!(" ---\n{text}\n---")), "{}", shown(text));
        take(&mut argv, "-c", |setting| setting.starts_with("model_instructions_file=\"/"));
        if !long {
            take(&mut argv, "-c", |setting| is_setting(setting, "compact_prompt", ""));
            let file = "experimental_compact_prompt_file=\"/";
            take(&mut argv, "-c", |setting| setting.starts_with(file));
            take(&mut argv, "--output-schema", |path| path.ends_with("/schema.json"));
        }
        assert_eq!(argv, plain, "{}", shown(text));
    }
    assert_well(&server);
}

#[test]
fn the_texts_of_guards_and_jobs_arrive_unchanged_too() {
    let stage = Stage::new();
    let server = stage.server().start();
    content(&server.call("codex_guard_final", &json!({"change_summary": "hello"})));
    let schema = |path: &str| path.ends_with("/schema.json");
    let (mut plain, _) = last_start(&stage);
    take(&mut plain, "--output-schema", schema);
    content(&server.call("codex_chat", &json!({"prompt": "hello"})));
    let (unguarded, _) = last_start(&stage);
    for (number, text) in texts().iter().filter(|text| !text.trim().is_empty()).enumerate() {
        let plan = json!({"requirements": text, "plan": text, "constraints": text});
        let work = json!({"change_summary": text, "test_results": text, "open_questions": text});
        for (tool, arguments) in [("codex_guard_plan", plan), ("codex_guard_final", work)] {
            content(&server.call(tool, &arguments));
            let (mut argv, stdin) = last_start(&stage);
            take(&mut argv, "--output-schema", schema);
            assert_eq!(stdin.matches(&format!(" ---\n{text}\n---")).count(), 3, "{}", shown(text));
            assert_eq!(argv, plain, "{}", shown(text));
        }
        // A job is a process, so only some texts become one.
        if number % 10 == 0 {
            let label: String = text.chars().take(200).collect();
            let arguments = json!({"prompt": text, "label": label, "base_instructions": text});
            let job = content(&server.call("job_start", &arguments)).clone();
            assert_eq!(job["label"].as_str().map(str::trim), Some(label.trim()), "{}", shown(text));
            let id = job["job_id"].as_str().expect("an id");
            let (_, cursor) = wait(&server, id, &job["notification_cursor"]);
            assert!(last_start(&stage).1.contains(&format!(" ---\n{text}\n---")));
            content(&server.call("job_reply", &json!({"job_id": id, "prompt": text})));
            wait(&server, id, &cursor);
            let (mut argv, stdin) = last_start(&stage);
            assert!(stdin.contains(&format!(" ---\n{text}\n---")), "{}", shown(text));
            take(&mut argv, "-c", |setting| setting.starts_with("model_instructions_file=\"/"));
            take(&mut argv, "resume", |_| true);
            assert_eq!(argv, unguarded, "{}", shown(text));
        }
    }
    assert_well(&server);
}

#[test]
fn names_and_lists_that_make_no_sense_are_refused_or_find_nothing() {
    let stage = Stage::new();
    let server = stage.server().start();
    let id = "01900000-0000-7000-8000-000000000000";
    for text in texts() {
        for (tool, field) in [
            ("codex_guard_final", "session_id"),
            ("codex_guard_plan", "model"),
            ("job_reply", "job_id"),
            ("job_events", "job_id"),
            ("job_cancel", "job_id"),
            ("job_list", "status"),
        ] {
            let arguments = match tool {
                "codex_guard_final" => json!({"change_summary": "x", "session_id": text}),
                "codex_guard_plan" => json!({"requirements": "x", "plan": "x", "model": text}),
                "job_reply" => json!({"job_id": text, "prompt": "x"}),
                _ => json!({field: text}),
            };
            let answer = server.call(tool, &arguments);
            if answer["isError"] == true {
                assert_names(&answer, field, &shown(&text));
            } else {
                let is_fine = field == "model" || text.is_empty();
                assert!(is_fine, "{tool} {} was not refused: {answer}", shown(&text));
            }
        }
        for (tool, field) in [("job_wait", "job_ids"), ("job_notifications", "job_ids")] {
            assert_names(&server.call(tool, &json!({field: [text]})), field, &shown(&text));
        }
        let found = server.call("job_list", &json!({"cwd": text}));
        if !text.trim().is_empty() {
            assert_eq!(content(&found)["jobs"], json!([]), "{}", shown(&text));
        }
        let types = server.call("job_events", &json!({"job_id": id, "types": [text]}));
        assert_eq!(types["isError"], true, "there is no such job");
        // As the name of a parameter.
        if !["plan", "prompt"].contains(&text.as_str()) {
            let answer = server.call("codex_chat", &json!({"prompt": "x", text.as_str(): SESSION}));
            let said = error_text(&answer);
            assert!(said.starts_with("bad_input: ") && said.len() < 4_000, "{}", shown(&text));
        }
    }
    assert_well(&server);
}
