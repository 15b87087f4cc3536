//! Turns that ran with more than the operator allows: the scripted Codex records that, as the real one
//! would if something in its configuration were stronger than the command line.

use serde_json::{Value, json};

use crate::kit::call::call;
use crate::kit::jobs::{snapshot, wait};
use crate::kit::play::{Stage, message};
use crate::kit::setup::{content, error_text, script};
use crate::support::client::{Builder, Server};

const MOST: &str = "CODEX_PERSISTENT_MCP_MAX_SANDBOX";
const MODELS: &str = "CODEX_PERSISTENT_MCP_ALLOWED_MODELS";
const DIRS: &str = "CODEX_PERSISTENT_MCP_ALLOWED_DIRS";

const WRITE: &str = "workspace-write";

/// A turn that Codex records with this context.
fn recorded(context: &Value) -> String {
    script(&json!([
        {"started": {}},
        {"record": {"type": "session_meta", "payload": {"id": "$ID", "cwd": context["cwd"]}}},
        {"record": {"type": "turn_context", "payload": context}},
        message("I did what I could."),
        {"completed": {}},
    ]))
}

/// The context of an allowed turn, with these changes.
fn context(stage: &Stage, more: &Value) -> Value {
    let mut context = json!({
        "cwd": stage.home.project(),
        "approval_policy": "never",
        "approvals_reviewer": "user",
        "sandbox_policy": {"type": "workspace-write", "network_access": false},
        "model": "gpt-5.5",
    });
    for (name, value) in more.as_object().expect("an object") {
        context[name] = value.clone();
    }
    context
}

fn limited(stage: &Stage) -> Builder {
    stage.server().env(MODELS, "gpt-5.5").env(DIRS, stage.home.project())
}

fn through_calls(server: &Server, prompt: &str) -> [(&'static str, Value); 2] {
    [
        ("codex_chat", server.call("codex_chat", &json!({"prompt": prompt, "sandbox": WRITE}))),
        ("codex_guard_final", server.call("codex_guard_final", &json!({"change_summary": prompt}))),
    ]
}

fn through_a_job(server: &Server, prompt: &str) -> (&'static str, Value) {
    let job =
        content(&server.call("job_start", &json!({"prompt": prompt, "sandbox": WRITE}))).clone();
    let id = job["job_id"].as_str().expect("an id");
    wait(server, id, &job["notification_cursor"]);
    ("job_start", snapshot(server, id))
}

#[test]
fn a_turn_that_had_more_than_is_allowed_is_an_error_with_its_session_and_reply() {
    let stage = Stage::new();
    let server = limited(&stage).start();
    let full = json!({"type": "danger-full-access"});
    for (more, word) in [
        (json!({"sandbox_policy": full}), MOST),
        (json!({"sandbox_policy": null, "permission_profile": {"type": "disabled"}}), MOST),
        (
            json!({"approvals_reviewer": "auto_review", "approval_policy": "on-request"}),
            "auto_review",
        ),
        (json!({"approvals_reviewer": "auto_review", "approval_policy": null}), "auto_review"),
        (json!({"model": "gpt-6"}), MODELS),
        (json!({"cwd": "/"}), "outside the allowed folders"),
    ] {
        let prompt = recorded(&context(&stage, &more));
        let job = if more["cwd"].is_null() {
            Some(through_a_job(&server, &prompt))
        } else {
            // Then the job itself is outside, and its notifications are denied.
            let job =
                content(&server.call("job_start", &json!({"prompt": prompt, "sandbox": WRITE})))
                    .clone();
            let wait = json!({"job_ids": [job["job_id"]], "timeout_ms": 60_000});
            let denied = server.call("job_wait", &wait);
            assert!(error_text(&denied).starts_with("not_allowed: job_id "), "{denied}");
            None
        };
        for (tool, answer) in through_calls(&server, &prompt).into_iter().chain(job) {
            let (kind, said, session, partial) = if tool == "job_start" {
                let error = &answer["error"];
                let said = format!("{} {}", error["message"], error["next"]);
                (
                    error["kind"].clone(),
                    said,
                    answer["session_id"].clone(),
                    error["partial_reply"].clone(),
                )
            } else {
                let text = error_text(&answer);
                let kind = text.split(':').next().unwrap_or_default();
                let line = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
                let partial = text.lines().last();
                (json!(kind), text.to_owned(), json!(line("session_id: ")), json!(partial))
            };
            let expected = match word {
                "auto_review" => "looser_than_asked",
                _ => "looser_than_allowed",
            };
            assert_eq!(kind, expected, "{tool} {more}: {answer}");
            assert!(said.contains(word), "{tool} {more}: {said}");
            assert!(said.contains("tell the operator"), "{tool} {more}: {said}");
            assert!(session.is_string(), "{tool} {more}: {answer}");
            assert_eq!(partial, "I did what I could.", "{tool} {more}: {answer}");
        }
    }
}

#[test]
fn a_turn_that_had_no_more_than_is_allowed_is_an_answer() {
    let stage = Stage::new();
    let server = limited(&stage).start();
    for more in [
        json!({}),
        json!({"sandbox_policy": {"type": "read-only"}}),
        // No approval is requested, so the reviewer does not matter.
        json!({"approvals_reviewer": "auto_review"}),
        json!({"approval_policy": "on-request"}),
        json!({"sandbox_policy": null, "model": null, "cwd": null, "approval_policy": null}),
    ] {
        let answer = call(&server).prompt(&recorded(&context(&stage, &more))).sandbox(WRITE);
        let answer = answer.succeeds();
        assert!(answer["effective"].is_object(), "{answer}");
    }
    // Without a record nothing is known.
    call(&server).prompt("hello").succeeds().lacks("effective");

    let open = stage.server().env(MOST, "danger-full-access").start();
    let full = json!({
        "sandbox_policy": {"type": "danger-full-access"},
        "approvals_reviewer": "auto_review",
        "approval_policy": "on-request",
    });
    call(&open)
        .prompt(&recorded(&context(&stage, &full)))
        .sandbox("danger-full-access")
        .succeeds()
        .has("effective.sandbox", "danger-full-access")
        .has("effective.approvals_reviewer", "auto_review");
}

/// The turn is compared with its own sandbox, and not only with what the operator allows.
#[test]
fn a_turn_that_had_more_than_requested_is_an_error_even_where_more_is_allowed() {
    let stage = Stage::new();
    let open = stage.server().env(MOST, "danger-full-access").start();
    let had = |sandbox: Value| recorded(&context(&stage, &json!({"sandbox_policy": sandbox})));
    let write = had(json!({"type": "workspace-write"}));
    let full = had(json!({"type": "danger-full-access"}));
    for (tool, arguments) in [
        ("codex_guard_final", json!({"change_summary": write})),
        ("codex_guard_plan", json!({"requirements": "none", "plan": write})),
        ("codex_chat", json!({"prompt": write, "sandbox": "read-only"})),
        ("codex_chat", json!({"prompt": full, "sandbox": WRITE})),
    ] {
        call(&open)
            .tool(tool)
            .arguments(&arguments)
            .fails_with("looser_than_asked")
            .mentions("I did what I could.");
    }
}

#[test]
fn a_turn_that_had_less_than_requested_is_an_answer_with_a_warning() {
    let stage = Stage::new();
    let read = context(&stage, &json!({"sandbox_policy": {"type": "read-only"}}));
    let server = stage.server().start();
    let answer = call(&server).prompt(&recorded(&read)).sandbox(WRITE).succeeds();
    answer.warns_of("read-only").warns_of("requirements.toml");
}

#[test]
fn a_turn_that_could_write_exceeds_a_limit_of_read_only() {
    let stage = Stage::new();
    let server = stage.server().env(MOST, "read-only").start();
    call(&server)
        .prompt(&recorded(&context(&stage, &json!({}))))
        .fails_with("looser_than_allowed")
        .mentions("workspace-write")
        .mentions("read-only");
}

/// The context of an earlier turn says nothing about one without a record.
#[test]
fn an_older_record_is_not_attributed_to_a_turn_without_one() {
    let stage = Stage::new();
    let open = stage.server().env(MOST, "danger-full-access").start();
    let full = json!({"sandbox_policy": {"type": "danger-full-access"}});
    let first = call(&open).prompt(&recorded(&context(&stage, &full)));
    let first = first.sandbox("danger-full-access").succeeds();
    let server = stage.server().start();
    call(&server).prompt("go on").in_session(first.session()).succeeds().lacks("effective");
}
