//! The essentials with each pinned release of Codex, to see where releases differ. Everything else is tested
//! with the newest.

use std::fs;

use serde_json::json;

use crate::kit::life::assert_none_left;
use crate::kit::real::{ByHand, last_turn, obey, record};
use crate::kit::setup::{content, error_text, field, home, real_release};
use crate::kit::wait::{WAIT, wait_for};
use crate::support::model::Model;
use crate::support::real_codex::{Home, Release};

macro_rules! releases {
    ($($name:ident: $release:expr, $version:literal;)+) => {$(
        mod $name {
            use super::*;

            #[test]
            fn a_session_is_resumed_in_its_own_directory_and_sandbox() {
                goes_on($release, $version);
            }

            #[test]
            fn a_command_that_leaves_the_sandbox_is_refused() {
                is_refused($release);
            }

            #[test]
            fn a_busy_session_is_reported_and_can_be_forked() {
                is_busy($release);
            }

            #[test]
            fn a_cancelled_call_leaves_a_session_that_remembers_it() {
                is_taken_back($release);
            }
        }
    )+};
}

releases! {
    newest: Release::Newest, "0.171.";
    v0_169: Release::V0_169, "0.169.";
    v0_153: Release::V0_153, "0.153.";
}

/// Whether the model had this in its history when it got that prompt.
fn knows(model: &Model, asked: &str, earlier: &str) -> bool {
    let asked = model.wait_for(|request| request.last_user_text().contains(asked));
    asked.user_texts().iter().any(|text| text.contains(earlier))
}

/// Starts a session with another server, and returns its id.
fn begun(home: &Home, release: Release) -> String {
    let server = real_release(home, release).start();
    let first = server.call("codex_chat", &json!({"prompt": "Remember seven."}));
    assert!(field(&first, "reply").contains("Remember seven."), "{first}");
    field(&first, "session_id").to_owned()
}

fn goes_on(release: Release, version: &str) {
    let model = Model::start(obey);
    let home = home(&model.url());
    let directory = home.project().canonicalize().expect("it exists").join("below");
    fs::create_dir(&directory).expect("the project is writable");
    let first = real_release(&home, release).start().call(
        "codex_chat",
        &json!({"prompt": "Remember seven.", "cwd": directory, "sandbox": "workspace-write"}),
    );
    let session = field(&first, "session_id");
    assert_eq!(content(&first)["warnings"], json!(null), "{first}");
    let codex = record(&home, session)[0]["payload"]["cli_version"].clone();
    assert!(codex.as_str().is_some_and(|codex| codex.starts_with(version)), "this is {codex}");

    // Codex itself would resume it in the server's directory, and in `read-only`.
    let server = real_release(&home, release).start();
    let next = json!({"prompt": "Go on. [run pwd > here]", "session_id": session});
    let second = server.call("codex_chat", &next);
    assert_eq!(field(&second, "session_id"), session);
    assert!(knows(&model, "Go on.", "Remember seven."), "the first prompt is lost");
    assert_eq!(last_turn(&home, session), (directory.clone(), "workspace-write".to_owned()));
    let here = fs::read_to_string(directory.join("here")).expect("the command wrote it");
    assert_eq!(here.trim_end(), directory.to_str().expect("test paths are text"));
    // One request to the model, and then two of the same size.
    let tokens = |name: &str| content(&second)[name]["input_tokens"].clone();
    assert_eq!((tokens("usage"), tokens("session_usage")), (json!(200), json!(300)), "{second}");
}

fn is_refused(release: Release) {
    let model = Model::start(obey);
    let home = home(&model.url());
    let (inside, outside) = (home.project().join("inside"), home.path().join("outside"));
    let command = format!("touch {} {}", inside.display(), outside.display());
    let arguments = json!({"prompt": format!("[run {command}]"), "sandbox": "workspace-write"});
    let answer = real_release(&home, release).start().call("codex_chat", &arguments);
    let said = field(&answer, "reply");
    let refused = ["Read-only file system", "Operation not permitted"];
    assert!(refused.iter().any(|words| said.contains(words)), "{said}");
    assert!(inside.exists(), "the command did not run: {said}");
    assert!(!outside.exists());
}

fn is_busy(release: Release) {
    let model = Model::start(obey);
    let home = home(&model.url());
    let session = begun(&home, release);
    let arguments = ["resume", &session, "-"];
    let person = ByHand::exec_release(&home, release, &arguments, "Mine. [hang]");
    model.wait_for(|request| request.last_user_text().contains("Mine."));

    let server = real_release(&home, release).arg("--busy-wait-ms").arg("0").start();
    let refused = server.call("codex_chat", &json!({"prompt": "Now?", "session_id": session}));
    let text = error_text(&refused);
    assert!(text.starts_with("session_busy: "), "{text}");
    if cfg!(target_os = "linux") {
        assert!(text.contains(&format!("process {} (codex exec)", person.pid())), "{text}");
    }

    let arguments = json!({"prompt": "Then a copy.", "session_id": session, "fork": true});
    let copied = server.call("codex_chat", &arguments);
    let copy = field(&copied, "session_id");
    assert_ne!(copy, session);
    assert_eq!(record(&home, copy)[0]["payload"]["forked_from_id"], session);
    assert!(knows(&model, "Then a copy.", "Remember seven."), "the copy is empty");
}

fn is_taken_back(release: Release) {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = real_release(&home, release).start();
    let begun = home.project().join("begun");
    let prompt = format!("Remember seven. [run touch {}; sleep 300]", begun.display());
    let arguments = json!({"prompt": prompt, "sandbox": "workspace-write"});
    let call = server.begin_call("codex_chat", &arguments);
    let reported = server.wait_progress(&call, |message| message.starts_with("session "));
    let session = reported.split(' ').nth(1).expect("the session's id");
    wait_for(&begun);

    server.cancel(&call);
    assert_none_left(server.wait_no_descendants(WAIT));
    let lines = record(&home, session);
    let aborted = lines.iter().any(|line| line.to_string().contains("<turn_aborted>"));
    assert!(aborted, "the session does not know that it was interrupted: {lines:#?}");
    let next = json!({"prompt": "Go on.", "session_id": session});
    assert_eq!(field(&server.call("codex_chat", &next), "session_id"), session);
    assert!(knows(&model, "Go on.", "Remember seven."), "the interrupted prompt is lost");
}
