//! `codex/event` notifications.

use serde_json::Value;

use crate::support::client::{Call, Server};

/// The parameters of the events of a call so far, in order.
pub fn events_of(server: &Server, call: &Call) -> Vec<Value> {
    let is_event = |message: &Value| {
        message["method"] == "codex/event" && message["params"]["_meta"]["requestId"] == call.id
    };
    let events = server.messages().into_iter().filter(is_event);
    events.map(|mut message| message["params"].take()).collect()
}

/// The same for a call that was answered. All of its events must precede the answer.
#[track_caller]
pub fn told(server: &Server, call: &Call) -> Vec<Value> {
    let messages = server.messages();
    let answered = messages.iter().position(|it| it["method"].is_null() && it["id"] == call.id);
    let answered = answered.expect("the call was answered");
    let late = messages[answered..].iter().find(|message| {
        message["method"] == "codex/event" && message["params"]["_meta"]["requestId"] == call.id
    });
    assert!(late.is_none(), "an event after the answer: {late:?}");
    events_of(server, call)
}

/// The types of events.
pub fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["msg"]["type"].as_str().expect("an event has a type")).collect()
}

/// Waits for an event of a call.
pub fn wait_event(server: &Server, call: &Call, kind: &str) -> Value {
    let mut message = server.wait_message(|message| {
        let params = &message["params"];
        params["_meta"]["requestId"] == call.id && params["msg"]["type"] == kind
    });
    message["params"].take()
}
