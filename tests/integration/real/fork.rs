//! Forks of sessions of the real Codex.

use std::fs;

use serde_json::{Value, json};

use crate::kit::jobs::{gate, snapshot, wait, wait_started};
use crate::kit::play::{session_of, with};
use crate::kit::real::{last_turn, obey, record};
use crate::kit::setup::{content, error_text, field, home, real, resume_command};
use crate::support::client::{Server, result};
use crate::support::model::{Model, Request, echo};
use crate::support::real_codex::Home;

fn fork(server: &Server, session: &str, prompt: &str) -> Value {
    let arguments = json!({"prompt": prompt, "session_id": session, "fork": true});
    server.call("codex_chat", &arguments)
}

fn go_on(server: &Server, session: &str, prompt: &str) -> Value {
    server.call("codex_chat", &json!({"prompt": prompt, "session_id": session}))
}

/// The bytes of a session's record.
fn bytes(home: &Home, session: &str) -> Vec<u8> {
    fs::read(home.rollout(session).expect("a record")).expect("readable")
}

fn tokens(result: &Value) -> (Option<u64>, Option<u64>) {
    let content = content(result);
    let of = |name: &str| content[name]["input_tokens"].as_u64();
    (of("usage"), of("session_usage"))
}

#[test]
fn a_fork_is_a_new_session_with_the_history_of_the_unchanged_original() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let server = real(&home).start();
    let first = server.call("codex_chat", &json!({"prompt": "the first word"}));
    let original = field(&first, "session_id");
    let before = bytes(&home, original);

    let arguments = json!({"prompt": "the second word", "session_id": original, "fork": true});
    let call = server.begin_call("codex_chat", &arguments);
    let copied = result(server.answer(&call));
    let copy = field(&copied, "session_id");
    assert_ne!(copy, original);
    let message = server.wait_progress(&call, |message| message.starts_with("session "));
    assert_eq!(message, format!("session {copy} started"));
    assert_eq!(field(&copied, "resume_command"), resume_command(&home, copy));
    assert_eq!(bytes(&home, original), before);
    let asked = model.wait_for(|request| request.last_user_text().contains("the second word"));
    assert!(asked.user_texts().iter().any(|text| text.contains("the first word")));
    assert_eq!(record(&home, copy)[0]["payload"]["forked_from_id"], original);

    // The fork can be resumed, from another server too, and so can the original, which does not have its turns.
    let other = real(&home).start();
    assert_eq!(field(&go_on(&other, copy, "the third word"), "session_id"), copy);
    let asked = model.wait_for(|request| request.last_user_text().contains("the third word"));
    for word in ["the first word", "the second word"] {
        assert!(asked.user_texts().iter().any(|text| text.contains(word)), "{word}");
    }
    assert_eq!(bytes(&home, original), before);
    go_on(&other, original, "another word");
    let asked = model.wait_for(|request| request.last_user_text().contains("another word"));
    assert!(!asked.user_texts().iter().any(|text| text.contains("the second word")));
}

#[test]
fn a_fork_counts_its_own_tokens() {
    let model = Model::start(|request: &Request| {
        let prompt = request.last_user_text();
        let tokens = prompt.split_once("tokens: ").and_then(|(_, rest)| rest.split_once('.'));
        let tokens = tokens.and_then(|(tokens, _)| tokens.parse().ok()).expect("a number");
        echo(request).with_usage(tokens, 1, 10, 2)
    });
    let home = home(&model.url());
    let server = real(&home).start();
    let first = server.call("codex_chat", &json!({"prompt": "tokens: 1000."}));
    let original = field(&first, "session_id");
    let copied = fork(&server, original, "tokens: 20.");
    assert_eq!(tokens(&copied), (Some(20), Some(1020)));
    let copy = field(&copied, "session_id");
    // Later turns of the original are not in the fork.
    assert_eq!(tokens(&go_on(&server, original, "tokens: 5000.")), (Some(5000), Some(6000)));
    assert_eq!(tokens(&go_on(&server, copy, "tokens: 3.")), (Some(3), Some(1023)));
    let again = fork(&server, copy, "tokens: 4.");
    assert_eq!(tokens(&again), (Some(4), Some(1027)));
    let other = real(&home).start();
    assert_eq!(
        tokens(&go_on(&other, field(&again, "session_id"), "tokens: 5.")),
        (Some(5), Some(1032))
    );
    assert_eq!(tokens(&fork(&other, copy, "tokens: 6.")), (Some(6), Some(1029)));
}

#[test]
fn a_busy_session_is_forked_at_once_by_its_own_server_and_by_another() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = real(&home).start();
    let (path, prompt) = gate(&home, "gate");
    let arguments = json!({"prompt": prompt, "sandbox": "workspace-write"});
    let busy = server.begin_call("codex_chat", &arguments);
    let original = session_of(&server, &busy);
    wait_started(&path);
    let before = bytes(&home, &original);
    for server in [&server, &real(&home).start()] {
        let copied = fork(server, &original, "meanwhile");
        assert!(field(&copied, "reply").contains("\nmeanwhile\n"), "{copied}");
        assert_ne!(field(&copied, "session_id"), original);
    }
    assert!(server.try_answer(&busy).is_none(), "the original is still at work");
    assert_eq!(bytes(&home, &original), before);
    fs::write(&path, "").expect("writable");
    let done = result(server.answer(&busy));
    assert!(field(&done, "reply").contains("opened"), "{done}");
    assert!(
        fs::read(home.rollout(&original).expect("a record")).expect("text").starts_with(&before)
    );
}

#[test]
fn a_fork_keeps_directory_and_sandbox_of_its_original_unless_the_call_sets_them() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let inner = home.project().join("inner");
    fs::create_dir(&inner).expect("it is new");
    let server = real(&home).start();
    let begin = json!({"prompt": "begin", "cwd": inner, "sandbox": "workspace-write"});
    let first = server.call("codex_chat", &begin);
    let original = field(&first, "session_id").to_owned();
    let copied = fork(&real(&home).start(), &original, "go on");
    let copy = field(&copied, "session_id");
    assert_eq!(last_turn(&home, copy), (inner.clone(), "workspace-write".into()));
    let arguments = with(
        json!({"prompt": "elsewhere", "session_id": original, "fork": true, "cwd": home.project()}),
        "sandbox",
        "read-only",
    );
    let reported = server.call("codex_chat", &arguments);
    let here = (home.project().to_owned(), "read-only".to_owned());
    assert_eq!(last_turn(&home, field(&reported, "session_id")), here);
    // The fork's own options hold from now on, and not the original's.
    go_on(&server, field(&reported, "session_id"), "go on");
    assert_eq!(last_turn(&home, field(&reported, "session_id")), here);
    go_on(&server, &original, "go on");
    assert_eq!(last_turn(&home, &original), (inner, "workspace-write".into()));
}

#[test]
fn a_job_continues_in_the_fork_that_it_started_with() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let server = real(&home).start();
    let first = server.call("codex_chat", &json!({"prompt": "the first word"}));
    let original = field(&first, "session_id");
    let before = bytes(&home, original);
    let arguments = json!({"prompt": "the second word", "session_id": original, "fork": true});
    let job = content(&server.call("job_start", &arguments)).clone();
    let id = job["job_id"].as_str().expect("an id");
    let (_, cursor) = wait(&server, id, &job["notification_cursor"]);
    let copy = snapshot(&server, id)["session_id"].clone();
    assert!(copy.is_string() && copy != original, "{copy}");
    crate::kit::jobs::reply(&server, id, "the third word");
    wait(&server, id, &cursor);
    let job = snapshot(&server, id);
    assert_eq!((&job["session_id"], &job["turns"]), (&copy, &json!(2)), "{job}");
    assert_eq!(bytes(&home, original), before);
}

#[test]
fn a_fork_that_is_impossible_is_an_error() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let server = real(&home).start();
    for tool in ["codex_chat", "job_start"] {
        for (arguments, field) in [
            (json!({"prompt": "x", "fork": true}), "fork"),
            (json!({"prompt": "x", "fork": "yes"}), "fork"),
            (json!({"prompt": "x", "fork": true, "session_id": "last"}), "session_id"),
        ] {
            let refused = server.call(tool, &arguments);
            let text = error_text(&refused);
            assert!(
                text.starts_with(&format!("bad_input: {field} ")),
                "{tool} {arguments}: {text}"
            );
        }
    }
    let nobody = "01900000-0000-7000-8000-000000000000";
    let unknown = fork(&server, nobody, "x");
    let text = error_text(&unknown);
    assert!(text.starts_with("session_not_found: ") && text.contains(nobody), "{text}");
    assert!(model.requests().is_empty());
}
