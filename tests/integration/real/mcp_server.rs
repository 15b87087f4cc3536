//! The server that takes the place of `codex mcp-server`, held against what that server said.

use std::fs;

use serde_json::{Value, json};

use crate::kit::mcp_server::{
    Exchange, beside, mcp_server, mcp_server_release, recorded_model, refused, replay, said, thread,
};
use crate::kit::real::{last_turn, obey};
use crate::kit::setup::{home, real};
use crate::support::client::Server;
use crate::support::model::{Model, echo};
use crate::support::real_codex::Release;

const NOWHERE: &str = "http://127.0.0.1:9/v1";

/// The exchange whose request has this id.
fn find(exchanges: &[Exchange], id: impl Into<Value>) -> &Exchange {
    let id = id.into();
    let found = exchanges.iter().find(|exchange| exchange.request["id"] == id);
    found.unwrap_or_else(|| panic!("no request {id} was recorded"))
}

fn list(server: &Server) -> Value {
    server.request("tools/list", &json!({}))["result"].take()
}

#[test]
fn the_handshake_and_the_tools_are_those_of_codex() {
    let home = home(NOWHERE);
    let server = mcp_server(&home).spawn();
    let exchanges = replay(&server, "handshake");
    let first = find(&exchanges, 0);
    let mut expected = first.theirs.clone();
    expected["result"]["serverInfo"] = json!({
        "name": "codex-mcp-server", "title": "Codex", "version": env!("CARGO_PKG_VERSION"),
    });
    assert_eq!(first.ours, expected);
    let tools = find(&exchanges, 1);
    // Byte for byte: the keys are in the same order, too.
    assert_eq!(tools.ours["result"].to_string(), tools.theirs["result"].to_string());
    for id in [json!(2), json!(3), json!("four"), json!(11)] {
        let Exchange { ours, theirs, .. } = find(&exchanges, id);
        assert_eq!(ours, theirs);
    }
    // Codex's server never answered these.
    for id in [5, 7, 8, 9, 10] {
        let Exchange { ours, theirs, .. } = find(&exchanges, id);
        assert!(theirs.is_null() && ours["id"] == id, "{ours}");
    }
    // A client that asks for the newer handshake has to learn that there is only the older one.
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "tests", "version": "0"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let server = mcp_server(&home).start();
    let discovered = server.request("server/discover", &json!({ "_meta": meta }));
    assert_eq!(discovered["error"], find(&exchanges, 6).theirs["error"]);
}

#[test]
fn any_protocol_version_is_named_back_and_nothing_else_depends_on_it() {
    let home = home(NOWHERE);
    let mut lists = Vec::new();
    for version in ["nonsense", "2026-07-28", "2025-11-25", ""] {
        let server = mcp_server(&home).spawn();
        assert_eq!(server.initialize(version)["protocolVersion"], version);
        assert_eq!(server.request("ping", &json!({}))["result"], json!({}));
        lists.push(list(&server));
    }
    assert!(lists.iter().all(|list| *list == lists[0]) && lists[0].get("resultType").is_none());
}

#[test]
fn calls_need_no_handshake() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let exchanges = replay(&mcp_server(&home).spawn(), "no-initialize");
    assert_eq!(exchanges.len(), 3);
    for Exchange { request, theirs, ours } in exchanges {
        assert_eq!(ours, theirs, "{request}");
    }
}

#[test]
fn calls_and_replies_are_answered_as_by_codex() {
    for release in [Release::Newest, Release::V0_153] {
        let model = Model::start(recorded_model);
        let home = home(&model.url());
        let exchanges = replay(&mcp_server_release(&home, release).spawn(), "call");
        for exchange in &exchanges[1..4] {
            assert_eq!(exchange.ours["result"], exchange.theirs["result"], "{}", exchange.request);
        }
        // The thread's sandbox cannot be changed. Ours says so.
        let both_ids = find(&exchanges, 4);
        assert_eq!(both_ids.alike(), both_ids.theirs["result"]);
        let note = "Note: codex-reply has no parameter sandbox; ignored.";
        assert_eq!(beside(&both_ids.ours["result"]), note);
        // A turn without a message has an empty reply. Ours says so beside it.
        let silent = find(&exchanges, 5);
        assert_eq!(silent.alike(), silent.theirs["result"]);
        assert!(beside(&silent.ours["result"]).contains("without a message"), "{}", silent.ours);
        let prompts: Vec<String> =
            model.requests().iter().map(|request| request.last_user_text()).collect();
        assert_eq!(prompts[0], "Say hello", "there is no header");
    }
}

#[test]
fn what_cannot_be_called_is_refused_in_the_words_of_codex() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let exchanges = replay(&mcp_server(&home).spawn(), "bad-arguments");
    let mut equal = 0;
    for exchange in &exchanges[1..] {
        let Exchange { request, theirs, ours } = exchange;
        match request["id"].as_i64().expect("they are numbers") {
            // Earlier versions took these.
            6 | 7 => assert!(beside(&ours["result"]).contains("works like never"), "{ours}"),
            9 => assert!(beside(&ours["result"]).contains("include-plan-tool; ignored"), "{ours}"),
            8 => assert!(refused(&ours["result"]).contains("fast"), "{ours}"),
            11 => assert!(beside(&ours["result"]).contains("untrusted works like never"), "{ours}"),
            // Codex took these.
            13 => assert!(refused(&ours["result"]).contains("config has no_such_key"), "{ours}"),
            14 => assert!(refused(&ours["result"]).contains("prompt must not be empty"), "{ours}"),
            15 => assert!(refused(&ours["result"]).contains("/no/such/folder"), "{ours}"),
            // An error of the protocol, or no answer at all.
            50 | 51 => assert_eq!(ours["error"]["code"], -32_602, "{ours}"),
            _ => {
                assert_eq!(exchange.alike(), theirs["result"], "{request}");
                equal += 1;
            }
        }
    }
    assert_eq!(equal, 12, "the others are the same");
    let again = replay(&mcp_server(&home).spawn(), "unknown-thread");
    for exchange in &again[1..] {
        let mut ours = exchange.alike();
        // Codex says more about it, in words that depend on a library.
        if let Some((head, _)) = refused_head(&ours) {
            let theirs = exchange.theirs["result"]["content"][0]["text"].as_str();
            assert!(theirs.is_some_and(|text| text.starts_with(&head)), "{ours}");
            ours = exchange.theirs["result"].clone();
        }
        assert_eq!(ours, exchange.theirs["result"], "{}", exchange.request);
    }
}

/// The start of a refusal of an id that is no UUID, which ours has in common with Codex's.
fn refused_head(result: &Value) -> Option<(String, String)> {
    let text = result["content"][0]["text"].as_str()?;
    let (head, tail) = text.split_once("not a UUID")?;
    Some((head.to_owned(), tail.to_owned()))
}

#[test]
fn a_failed_turn_has_the_message_of_codex_and_the_next_reply_its_own_answer() {
    for release in [Release::V0_153, Release::Newest] {
        let model = Model::start(recorded_model);
        let home = home(&model.url());
        let exchanges = replay(&mcp_server_release(&home, release).spawn(), "failed");
        for exchange in &exchanges[1..7] {
            let (ours, theirs) = (exchange.alike(), &exchange.theirs["result"]);
            let prompt = &exchange.request["params"]["arguments"]["prompt"];
            assert_eq!(ours["isError"], true, "{prompt}");
            let said = |result: &Value| {
                let text = result["content"][0]["text"].as_str().expect("a text").to_owned();
                assert_eq!(result["structuredContent"]["content"], text);
                // A provider's error is passed on as it is.
                serde_json::from_str::<Value>(&text).map_or(text, |error| error.to_string())
            };
            let theirs = said(theirs).replace("http://127.0.0.1:8080/v1", &model.url());
            if release == Release::V0_153 {
                assert_eq!(said(&ours), theirs, "{prompt}");
            }
            assert_eq!(
                ours["structuredContent"]["threadId"],
                exchange.theirs["result"]["structuredContent"]["threadId"]
            );
            let beside = beside(&exchange.ours["result"]);
            assert!(beside.starts_with("Next: "), "{beside}");
            assert!(beside.contains("codex resume "), "{beside}");
        }
        // Codex answered the first one with "" and the second one with the answer to the first.
        for (id, prompt) in [(7, "Are you there?"), (8, "And now?")] {
            let Exchange { ours, .. } = find(&exchanges, id);
            assert_eq!(said(&ours["result"]), format!("echo: {prompt}"));
        }
    }
}

#[test]
fn every_parameter_has_its_effect() {
    let model = Model::start(echo);
    let home = home(&model.url());
    fs::create_dir_all(home.project().join("sub/folder")).expect("it is new");
    let server = || mcp_server(&home).arg("--max-sandbox").arg("danger-full-access");
    let recorded = &replay(&server().spawn(), "options")[1];
    assert_eq!(recorded.alike(), recorded.theirs["result"]);
    let server = server().start();
    let arguments = json!({
        "prompt": "With all parameters",
        "model": "gpt-5.2",
        "cwd": "sub/folder",
        "approval-policy": "on-request",
        "sandbox": "workspace-write",
        "config": {"model_reasoning_effort": "low", "features": {"web_search_request": false}},
        "base-instructions": "Base.",
        "developer-instructions": "Developer.",
        "compact-prompt": "Compact.",
        "profle": 1,
    });
    let answer = server.call("codex", &arguments);
    assert_eq!(said(&answer), "echo: With all parameters");
    let beside = beside(&answer);
    assert_eq!(beside.matches("on-request works like never").count(), 1, "{beside}");
    assert!(beside.contains("no parameter profle; ignored"), "{beside}");
    let [_, request] = &model.requests()[..] else { panic!("two requests") };
    assert_eq!(request.body["model"], "gpt-5.2");
    assert_eq!(request.body["reasoning"]["effort"], "low");
    for text in ["Base.", "Developer."] {
        let given = request.instructions();
        assert!(given.iter().any(|given| given.contains(text)), "{text} is not in {given:?}");
    }
    let thread = answer["structuredContent"]["threadId"].as_str().expect("an id");
    let (cwd, sandbox) = last_turn(&home, thread);
    assert_eq!((cwd, &*sandbox), (home.project().join("sub/folder"), "workspace-write"));
}

#[test]
fn without_parameters_everything_is_as_configured() {
    let model = Model::start(echo);
    let home = home(&model.url());
    home.append_config("sandbox_mode = \"workspace-write\"");
    let server = mcp_server(&home).start();
    let started = thread(&server, "Hi");
    assert_eq!(last_turn(&home, &started).1, "workspace-write");
    assert_eq!(last_turn(&home, &started).0, home.project());
    let never = server.call("codex", &json!({"prompt": "Hi", "approval-policy": "never"}));
    assert_eq!((said(&never), beside(&never)), ("echo: Hi", ""));
}

#[test]
fn full_access_needs_the_flag_that_the_error_names() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let outside = home.user().join("outside");
    let arguments = json!({
        "prompt": format!("[run touch '{}']", outside.display()),
        "approval-policy": "never",
        "sandbox": "danger-full-access",
    });
    let server = mcp_server(&home).start();
    let refusal = server.call("codex", &arguments);
    assert!(refused(&refusal).contains("--max-sandbox danger-full-access"), "{refusal}");
    let unsafe_setting = json!({"prompt": "Hi", "config": {"notify": ["true"]}});
    let refusal = server.call("codex", &unsafe_setting);
    assert!(refused(&refusal).contains("--max-sandbox danger-full-access"), "{refusal}");
    assert!(model.requests().is_empty() && !outside.exists());

    let server = mcp_server(&home).arg("--max-sandbox").arg("danger-full-access").start();
    let answer = server.call("codex", &arguments);
    said(&answer);
    assert_eq!(beside(&answer), "");
    assert!(outside.exists(), "{answer}");
}

#[test]
fn the_header_and_both_kinds_of_tools_are_settings() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let own = real(&home)
        .arg("--list-codex-tools")
        .arg("true")
        .arg("--prompt-header")
        .arg("true")
        .start();
    let tools = list(&own);
    let names: Vec<&str> = tools["tools"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|tool| tool["name"].as_str())
        .collect();
    assert_eq!((names.len(), &names[7..]), (9, &["codex", "codex-reply"][..]));
    let answer = own.call("codex", &json!({"prompt": "Hi"}));
    assert!(said(&answer).contains("[MCP request "), "{answer}");
    let unknown = own.request("tools/call", &json!({"name": "nope", "arguments": {}}));
    assert_eq!(unknown["error"]["code"], -32_602);

    let plain = real(&home).start();
    let unknown =
        plain.request("tools/call", &json!({"name": "codex", "arguments": {"prompt": "Hi"}}));
    assert_eq!(unknown["error"]["code"], -32_602);
    // All others are unknown to a server that lists only Codex's tools.
    let server = mcp_server(&home).start();
    for name in ["codex_chat", "job_start"] {
        let answer = server.call(name, &json!({"prompt": "Hi"}));
        assert_eq!(refused(&answer), format!("Unknown tool '{name}'"));
    }
}
