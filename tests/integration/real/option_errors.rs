//! Options that cannot be used are refused by name, before anything is started. Codex itself would
//! ignore most of them without saying so.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::{Value, json};

use crate::kit::call::{ToolCall, call};
use crate::kit::jobs::{snapshot, text, wait};
use crate::kit::play::with;
use crate::kit::real::PICTURE;
use crate::kit::setup::{content, error_text, home, real, real_release};
use crate::support::client::Server;
use crate::support::model::{Model, Response, echo};
use crate::support::real_codex::{Home, Release};

/// Options that cannot be used: the field that is named, its value, and a word of the message.
fn unusable(home: &Home) -> Vec<(&'static str, Value, &'static str)> {
    let file = |name: &str, bytes: &[u8]| {
        let path = home.project().join(name);
        fs::write(&path, bytes).expect("the project is writable");
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
        ("images", json!([text]), "not a PNG"),
        ("images", json!([sound]), "not a PNG"),
        ("images", json!([empty]), "not a PNG"),
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
        ("web_search", json!(true), "string"),
        ("approval_policy", json!("always"), "never"),
        ("approval_policy", json!("untrusted"), "this is Codex 0."),
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
        ("base_instructions", json!(7), "string"),
        ("extra_arguments", json!([""]), "1 to"),
        ("extra_arguments", json!(["x\0y"]), "null"),
        ("extra_arguments", json!("--ephemeral"), "list"),
    ]
}

#[test]
fn an_unusable_option_is_named_and_nothing_is_started() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let server = real(&home).env("CODEX_PERSISTENT_MCP_ALLOW_EXTRA_ARGUMENTS", "true").start();
    for (name, value, word) in unusable(&home) {
        let shown: String = value.to_string().chars().take(200).collect();
        let hello = call(&server).prompt("hello").argument(name, &value);
        let refused = hello.fails_with("bad_input").about(name).mentions(word);
        assert!(refused.mentions("Nothing was started").text().len() < 2_000, "{name} {shown}");

        let refused = server.call("job_start", &with(json!({"prompt": "hello"}), name, value));
        // What depends on Codex's home is found when the job's turn starts.
        let error = if refused["isError"] == true {
            error_text(&refused).to_owned()
        } else {
            let job = content(&refused);
            let (notification, _) = wait(&server, text(job, "job_id"), &job["notification_cursor"]);
            let error = &notification["error"];
            format!("{}: {}", error["kind"].as_str().unwrap_or_default(), error["message"])
        };
        assert!(
            error.starts_with("bad_input: ") && error.contains(word),
            "{name} {shown}: {error}"
        );
    }
    assert!(model.requests().is_empty());
    assert!(server.descendants().expect("Linux lists processes").is_empty());
}

#[test]
fn settings_that_are_too_long_together_are_refused_and_not_lost_on_the_way() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let server = real(&home).env("CODEX_PERSISTENT_MCP_MAX_SANDBOX", "danger-full-access").start();
    let long = "x".repeat(65_000);
    let all: Value = (0..49).map(|n| (format!("key_{n}"), json!(long))).collect();
    call(&server).prompt("hello").argument("config", all).fails_with("bad_input").about("config");
    assert!(model.requests().is_empty());
}

#[test]
fn a_setting_that_codex_refuses_is_reported_in_its_words() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let server = real(&home).start();
    for (name, value, word) in [
        ("config", json!({"web_search": "bogus"}), "bogus"),
        ("config", json!({"model_context_window": "wide"}), "model_context_window"),
    ] {
        let hello = call(&server).prompt("hello").argument(name, value);
        hello.fails_with("config_not_loaded").mentions(word).mentions("without it");
    }
    assert!(model.requests().is_empty());
}

#[test]
fn an_argument_that_codex_accepts_once_may_be_repeated() {
    let model = Model::start(echo);
    let home = home(&model.url());
    for most in ["workspace-write", "danger-full-access"] {
        let server = real(&home)
            .env("CODEX_PERSISTENT_MCP_ALLOW_EXTRA_ARGUMENTS", "true")
            .env("CODEX_PERSISTENT_MCP_MAX_SANDBOX", most)
            .start();
        let twice = ["--ignore-rules", "--strict-config", "--ignore-rules", "--strict-config"];
        call(&server).prompt("hello").argument("extra_arguments", twice).succeeds();
    }
}

#[test]
fn a_session_without_a_record_is_never_offered() {
    let model = Model::start(|request| {
        if request.last_user_text().contains("[fail]") {
            return Response::status(500, json!({"error": {"message": "it broke"}}));
        }
        echo(request)
    });
    let home = home(&model.url());
    let server = real(&home).env("CODEX_PERSISTENT_MCP_ALLOW_EXTRA_ARGUMENTS", "true").start();
    let ephemeral = call(&server).argument("extra_arguments", ["--ephemeral"]);
    let chat = |prompt: &str| ephemeral.clone().prompt(prompt);
    let job = |prompt: &str| chat(prompt).tool("job_start");
    chat("hello").succeeds().lacks("resume_command").warns_of("--ephemeral");
    chat("[fail]").fails_with("turn_failed").omits("resume").omits("session_id");
    let last = call(&server).prompt("go on").argument("continue_last", true);
    last.fails_with("bad_input").about("continue_last");
    let started = job("hello").succeeds();
    let id = started.text("job_id");
    wait(&server, id, &started["notification_cursor"]);
    let ended = snapshot(&server, id);
    assert!(ended["resume_command"].is_null(), "{ended}");
    assert!(ended["warnings"].to_string().contains("--ephemeral"), "{ended}");
    let asked = model.requests().len();
    call(&server)
        .tool("job_reply")
        .argument("job_id", id)
        .prompt("go on")
        .fails_with("session_not_kept")
        .mentions("--ephemeral")
        .mentions("start a new job without --ephemeral");
    let after = snapshot(&server, id);
    assert_eq!((&after, model.requests().len()), (&ended, asked), "nothing was asked");

    // A session that has a record keeps it.
    let first = call(&server).prompt("remember").succeeds();
    chat("go on").in_session(first.session()).succeeds().text("resume_command");
    assert_job_resumes(&server, job("go on").in_session(first.session()));
}

/// Expects a job in a session with a record to be resumable, although its own turns keep no record.
fn assert_job_resumes(server: &Server, job: ToolCall<'_>) {
    let job = job.succeeds();
    let id = job.text("job_id");
    let (_, cursor) = wait(server, id, &job["notification_cursor"]);
    assert!(snapshot(server, id)["resume_command"].is_string());
    call(server).tool("job_reply").argument("job_id", id).prompt("and on").succeeds();
    let (notification, _) = wait(server, id, &cursor);
    let reply = notification["result"].as_str();
    assert!(reply.is_some_and(|reply| reply.contains("and on")), "{notification}");
}

#[test]
fn each_release_accepts_all_approval_policies_but_the_one_that_it_has_dropped() {
    let model = Model::start(echo);
    for (release, version) in Release::ALL.into_iter().zip(["0.171", "0.169", "0.153"]) {
        let home = home(&model.url());
        let server = real_release(&home, release).start();
        let hello = call(&server).prompt("hello");
        let with = |policy: &str| hello.clone().argument("approval_policy", policy);
        for policy in ["never", "on-request", "on-failure"] {
            with(policy).succeeds().has("effective.approval_policy", "never");
        }
        let asked = model.requests().len();
        for tool in ["codex_chat", "job_start"] {
            with("untrusted")
                .tool(tool)
                .fails_with("bad_input")
                .about("approval_policy cannot be untrusted:")
                .mentions(format!("this is Codex {version};"));
        }
        assert_eq!(model.requests().len(), asked, "nothing was asked");
        // The server overrides it where it is in the configuration.
        let config = home.path().join("config.toml");
        let text = fs::read_to_string(&config).expect("it exists");
        fs::write(&config, format!("approval_policy = \"untrusted\"\n{text}")).expect("writable");
        hello.succeeds().has("effective.approval_policy", "never");
    }
}
