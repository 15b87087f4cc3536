//! The bounds of a server over HTTP: what is too large, too many or too slow.

use std::io::{ErrorKind, Read, Write};

use serde_json::json;

use crate::kit::http::{Answer, initialize, serve};
use crate::kit::setup::{home, script, scripted};
use crate::kit::wait::{WAIT, wait_until};
use crate::support::environment::patient;

/// Short enough for a test, and long enough for a request.
const TIMEOUT: &str = "2s";

#[test]
fn a_body_that_is_too_long_is_refused_and_the_session_lives() {
    let home = home("http://127.0.0.1:9/v1");
    let site = serve(scripted(&home));
    let client = site.connect();
    let fits = json!({"prompt": "x".repeat(15 << 20), "cwd": "relative"});
    let answer = client.call("codex_chat", &fits);
    assert_eq!(answer["isError"], true, "it is read: {answer}");
    let long = json!({"name": "codex_chat", "arguments": {"prompt": "x".repeat(17 << 20)}});
    let answer = client.begin("tools/call", &long);
    assert_eq!(answer.status, 413);
    let message = answer.message()["error"]["message"].to_string();
    assert!(message.contains("16777216 bytes") && message.contains("file"), "{message}");
    // Without a length it is counted.
    let mut stream = site.open();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                        transfer-encoding: chunked\r\n\r\n{:x}\r\n",
        17 << 20
    );
    stream.write_all(head.as_bytes()).expect("the server reads");
    stream.write_all(&vec![b'x'; 17 << 20]).expect("the server reads");
    stream.write_all(b"\r\n0\r\n\r\n").expect("the server reads");
    assert_eq!(Answer::read(stream).status, 413);
    assert_eq!(client.request("ping", &json!({}))["result"], json!({}));
}

#[test]
fn headers_are_bounded_in_number_and_in_size() {
    let home = home("http://127.0.0.1:9/v1");
    let site = serve(scripted(&home));
    let long =
        format!("GET /mcp HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "x".repeat(64 << 10));
    assert_eq!(site.send(long.as_bytes()).status, 431);
    let many = format!("GET /mcp HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "x: y\r\n".repeat(200));
    assert_eq!(site.send(many.as_bytes()).status, 431);
}

#[test]
fn a_client_that_sends_its_request_slowly_is_cut_off() {
    let home = home("http://127.0.0.1:9/v1");
    let builder = scripted(&home);
    let site = serve(builder.arg("--http-client-timeout").arg(TIMEOUT));
    let mut silent = site.open();
    let mut headers = site.open();
    headers.write_all(b"POST /mcp HTTP/1.1\r\nhost: local").expect("the server reads");
    let mut body = site.open();
    let head = "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                content-length: 1000\r\n\r\n{";
    body.write_all(head.as_bytes()).expect("the server reads");
    let answer = Answer::read(body);
    assert_eq!(answer.status, 408);
    let message = answer.message().to_string();
    assert!(message.contains("did not arrive"), "{message}");
    for stream in [&mut silent, &mut headers] {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).expect("the server closes it");
    }
    assert!(site.connect().request("ping", &json!({}))["result"].is_object());
}

#[test]
fn a_client_that_reads_nothing_is_cut_off() {
    let home = home("http://127.0.0.1:9/v1");
    let site = serve(scripted(&home).arg("--http-client-timeout=1s"));
    // The answers of many requests on one connection fill what the system buffers for it.
    let params = initialize("2025-11-25");
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params});
    let body = body.to_string();
    let request = format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = site.open();
    stream.set_write_timeout(Some(patient(WAIT))).expect("a connection can have a timeout");
    let error = (0..1_000_000).find_map(|_| stream.write_all(request.as_bytes()).err());
    let error = error.expect("the server goes on writing");
    assert_ne!(error.kind(), ErrorKind::WouldBlock, "the server waits for ever");
    assert!(site.connect().request("ping", &json!({}))["result"].is_object());
}

#[test]
fn what_is_received_at_once_is_bounded() {
    let home = home("http://127.0.0.1:9/v1");
    let site = serve(scripted(&home));
    let client = site.connect();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        16 << 20
    );
    let long =
        json!({"name": "codex_chat", "arguments": {"prompt": "x".repeat(1 << 20), "cwd": "x"}});
    // Bodies whose ends never come. A refused one holds no memory, so it may take more than four.
    let unfinished = std::cell::RefCell::new(Vec::new());
    wait_until("the refusal", || {
        let mut stream = site.open();
        stream.write_all(head.as_bytes()).expect("the server reads");
        stream.write_all(&vec![b' '; (16 << 20) - 1]).expect("the server reads");
        unfinished.borrow_mut().push(stream);
        client.begin("tools/call", &long).status == 503
    });
    drop(unfinished);
    wait_until("room", || {
        client.begin("ping", &json!({"_meta": {"x": "x".repeat(1 << 20)}})).status == 200
    });
}

#[test]
fn connections_are_bounded_and_one_too_many_is_told() {
    let home = home("http://127.0.0.1:9/v1");
    let builder = scripted(&home);
    let site = serve(builder.arg("--http-max-connections=3"));
    let client = site.connect();
    let open: Vec<_> = (0..3).map(|_| client.listen(None)).collect();
    assert!(open.iter().all(|answer| answer.status == 200));
    let answer = Answer::read(site.open());
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    let message = answer.message().to_string();
    assert!(message.contains("--http-max-connections"), "{message}");
    drop(open);
    wait_until("a free place", || client.send("GET", &[], "").status == 200);
}

#[test]
fn sessions_are_bounded_and_unused_ones_make_room() {
    let home = home("http://127.0.0.1:9/v1");
    let builder = scripted(&home);
    let site = serve(builder.arg("--http-max-sessions=2"));
    let used: Vec<_> =
        (0..2).map(|_| site.connect()).map(|client| (client.listen(None), client)).collect();
    let params = initialize("2025-11-25");
    let refused = site.client(&[]).begin("initialize", &params);
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")));
    let message = refused.message();
    assert!(message["id"] == 1 && message.to_string().contains("too many sessions"), "{message}");
    let mut used = used.into_iter();
    let (stream, unused) = used.next().expect("there are two");
    stream.break_off();
    wait_until("room", || site.client(&[]).begin("initialize", &params).status == 200);
    assert_eq!(unused.begin("ping", &json!({})).status, 404, "it was replaced");
    let (_stream, kept) = used.next().expect("there are two");
    assert!(kept.request("ping", &json!({}))["result"].is_object());
}

#[test]
fn a_session_that_nobody_uses_ends() {
    let home = home("http://127.0.0.1:9/v1");
    let builder = scripted(&home);
    let site = serve(builder.arg("--http-session-timeout=1s"));
    let used = site.connect();
    let _stream = used.listen(None);
    let unused = site.connect();
    // To ask for it would be to use it.
    site.server.wait_stderr(|stderr| stderr.contains("a session that nobody used has ended"));
    assert_eq!(unused.begin("ping", &json!({})).status, 404);
    assert_eq!(used.begin("ping", &json!({})).status, 200);
}

#[test]
fn a_second_request_with_the_id_of_one_in_progress_is_refused() {
    let home = home("http://127.0.0.1:9/v1");
    let site = serve(scripted(&home));
    let client = site.connect();
    let prompt = script(&json!([{"started": {}}, {"hang": {}}]));
    let call = json!({"jsonrpc": "2.0", "id": "same", "method": "tools/call",
                      "params": {"name": "codex_chat", "arguments": {"prompt": prompt}}});
    let running = client.send("POST", &[], &call.to_string());
    assert_eq!(running.status, 200);
    let again = json!({"jsonrpc": "2.0", "id": "same", "method": "ping"}).to_string();
    let refused = client.send("POST", &[], &again);
    assert_eq!(refused.status, 400);
    let message = refused.message();
    assert!(message["id"] == "same" && message.to_string().contains("in progress"), "{message}");
    let other = site.connect().send("POST", &[], &again);
    assert_eq!(other.status, 200, "ids of other sessions do not matter");
    running.break_off();
}
