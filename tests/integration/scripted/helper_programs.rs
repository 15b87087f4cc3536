//! The output of helper programs is bounded in time and in length, and none of their processes is left.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::json;

use crate::kit::play::{Stage, chat};
use crate::kit::setup::{field, skipped};
use crate::kit::wait::WAIT;
use crate::support::client::Server;
use crate::support::scripted_codex;

/// The highest memory that a server may use, in KiB. It starts with some 20 MiB.
const PEAK_KIB: u64 = 100 << 10;

fn assert_small(server: &Server) {
    match server.peak_kib() {
        Some(peak) => assert!(peak < PEAK_KIB, "it took {peak} KiB"),
        None => skipped("this system does not tell how much memory a process took"),
    }
}

/// A Codex that does this on `--version`.
fn codex_that(stage: &Stage, versions: &str) -> PathBuf {
    let path = stage.home.path().join("talkative-codex");
    let codex = scripted_codex();
    let codex = codex.display();
    let script = format!(
        "#!/bin/sh\nif [ \"$1\" = --version ]; then\n{versions}\nfi\nexec '{codex}' \"$@\"\n"
    );
    fs::write(&path, script).expect("writable");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    path
}

#[test]
fn a_codex_that_floods_its_version_costs_no_memory() {
    for output in ["", " >&2"] {
        let stage = Stage::new();
        let codex =
            codex_that(&stage, &format!("exec yes 0123456789012345678901234567890{output}"));
        let server = stage.server().env("CODEX_BIN", codex).start();
        assert_eq!(field(&chat(&server, &json!({"prompt": "hello"})), "reply"), "done");
        assert_small(&server);
    }
}

/// Its child processes end with it, even if they hold its output open.
#[test]
fn a_codex_that_never_prints_its_version_leaves_nothing_behind() {
    let stage = Stage::new();
    let codex = codex_that(&stage, "sleep 600 &\nsleep 600");
    let server = stage.server().env("CODEX_BIN", codex).start();
    assert_eq!(field(&chat(&server, &json!({"prompt": "hello"})), "reply"), "done");
    server.wait_no_descendants(WAIT).expect("nothing is left");
}

/// One timeout does not decide about the next attempt.
#[test]
fn a_version_that_came_too_late_is_requested_again() {
    let stage = Stage::new();
    let slow = stage.home.path().join("slow");
    fs::write(&slow, "").expect("writable");
    let wait = format!(
        "if [ -e '{}' ]; then sleep 600; fi\necho codex-cli 0.77.0\nexit 0",
        slow.display()
    );
    let server = stage.server().env("CODEX_BIN", codex_that(&stage, &wait)).start();
    let session = field(&chat(&server, &json!({"prompt": "hello"})), "session_id").to_owned();
    fs::remove_file(&slow).expect("it exists");
    let fork = json!({"prompt": "hello", "session_id": session, "fork": true});
    let answer = chat(&server, &fork);
    let text = answer["content"][0]["text"].as_str().unwrap_or_default();
    assert!(text.starts_with("needs_newer_codex: "), "{answer}");
}
