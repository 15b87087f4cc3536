//! Calls that the real Codex does not complete: each has its kind, says what to do, and leaves a
//! session that goes on.

use std::fs;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::kit::real::{ByHand, obey};
use crate::kit::setup::{content, error_text, field, home, real, resume_command};
use crate::support::client::Server;
use crate::support::model::{Item, Model, Request, Response, echo};
use crate::support::real_codex::Home;

const UNKNOWN: &str = "0199a213-81c0-7800-8aa1-bbab2a035a53";

/// Has a turn fail by this response, and goes on in its session. Returns the error.
fn failed_turn(kind: &str, response: Response) -> String {
    let model = Model::start(move |request| {
        if request.last_user_text().contains("[fail]") { response.clone() } else { echo(request) }
    });
    let home = home(&model.url());
    let server = real(&home).start();
    let result = server.call("codex_chat", &json!({"prompt": "Remember seven. [fail]"}));
    let text = error_text(&result).to_owned();
    assert!(text.starts_with(&format!("{kind}: ")), "{text}");
    assert_readable(&text);
    let session = line_of(&text, "session_id: ");
    assert_eq!(line_of(&text, "resume_command: "), resume_command(&home, session));

    let reply = server.call("codex_chat", &json!({"prompt": "Go on.", "session_id": session}));
    assert_eq!(field(&reply, "session_id"), session);
    let asked = model.wait_for(|request| request.last_user_text().contains("Go on."));
    let remembers = asked.user_texts().iter().any(|text| text.contains("Remember seven."));
    assert!(remembers, "the prompt of the failed turn is lost: {:?}", asked.user_texts());
    text
}

/// No stack trace and no warning that does not matter.
fn assert_readable(text: &str) {
    for noise in ["<unknown>", "Stack backtrace", "WARNING: proceeding", "Reading prompt from"] {
        assert!(!text.contains(noise), "{noise} is in {text}");
    }
    assert!(text.contains("\nNext: "), "it does not say what to do: {text}");
}

fn line_of<'a>(text: &'a str, head: &str) -> &'a str {
    text.lines()
        .find_map(|line| line.strip_prefix(head))
        .unwrap_or_else(|| panic!("no line {head:?} in {text}"))
}

fn provider_error(message: &str) -> Value {
    json!({"error": {"message": message, "type": "some_error"}})
}

#[test]
fn http_401_is_a_login_that_is_not_accepted() {
    let text =
        failed_turn("not_logged_in", Response::status(401, provider_error("no such key here")));
    assert!(text.contains("codex login"), "{text}");
}

#[test]
fn http_429_is_a_usage_limit() {
    failed_turn("usage_limit", Response::status(429, provider_error("slow down")));
}

#[test]
fn a_used_up_plan_is_a_usage_limit_with_the_time_when_it_is_lifted() {
    let body = json!({"error": {
        "type": "usage_limit_reached",
        "message": "The usage limit has been reached",
        "plan_type": "plus",
        "resets_at": 4_102_488_000_u64,
    }});
    let text = failed_turn("usage_limit", Response::status(429, body));
    assert!(text.contains("try again at Jan 1st, 2100"), "{text}");
}

#[test]
fn http_500_is_a_failed_turn() {
    failed_turn("turn_failed", Response::status(500, provider_error("it broke")));
}

#[test]
fn a_stream_that_breaks_off_is_a_failed_turn_with_what_was_said() {
    let response = Response::items(vec![Item::message("This much is done.")]).then_drop();
    let text = failed_turn("turn_failed", response);
    assert!(text.contains("\nWhat Codex had said before:\nThis much is done."), "{text}");
}

#[test]
fn a_response_that_fails_is_a_failed_turn_with_the_model_s_words() {
    let response = Response::items(vec![Item::message("This much is done.")])
        .then_fail("server_error", "the model fell over");
    let text = failed_turn("turn_failed", response);
    assert!(text.contains("the model fell over"), "{text}");
    assert!(text.contains("\nWhat Codex had said before:\nThis much is done."), "{text}");
}

#[test]
fn without_any_login_the_call_says_so() {
    let missing = "Missing bearer or basic authentication in header";
    let model = Model::start(move |request| {
        let logged_in = request.headers.iter().any(|(name, _)| name == "authorization");
        if logged_in { echo(request) } else { Response::status(401, provider_error(missing)) }
    });
    let home = home(&model.url());
    home.append_config("model_providers.stand-in.requires_openai_auth = true");
    let server = real(&home).start();
    let result = server.call("codex_chat", &json!({"prompt": "hello"}));
    let text = error_text(&result);
    assert!(text.starts_with("not_logged_in: "), "{text}");
    assert!(text.contains("codex login"), "{text}");
    assert_readable(text);
}

#[test]
fn a_key_that_is_not_in_the_environment_is_a_login_problem_that_names_it() {
    let model = Model::start(echo);
    let home = home(&model.url());
    home.append_config("model_providers.stand-in.env_key = \"NO_SUCH_KEY_IS_SET\"");
    let server = real(&home).start();
    let result = server.call("codex_chat", &json!({"prompt": "hello"}));
    let text = error_text(&result);
    assert!(text.starts_with("not_logged_in: "), "{text}");
    assert!(text.contains("NO_SUCH_KEY_IS_SET"), "{text}");
    assert_readable(text);
}

#[test]
fn a_session_that_codex_does_not_know_is_not_offered_again() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let server = real(&home).start();
    let result = server.call("codex_chat", &json!({"prompt": "hello", "session_id": UNKNOWN}));
    let text = error_text(&result);
    assert!(text.starts_with("session_not_found: "), "{text}");
    assert!(text.contains(UNKNOWN), "{text}");
    assert!(!text.contains("\nsession_id:") && !text.contains("codex resume"), "{text}");
    assert_readable(text);
    assert!(model.requests().is_empty(), "the model was asked");
}

#[test]
fn a_broken_configuration_is_told_by_what_is_wrong_in_it() {
    let model = Model::start(echo);
    let home = home(&model.url());
    home.append_config("sandbox_mode = [broken");
    let server = real(&home).start();
    let result = server.call("codex_chat", &json!({"prompt": "hello"}));
    let text = error_text(&result);
    assert!(text.starts_with("config_not_loaded: "), "{text}");
    assert!(text.contains("config.toml") && text.contains("sandbox_mode"), "{text}");
    assert!(text.contains("a person must mend"), "{text}");
    assert_readable(text);
}

#[test]
fn a_record_that_codex_refuses_is_told_by_the_reason_alone() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let (_server, session) = begun(&home);
    let record = home.rollout(&session).expect("a record");
    let lines = fs::read_to_string(&record).expect("text");
    fs::write(&record, format!("{{half a line\n{lines}")).expect("it is ours");
    let server = real(&home).env("RUST_BACKTRACE", "1").start();
    let result = server.call("codex_chat", &json!({"prompt": "hello", "session_id": session}));
    let text = error_text(&result);
    assert!(text.starts_with("no_result: "), "{text}");
    assert!(text.contains(&*record.to_string_lossy()), "{text}");
    assert_eq!(line_of(text, "session_id: "), session);
    assert_readable(text);
}

/// A model that answers `[wait]` when it is told to, and all else at once.
fn waiting_model() -> (Model, mpsc::Sender<()>) {
    let (release, released) = mpsc::channel();
    let released = Arc::new(Mutex::new(released));
    let model = Model::start(move |request: &Request| {
        if request.last_user_text().contains("[wait]") {
            let released = released.lock().expect("nothing panics while it holds this lock");
            let _model_is_dropped = released.recv();
        }
        obey(request)
    });
    (model, release)
}

/// A server, and a session it has begun and left.
fn begun(home: &Home) -> (Server, String) {
    let server = real(home).env("CODEX_PERSISTENT_MCP_ORIGIN", "first-agent").start();
    let first = server.call("codex_chat", &json!({"prompt": "Remember seven."}));
    let session = field(&first, "session_id").to_owned();
    (server, session)
}

fn impatient(home: &Home) -> Server {
    real(home).env("CODEX_PERSISTENT_MCP_BUSY_WAIT_MS", "0").start()
}

/// The answer of a call that waited while somebody else had the second turn: what that one used is not
/// this one's.
fn assert_is_third_turn(result: &Value, session: &str) {
    assert_eq!(field(result, "session_id"), session);
    assert_eq!(content(result)["usage"]["input_tokens"], 100, "{result}");
    assert_eq!(content(result)["session_usage"]["input_tokens"], 300, "{result}");
}

#[test]
fn a_second_server_waits_for_the_first_or_is_told_who_it_is() {
    let (model, release) = waiting_model();
    let home = home(&model.url());
    let (first, session) = begun(&home);
    let held = json!({"prompt": "Take it. [wait]", "session_id": session});
    let holding = first.begin_call("codex_chat", &held);
    model.wait_for(|request| request.last_user_text().contains("Take it."));

    let next = json!({"prompt": "And now?", "session_id": session});
    let hasty = json!({"prompt": "At once?", "session_id": session, "timeout_ms": 300});
    let late = impatient(&home).call("codex_chat", &hasty);
    let text = error_text(&late);
    assert!(text.starts_with("timed_out: "), "{text}");
    let holder = format!("another server (first-agent, process {})", first.pid());
    assert!(text.contains(&holder), "{text}");
    assert_eq!(line_of(text, "session_id: "), session);
    assert_readable(text);

    let patient = real(&home).arg("--debug").start();
    let waiting = patient.begin_call("codex_chat", &next);
    patient.wait_stderr(|log| log.contains("waiting for its turn") && log.contains(&holder));
    release.send(()).expect("the model waits for it");
    content(&first.answer(&holding)["result"]);
    assert_is_third_turn(&patient.answer(&waiting)["result"], &session);
    let asked = model.wait_for(|request| request.last_user_text().contains("And now?"));
    assert!(asked.user_texts().iter().any(|text| text.contains("Take it.")));
}

#[test]
fn a_person_who_has_the_session_open_is_named_by_process() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let (_server, session) = begun(&home);
    let person = ByHand::resume(&home, &session, "Mine. [hang]");
    model.wait_for(|request| request.last_user_text().contains("Mine."));
    let next = json!({"prompt": "And now?", "session_id": session});
    let refused = impatient(&home).call("codex_chat", &next);
    let text = error_text(&refused);
    assert!(text.starts_with("session_busy: "), "{text}");
    assert_eq!(line_of(text, "session_id: "), session);
    if cfg!(target_os = "linux") {
        assert!(text.contains(&format!("process {} (codex exec)", person.pid())), "{text}");
    }
    assert_readable(text);
}

#[test]
fn a_call_waits_until_a_person_has_left_the_session() {
    let (model, release) = waiting_model();
    let home = home(&model.url());
    let (_server, session) = begun(&home);
    let person = ByHand::resume(&home, &session, "Mine. [wait]");
    model.wait_for(|request| request.last_user_text().contains("Mine."));
    let patient = real(&home).arg("--debug").start();
    let next = json!({"prompt": "And now?", "session_id": session});
    let waiting = patient.begin_call("codex_chat", &next);
    patient.wait_stderr(|log| log.contains("another process has the session open"));
    release.send(()).expect("the model waits for it");
    person.finish();
    assert_is_third_turn(&patient.answer(&waiting)["result"], &session);
    let asked = model.wait_for(|request| request.last_user_text().contains("And now?"));
    assert!(asked.user_texts().iter().any(|text| text.contains("Mine.")));
}
