//! Who may use a server over HTTP, and what it answers to what it cannot use. No Codex is started.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::kit::http::{Client, Site, initialize, serve};
use crate::kit::setup::{PROGRAM, error_text, field, home, scripted};
use crate::support::environment::clean;
use crate::support::real_codex::Home;

const TOKEN: &str = "0123456789abcdef0123";

fn unused_home() -> Home {
    home("http://127.0.0.1:9/v1")
}

/// A request that any client may send.
fn begin() -> String {
    let params = initialize("2025-11-25");
    json!({"jsonrpc": "2.0", "id": "one", "method": "initialize", "params": params}).to_string()
}

/// The status of a request with these headers, and the message if it is an error.
fn refused(site: &Site, headers: &[(&str, &str)]) -> (u16, String) {
    let answer = site.post(headers, &begin());
    let status = answer.status;
    let message = answer.message();
    (status, message["error"]["message"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_page_that_names_another_host_or_comes_from_elsewhere_is_refused() {
    let home = unused_home();
    let site = serve(scripted(&home));
    let (status, message) = refused(&site, &[("host", "evil.example")]);
    assert!(status == 403 && message.contains("--http-allowed-hosts"), "{status} {message}");
    let (status, message) = refused(&site, &[("origin", "http://evil.example")]);
    assert!(status == 403 && message.contains("--http-allowed-origins"), "{status} {message}");
    assert_eq!(refused(&site, &[("origin", "http://localhost:6274")]).0, 200);
    assert_eq!(refused(&site, &[("host", "localhost:1")]).0, 200);
}

#[test]
fn the_operator_allows_further_hosts_and_origins() {
    let home = unused_home();
    let builder = scripted(&home)
        .arg("--http-allowed-hosts=mcp.example,other.example:8443")
        .arg("--http-allowed-origins=https://app.example");
    let site = serve(builder);
    for headers in [
        [("host", "mcp.example"), ("origin", "https://app.example")],
        [("host", "other.example:8443"), ("origin", "http://127.0.0.1")],
    ] {
        assert_eq!(refused(&site, &headers).0, 200, "{headers:?}");
    }
    assert_eq!(refused(&site, &[("host", "other.example")]).0, 403);
}

#[test]
fn with_a_token_nothing_is_answered_without_it() {
    let home = unused_home();
    let file = home.project().join("token");
    fs::write(&file, format!("{TOKEN}\n")).expect("the test's folder is writable");
    let site = serve(scripted(&home).arg("--http-token-file").arg(&file));
    let bearer = format!("Bearer {TOKEN}");
    let (status, message) = refused(&site, &[]);
    assert!(status == 401 && message.contains("Authorization: Bearer <token>"), "{message}");
    assert_eq!(refused(&site, &[("authorization", "Bearer 0123456789abcdef0124")]).0, 401);
    assert_eq!(refused(&site, &[("authorization", &bearer)]).0, 200);
    let answer = site.post(&[], &begin());
    assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"codex-persistent-mcp\""));
    for method in ["GET", "DELETE", "OPTIONS"] {
        assert_eq!(site.client(&[]).send(method, &[], "").status, 401, "{method}");
    }
    let client = site.connect_with("2025-11-25", &[("authorization", &bearer)]);
    assert_eq!(client.request("ping", &json!({}))["result"], json!({}));
    assert!(!site.server.stderr().contains(TOKEN));
}

/// A Codex that writes its variables into a file, and fails.
fn noting(home: &Home) -> (PathBuf, PathBuf) {
    let variables = home.project().join("variables");
    let codex = home.project().join("codex");
    fs::write(&codex, format!("#!/bin/sh\nenv >> '{}'\nexit 1\n", variables.display()))
        .expect("the test's folder is writable");
    fs::set_permissions(&codex, PermissionsExt::from_mode(0o755)).expect("it is the test's file");
    (codex, variables)
}

/// Starts a job, and waits for its end.
fn run_job(client: &Client) {
    let started = client.call("job_start", &json!({"prompt": "hello"}));
    let job = field(&started, "job_id").to_owned();
    client.call("job_wait", &json!({"job_ids": [job]}));
}

#[test]
fn the_depth_that_a_caller_states_holds_for_its_calls_and_its_jobs() {
    let home = unused_home();
    let (codex, variables) = noting(&home);
    let site =
        serve(scripted(&home).env("CODEX_BIN", &codex).env("CODEX_PERSISTENT_MCP_MAX_DEPTH", "3"));
    let at = |depth| site.connect_with("2025-11-25", &[("x-codex-persistent-mcp-depth", depth)]);
    let noted = |depth: &str| {
        let text = fs::read_to_string(&variables).expect("Codex was started");
        fs::remove_file(&variables).expect("it is the test's file");
        let line = format!("CODEX_PERSISTENT_MCP_DEPTH={depth}\n");
        assert!(text.contains(&line), "{text}");
    };
    at("2").call("codex_chat", &json!({"prompt": "hello"}));
    noted("3");
    run_job(&at("2"));
    noted("3");
    run_job(&site.connect());
    noted("1");
    for deep in ["3", "4294967295", "99999999999999999999", "-1", "deep"] {
        for tool in ["codex_chat", "job_start"] {
            let refused = at(deep).call(tool, &json!({"prompt": "hello"}));
            let text = error_text(&refused);
            assert!(text.starts_with("not_allowed: ") && text.contains("MAX_DEPTH"), "{text}");
        }
    }
    assert!(!variables.exists(), "no Codex was started");
}

#[test]
fn a_token_in_a_variable_is_not_passed_on() {
    let home = unused_home();
    let (codex, variables) = noting(&home);
    let builder = scripted(&home)
        .env("CODEX_BIN", &codex)
        .env("CODEX_PERSISTENT_MCP_HTTP_TOKEN", TOKEN)
        .env("CODEX_PERSISTENT_MCP_DEBUG", "true");
    let site = serve(builder);
    let bearer = format!("Bearer {TOKEN}");
    assert_eq!(refused(&site, &[]).0, 401);
    let client = site.connect_with("2025-11-25", &[("authorization", &bearer)]);
    let failed = client.call("codex_chat", &json!({"prompt": "hello"}));
    assert_eq!(failed["isError"], true, "{failed}");
    run_job(&client);
    let variables = fs::read_to_string(&variables).expect("Codex was started");
    assert!(variables.contains("CODEX_PERSISTENT_MCP_DEPTH="), "{variables}");
    assert!(!variables.contains(TOKEN), "{variables}");
    assert!(!site.server.stderr().contains(TOKEN));
}

#[test]
fn settings_that_do_not_go_together_end_the_program() {
    let home = unused_home();
    let run = |arguments: &[&str], token: Option<&str>| {
        let mut command = Command::new(PROGRAM);
        clean(&mut command, home.user()).arg("serve").args(arguments);
        token.map(|token| command.env("CODEX_PERSISTENT_MCP_HTTP_TOKEN", token));
        let output = command.output().expect("the program starts");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let missing = home.project().join("missing");
    let missing = missing.to_str().expect("it is text");
    for (arguments, token, status, part) in [
        (&["--http", "0.0.0.0:0"][..], None, 2, "needs a token"),
        (&["--http", "[::]:0"], None, 2, "needs a token"),
        (&["--http", "127.0.0.1:0"], Some("short"), 2, "CODEX_PERSISTENT_MCP_HTTP_TOKEN must be"),
        (&["--http", "127.0.0.1:0", "--http-token-file", missing], None, 2, "cannot be read"),
        (&["--transport", "streamable-http"], None, 2, "needs --http"),
        (&["--transport", "sse"], None, 2, "needs --http"),
        (&["--transport", "stdio", "--http", "127.0.0.1:0"], None, 2, "exclude each other"),
        (&["--transport", "http"], None, 2, "stdio, streamable-http, sse"),
        (&["--http", "127.0.0.1"], None, 2, "an IP address and a port"),
        (&["--mount-path", "mcp"], None, 2, "must begin with /"),
        (&["--http", "192.0.2.1:80"], Some(TOKEN), 1, "cannot listen on 192.0.2.1:80"),
    ] {
        let (code, stderr) = run(arguments, token);
        assert_eq!(code, Some(status), "{arguments:?}: {stderr}");
        assert!(stderr.contains(part), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("short"), "{stderr}");
    }
}

#[test]
fn what_is_no_message_is_answered_with_what_is_wrong() {
    let home = unused_home();
    let site = serve(scripted(&home).arg("--mount-path").arg("/some/where/"));
    assert_eq!(site.path, "/some/where");
    let client = site.connect();
    for (body, status, id, part) in [
        ("", 400, Value::Null, "empty"),
        ("{", 400, Value::Null, "without a readable id"),
        (r#"{"jsonrpc":"2.0","id":7,"method":"ping""#, 400, json!(7), "not valid JSON"),
        (r#"{"id":7,"method":"ping"}"#, 400, json!(7), "not a JSON-RPC 2.0 request"),
        (
            r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{}}"#,
            400,
            json!(7),
            "tools/call",
        ),
        (
            r#"[{"jsonrpc":"2.0","id":7,"method":"ping"},{"jsonrpc":"2.0","id":8,"method":"ping"}]"#,
            400,
            Value::Null,
            "batches",
        ),
    ] {
        let answer = client.send("POST", &[], body);
        assert_eq!(answer.status, status, "{body}");
        let answer = answer.message();
        assert_eq!(answer["id"], id, "{answer}");
        let message = answer["error"]["message"].as_str().expect("an error has a message");
        assert!(message.contains(part), "{message}");
    }
    let cut = r#"{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"codex_chat",
                  "arguments":"{\"prompt\": 7, \"origin\": \"a\ud83d\"}"}}"#;
    let answer = client.send("POST", &[], cut).message();
    let text = answer["result"]["content"][0]["text"].as_str().expect("an error is text");
    assert!(answer["id"] == 9 && text.starts_with("bad_input: "), "{answer}");
    assert_eq!(client.request("ping", &json!({}))["result"], json!({}), "the session lives");
}

#[test]
fn paths_methods_and_sessions_that_do_not_exist_are_told_apart() {
    let home = unused_home();
    let site = serve(scripted(&home));
    let client = site.connect();
    let elsewhere =
        site.send(b"POST /other HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(elsewhere.status, 404);
    let message = elsewhere.message().to_string();
    assert!(message.contains("MCP is at /mcp"), "{message}");
    let options = client.send("OPTIONS", &[], "");
    assert_eq!((options.status, options.header("allow")), (405, Some("GET, POST, DELETE")));
    let unknown = site.client(&[("mcp-session-id", "4ae71336-e44b-39bf-b9d2-752e234818a5")]);
    let answer = unknown.begin("ping", &json!({}));
    assert_eq!(answer.status, 404);
    let message = answer.message();
    assert_eq!(message["id"], 1);
    assert!(message.to_string().contains("Send initialize"), "{message}");
    assert_eq!(unknown.delete().status, 404);
    assert_eq!(unknown.listen(None).status, 404);
    assert_eq!(client.delete().status, 204);
    assert_eq!(client.begin("ping", &json!({})).status, 404, "it has ended");
}

#[test]
fn a_client_without_sessions_needs_none() {
    let home = unused_home();
    let site = serve(scripted(&home));
    let headers = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/list")];
    let params = json!({"_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "tests", "version": "0"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }});
    let listed = site.client(&headers).request("tools/list", &params);
    let tools = listed["result"]["tools"].as_array().expect("there are tools");
    assert!(tools.iter().any(|tool| tool["name"] == "codex_chat"), "{listed}");
}

#[test]
fn an_older_client_gets_a_stream_and_posts_messages() {
    let home = unused_home();
    let site = serve(scripted(&home).arg("--transport").arg("sse"));
    assert_eq!(site.path, "/sse");
    let mut events = site.client(&[]).send("GET", &[], "");
    assert_eq!(events.header("content-type"), Some("text/event-stream"));
    let first = events.next().expect("it says where messages go");
    assert_eq!(first.name.as_deref(), Some("endpoint"));
    assert!(first.data.starts_with("/messages?session_id="), "{first:?}");
    let post = |path: &str, message: &Value| {
        let body = message.to_string();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             connection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        site.send(request.as_bytes())
    };
    let message = serde_json::from_str(&begin()).expect("it is a message");
    assert_eq!(post(&first.data, &message).status, 202);
    let (event, answer) = events.wait(|message| message["id"] == "one");
    assert_eq!(event.name.as_deref(), Some("message"));
    assert_eq!(answer["result"]["protocolVersion"], "2025-11-25");
    let list = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"});
    assert_eq!(post(&first.data, &list).status, 202);
    let (_, answer) = events.wait(|message| message["id"] == 2);
    assert!(answer["result"]["tools"].is_array(), "{answer}");
    assert_eq!(post("/messages?session_id=x", &list).status, 404);
    assert_eq!(post("/mcp", &list).status, 404);
    events.break_off();
}
