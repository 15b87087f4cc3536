//! Calls that the real Codex does not complete: each has its error kind, says what to do, and leaves a
//! session that can be resumed.

use std::fs;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::kit::call::{Answer, Failure, call};
use crate::kit::real::{ByHand, obey};
use crate::kit::setup::{home, real, resume_command};
use crate::support::client::Server;
use crate::support::model::{Item, Model, Request, Response, echo};
use crate::support::real_codex::Home;

const UNKNOWN: &str = "0199a213-81c0-7800-8aa1-bbab2a035a53";

/// Fails a turn with this response, and continues its session. Returns the error.
fn failed_turn(kind: &str, response: Response) -> Failure {
    let model = Model::start(move |request| {
        if request.last_user_text().contains("[fail]") { response.clone() } else { echo(request) }
    });
    let home = home(&model.url());
    let server = real(&home).start();
    let failure = readable(call(&server).prompt("Remember seven. [fail]").fails_with(kind));
    let session = failure.session();
    assert_eq!(failure.line("resume_command"), resume_command(&home, session));

    call(&server).prompt("Go on.").in_session(session).succeeds().in_session(session);
    let asked = model.wait_for(|request| request.last_user_text().contains("Go on."));
    let remembers = asked.user_texts().iter().any(|text| text.contains("Remember seven."));
    assert!(remembers, "the prompt of the failed turn is lost: {:?}", asked.user_texts());
    failure
}

/// Expects advice, no stack trace, and no warning that does not matter.
fn readable(failure: Failure) -> Failure {
    let noise = ["<unknown>", "Stack backtrace", "WARNING: proceeding", "Reading prompt from"];
    noise.into_iter().fold(failure.mentions("\nNext: "), Failure::omits)
}

fn provider_error(message: &str) -> Value {
    json!({"error": {"message": message, "type": "some_error"}})
}

#[test]
fn http_401_is_a_login_that_is_not_accepted() {
    let response = Response::status(401, provider_error("no such key here"));
    failed_turn("not_logged_in", response).mentions("codex login");
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
    failed_turn("usage_limit", Response::status(429, body)).mentions("try again at Jan 1st, 2100");
}

#[test]
fn http_500_is_a_failed_turn() {
    failed_turn("turn_failed", Response::status(500, provider_error("it broke")));
}

#[test]
fn a_broken_stream_is_a_failed_turn_with_the_partial_reply() {
    let response = Response::items(vec![Item::message("This much is done.")]).then_drop();
    failed_turn("turn_failed", response).mentions("\nPartial reply:\nThis much is done.");
}

#[test]
fn a_response_that_fails_is_a_failed_turn_with_the_model_s_words() {
    let response = Response::items(vec![Item::message("This much is done.")])
        .then_fail("server_error", "the model fell over");
    failed_turn("turn_failed", response)
        .mentions("the model fell over")
        .mentions("\nPartial reply:\nThis much is done.");
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
    readable(call(&server).prompt("hello").fails_with("not_logged_in")).mentions("codex login");
}

#[test]
fn a_key_that_is_not_in_the_environment_is_a_login_problem_that_names_it() {
    let model = Model::start(echo);
    let home = home(&model.url());
    home.append_config("model_providers.stand-in.env_key = \"NO_SUCH_KEY_IS_SET\"");
    let server = real(&home).start();
    readable(call(&server).prompt("hello").fails_with("not_logged_in"))
        .mentions("NO_SUCH_KEY_IS_SET");
}

#[test]
fn a_session_that_codex_does_not_know_is_not_offered_again() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let server = real(&home).start();
    let failure = call(&server).prompt("hello").in_session(UNKNOWN).fails_with("session_not_found");
    readable(failure).mentions(UNKNOWN).omits("\nsession_id:").omits("codex resume");
    assert!(model.requests().is_empty(), "the model was asked");
}

#[test]
fn a_broken_configuration_is_reported_with_what_is_wrong_in_it() {
    let model = Model::start(echo);
    let home = home(&model.url());
    home.append_config("sandbox_mode = [broken");
    let server = real(&home).start();
    readable(call(&server).prompt("hello").fails_with("config_not_loaded"))
        .mentions("config.toml")
        .mentions("sandbox_mode")
        .mentions("ask the user to fix the setting");
}

#[test]
fn a_record_that_codex_refuses_is_reported_with_the_reason_alone() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let (_server, session) = started(&home);
    let record = home.rollout(&session).expect("a record");
    let lines = fs::read_to_string(&record).expect("text");
    fs::write(&record, format!("{{half a line\n{lines}")).expect("it is ours");
    let server = real(&home).env("RUST_BACKTRACE", "1").start();
    readable(call(&server).prompt("hello").in_session(&session).fails_with("no_result"))
        .mentions(record.to_string_lossy())
        .in_session(&session);
}

/// A model that answers `[wait]` when it is released, and everything else at once.
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

/// A server, and a session that it has started and left.
fn started(home: &Home) -> (Server, String) {
    let server = real(home).env("CODEX_PERSISTENT_MCP_ORIGIN", "first-agent").start();
    let session = call(&server).prompt("Remember seven.").succeeds().session().to_owned();
    (server, session)
}

fn impatient(home: &Home) -> Server {
    real(home).env("CODEX_PERSISTENT_MCP_BUSY_WAIT_MS", "0").start()
}

/// The answer to a call that waited while another process ran the second turn. The tokens of that turn
/// are not this call's.
fn assert_is_third_turn(answer: Answer, session: &str) {
    answer
        .in_session(session)
        .has("usage.input_tokens", 100)
        .has("session_usage.input_tokens", 300);
}

#[test]
fn a_second_server_waits_for_the_first_or_reports_which_one_it_is() {
    let (model, release) = waiting_model();
    let home = home(&model.url());
    let (first, session) = started(&home);
    let holding = call(&first).prompt("Take it. [wait]").in_session(&session).send();
    model.wait_for(|request| request.last_user_text().contains("Take it."));

    let holder = format!("another server (first-agent, process {})", first.pid());
    let hasty = impatient(&home);
    let hasty = call(&hasty).prompt("At once?").in_session(&session).argument("timeout_ms", 300);
    readable(hasty.fails_with("timed_out")).mentions(&holder).in_session(&session);

    let patient = real(&home).arg("--debug").start();
    let waiting = call(&patient).prompt("And now?").in_session(&session).send();
    patient.wait_stderr(|log| log.contains("waiting for its turn") && log.contains(&holder));
    release.send(()).expect("the model waits for it");
    holding.succeeds();
    assert_is_third_turn(waiting.succeeds(), &session);
    let asked = model.wait_for(|request| request.last_user_text().contains("And now?"));
    assert!(asked.user_texts().iter().any(|text| text.contains("Take it.")));
}

#[test]
fn a_user_who_has_the_session_open_is_named_by_process() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let (_server, session) = started(&home);
    let person = ByHand::resume(&home, &session, "Mine. [hang]");
    model.wait_for(|request| request.last_user_text().contains("Mine."));
    let server = impatient(&home);
    let busy = call(&server).prompt("And now?").in_session(&session).fails_with("session_busy");
    let busy = readable(busy).in_session(&session);
    if cfg!(target_os = "linux") {
        busy.mentions(format!("process {} (codex exec)", person.pid()));
    }
}

#[test]
fn a_call_waits_until_a_user_has_left_the_session() {
    let (model, release) = waiting_model();
    let home = home(&model.url());
    let (_server, session) = started(&home);
    let person = ByHand::resume(&home, &session, "Mine. [wait]");
    model.wait_for(|request| request.last_user_text().contains("Mine."));
    let patient = real(&home).arg("--debug").start();
    let waiting = call(&patient).prompt("And now?").in_session(&session).send();
    patient.wait_stderr(|log| log.contains("another process has the session open"));
    release.send(()).expect("the model waits for it");
    person.finish();
    assert_is_third_turn(waiting.succeeds(), &session);
    let asked = model.wait_for(|request| request.last_user_text().contains("And now?"));
    assert!(asked.user_texts().iter().any(|text| text.contains("Mine.")));
}
