//! What cannot be used in a call is told with its name, before anything is started. Codex itself
//! would go on without most of it, and not say so.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::{Value, json};

use crate::kit::jobs::{snapshot, wait};
use crate::kit::play::with;
use crate::kit::real::PICTURE;
use crate::kit::setup::{content, error_text, home, real, real_release};
use crate::support::client::Server;
use crate::support::model::{Model, Response, echo};
use crate::support::real_codex::{Home, Release};

/// Options that cannot be used: the field that is named, its value, and a word of what is said.
fn unusable(home: &Home) -> Vec<(&'static str, Value, &'static str)> {
    let file = |name: &str, bytes: &[u8]| {
        let path = home.project().join(name);
        fs::write(&path, bytes).expect("the project can be written");
        path
    };
    let picture = file("a.png", PICTURE);
    let text = file("text.png", b"no picture at all");
    let sound = file("sound.webp", b"RIFF\x10\0\0\0WAVEfmt ");
    let empty = file("empty.png", b"");
    let pipe = home.project().join("pipe.png");
    let made = Command::new("mkfifo").arg(&pipe).status().expect("mkfifo is on every Unix");
    assert!(made.success());
    let nowhere = home.project().join("nowhere.png");
    symlink(home.project().join("gone"), &nowhere).expect("a link");
    let missing = home.project().join("missing");
    let long = "x".repeat(70_000);
    let item = json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false});
    let unrequired = json!({
        "type": "object",
        "properties": {"list": {"type": "array", "items": item}},
        "required": ["list"],
        "additionalProperties": false,
    });
    let many = vec![picture.clone(); 51];
    let settings: Value = (0..51).map(|n| (format!("k{n}"), json!(1))).collect();
    vec![
        ("images", json!([missing]), "cannot be read"),
        ("images", json!([nowhere]), "cannot be read"),
        ("images", json!([text]), "no PNG"),
        ("images", json!([sound]), "no PNG"),
        ("images", json!([empty]), "no PNG"),
        ("images", json!([home.project()]), "not a file"),
        ("images", json!([pipe]), "not a file"),
        ("images", json!(["/dev/stdin"]), "not a file"),
        ("images", json!(["a.png"]), "absolute"),
        ("images", json!([""]), "absolute"),
        ("images", json!(["-"]), "absolute"),
        ("images", json!([format!("{}\0", picture.display())]), "cannot be read"),
        ("images", json!([picture, missing]), "missing"),
        ("images", json!(many), "50"),
        ("images", json!(picture), "list"),
        ("images", json!([7]), "list"),
        ("add_dirs", json!([missing]), "existing directory"),
        ("add_dirs", json!([picture]), "not a directory"),
        ("add_dirs", json!(["inner"]), "absolute"),
        ("add_dirs", json!([""]), "absolute"),
        ("add_dirs", json!([format!("{}\0", home.project().display())]), "existing directory"),
        ("profile", json!("missing"), "missing.config.toml"),
        ("profile", json!("../config"), "letters"),
        ("profile", json!("--yolo"), "letters"),
        ("web_search", json!("dead"), "live"),
        ("web_search", json!(true), "text"),
        ("approval_policy", json!("always"), "never"),
        ("approval_policy", json!("untrusted"), "this one is 0."),
        ("output_schema", json!("{}"), "at its root"),
        ("output_schema", json!({"title": long}), "65536"),
        ("output_schema", json!({"title": "x"}), "at its root"),
        ("output_schema", json!({"type": "object"}), "additionalProperties"),
        ("output_schema", unrequired, "a in \"required\" at properties.list.items"),
        ("config", json!([]), "object"),
        ("config", json!({"model_verbosity": null}), "null"),
        ("config", json!({"a": [1, null]}), "null"),
        ("config", json!({"a": {"b": null}}), "null"),
        ("config", json!({"a": u64::MAX}), "TOML"),
        ("config", json!({"": 1}), "key"),
        ("config", json!({" model": "x"}), "key"),
        ("config", json!({"-s": "danger-full-access"}), "key"),
        ("config", json!({"a=b": 1}), "key"),
        ("config", json!({"\"a\"": 1}), "key"),
        ("config", json!({"a\nsandbox_mode": 1}), "key"),
        ("config", json!({"compact_prompt": long}), "65536"),
        ("config", settings, "50"),
        ("base_instructions", json!(7), "text"),
        ("extra_arguments", json!([""]), "1 to"),
        ("extra_arguments", json!(["x\0y"]), "null"),
        ("extra_arguments", json!("--ephemeral"), "list"),
    ]
}

#[test]
fn what_cannot_be_used_is_named_and_nothing_is_started() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let server = real(&home).env("CODEX_PERSISTENT_MCP_ALLOW_EXTRA_ARGUMENTS", "true").start();
    for (name, value, word) in unusable(&home) {
        let shown: String = value.to_string().chars().take(200).collect();
        let arguments = with(json!({"prompt": "hello"}), name, value);
        let refused = server.call("codex_chat", &arguments);
        let text = error_text(&refused);
        assert!(text.starts_with(&format!("bad_input: {name} ")), "{name} {shown}: {text}");
        assert!(text.contains(word), "{name} {shown}: {word} is not in {text}");
        assert!(text.contains("Nothing was started") && text.len() < 2_000, "{text}");

        let refused = server.call("job_start", &arguments);
        // What only Codex's home tells is known when the job's turn comes.
        let error = if refused["isError"] == true {
            error_text(&refused).to_owned()
        } else {
            let job = content(&refused);
            let id = job["job_id"].as_str().expect("an id");
            let (told, _) = wait(&server, id, &job["notification_cursor"]);
            let error = &told["error"];
            format!("{}: {}", error["kind"].as_str().unwrap_or_default(), error["message"])
        };
        assert!(
            error.starts_with("bad_input: ") && error.contains(word),
            "{name} {shown}: {error}"
        );
    }
    assert!(model.requests().is_empty());
    assert!(server.descendants().expect("Linux tells").is_empty());
}

#[test]
fn settings_that_are_too_long_together_are_refused_and_not_lost_on_the_way() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let server = real(&home).env("CODEX_PERSISTENT_MCP_MAX_SANDBOX", "danger-full-access").start();
    let long = "x".repeat(65_000);
    let all: Value = (0..49).map(|n| (format!("key_{n}"), json!(long))).collect();
    let refused = server.call("codex_chat", &json!({"prompt": "hello", "config": all}));
    let text = error_text(&refused);
    assert!(text.starts_with("bad_input: config "), "{text}");
    assert!(model.requests().is_empty());
}

#[test]
fn what_codex_itself_refuses_is_told_in_its_words() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let server = real(&home).start();
    for (name, value, word) in [
        ("config", json!({"web_search": "bogus"}), "bogus"),
        ("config", json!({"model_context_window": "wide"}), "model_context_window"),
    ] {
        let failed = server.call("codex_chat", &with(json!({"prompt": "hello"}), name, value));
        let text = error_text(&failed);
        assert!(text.starts_with("config_not_loaded: "), "{name}: {text}");
        assert!(text.contains(word) && text.contains("without it"), "{name}: {text}");
    }
    assert!(model.requests().is_empty());
}

#[test]
fn what_codex_takes_once_may_be_said_more_often() {
    let model = Model::start(echo);
    let home = home(&model.url());
    for most in ["workspace-write", "danger-full-access"] {
        let server = real(&home)
            .env("CODEX_PERSISTENT_MCP_ALLOW_EXTRA_ARGUMENTS", "true")
            .env("CODEX_PERSISTENT_MCP_MAX_SANDBOX", most)
            .start();
        let twice = ["--ignore-rules", "--strict-config", "--ignore-rules", "--strict-config"];
        content(&server.call("codex_chat", &json!({"prompt": "hello", "extra_arguments": twice})));
    }
}

#[test]
fn a_session_without_a_record_is_offered_to_nobody() {
    let model = Model::start(|request| {
        if request.last_user_text().contains("[fail]") {
            return Response::status(500, json!({"error": {"message": "it broke"}}));
        }
        echo(request)
    });
    let home = home(&model.url());
    let server = real(&home).env("CODEX_PERSISTENT_MCP_ALLOW_EXTRA_ARGUMENTS", "true").start();
    let call = |prompt: &str| json!({"prompt": prompt, "extra_arguments": ["--ephemeral"]});
    let answer = server.call("codex_chat", &call("hello"));
    let answer = content(&answer);
    assert!(answer["resume_command"].is_null(), "{answer}");
    assert!(answer["warnings"].to_string().contains("--ephemeral"), "{answer}");
    let failed = server.call("codex_chat", &call("[fail]"));
    let text = error_text(&failed);
    assert!(!text.contains("resume") && !text.contains("session_id"), "{text}");
    let last = server.call("codex_chat", &json!({"prompt": "go on", "continue_last": true}));
    assert!(error_text(&last).starts_with("bad_input: continue_last "), "{last}");
    let job = content(&server.call("job_start", &call("hello"))).clone();
    wait(&server, job["job_id"].as_str().expect("an id"), &job["notification_cursor"]);
    let ended = snapshot(&server, job["job_id"].as_str().expect("an id"));
    assert!(ended["resume_command"].is_null(), "{ended}");
    assert!(ended["warnings"].to_string().contains("--ephemeral"), "{ended}");
    let asked = model.requests().len();
    let reply = server.call("job_reply", &json!({"job_id": job["job_id"], "prompt": "go on"}));
    let text = error_text(&reply);
    assert!(text.starts_with("session_not_kept: ") && text.contains("--ephemeral"), "{text}");
    assert!(text.contains("start a new job without --ephemeral"), "{text}");
    let after = snapshot(&server, job["job_id"].as_str().expect("an id"));
    assert_eq!((&after, model.requests().len()), (&ended, asked), "nothing was asked");

    // One that has a record keeps it.
    let begun = server.call("codex_chat", &json!({"prompt": "remember"}));
    let session = content(&begun)["session_id"].clone();
    let mut resumed = call("go on");
    resumed["session_id"] = session;
    let resumed = server.call("codex_chat", &resumed);
    assert!(content(&resumed)["resume_command"].is_string(), "{resumed}");
    resumes(&server, &call("go on"), &content(&begun)["session_id"]);
}

/// A job that goes on in a session with a record is gone on with, although it keeps none itself.
fn resumes(server: &Server, call: &Value, session: &Value) {
    let mut call = call.clone();
    call["session_id"] = session.clone();
    let job = content(&server.call("job_start", &call)).clone();
    let id = job["job_id"].as_str().expect("an id");
    let (_, cursor) = wait(server, id, &job["notification_cursor"]);
    assert!(snapshot(server, id)["resume_command"].is_string());
    server.call("job_reply", &json!({"job_id": id, "prompt": "and on"}));
    let (told, _) = wait(server, id, &cursor);
    assert!(told["result"].as_str().is_some_and(|reply| reply.contains("and on")), "{told}");
}

#[test]
fn each_release_takes_all_policies_for_approvals_but_the_one_that_it_has_no_more() {
    let model = Model::start(echo);
    for (release, version) in Release::ALL.into_iter().zip(["0.171", "0.169", "0.153"]) {
        let home = home(&model.url());
        let server = real_release(&home, release).start();
        let call = |policy: &str| json!({"prompt": "hello", "approval_policy": policy});
        for policy in ["never", "on-request", "on-failure"] {
            let answer = server.call("codex_chat", &call(policy));
            assert_eq!(content(&answer)["effective"]["approval_policy"], "never", "{answer}");
        }
        let asked = model.requests().len();
        for tool in ["codex_chat", "job_start"] {
            let refused = server.call(tool, &call("untrusted"));
            let text = error_text(&refused);
            assert!(text.starts_with("bad_input: approval_policy cannot be untrusted"), "{text}");
            assert!(text.contains(&format!("this one is {version};")), "{text}");
        }
        assert_eq!(model.requests().len(), asked, "nothing was asked");
        // One that has it in its configuration is told to go without.
        let config = home.path().join("config.toml");
        let text = fs::read_to_string(&config).expect("it is there");
        fs::write(&config, format!("approval_policy = \"untrusted\"\n{text}")).expect("writable");
        let answer = server.call("codex_chat", &json!({"prompt": "hello"}));
        assert_eq!(content(&answer)["effective"]["approval_policy"], "never", "{answer}");
    }
}
