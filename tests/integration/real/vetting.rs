//! What a profile or a project would loosen beside the sandbox's name, and what the sandbox refused.

use std::fs;

use serde_json::{Value, json};

use crate::kit::real::obey;
use crate::kit::setup::{content, error_text, home, real};
use crate::support::model::{Model, echo};
use crate::support::real_codex::Home;

const MAX_SANDBOX: &str = "CODEX_PERSISTENT_MCP_MAX_SANDBOX";

/// The only warning of an answer, or an empty text.
fn warning(answer: &Value) -> String {
    let warnings = content(answer)["warnings"].as_array().cloned().unwrap_or_default();
    assert!(warnings.len() <= 1, "{answer}");
    warnings.first().and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A server of Codex's that makes a file when it is started, as TOML.
fn touching(home: &Home) -> String {
    let started = home.project().join("started");
    format!("[mcp_servers.hostile]\ncommand = \"touch\"\nargs = [{started:?}]\n")
}

fn was_started(home: &Home) -> bool {
    fs::remove_file(home.project().join("started")).is_ok()
}

#[test]
fn a_profile_that_could_get_around_the_sandbox_is_refused_and_another_is_not() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let profile = |name: &str, toml: &str| {
        fs::write(home.path().join(format!("{name}.config.toml")), toml).expect("writable");
    };
    profile("hostile", &touching(&home));
    profile("harmless", "model_verbosity = \"low\"\nsandbox_mode = \"danger-full-access\"\n");
    let server = real(&home).start();
    let ask =
        |profile: &str| server.call("codex_chat", &json!({"prompt": "hello", "profile": profile}));
    let refused = ask("hostile");
    let text = error_text(&refused);
    assert!(text.starts_with("not_allowed: profile hostile sets mcp_servers"), "{text}");
    assert!(text.contains(MAX_SANDBOX), "{text}");
    assert!(error_text(&ask("missing")).starts_with("bad_input: profile "));
    assert_eq!(model.requests().len(), 0, "nothing was asked");
    let harmless = ask("harmless");
    assert_eq!(content(&harmless)["effective"]["sandbox"], "workspace-write", "{harmless}");
    assert!(warning(&harmless).contains(MAX_SANDBOX), "{harmless}");

    let open = real(&home).env(MAX_SANDBOX, "danger-full-access").start();
    content(&open.call("codex_chat", &json!({"prompt": "hello", "profile": "hostile"})));
    assert!(was_started(&home), "where all is allowed it is used");
}

#[test]
fn a_trusted_project_s_own_settings_are_not_loaded_where_they_could() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let project = home.project().canonicalize().expect("it is there");
    fs::create_dir(project.join(".git")).expect("writable");
    home.append_config(&format!("projects.{project:?}.trust_level = \"trusted\"\n"));
    fs::create_dir_all(project.join("below/.codex")).expect("writable");
    fs::create_dir(project.join(".codex")).expect("writable");
    let settings = project.join(".codex/config.toml");
    fs::write(&settings, touching(&home)).expect("writable");
    let ask = |server: &crate::support::client::Server, cwd: &str| {
        let arguments = json!({
            "prompt": "hello", "cwd": project.join(cwd), "sandbox": "workspace-write",
        });
        server.call("codex_chat", &arguments)
    };
    let server = real(&home).start();
    for cwd in ["", "below"] {
        let answer = ask(&server, cwd);
        assert!(warning(&answer).contains("mcp_servers"), "{answer}");
        assert!(!was_started(&home), "{cwd}");
    }
    // What can do no harm holds all the same.
    fs::write(&settings, "model_reasoning_effort = \"low\"\n").expect("writable");
    assert_eq!(warning(&ask(&server, "")), "");
    let asked = model.requests().pop().expect("the model was asked").body;
    assert_eq!(asked["reasoning"]["effort"], "low", "{asked}");

    fs::write(&settings, touching(&home)).expect("writable");
    let open = real(&home).env(MAX_SANDBOX, "danger-full-access").start();
    assert!(warning(&ask(&open, "")).contains("mcp_servers"));
    let guard = json!({"change_summary": "hello", "cwd": project});
    content(&open.call("codex_guard_final", &guard));
    assert!(!was_started(&home), "a turn in a sandbox loads none, whatever the server allows");
    let full = json!({"prompt": "hello", "cwd": project, "sandbox": "danger-full-access"});
    assert_eq!(warning(&open.call("codex_chat", &full)), "");
    assert!(was_started(&home), "one without a sandbox loads them");
}

#[test]
fn commands_that_the_sandbox_refused_are_counted() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = real(&home).start();
    let outside = home.path().join("outside");
    let ask =
        |command: &str| server.call("codex_chat", &json!({"prompt": format!("[run {command}]")}));
    let refused = ask(&format!("touch {}", outside.display()));
    assert!(warning(&refused).contains("1 command of Codex's"), "{refused}");
    assert!(!outside.exists());
    assert_eq!(warning(&ask("echo all is well")), "");
    assert_eq!(warning(&ask("exit 3")), "", "a failure is no refusal");
}

#[test]
fn a_reply_to_a_job_may_do_what_the_server_that_sends_it_allows() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let outside = home.path().join("outside");
    let gate = home.project().join("gate");
    let (up, touch) = (gate.with_extension("up"), format!("[run touch {}]", outside.display()));
    let wait = format!(
        "[run touch {}; until test -e {}; do sleep 0.02; done]",
        up.display(),
        gate.display()
    );
    let loose = real(&home).env(MAX_SANDBOX, "danger-full-access").start();
    let start = json!({"prompt": wait, "sandbox": "danger-full-access"});
    let job = content(&loose.call("job_start", &start)).clone();
    crate::kit::wait::wait_for(&up);
    let strict = real(&home).env(MAX_SANDBOX, "read-only").start();
    let reply = json!({"job_id": job["job_id"], "prompt": touch});
    let cursor = content(&strict.call("job_reply", &reply))["notification_cursor"].clone();
    fs::write(&gate, "").expect("writable");
    let mut told = 0;
    let mut cursor = cursor;
    while told < 2 {
        let wait = json!({"job_ids": [job["job_id"]], "cursor": cursor});
        let answer = content(&strict.call("job_wait", &wait)).clone();
        told += answer["notifications"].as_array().map_or(0, Vec::len);
        cursor = answer["cursor"].clone();
    }
    assert!(!outside.exists(), "what the job was started with is not the reply's");
}
