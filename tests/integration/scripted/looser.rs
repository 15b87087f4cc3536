//! What Codex says was in force, when that is more than the operator allows: the scripted Codex says
//! so, as the real one would if something in its configuration were stronger than the command line.

use serde_json::{Value, json};

use crate::kit::jobs::{snapshot, wait};
use crate::kit::play::{Stage, message, with};
use crate::kit::setup::{content, error_text, script};
use crate::support::client::{Builder, Server};

const MOST: &str = "CODEX_PERSISTENT_MCP_MAX_SANDBOX";
const MODELS: &str = "CODEX_PERSISTENT_MCP_ALLOWED_MODELS";
const DIRS: &str = "CODEX_PERSISTENT_MCP_ALLOWED_DIRS";

const WRITE: &str = "workspace-write";

/// A turn that Codex has on record with this.
fn recorded(context: &Value) -> String {
    script(&json!([
        {"started": {}},
        {"record": {"type": "session_meta", "payload": {"id": "$ID", "cwd": context["cwd"]}}},
        {"record": {"type": "turn_context", "payload": context}},
        message("I did what I could."),
        {"completed": {}},
    ]))
}

/// Nothing but what is allowed, but for this.
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
        (json!({"cwd": "/"}), "outside of what is allowed"),
    ] {
        let prompt = recorded(&context(&stage, &more));
        let job = if more["cwd"].is_null() {
            Some(through_a_job(&server, &prompt))
        } else {
            // Then the job itself is outside, and nothing more is told of it.
            let job =
                content(&server.call("job_start", &json!({"prompt": prompt, "sandbox": WRITE})))
                    .clone();
            let wait = json!({"job_ids": [job["job_id"]], "timeout_ms": 60_000});
            let told = server.call("job_wait", &wait);
            assert!(error_text(&told).starts_with("not_allowed: job_id "), "{told}");
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
            assert!(said.contains("person who runs this server"), "{tool} {more}: {said}");
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
        // Nobody is asked, whoever would be.
        json!({"approvals_reviewer": "auto_review"}),
        json!({"approval_policy": "on-request"}),
        json!({"sandbox_policy": null, "model": null, "cwd": null, "approval_policy": null}),
    ] {
        let answer = server.call(
            "codex_chat",
            &json!({"prompt": recorded(&context(&stage, &more)), "sandbox": WRITE}),
        );
        assert!(content(&answer)["effective"].is_object(), "{more}: {answer}");
    }
    // Without a record there is nothing to tell.
    let answer = server.call("codex_chat", &json!({"prompt": "hello"}));
    assert!(content(&answer)["effective"].is_null(), "{answer}");

    let open = stage.server().env(MOST, "danger-full-access").start();
    let full = json!({
        "sandbox_policy": {"type": "danger-full-access"},
        "approvals_reviewer": "auto_review",
        "approval_policy": "on-request",
    });
    let prompt = recorded(&context(&stage, &full));
    let arguments = json!({"prompt": prompt, "sandbox": "danger-full-access"});
    let answer = open.call("codex_chat", &arguments);
    let effective = &content(&answer)["effective"];
    assert_eq!(effective["sandbox"], "danger-full-access", "{answer}");
    assert_eq!(effective["approvals_reviewer"], "auto_review", "{answer}");
}

/// What a turn was to have is compared, and not only what the operator allows.
#[test]
fn a_turn_that_had_more_than_it_asked_for_is_an_error_wherever_more_is_allowed() {
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
        let answer = open.call(tool, &arguments);
        let text = error_text(&answer);
        assert!(text.starts_with("looser_than_asked: "), "{tool}: {text}");
        assert!(text.contains("I did what I could."), "{tool}: {text}");
    }
}

#[test]
fn a_turn_that_had_less_than_it_asked_for_is_an_answer_with_a_warning() {
    let stage = Stage::new();
    let read = context(&stage, &json!({"sandbox_policy": {"type": "read-only"}}));
    let arguments = json!({"prompt": recorded(&read), "sandbox": WRITE});
    let answer = stage.server().start().call("codex_chat", &arguments);
    let warnings = content(&answer)["warnings"].to_string();
    assert!(warnings.contains("read-only") && warnings.contains("requirements.toml"), "{answer}");
}

#[test]
fn a_limit_of_read_only_is_passed_by_a_turn_that_could_write() {
    let stage = Stage::new();
    let server = stage.server().env(MOST, "read-only").start();
    let answer =
        server.call("codex_chat", &json!({"prompt": recorded(&context(&stage, &json!({})))}));
    let text = error_text(&answer);
    assert!(
        text.starts_with("looser_than_allowed: ") && text.contains("workspace-write"),
        "{text}"
    );
    assert!(text.contains("read-only"), "{text}");
}

/// What an earlier turn ran with says nothing of one that is not on record.
#[test]
fn an_old_record_is_not_taken_for_that_of_a_turn_that_has_none() {
    let stage = Stage::new();
    let open = stage.server().env(MOST, "danger-full-access").start();
    let full = json!({"sandbox_policy": {"type": "danger-full-access"}});
    let begin = json!({
        "prompt": recorded(&context(&stage, &full)), "sandbox": "danger-full-access",
    });
    let begun = open.call("codex_chat", &begin);
    let session = content(&begun)["session_id"].clone();
    let server = stage.server().start();
    let go_on = with(json!({"prompt": "go on"}), "session_id", session);
    let answer = server.call("codex_chat", &go_on);
    assert!(content(&answer)["effective"].is_null(), "{answer}");
}
