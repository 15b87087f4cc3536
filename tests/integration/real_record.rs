//! What Codex's stream leaves out and its record has: commands that fail fast, and rejected patches.
//!
//! The user's home is empty here, so that the login shell is fast: then Codex leaves most of the
//! commands that fail out of its stream.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::real_kit::obey;
use crate::setup::{content, home, real_release};
use crate::support::client::Server;
use crate::support::model::{Item, Model, Request, Response};
use crate::support::real_codex::{Home, Release};

macro_rules! releases {
    ($($name:ident: $release:expr;)+) => {$(
        mod $name {
            use super::*;

            #[test]
            fn a_command_that_the_sandbox_refused_is_told_every_time() {
                is_told($release);
            }

            #[test]
            fn a_patch_that_the_sandbox_refused_is_told() {
                is_patch_told($release);
            }

            #[test]
            fn a_command_that_fails_is_no_refusal() {
                is_no_refusal($release);
            }

            #[test]
            fn what_the_sandbox_refused_to_a_script_is_told() {
                is_script_told($release);
            }
        }
    )+};
}

releases! {
    newest: Release::Newest;
    v0_169: Release::V0_169;
    v0_153: Release::V0_153;
}

/// A server whose Codex has a fast login shell.
fn quick(home: &Home, release: Release) -> Server {
    let empty = home.path().with_file_name("person");
    std::fs::create_dir_all(&empty).expect("writable");
    real_release(home, release).env("HOME", empty).start()
}

fn warnings(answer: &Value) -> Vec<&str> {
    let warnings = content(answer)["warnings"].as_array();
    warnings.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// A model that makes these calls, one after the other, and then says that it is done.
fn does(items: Vec<Item>) -> impl Fn(&Request) -> Response + Send + Sync + 'static {
    move |request| match items.get(request.tool_outputs().len()) {
        Some(item) => Response::items(vec![item.clone()]),
        None => Response::message("Done"),
    }
}

fn outside(home: &Home) -> PathBuf {
    home.path().join("outside")
}

fn is_told(release: Release) {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = quick(&home, release);
    let touch = format!("touch {}", home.project().join("new").display());
    let ask = json!({"prompt": format!("[run {touch}]"), "sandbox": "read-only"});
    for _ in 0..10 {
        let answer = server.call("codex_chat", &ask);
        let [warning] = warnings(&answer)[..] else { panic!("there is one warning: {answer:#}") };
        for part in ["read-only", "1 command of Codex's", &touch, "sandbox: \"workspace-write\""] {
            assert!(warning.contains(part), "{part}: {warning}");
        }
    }
}

fn is_patch_told(release: Release) {
    let model = Model::start(does(vec![Item::patch("new.txt"), Item::patch("/outside.txt")]));
    let home = home(&model.url());
    let server = quick(&home, release);
    let ask = |sandbox: &str| {
        server.call("codex_chat", &json!({"prompt": "Make the change.", "sandbox": sandbox}))
    };
    let answer = ask("read-only");
    let [warning] = warnings(&answer)[..] else { panic!("there is one warning: {answer:#}") };
    for part in ["read-only", "2 patches of Codex's", "new.txt", "sandbox: \"workspace-write\""] {
        assert!(warning.contains(part), "{part}: {warning}");
    }
    let answer = ask("workspace-write");
    let [warning] = warnings(&answer)[..] else { panic!("there is one warning: {answer:#}") };
    for part in ["workspace-write", "1 patch of Codex's", "/outside.txt", "MAX_SANDBOX"] {
        assert!(warning.contains(part), "{part}: {warning}");
    }
    assert!(home.project().join("new.txt").exists());
}

fn is_no_refusal(release: Release) {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = quick(&home, release);
    for _ in 0..5 {
        let answer = server.call("codex_chat", &json!({"prompt": "[run exit 3]"}));
        assert_eq!(warnings(&answer), [""; 0], "{answer}");
    }
}

/// Newer models run commands and patches from scripts.
fn is_script_told(release: Release) {
    let script = |source: &str| Item::custom("exec", source);
    let model = Model::start(does(vec![
        script("text(await tools.exec_command({cmd: 'touch one'}));"),
        script("const r = await tools.exec_command({cmd: 'touch two'}); text(r.output);"),
        script(
            "await tools.apply_patch('*** Begin Patch\\n*** Add File: new.txt\\n+a\\n*** End Patch');",
        ),
        // It is slow enough for the stream to have it.
        script("text(await tools.exec_command({cmd: 'sleep 0.5; touch three'}));"),
        script("text(await tools.exec_command({cmd: 'exit 3'}));"),
    ]));
    let home = home(&model.url());
    let server = quick(&home, release);
    let ask = json!({"prompt": "Do it.", "sandbox": "read-only", "model": "gpt-5.6-sol"});
    let answer = server.call("codex_chat", &ask);
    let [warning] = warnings(&answer)[..] else { panic!("there is one warning: {answer:#}") };
    for part in ["3 commands and 1 patch of Codex's", "the first: touch one"] {
        assert!(warning.contains(part), "{part}: {warning}");
    }
}

#[test]
fn what_was_refused_earlier_in_the_session_is_not_told_again() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = quick(&home, Release::Newest);
    let touch = format!("[run touch {}]", outside(&home).display());
    let first = server.call("codex_chat", &json!({"prompt": touch}));
    assert_eq!(warnings(&first).len(), 1, "{first}");
    let session = content(&first)["session_id"].clone();
    let ask = |prompt: &str, fork: bool| {
        let arguments = json!({"prompt": prompt, "session_id": session, "fork": fork});
        server.call("codex_chat", &arguments)
    };
    for fork in [true, false] {
        let next = ask("[run echo fine]", fork);
        assert_eq!(warnings(&next), [""; 0], "{next}");
        let again = ask(&touch, fork);
        let [warning] = warnings(&again)[..] else { panic!("there is one warning: {again}") };
        assert!(warning.contains("1 command of Codex's"), "{warning}");
    }
}
