//! Calls over HTTP, with the real Codex: several clients, streams that are resumed, and every way in which a
//! client or the server leaves.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::kit::http::{Answer, Client, Site, initialize, serve, serve_as};
use crate::kit::life::assert_none_left;
use crate::kit::real::{obey, record};
use crate::kit::setup::{field, home, real};
use crate::support::client::wait_no_descendants_of;
use crate::support::environment::patient;
use crate::support::model::{Model, echo};
use crate::support::real_codex::Home;

/// A prompt to which the model never replies.
const HANG: &str = "Remember seven. [hang]";

/// A call whose model never replies, with the id of its session. Returns once the model was asked.
fn begin_hanging(client: &Client, model: &Model) -> (Answer, String) {
    let mut call = client.begin_call("codex_chat", &json!({"prompt": HANG}));
    let session = wait_hanging(&mut call, model);
    (call, session)
}

/// Waits until the model was asked. Returns the id of the session.
fn wait_hanging(call: &mut Answer, model: &Model) -> String {
    let session = call.wait_session();
    model.wait_for(|request| request.last_user_text().contains(HANG));
    session
}

/// Expects that no Codex is left, and that the session knows that it was interrupted.
fn assert_stopped(site: &Site, home: &Home, session: &str) {
    assert_none_left(site.server.wait_no_descendants(Duration::from_secs(10)));
    let lines = record(home, session);
    let aborted = lines.iter().any(|line| line.to_string().contains("<turn_aborted>"));
    assert!(aborted, "the session does not know that it was interrupted: {lines:#?}");
}

#[test]
fn two_clients_are_served_at_once_and_go_on_in_a_session_of_codex() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let site = serve(real(&home));
    let (one, two) = (site.connect(), site.connect_with("2025-06-18", &[]));
    let calls = [(&one, "from one"), (&two, "from two")].map(|(client, prompt)| {
        (client.begin_call("codex_chat", &json!({"prompt": prompt})), prompt)
    });
    let mut sessions = Vec::new();
    for (call, prompt) in calls {
        let answer = call.message()["result"].take();
        assert!(field(&answer, "reply").contains(prompt), "{answer}");
        sessions.push(field(&answer, "session_id").to_owned());
    }
    assert_ne!(sessions[0], sessions[1]);
    // A session of Codex belongs to no client.
    let arguments = json!({"prompt": "again", "session_id": sessions[0]});
    let answer = two.call("codex_chat", &arguments);
    assert_eq!(field(&answer, "session_id"), sessions[0]);
}

#[test]
fn the_tools_of_codex_own_server_have_their_events_in_the_stream_of_their_call() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let site = serve_as(real(&home), "mcp-server");
    let clients = [site.connect(), site.connect()];
    let mut calls = clients.each_ref().map(|client| {
        let call = json!({"name": "codex", "arguments": {"prompt": "hello"}});
        client.begin("tools/call", &call).with_status(200)
    });
    for call in &mut calls {
        let events = std::iter::from_fn(|| call.next());
        let messages: Vec<_> = events.filter_map(|event| event.message()).collect();
        let (answer, events) = messages.split_last().expect("there is an answer");
        assert_eq!(answer["result"]["structuredContent"]["content"], "echo: hello");
        let types: Vec<_> =
            events.iter().filter_map(|event| event["params"]["msg"]["type"].as_str()).collect();
        assert_eq!(types.first(), Some(&"session_configured"), "{messages:#?}");
        assert_eq!(types.last(), Some(&"task_complete"), "{messages:#?}");
        assert!(events.iter().all(|event| event["params"]["_meta"]["requestId"] == answer["id"]));
    }
    let again = clients[0].request("initialize", &initialize("2025-11-25"));
    assert_eq!(again["error"]["message"], "initialize called more than once", "{again}");
}

#[test]
fn a_stream_that_broke_is_resumed_and_has_the_answer() {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let model = Model::start(move |request| {
        // It is over when the other end is dropped.
        released.lock().expect("nothing panics").recv().expect_err("nothing is sent");
        echo(request)
    });
    let home = home(&model.url());
    let site = serve(real(&home));
    let client = site.connect();
    let mut call = client.begin_call("codex_chat", &json!({"prompt": "hello again"}));
    let first = call.next().expect("a stream begins with an id");
    let id = first.id.expect("it can be resumed");
    assert_eq!(first.data, "");
    call.wait_session();
    call.break_off();
    // While it runs.
    let mut resumed = client.listen(Some(&id));
    resumed.wait_session();
    resumed.break_off();
    drop(release);
    // And after its end, twice: nobody knows what a client has received.
    for _ in 0..2 {
        let answer = client.listen(Some(&id)).message();
        let answer = &answer["result"];
        assert!(field(answer, "reply").contains("hello again"), "{answer}");
    }
}

#[test]
fn a_call_whose_client_does_not_come_back_is_stopped() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let site = serve(real(&home).arg("--http-resume-within=2s"));
    let client = site.connect();
    let (call, session) = begin_hanging(&client, &model);
    call.break_off();
    assert_stopped(&site, &home, &session);
    let answer = client.call("codex_chat", &json!({"prompt": "Go on.", "session_id": session}));
    assert_eq!(field(&answer, "session_id"), session);
}

#[test]
fn a_call_of_a_client_without_sessions_is_stopped_with_its_connection() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let site = serve(real(&home));
    let headers = [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "codex_chat"),
    ];
    let params = json!({
        "name": "codex_chat", "arguments": {"prompt": HANG},
        "_meta": {
            "progressToken": "p",
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "tests", "version": "0"},
            "io.modelcontextprotocol/clientCapabilities": {},
        },
    });
    let mut call = site.client(&headers).begin("tools/call", &params);
    assert_eq!(call.status, 200);
    let session = wait_hanging(&mut call, &model);
    call.break_off();
    assert_stopped(&site, &home, &session);
}

#[test]
fn a_call_of_an_older_client_is_stopped_with_its_stream() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let site = serve(real(&home).arg("--transport=sse"));
    let mut events = site.client(&[]).send("GET", &[], "");
    let path = events.next().expect("it says where messages go").data;
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": "codex_chat", "arguments": {"prompt": HANG},
        "_meta": {"progressToken": "p"},
    }})
    .to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{call}",
        call.len()
    );
    assert_eq!(site.send(request.as_bytes()).status, 202);
    let session = wait_hanging(&mut events, &model);
    events.break_off();
    assert_stopped(&site, &home, &session);
}

#[test]
fn a_call_is_stopped_by_its_client_and_the_stream_ends() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let site = serve(real(&home));
    let client = site.connect();
    let (mut call, session) = begin_hanging(&client, &model);
    // The handshake had the first id.
    client.notify("notifications/cancelled", &json!({"requestId": 2}));
    assert_stopped(&site, &home, &session);
    while let Some(event) = call.next() {
        let message = event.message();
        let is_answer = message.is_some_and(|message| message.get("result").is_some());
        assert!(!is_answer, "a cancelled call has no answer");
    }
}

#[test]
fn the_end_of_a_session_stops_its_calls_and_no_others() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let site = serve(real(&home));
    let (one, two) = (site.connect(), site.connect());
    let (call, session) = begin_hanging(&one, &model);
    let (other, _) = begin_hanging(&two, &model);
    assert_eq!(one.delete().status, 204);
    let lines =
        || record(&home, &session).iter().any(|line| line.to_string().contains("<turn_aborted>"));
    crate::kit::wait::wait_until("the interruption", lines);
    assert_eq!(one.begin("ping", &json!({})).status, 404);
    assert_eq!(two.request("ping", &json!({}))["result"], json!({}));
    let running = site.server.descendants();
    assert!(running.map_or(true, |running| !running.is_empty()), "the other call goes on");
    drop((call, other));
}

#[test]
fn jobs_go_on_when_their_client_ends() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let site = serve(real(&home));
    let one = site.connect();
    let started = one.call("job_start", &json!({"prompt": "a long task"}));
    let job = field(&started, "job_id").to_owned();
    assert_eq!(one.delete().status, 204);
    let done = site.connect().call("job_wait", &json!({"job_ids": [job]}));
    assert!(done.to_string().contains("a long task"), "{done}");
}

#[test]
fn on_sigterm_calls_are_answered_and_nothing_is_left() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let site = serve(real(&home));
    let client = site.connect();
    let (mut call, session) = begin_hanging(&client, &model);
    let mut listening = client.listen(None);
    let idle = site.open();
    site.server.signal(Signal::SIGTERM);
    let two_seconds = Duration::from_secs(2);
    let (_, answer) = call.wait(|message| message["id"] == 2);
    let text = answer["result"]["content"][0]["text"].as_str().expect("an error is text");
    assert!(answer["result"]["isError"] == true && text.contains(&session), "{answer}");
    assert!(listening.next().is_none(), "the stream ends");
    let exited = site.server.wait_exit(patient(two_seconds));
    assert_eq!(exited.code(), Some(143));
    assert_none_left(wait_no_descendants_of(site.server.marker(), two_seconds));
    drop(idle);
}
