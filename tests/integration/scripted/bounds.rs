//! Bounds that hold whatever Codex does: the memory for its output, and the length of answers.

use std::fs;

use serde_json::{Value, json};

use crate::kit::play::{Stage, chat, item};
use crate::kit::setup::{content, skipped};
use crate::support::client::Server;

/// The longest line that an answer may be, in bytes: its content twice, as text and as structure.
const LONGEST: usize = 2 << 20;

fn longest_answer(server: &Server) -> usize {
    server.messages().iter().map(|message| message.to_string().len()).max().unwrap_or_default()
}

/// A turn that replies with this as JSON.
fn replies(reply: &Value) -> Value {
    json!([{"started": {}}, {"reply": reply.to_string()}])
}

#[test]
fn no_answer_is_longer_than_clients_take() {
    let stage = Stage::new();
    let script = stage.home.path().join("script.json");
    let server = stage.server().env("SCRIPTED_CODEX", &script).start();
    let long = "long ".repeat(600_000);
    let many: Vec<Value> =
        (0..30_000).map(|number| json!({"number": number, "text": "x".repeat(80)})).collect();
    let schema = json!({
        "type": "object", "properties": {}, "required": [], "additionalProperties": false,
    });
    for output in [json!({"text": long}), json!({"many": many})] {
        fs::write(&script, replies(&output).to_string()).expect("writable");
        let arguments = json!({"prompt": "hello", "output_schema": schema});
        let answer = chat(&server, &arguments);
        let reported = content(&answer);
        assert!(
            reported["warnings"].to_string().contains("output"),
            "it is reported: {}",
            reported["warnings"]
        );
        let job = content(&server.call("job_start", &arguments)).clone();
        let id = job["job_id"].as_str().expect("an id");
        let (reported, _) = crate::kit::jobs::wait(&server, id, &job["notification_cursor"]);
        assert_eq!(reported["status"], "completed", "{reported}");
        for raw in [false, true] {
            let query = json!({"job_id": id, "raw": raw, "limit": 200, "truncate": 1_000_000});
            let events = server.call("job_events", &query);
            assert_eq!(content(&events)["job"]["status"], "completed", "it is all there is");
        }
    }
    let longest = longest_answer(&server);
    assert!(longest < LONGEST, "an answer had {longest} bytes");
}

#[test]
fn the_list_of_changed_files_is_bounded_and_the_rest_is_counted() {
    let stage = Stage::new();
    let server = stage.server().start();
    let change = |from: usize, to: usize| {
        let changes: Vec<Value> = (from..to)
            .map(|number| json!({"path": format!("{number}\n[session_id"), "kind": "add"}))
            .collect();
        item(
            "completed",
            &json!({
                "id": "f", "type": "file_change", "status": "completed", "changes": changes,
            }),
        )
    };
    // Each file counts once.
    let steps = json!([{"started": {}}, change(0, 150), change(100, 300), {"reply": "Done."}]);
    let answer = chat(&server, &json!({"prompt": crate::kit::setup::script(&steps)}));
    let listed = content(&answer)["files_changed"].as_array().expect("a list");
    assert_eq!(listed.len(), 200);
    assert_eq!(content(&answer)["files_changed_omitted"], 100);
    let text = answer["content"][0]["text"].as_str().expect("a text block");
    assert!(text.contains(" and 100 more"), "{text}");
    assert_eq!(text.matches("\n[session_id").count(), 1, "a path is on the last line: {text}");
}

#[test]
fn no_review_is_longer_than_clients_take() {
    let stage = Stage::new();
    let finding = |text: String| json!({"severity": "major", "title": "t", "where": "w", "why": text, "suggestion": "s"});
    let one = vec![finding("long ".repeat(600_000))];
    let many: Vec<Value> = (0..30_000).map(|number| finding(format!("number {number}"))).collect();
    for findings in [one, many] {
        let review = json!({"critique": "a review", "verdict": "revise", "findings": findings});
        let script = stage.home.path().join("review.json");
        fs::write(&script, replies(&review).to_string()).expect("writable");
        let server = stage.server().env("SCRIPTED_CODEX", &script).start();
        let plan = json!({"requirements": "r", "plan": "p"});
        let answer = server.call("codex_guard_plan", &plan);
        let reported = content(&answer);
        assert_eq!(
            (&reported["verdict"], &reported["critique"]),
            (&json!("revise"), &json!("a review"))
        );
        assert!(!reported["findings"].as_array().expect("a list").is_empty());
        assert!(reported["warnings"].to_string().contains("findings"), "{}", reported["warnings"]);
        let longest = longest_answer(&server);
        assert!(longest < LONGEST, "an answer had {longest} bytes");
    }
}

#[test]
fn a_message_of_very_many_values_costs_no_memory_and_is_answered() {
    let stage = Stage::new();
    let server = stage.server().start();
    for value in ["0", "[]", "{}", "\"\"", "{\"a\":0}"] {
        let many = format!("{value},").repeat((16 << 20) / (value.len() + 1) - 200);
        let line = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":\"many {}\",\"method\":\"tools/call\",\"params\":{{\"name\":\"codex_chat\",\
             \"arguments\":{{\"prompt\":\"hello\",\"images\":[{many}0]}}}}}}\n",
            value.replace('"', "'")
        );
        server.send_raw(line.as_bytes());
        let id = format!("many {}", value.replace('"', "'"));
        let answer = server.wait_message(|message| message["id"] == id.as_str());
        let error = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(error.contains("values"), "{answer}");
    }
    // A batch too.
    let batch = format!(
        "[{}{}]\n",
        "0,".repeat(8_000_000),
        json!({"jsonrpc": "2.0", "id": 1_000_000, "method": "ping"})
    );
    server.send_raw(batch.as_bytes());
    server.request("ping", &json!({}));
    assert_small_within(&server, 200 << 10);
}

fn assert_small_within(server: &Server, most: u64) {
    match server.peak_kib() {
        Some(peak) => assert!(peak < most, "it took {peak} KiB"),
        None => skipped("this system does not tell how much memory a process took"),
    }
}

/// As many calls as a client may have open cost next to nothing. More are refused at once.
#[test]
fn very_many_waits_are_refused() {
    let stage = Stage::new();
    let server = stage.server().start();
    let wait = json!({"name": "job_wait", "arguments": {"timeout_ms": 280_000}});
    let all: Vec<i64> = (0..300).map(|_| server.begin("tools/call", &wait)).collect();
    let refused = server.wait_message(|message| message["result"]["isError"] == true);
    let text = refused["result"]["content"][0]["text"].as_str().expect("a text");
    assert!(text.contains("job_wait"), "{text}");
    for id in all {
        server.notify("notifications/cancelled", &json!({"requestId": id}));
    }
    // There is room again.
    crate::kit::wait::wait_until("a wait to be let in", || {
        server.call("job_wait", &json!({"timeout_ms": 1}))["isError"] != true
    });
}
