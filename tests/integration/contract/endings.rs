//! Turns that fail, and what a caller is told.

use serde_json::json;

use super::{Found, Rig};
use crate::kit::call::call;
use crate::support::model::{Item, Response, echo};

const UNKNOWN: &str = "0199a213-81c0-7800-8aa1-bbab2a035a53";

/// Fails a turn with this response, and continues its session.
fn failed(kind: &str, response: Response) -> Found {
    let rig = Rig::with(move |request| {
        if request.last_user_text().contains("[fail]") { response.clone() } else { echo(request) }
    });
    let server = rig.server().start();
    let failure = call(&server).prompt("Remember seven. [fail]").fails_with(kind);
    let failure = failure.mentions("\nNext: ").omits("<unknown>").omits("Stack backtrace");
    call(&server).prompt("Go on.").in_session(failure.session()).succeeds();
    let asked = rig.model.wait_for(|request| request.last_user_text().contains("Go on."));
    let remembers = asked.user_texts().iter().any(|text| text.contains("Remember seven."));
    assert!(remembers, "the prompt of the failed turn is lost: {:?}", asked.user_texts());
    Found::All
}

fn status(status: u16, message: &str) -> Response {
    Response::status(status, json!({"error": {"message": message, "type": "some_error"}}))
}

pub fn broken_stream() -> Found {
    failed("turn_failed", Response::items(vec![Item::message("This much.")]).then_drop())
}

pub fn login() -> Found {
    failed("not_logged_in", status(401, "no such key here"))
}

pub fn usage_limit() -> Found {
    failed("usage_limit", status(429, "slow down"))
}

pub fn configuration() -> Found {
    let rig = Rig::new();
    rig.home.append_config("sandbox_mode = [broken");
    let server = rig.server().start();
    let failure = call(&server).prompt("Hello.").fails_with("config_not_loaded");
    failure.mentions("sandbox_mode").omits("<unknown>");
    assert!(rig.model.requests().is_empty(), "the model was asked");
    Found::All
}

pub fn value() -> Found {
    let rig = Rig::new();
    let server = rig.server().start();
    let config = json!({"model_verbosity": "no-such-verbosity"});
    let hello = call(&server).prompt("Hello.").argument("config", config);
    hello.fails_with("config_not_loaded").mentions("no-such-verbosity");
    assert!(rig.model.requests().is_empty(), "the model was asked");
    Found::All
}

pub fn unknown_session() -> Found {
    let rig = Rig::new();
    let server = rig.server().start();
    let result = server.call("codex_chat", &json!({"prompt": "Hello.", "session_id": UNKNOWN}));
    let text = result["content"][0]["text"].as_str().unwrap_or_default();
    if text.starts_with("another_session_answered: ") {
        let less = "Codex starts a new session, and the call fails with `another_session_answered`";
        return Found::Less(less.into());
    }
    assert!(text.starts_with("session_not_found: "), "{result}");
    assert!(rig.model.requests().is_empty(), "the model was asked");
    Found::All
}
