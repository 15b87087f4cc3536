//! Continuing the last session of a directory.

use serde_json::json;

use crate::kit::setup::{error_text, field, home, real};
use crate::support::model::{Model, echo};

#[test]
fn the_last_session_in_a_directory_is_continued_from_any_server() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let first = real(&home).start();
    let nothing = first.call("codex_chat", &json!({"prompt": "x", "continue_last": true}));
    assert!(error_text(&nothing).starts_with("bad_input: continue_last "), "{nothing}");

    let elsewhere = home.project().join("below");
    std::fs::create_dir(&elsewhere).expect("the test's folder is writable");
    let here = first.call("codex_chat", &json!({"prompt": "here"}));
    let there = first.call("codex_chat", &json!({"prompt": "there", "cwd": elsewhere}));
    drop(first);

    let second = real(&home).start();
    let again = second.call("codex_chat", &json!({"prompt": "again", "continue_last": true}));
    assert_eq!(field(&again, "session_id"), field(&here, "session_id"));
    let below = json!({"prompt": "again", "continue_last": true, "cwd": elsewhere});
    let below = second.call("codex_chat", &below);
    assert_eq!(field(&below, "session_id"), field(&there, "session_id"));
    let job = second.call("job_start", &json!({"prompt": "a job", "continue_last": true}));
    assert_eq!(field(&job, "session_id"), field(&here, "session_id"));
    second.call("job_wait", &json!({"job_ids": [field(&job, "job_id")]}));

    let session = field(&here, "session_id");
    let both = json!({"prompt": "x", "continue_last": true, "session_id": session});
    let both = second.call("codex_chat", &both);
    assert!(error_text(&both).starts_with("bad_input: continue_last "), "{both}");
}
