//! `codex/event` notifications, where the real Codex cannot show it: no record, and a client that does not read.

use serde_json::{Value, json};

use crate::kit::events::{events_of, kinds, told, wait_event};
use crate::kit::play::{Stage, item, ran, running};
use crate::kit::setup::script;
#[cfg(target_os = "linux")]
use crate::kit::setup::skipped;
use crate::support::client::{Builder, Call, Server, result};
#[cfg(target_os = "linux")]
use crate::support::hung_disk::HungDisk;

fn server(stage: &Stage) -> Builder {
    stage.server().arg("mcp-server")
}

fn begin(server: &Server, steps: &Value) -> Call {
    server.begin_call("codex", &json!({"prompt": script(steps), "model": "some-model"}))
}

#[test]
fn without_a_record_the_events_are_those_of_the_stream() {
    let stage = Stage::new();
    let server = server(&stage).start();
    let steps = json!([
        {"started": {}},
        {"event": {"type": "error", "message": "Reconnecting... 1/5"}},
        item("completed", &json!({"id": "item_0", "type": "reasoning", "text": "Hm."})),
        running("/bin/bash -lc 'make all'"),
        ran(),
        item("completed", &json!({"id": "f", "type": "file_change", "status": "completed",
            "changes": [{"path": "/a", "kind": "add"}]})),
        item("started", &json!({"id": "t", "type": "todo_list",
            "items": [{"text": "Look", "completed": true}, {"text": "Write", "completed": false}]})),
        item("completed", &json!({"id": "e", "type": "error", "message": "Mind this."})),
        {"reply": "Done."},
    ]);
    let call = begin(&server, &steps);
    server.answer(&call);
    let told = told(&server, &call);
    assert_eq!(
        kinds(&told),
        [
            "session_configured",
            "task_started",
            "user_message",
            "stream_error",
            "agent_reasoning",
            "exec_command_begin",
            "exec_command_end",
            "patch_apply_begin",
            "patch_apply_end",
            "plan_update",
            "warning",
            "agent_message",
            "token_count",
            "task_complete",
        ]
    );
    let first = &told[0]["msg"];
    assert_eq!(
        (&first["model"], &first["cwd"], &first["approval_policy"]),
        (&json!("some-model"), &json!(stage.home.project()), &json!("never"))
    );
    assert_eq!(first["session_id"], told[0]["_meta"]["threadId"]);
    assert_eq!(told[5]["msg"]["command"], json!(["/bin/bash", "-lc", "make all"]));
    assert_eq!(told[13]["msg"]["last_agent_message"], "Done.");
}

#[test]
fn a_codex_that_dies_has_an_error_as_its_last_event() {
    let stage = Stage::new();
    let server = server(&stage).start();
    let call = begin(&server, &json!([{"started": {}}, running("make"), {"exit": 3}]));
    let answer = result(server.answer(&call));
    assert_eq!(answer["isError"], true);
    let told = told(&server, &call);
    assert_eq!(kinds(&told).last(), Some(&"error"), "{told:?}");
}

#[test]
fn a_session_that_keeps_its_record_to_itself_is_told_within_a_second() {
    let stage = Stage::new();
    let server = server(&stage).start();
    let call = begin(&server, &json!([{"started": {}}, {"wait_for": "go"}, {"reply": "Done."}]));
    // The turn prints nothing more until this was seen.
    wait_event(&server, &call, "user_message");
    stage.release("go");
    server.answer(&call);
    assert_eq!(kinds(&told(&server, &call)).last(), Some(&"task_complete"));
}

#[test]
#[cfg(target_os = "linux")]
fn a_record_on_a_disk_that_hangs_delays_the_events_and_not_the_turn() {
    let stage = Stage::new();
    let sessions = stage.home.path().join("sessions");
    let Some((disk, server)) = HungDisk::under(&sessions, server(&stage)) else {
        return skipped("there is no C compiler `cc` to make a disk with that hangs");
    };
    let server = server.start();
    disk.hang();
    let steps = json!([
        {"started": {}},
        {"touch": "began"},
        {"wait_for": "go"},
        {"event": {"type": "error", "message": "Reconnecting... 1/5"}},
        {"wait_for": "end"},
        {"reply": "Done."},
    ]);
    let call = begin(&server, &steps);
    stage.wait_for("began");
    // The record cannot be read, so these are from the stream.
    wait_event(&server, &call, "user_message");
    stage.release("go");
    wait_event(&server, &call, "stream_error");
    disk.answer();
    stage.release("end");
    server.answer(&call);
    assert_eq!(kinds(&told(&server, &call)).last(), Some(&"task_complete"));
}

/// How many bytes a turn prints that nobody reads about.
const FLOOD: u64 = 16 << 20;

#[test]
fn a_client_that_does_not_read_costs_little_memory_and_loses_no_answer() {
    let stage = Stage::new();
    let server = server(&stage).start();
    let quiet = begin(&server, &json!([{"started": {}}, {"reply": "Quiet."}]));
    server.answer(&quiet);
    let before = server.peak_kib();
    server.stop_reading();
    let steps = json!([
        {"started": {}},
        {"flood": {"bytes": FLOOD, "line": 100_000}},
        {"reply": "Done."},
        {"touch": "told"},
    ]);
    let call = begin(&server, &steps);
    stage.wait_for("told");
    server.resume_reading();
    let answer = result(server.answer(&call));
    assert_eq!(answer["structuredContent"]["content"], "Done.");
    let told = told(&server, &call);
    let kinds = kinds(&told);
    assert_eq!((kinds[0], kinds[kinds.len() - 1]), ("session_configured", "task_complete"));
    let dropped: u64 = told.iter().filter_map(|event| event["_meta"]["dropped"].as_u64()).sum();
    assert!(dropped > 0, "more was printed than may wait");
    let longest = told.iter().map(|event| event["msg"].to_string().len()).max();
    assert!(longest.is_some_and(|bytes| bytes <= 64 << 10), "{longest:?}");
    if let (Some(before), Some(after)) = (before, server.peak_kib()) {
        assert!(after < before + (40 << 10), "{before} KiB before, {after} KiB after");
    }
    assert_eq!(events_of(&server, &quiet).len(), 6);
}
