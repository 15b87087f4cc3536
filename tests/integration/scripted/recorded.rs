//! Codex's record of a turn in forms that the Codex of the other tests does not write: missing, as in old
//! versions, and broken. The scripted Codex plays them.

use serde_json::{Value, json};

use crate::kit::jobs::{snapshot, start_with, text, wait};
use crate::kit::play::{Stage, chat, item, message, steps};
use crate::kit::setup::content;

const REFUSED: &str = "touch: cannot touch 'a': Read-only file system\n";

fn warnings(answer: &Value) -> Vec<&str> {
    let warnings = content(answer)["warnings"].as_array();
    warnings.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// A command in the stream.
fn command(command: &str, code: i64, output: &str) -> Value {
    let command = format!("/bin/bash -lc '{command}'");
    let item = |done: Value| item("completed", &done);
    item(json!({
        "id": "run", "type": "command_execution", "command": command, "exit_code": code,
        "aggregated_output": output,
    }))
}

fn record(kind: &str, payload: &Value) -> Value {
    json!({"record": {"timestamp": "2026-01-01T00:00:00.000Z", "type": kind, "payload": payload}})
}

/// A call and its output in the record, as versions up to 0.120 write them.
fn call(id: &str, command: &str, output: &str) -> [Value; 2] {
    let arguments = json!({"command": ["bash", "-lc", command]}).to_string();
    let call =
        json!({"type": "function_call", "name": "shell", "call_id": id, "arguments": arguments});
    let output = json!({"type": "function_call_output", "call_id": id, "output": output});
    [record("response_item", &call), record("response_item", &output)]
}

fn failed(code: i64, output: &str) -> String {
    json!({"output": output, "metadata": {"exit_code": code, "duration_seconds": 0.0}}).to_string()
}

#[test]
fn without_a_record_the_stream_says_what_the_sandbox_refused() {
    let stage = Stage::new();
    let server = stage.server().start();
    let list = json!([{"started": {}}, command("touch a", 1, REFUSED), {"reply": "Done"}]);
    let answer = chat(&server, &steps(&list));
    let [warning] = warnings(&answer)[..] else { panic!("there is one warning: {answer}") };
    assert!(warning.contains("1 command, the first: touch a"), "{warning}");
}

#[test]
fn an_old_record_has_what_the_stream_lacks_and_nothing_counts_twice() {
    let stage = Stage::new();
    let server = stage.server().start();
    let context = json!({"cwd": "/", "sandbox_policy": {"type": "read-only"}});
    let patch = "*** Begin Patch\n*** Add File: a\n+a\n*** End Patch";
    let custom = json!({
        "type": "custom_tool_call", "name": "apply_patch", "call_id": "5", "input": patch,
    });
    let rejected = json!({
        "type": "custom_tool_call_output", "call_id": "5",
        "output": "patch rejected: writing is blocked by read-only sandbox",
    });
    let mut list = vec![
        json!({"started": {}}),
        record("session_meta", &json!({"id": "$ID"})),
        record("turn_context", &context),
        record("event_msg", &json!({"type": "item_completed", "item": [1]})),
        record("response_item", &json!({"type": "function_call", "call_id": 7, "name": {}})),
        record("response_item", &json!({"type": "function_call_output", "call_id": "none"})),
        record("response_item", &json!("call_id")),
    ];
    for (id, run, output) in [
        ("1", "touch a", failed(1, REFUSED)),
        ("2", "touch a", failed(1, REFUSED)),
        ("3", "false", failed(1, "")),
        ("4", "echo \"it's\"", failed(0, "it's\n")),
    ] {
        list.extend(call(id, run, &output));
    }
    list.extend([
        record("response_item", &custom),
        record("response_item", &rejected),
        // The stream has the second and, quoted differently, the last.
        command("touch a", 1, REFUSED),
        item(
            "completed",
            &json!({
                "id": "echo", "type": "command_execution", "exit_code": 0,
                "command": r#"/bin/bash -lc "echo \"it's\"""#, "aggregated_output": "it's\n",
            }),
        ),
        message("Done"),
        json!({"completed": {}}),
    ]);
    let job = start_with(&server, &steps(&json!(list)));
    let id = text(&job, "job_id");
    wait(&server, id, &job["notification_cursor"]);
    let ended = snapshot(&server, id);
    let counts = ["commands", "commands_failed", "files_changed"].map(|name| ended[name].as_u64());
    assert_eq!(counts, [Some(4), Some(3), Some(0)], "{ended:#}");
    let warning = ended["warnings"][0].as_str().expect("there is a warning");
    assert!(warning.contains("in the sandbox read-only"), "{warning}");
    assert!(warning.contains("2 commands and 1 patch"), "{warning}");
}
