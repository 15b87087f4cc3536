//! Special files in place of regular ones: a pipe without a writer, and a device without an end. A call ends
//! all the same, and releases its place in the queue.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::{Value, json};

use crate::kit::play::{Stage, chat, with};
use crate::kit::setup::{content, error_text, field};
use crate::support::client::Server;

const SESSION: &str = "0199a213-81c0-7800-8aa1-bbab2a035a53";

/// What may be in place of a file.
const KINDS: [&str; 2] = ["a pipe", "an endless device"];

fn put(kind: &str, path: &Path) {
    fs::create_dir_all(path.parent().expect("it is in a folder")).expect("writable");
    match kind {
        "a pipe" => mkfifo(path, Mode::S_IRWXU).expect("pipes can be made"),
        _ => symlink("/dev/zero", path).expect("links can be made"),
    }
}

fn record(stage: &Stage) -> PathBuf {
    let name = format!("rollout-2026-01-02T03-04-05-{SESSION}.jsonl");
    stage.home.path().join("sessions/2026/01/02").join(name)
}

/// Runs one call at a time, so that a place that is not freed blocks the next one.
fn server(stage: &Stage) -> Server {
    stage.server().env("CODEX_PERSISTENT_MCP_MAX_CONCURRENT", "1").start()
}

fn field_of(job: &Value) -> &str {
    job["job_id"].as_str().expect("an id")
}

fn assert_works(server: &Server, arguments: &Value) {
    for arguments in [arguments, &json!({"prompt": "another one"})] {
        assert_eq!(field(&chat(server, arguments), "reply"), "done", "{arguments}");
    }
}

#[test]
fn a_special_file_in_place_of_a_configuration_blocks_nobody() {
    for kind in KINDS {
        for in_project in [false, true] {
            let stage = Stage::new();
            let config = match in_project {
                true => stage.home.project().join(".codex/config.toml"),
                false => stage.home.path().join("config.toml"),
            };
            drop(fs::remove_file(&config));
            put(kind, &config);
            assert_works(&server(&stage), &json!({"prompt": "hello"}));
        }
    }
}

#[test]
fn a_special_file_in_place_of_a_record_blocks_nobody() {
    for kind in KINDS {
        let stage = Stage::new();
        put(kind, &record(&stage));
        let server = server(&stage);
        assert_works(&server, &json!({"prompt": "hello", "session_id": SESSION}));
        let fork = json!({"prompt": "hello", "session_id": SESSION, "fork": true});
        assert_works(&server, &fork);
        let read = server.call("codex_session_read", &json!({"session_id": SESSION}));
        assert!(error_text(&read).contains("cannot be read"), "{kind}: {read}");
        content(&server.call("codex_sessions", &json!({})));
    }
}

#[test]
fn a_special_file_in_place_of_a_record_does_not_stop_a_job() {
    for kind in KINDS {
        let stage = Stage::new();
        put(kind, &record(&stage));
        let server = server(&stage);
        let start = json!({"prompt": "hello", "session_id": SESSION});
        let job = content(&server.call("job_start", &start)).clone();
        let (reported, _) =
            crate::kit::jobs::wait(&server, field_of(&job), &job["notification_cursor"]);
        assert_eq!(reported["status"], "completed", "{kind}: {reported}");
    }
}

/// With allowed folders, the record decides whether the session is in scope.
#[test]
fn a_special_file_in_place_of_a_record_allows_no_folder() {
    for kind in KINDS {
        let stage = Stage::new();
        put(kind, &record(&stage));
        let server = stage
            .server()
            .env("CODEX_PERSISTENT_MCP_ALLOWED_DIRS", stage.home.project())
            .env("CODEX_PERSISTENT_MCP_MAX_CONCURRENT", "1")
            .start();
        for tool in ["codex_chat", "job_start", "codex_session_read"] {
            let arguments = json!({"session_id": SESSION});
            let arguments = match tool {
                "codex_session_read" => arguments,
                _ => with(arguments, "prompt", "hello"),
            };
            let answer = server.call(tool, &arguments);
            assert!(error_text(&answer).starts_with("not_allowed: "), "{kind}, {tool}: {answer}");
        }
        assert_works(&server, &json!({"prompt": "hello"}));
    }
}

#[test]
fn a_special_file_in_place_of_the_last_session_is_not_a_session() {
    for kind in KINDS {
        let stage = Stage::new();
        let server = server(&stage);
        chat(&server, &json!({"prompt": "hello"}));
        let last = stage.home.state().join("last");
        crate::kit::wait::wait_until("the session to be written down", || {
            fs::read_dir(&last).is_ok_and(|mut files| files.next().is_some())
        });
        for file in fs::read_dir(&last).expect("it exists").flatten() {
            fs::remove_file(file.path()).expect("writable");
            put(kind, &file.path());
        }
        let answer = chat(&server, &json!({"prompt": "go on", "continue_last": true}));
        assert!(error_text(&answer).contains("continue_last found no session"), "{kind}: {answer}");
        assert_works(&server, &json!({"prompt": "hello"}));
    }
}
