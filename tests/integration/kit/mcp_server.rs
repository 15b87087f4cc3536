//! The server that takes the place of `codex mcp-server`, and what Codex's own server said, from
//! `tests/fixtures/mcp-server`.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::kit::setup::{real, real_release};
use crate::support::client::{Builder, Call, Server, result};
use crate::support::model::{Request, Response, echo};
use crate::support::real_codex::{Home, Release};

/// The release whose answers are the standard.
const RECORDED: &str = "0.153.4";

/// A server with the newest Codex.
pub fn mcp_server(home: &Home) -> Builder {
    real(home).arg("mcp-server")
}

/// A server with this release of Codex.
pub fn mcp_server_release(home: &Home, release: Release) -> Builder {
    real_release(home, release).arg("mcp-server")
}

/// Starts a thread without waiting for its answer.
pub fn begin(server: &Server, prompt: &str) -> Call {
    server.begin_call("codex", &json!({ "prompt": prompt }))
}

/// Replies in a thread without waiting for the answer.
pub fn begin_reply(server: &Server, thread: &str, prompt: &str) -> Call {
    server.begin_call("codex-reply", &json!({ "threadId": thread, "prompt": prompt }))
}

/// The result of a call.
pub fn answer(server: &Server, call: &Call) -> Value {
    result(server.answer(call))
}

/// Starts a thread, which must succeed with the usual echo, and returns its id.
#[track_caller]
pub fn thread(server: &Server, prompt: &str) -> String {
    let answer = server.call("codex", &json!({ "prompt": prompt }));
    assert_eq!(said(&answer), format!("echo: {prompt}"));
    thread_of(&answer).to_owned()
}

/// Replies in a thread, which must succeed with the usual echo.
#[track_caller]
pub fn reply(server: &Server, thread: &str, prompt: &str) -> Value {
    let answer = server.call("codex-reply", &json!({ "threadId": thread, "prompt": prompt }));
    assert_eq!((said(&answer), thread_of(&answer)), (&*format!("echo: {prompt}"), thread));
    answer
}

/// The thread of a result.
#[track_caller]
pub fn thread_of(result: &Value) -> &str {
    let thread = result["structuredContent"]["threadId"].as_str();
    thread.unwrap_or_else(|| panic!("there is no thread: {result}"))
}

/// The reply in a success, which its text and its structured content have both.
#[track_caller]
pub fn said(result: &Value) -> &str {
    assert!(result["isError"].is_null(), "it is an error: {result}");
    content(result)
}

/// The message in an error of a call that has a thread, which its text and its structured content have both.
#[track_caller]
pub fn failed(result: &Value) -> &str {
    assert_eq!(result["isError"], true, "it is no error: {result}");
    content(result)
}

/// The message in an error of a call that has no thread.
#[track_caller]
pub fn refused(result: &Value) -> &str {
    assert_eq!(result["isError"], true, "it is no error: {result}");
    assert!(result["structuredContent"].is_null(), "there is a thread: {result}");
    result["content"][0]["text"].as_str().expect("an error has a text")
}

#[track_caller]
fn content(result: &Value) -> &str {
    let text = &result["content"][0]["text"];
    assert_eq!(*text, result["structuredContent"]["content"], "{result}");
    text.as_str().expect("a result has a text")
}

/// The text beside the reply or the message, or nothing.
#[track_caller]
pub fn beside(result: &Value) -> &str {
    let texts = result["content"].as_array().expect("a result has texts");
    assert!(texts.len() <= 2, "{result}");
    texts.get(1).map_or("", |text| text["text"].as_str().expect("it is a text"))
}

/// A model that does what the recorded one did, as far as turns without tools go.
pub fn recorded_model(request: &Request) -> Response {
    let prompt = request.last_user_text();
    let status = prompt.strip_prefix("Fail with ").and_then(|status| status.parse::<u16>().ok());
    match &*prompt {
        "Fail in the response" => Response::failed("invalid_prompt", "The model failed."),
        "Drop the stream" => Response::dropped(),
        "Say nothing" => Response::items(Vec::new()),
        _ => match status {
            Some(status) => {
                let message = format!("The model refused with {status}.");
                let error = json!({"message": message, "type": "invalid_request_error", "code": "stand_in"});
                Response::status(status, json!({ "error": error }))
            }
            None => echo(request),
        },
    }
}

/// A recorded request, with the answers of both servers. Ids of threads are those of the recording.
pub struct Exchange {
    pub request: Value,
    /// Null if Codex's server never answered.
    pub theirs: Value,
    pub ours: Value,
}

impl Exchange {
    /// Our result without the text beside the reply or the message.
    pub fn alike(&self) -> Value {
        let mut result = self.ours["result"].clone();
        if let Some(texts) = result.get_mut("content").and_then(Value::as_array_mut) {
            texts.truncate(1);
        }
        result
    }
}

/// Sends the requests of a recorded scenario, each after the answer to the one before.
pub fn replay(server: &Server, scenario: &str) -> Vec<Exchange> {
    // Ids of threads, ours and theirs.
    let mut threads: Vec<[String; 2]> = Vec::new();
    let recorded = recorded(scenario);
    let answers = || recorded.iter().map(|line| &line["server"]);
    let mut exchanges = Vec::new();
    for request in recorded.iter().map(|line| &line["client"]) {
        let id = &request["id"];
        if id.is_null() {
            continue;
        }
        let is_answer = |it: &&Value| it["id"] == *id && it["method"].is_null();
        let theirs = answers().find(is_answer).cloned().unwrap_or_default();
        let sent = threads
            .iter()
            .fold(request.to_string(), |text, [ours, theirs]| text.replace(theirs, ours));
        server.send_raw(format!("{sent}\n").as_bytes());
        let ours = server.wait_message(|message| is_answer(&message));
        let thread = |answer: &Value| {
            let id = &answer["result"]["structuredContent"]["threadId"];
            id.as_str().map(str::to_owned)
        };
        threads.extend(thread(&ours).zip(thread(&theirs)).map(<[String; 2]>::from));
        let ours = threads
            .iter()
            .fold(ours.to_string(), |text, [ours, theirs]| text.replace(ours, theirs));
        let ours = serde_json::from_str(&ours).expect("it was JSON");
        exchanges.push(Exchange { request: request.clone(), theirs, ours });
    }
    exchanges
}

/// The lines of a recorded scenario.
fn recorded(scenario: &str) -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mcp-server");
    let path = folder.join(RECORDED).join(scenario).with_extension("jsonl");
    let text = fs::read_to_string(&path).expect("the scenario was recorded");
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}
