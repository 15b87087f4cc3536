//! Errors for which "call again" would be wrong advice. Each has its own kind and advice.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::{Value, json};

use crate::kit::call::call;
use crate::kit::play::Stage;
use crate::kit::real::PICTURE;
use crate::kit::setup::{content, error_text, field, home, real, real_release};
use crate::support::client::Server;
use crate::support::model::{Model, Response, echo};
use crate::support::real_codex::{Home, Release};
use crate::support::scripted_codex;

/// The error of a call, which must be of this kind and give this advice.
fn error(server: &Server, arguments: &Value, kind: &str, advice: &str) -> String {
    let failure = call(server).arguments(arguments).fails_with(kind).omits("<unknown>");
    let next = failure.text().split_once("\nNext: ").is_some_and(|(_, next)| next.contains(advice));
    assert!(next, "it must advise {advice:?}: {failure}");
    failure.text().to_owned()
}

/// The error of a turn to which the model responds with this.
fn answered(release: Release, response: Response, kind: &str, advice: &str) -> String {
    let model = Model::start(move |_| response.clone());
    let home = home(&model.url());
    let server = real_release(&home, release).start();
    error(&server, &json!({"prompt": "hello"}), kind, advice)
}

fn refusal(code: &str, message: &str) -> Response {
    let error = json!({"code": code, "type": "invalid_request_error", "message": message});
    Response::status(400, json!({ "error": error }))
}

#[test]
fn a_session_whose_context_is_full_leads_to_a_new_one() {
    let words = "Your input exceeds the context window of this model.";
    for release in Release::ALL {
        for full in [
            refusal("context_length_exceeded", words),
            Response::failed("context_length_exceeded", words),
        ] {
            answered(release, full, "context_full", "start a new session");
        }
    }
}

#[test]
fn a_schema_that_the_model_refuses_is_named() {
    let words = "Invalid schema for response_format 'codex_output_schema': In context=(), no.";
    for release in Release::ALL {
        let refused = refusal("invalid_json_schema", words);
        let text = answered(release, refused, "schema_refused", "correct output_schema");
        assert!(text.contains("In context=()"), "{text}");
    }
}

#[test]
fn a_picture_in_the_history_that_the_model_refuses_leads_to_a_new_session() {
    for release in [Release::Newest, Release::V0_153] {
        let model = Model::start(|request| {
            if request.body.to_string().contains("data:image/png") {
                refusal(
                    "invalid_value",
                    "The image data you provided does not represent a valid image.",
                )
            } else {
                echo(request)
            }
        });
        let home = home(&model.url());
        let picture = home.project().join("a.png");
        fs::write(&picture, PICTURE).expect("the project is writable");
        let server = real_release(&home, release).start();
        let seen = json!({"prompt": "look", "images": [picture]});
        let text = error(&server, &seen, "picture_refused", "without session_id");
        let session = text.lines().find_map(|line| line.strip_prefix("session_id: "));
        let later = json!({"prompt": "go on", "session_id": session.expect("it has begun")});
        error(&server, &later, "picture_refused", "start a new session");
    }
}

#[test]
fn a_server_that_codex_requires_is_named_and_can_be_left_out() {
    let model = Model::start(echo);
    let home = home(&model.url());
    home.append_config("mcp_servers.absent.command = \"/nowhere/server\"");
    home.append_config("mcp_servers.absent.required = true");
    let hello = json!({"prompt": "hello"});
    for release in Release::ALL {
        let server = real_release(&home, release).start();
        let text = error(&server, &hello, "mcp_server_failed", "--nested-mcp none");
        assert!(text.contains("absent: "), "{text}");
        let without = real_release(&home, release).arg("--nested-mcp=none").start();
        content(&without.call("codex_chat", &hello));
    }
}

#[test]
fn a_home_that_codex_cannot_use_is_named() {
    let model = Model::start(echo);
    for release in Release::ALL {
        // Permissions would not stop root.
        let home = home(&model.url());
        fs::create_dir(home.path().join("installation_id")).expect("it is new");
        assert_home_is_named(&home, release);
    }
    let home = home(&model.url());
    fs::write(home.path().join("thread-writer-locks"), "").expect("it is new");
    assert_home_is_named(&home, Release::Newest);
    fs::remove_dir_all(home.path()).expect("it is ours");
    assert_home_is_named(&home, Release::Newest);
    fs::write(home.path(), "").expect("it is gone");
    assert_home_is_named(&home, Release::Newest);
    fs::remove_file(home.path()).and_then(|()| fs::create_dir(home.path())).expect("it is ours");
}

fn assert_home_is_named(home: &Home, release: Release) {
    let server = real_release(home, release).start();
    let hello = json!({"prompt": "hello"});
    let text = error(&server, &hello, "codex_home_unusable", "CODEX_HOME");
    assert!(text.contains(&*home.path().to_string_lossy()), "{text}");
}

/// An expired login, with tokens that say so: `{"exp":1,…}`.
const LOGIN: &str = r#"{"auth_mode":"chatgpt","OPENAI_API_KEY":null,"tokens":{
    "id_token":"eyJhbGciOiJub25lIn0.eyJleHAiOjEsImVtYWlsIjoiYUBiLmMifQ.c2ln",
    "access_token":"eyJhbGciOiJub25lIn0.eyJleHAiOjEsImVtYWlsIjoiYUBiLmMifQ.c2ln",
    "refresh_token":"r","account_id":"acc"},"last_refresh":"2026-01-01T00:00:00Z"}"#;

#[test]
fn a_login_that_was_just_renewed_elsewhere_needs_no_user() {
    let model = Model::start(|request| {
        if request.body["grant_type"] == "refresh_token" {
            let error = json!({"code": "refresh_token_reused", "message": "already used"});
            return Response::status(401, json!({ "error": error }));
        }
        Response::status(401, json!({"error": {"message": "expired", "code": "token_expired"}}))
    });
    for release in Release::ALL {
        let home = home(&model.url());
        home.append_config("cli_auth_credentials_store = \"file\"");
        home.append_config("model_providers.stand-in.requires_openai_auth = true");
        fs::write(home.path().join("auth.json"), LOGIN).expect("the home is writable");
        let renewed_at = format!("{}/responses", model.url());
        let server = real_release(&home, release)
            .env("CODEX_REFRESH_TOKEN_URL_OVERRIDE", renewed_at)
            .start();
        let hello = json!({"prompt": "hello"});
        error(&server, &hello, "refresh_token_used", "only if it fails again");
    }
}

/// A Codex whose database is locked this many times, and then is not.
fn locked_out(stage: &Stage, times: u32) -> Server {
    let program = stage.home.path().join("codex");
    let count = stage.home.path().join("count");
    let text = format!(
        "#!/bin/sh\n[ \"$1\" = exec ] && echo x >>'{count}' && [ $(wc -l <'{count}') -le {times} ] && {{\n\
         echo 'Error: failed to initialize state runtime: database is locked (code: 5)' >&2; exit 1; }}\n\
         exec '{scripted}' \"$@\"\n",
        count = count.display(),
        scripted = scripted_codex().display(),
    );
    fs::write(&program, text).expect("the home is writable");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
    stage.server().env("CODEX_BIN", &program).start()
}

#[test]
fn a_database_that_is_locked_briefly_is_retried_once() {
    let stage = Stage::new();
    let server = locked_out(&stage, 1);
    assert_eq!(field(&server.call("codex_chat", &json!({"prompt": "hello"})), "reply"), "done");

    let stage = Stage::new();
    let server = locked_out(&stage, 2);
    let failed = server.call("codex_chat", &json!({"prompt": "hello"}));
    assert!(error_text(&failed).contains("database is locked"), "{failed}");
    let starts = fs::read_to_string(stage.home.path().join("count")).expect("it was started");
    assert_eq!(starts.lines().count(), 2);
}

#[test]
fn without_a_folder_for_its_files_a_guard_names_it_and_a_chat_goes_on() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let state = home.project().join("file");
    fs::write(&state, "").expect("the project is writable");
    let server = real(&home).env("CODEX_PERSISTENT_MCP_STATE_DIR", state.join("state")).start();
    let hello = json!({"prompt": "hello"});
    content(&server.call("codex_chat", &hello));
    let text = {
        let review = server.call("codex_guard_final", &json!({"change_summary": "hello"}));
        error_text(&review).to_owned()
    };
    assert!(text.starts_with("storage: ") && text.contains(&*state.to_string_lossy()), "{text}");
    assert!(text.contains("CODEX_PERSISTENT_MCP_STATE_DIR"), "{text}");
    assert!(!text.contains("report"), "{text}");
}

/// Sets a resource limit of the running server, as an operator would.
#[cfg(target_os = "linux")]
fn limit(server: &Server, what: &str) {
    let pid = server.pid().to_string();
    let done = Command::new("prlimit").args(["--pid", &pid, what]).status();
    assert!(done.expect("util-linux is there").success());
}

#[cfg(target_os = "linux")]
#[test]
fn a_machine_without_room_for_a_process_does_not_report_a_missing_codex() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let server = real(&home).env("CODEX_PERSISTENT_MCP_MAX_SANDBOX", "danger-full-access").start();
    let hello = json!({"prompt": "hello"});
    // A file or two can still be opened, but not the three pipes of a process.
    let open = fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("it is ours");
    let numbers = open.flatten().filter_map(|file| file.file_name().to_str()?.parse().ok());
    let numbers: Vec<usize> = numbers.collect();
    let free = |limit: &usize| limit - numbers.iter().filter(|number| *number < limit).count();
    let most = (3..).find(|limit| free(limit) == 3).expect("numbers go on");
    limit(&server, &format!("--nofile={most}:4096"));
    let text = error(&server, &hello, "cannot_start", "open files");
    assert!(text.contains("Too many open files") && !text.contains("install"), "{text}");
    let job = server.call("job_start", &hello);
    let text = error_text(&job);
    assert!(text.starts_with("cannot_start: ") || text.starts_with("storage: "), "{text}");
    limit(&server, "--nofile=1024:4096");
    content(&server.call("codex_chat", &hello));

    // Arguments may use a quarter of the stack.
    limit(&server, "--stack=524288:unlimited");
    let line = "x".repeat(1_000);
    let lines = vec![line; 60];
    let config = json!({"a": lines, "b": lines, "c": lines});
    let text =
        error(&server, &json!({"prompt": "hello", "config": config}), "cannot_start", "fewer");
    assert!(text.contains("Argument list too long"), "{text}");
    content(&server.call("codex_chat", &hello));
}
