//! Holds both decoders against what Codex's own server sent for the same prompts.
//!
//! `tests/fixtures/core-event` has the streams and records, `tests/fixtures/mcp-server` the events.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{CoreEvent, from_exec, from_record};

/// Events of the server that no decoder makes.
const LEFT_OUT: &[&str] = &[
    "agent_message_content_delta",
    "exec_command_output_delta",
    "item_completed",
    "item_started",
    "mcp_startup_complete",
    "mcp_startup_update",
    "raw_response_completed",
    "raw_response_item",
    "turn_diff",
];

fn lines(folder: &str, release: &str, scenario: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder);
    let text = fs::read_to_string(path.join(release).join(scenario).with_extension("jsonl"));
    let text = text.expect("the scenario was recorded");
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

/// The events that the server sent for a request.
fn theirs(scenario: &str, request: u64) -> Vec<Value> {
    let params = lines("mcp-server", "0.153.4", scenario)
        .into_iter()
        .map(|mut line| line["server"]["params"].take());
    let events = params.filter(|params| params["_meta"]["requestId"] == request);
    let events =
        events.filter(|params| !LEFT_OUT.contains(&params["msg"]["type"].as_str().unwrap_or("")));
    events.map(|params| json!({ "id": params["id"], "msg": params["msg"] })).collect()
}

/// The events of each turn that a decoder makes of what was recorded.
fn ours(
    source: &str,
    release: &str,
    scenario: &str,
    mut feed: impl FnMut(&[u8]) -> Vec<CoreEvent>,
) -> Vec<Vec<Value>> {
    let mut turns = Vec::new();
    for line in lines("core-event", release, scenario) {
        if line["stream"].as_str().is_some_and(|line| line.contains("thread.started")) {
            turns.push(Vec::new());
        }
        let line = match &line[source] {
            Value::Null => continue,
            Value::String(line) => line.clone(),
            record => record.to_string(),
        };
        let turn = turns.last_mut().expect("the stream begins with its thread");
        for CoreEvent { turn: id, msg, .. } in feed(line.as_bytes()) {
            turn.push(json!({ "id": id, "msg": msg }));
        }
    }
    turns
}

/// The lines of each turn with the name of their source, in the order in which they could be read.
pub(super) fn both_sources(release: &str, scenario: &str) -> Vec<Vec<(String, String)>> {
    let mut turns = Vec::new();
    for line in lines("core-event", release, scenario) {
        let (source, line) = match (&line["stream"], &line["record"]) {
            (Value::String(line), _) => ("stream", line.clone()),
            (_, Value::Null) => continue,
            (_, record) => ("record", record.to_string()),
        };
        if line.contains("thread.started") {
            turns.push(Vec::new());
        }
        turns.last_mut().expect("the stream begins with its thread").push((source.into(), line));
    }
    turns
}

/// With all ids equal: the recordings number them in the order of appearance.
fn with_equal_ids(event: &Value) -> Value {
    let text = event.to_string().replace("call_2_0", "call_1_0");
    let mut parts = text.split("00000000-0000-7000-8000-");
    let first = parts.next().unwrap_or_default().to_owned();
    let text = parts.fold(first, |text, part| text + "UUID" + part.get(12..).unwrap_or_default());
    serde_json::from_str(&text).expect("it is still JSON")
}

/// The path of a record, as the recordings have it.
fn rollout(session: &Value) -> PathBuf {
    let session = session.as_str().unwrap_or_default();
    let day = "/home/user/.codex/sessions/2027/01/15";
    format!("{day}/rollout-2027-01-15T08-00-00-{session}.jsonl").into()
}

fn kinds(events: &[Value]) -> Vec<String> {
    let kind = |event: &Value| event["msg"]["type"].as_str().unwrap_or_default().to_owned();
    events.iter().map(kind).collect()
}

/// Adds the fields in which two lists of events differ, and fails if they do not have the same kinds in the same
/// order.
fn compare(scenario: &str, ours: &[Value], theirs: &[Value], differ: &mut BTreeSet<String>) {
    assert_eq!(kinds(ours), kinds(theirs), "{scenario}");
    for (ours, theirs) in
        ours.iter().zip(theirs).map(|(a, b)| (with_equal_ids(a), with_equal_ids(b)))
    {
        let kind = &theirs["msg"]["type"];
        if ours["id"] != theirs["id"] {
            differ.insert("any: other id".to_owned());
        }
        let (ours, theirs) =
            (super::fields(ours["msg"].clone()), super::fields(theirs["msg"].clone()));
        for name in ours.keys().chain(theirs.keys()) {
            if ours.get(name) != theirs.get(name) {
                let kind = kind.as_str().unwrap_or_default();
                differ.insert(match (ours.get(name), theirs.get(name)) {
                    (None, _) => format!("{kind}: no {name}"),
                    (Some(_), None) => format!("{kind}: {name} added"),
                    (Some(_), Some(_)) => format!("{kind}: other {name}"),
                });
            }
        }
        let order = |of: &serde_json::Map<String, Value>,
                     other: &serde_json::Map<String, Value>| {
            of.keys().filter(|name| other.contains_key(*name)).cloned().collect::<Vec<_>>()
        };
        assert_eq!(order(&ours, &theirs), order(&theirs, &ours), "{scenario}: the order of fields");
    }
}

/// The scenarios: ours, and theirs with a request for each turn.
const SCENARIOS: &[(&str, &[(&str, u64)])] = &[
    ("call", &[("call", 1), ("call", 2)]),
    ("command", &[("command", 1)]),
    ("patch", &[("patch", 1), ("patch", 2)]),
    ("steps", &[("steps", 1)]),
    (
        "failed",
        &[("failed", 1), ("failed", 2), ("failed", 3), ("failed", 4), ("failed", 5), ("failed", 6)],
    ),
    ("interrupted", &[("cancelled", 1), ("cancelled-command", 1)]),
];

#[test]
fn a_record_has_the_events_of_codex_own_server() {
    for release in ["0.153.4", "0.171.0"] {
        let mut differ = BTreeSet::new();
        for (scenario, requests) in SCENARIOS {
            let mut decoder = from_record::Decoder::default();
            let turns = ours("record", release, scenario, |line| {
                // Each session has a record of its own.
                let line: Value = serde_json::from_slice(line).expect("a line is JSON");
                if line["type"] == "session_meta" {
                    decoder = from_record::Decoder::new(Some(rollout(&line["payload"]["id"])));
                }
                let line = line.to_string();
                let line = line.as_bytes();
                decoder.feed(line)
            });
            for (turn, (their_scenario, request)) in turns.iter().zip(*requests) {
                let mut theirs = theirs(their_scenario, *request);
                if *scenario == "interrupted" {
                    let end = kinds(&theirs).iter().position(|kind| kind == "turn_aborted");
                    theirs.truncate(end.expect("it was cancelled") + 1);
                    let end = kinds(turn).iter().position(|kind| kind == "turn_aborted");
                    let turn = &turn[..=end.expect("it was interrupted")];
                    compare(scenario, turn, &theirs, &mut differ);
                } else {
                    compare(scenario, turn, &theirs, &mut differ);
                }
            }
        }
        let differ: Vec<&str> = differ.iter().map(String::as_str).collect();
        // 0.171 says of some errors more than 0.153.4.
        let newer = ["error: other codex_error_info", "error: other message"];
        let newer = newer.into_iter().filter(|_| release == "0.171.0");
        let not_known =
            ["exec_command_begin: no process_id", "mcp_tool_call_begin: no read_only_hint"];
        assert_eq!(differ, newer.chain(not_known).collect::<Vec<_>>(), "{release}");
    }
}

#[test]
fn a_stream_has_the_same_events_with_fewer_fields() {
    for release in ["0.153.4", "0.171.0"] {
        let mut differ = BTreeSet::new();
        for (scenario, requests) in SCENARIOS {
            let mut decoder = from_exec::Decoder::default();
            let turns = ours("stream", release, scenario, |line| decoder.feed(line));
            for (turn, (their_scenario, request)) in turns.iter().zip(*requests) {
                let mut theirs = theirs(their_scenario, *request);
                // The stream has neither the prompt nor an interruption, counts tokens once, and names the
                // session in each turn.
                let unequal = ["user_message", "turn_aborted", "token_count", "session_configured"];
                let is_equal =
                    |event: &Value| !unequal.iter().any(|kind| event["msg"]["type"] == *kind);
                theirs.retain(is_equal);
                let mut turn = turn.clone();
                turn.retain(is_equal);
                if *scenario == "interrupted" {
                    theirs.truncate(turn.len());
                }
                compare(scenario, &turn, &theirs, &mut differ);
            }
        }
        differ.retain(|field| !field.ends_with("id") || field.ends_with("process_id"));
        let differ: Vec<&str> = differ.iter().map(String::as_str).collect();
        // 0.171 says of some errors more than 0.153.4.
        let newer = ["error: other message"];
        let mut expected = UNKNOWN_TO_STREAMS.to_vec();
        expected.extend(newer.into_iter().filter(|_| release == "0.171.0"));
        expected.sort_unstable();
        assert_eq!(differ, expected, "{release}");
    }
}

/// What a stream does not say, apart from the ids of turns and calls, of which it has its own.
const UNKNOWN_TO_STREAMS: &[&str] = &[
    "agent_message: other phase",
    "exec_command_begin: no cwd",
    "exec_command_begin: no process_id",
    "exec_command_begin: no source",
    "exec_command_begin: no started_at_ms",
    "exec_command_end: no completed_at_ms",
    "exec_command_end: no cwd",
    "exec_command_end: no duration",
    "exec_command_end: no process_id",
    "exec_command_end: no source",
    "mcp_tool_call_begin: no read_only_hint",
    "mcp_tool_call_end: no duration",
    "mcp_tool_call_end: no read_only_hint",
    "patch_apply_begin: other changes",
    "patch_apply_end: other changes",
    "patch_apply_end: other stdout",
    "plan_update: other explanation",
    "plan_update: other plan",
    "task_complete: no completed_at",
    "task_complete: no duration_ms",
    "task_complete: no started_at",
    "task_complete: no time_to_first_token_ms",
    "task_started: no collaboration_mode_kind",
    "task_started: no model_context_window",
    "task_started: no started_at",
];

#[test]
fn records_of_every_release_have_messages_commands_and_patches() {
    let records = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/records");
    for release in ["0.77.0", "0.153.0", "0.169.0", "0.171.0"] {
        let record = first_record(&records.join(release));
        let text = fs::read(&record).expect("it was recorded");
        let mut decoder = from_record::Decoder::default();
        let mut events: Vec<CoreEvent> =
            text.split(|byte| *byte == b'\n').flat_map(|line| decoder.feed(line)).collect();
        events.extend(decoder.release());
        let kinds: Vec<&str> = events.iter().map(CoreEvent::kind).collect();
        for kind in [
            "session_configured",
            "user_message",
            "agent_reasoning",
            "exec_command_begin",
            "exec_command_end",
            "patch_apply_begin",
            "patch_apply_end",
            "agent_message",
            "token_count",
        ] {
            assert!(kinds.contains(&kind), "{release}: {kind} is not in {kinds:?}");
        }
        assert_eq!(kinds[0], "session_configured");
    }
}

/// The first session that was recorded.
fn first_record(folder: &Path) -> PathBuf {
    let entries = fs::read_dir(folder).expect("a folder of the store").flatten();
    let first = entries.map(|entry| entry.path()).min().expect("something was recorded");
    if first.is_dir() { first_record(&first) } else { first }
}

#[test]
fn any_bytes_are_accepted() {
    let mut inputs: Vec<Vec<u8>> = [
        &b""[..],
        b"\xff\x00",
        b"{",
        b"null",
        b"[1]",
        b"{\"type\":\"event_msg\"}",
        b"{\"type\":\"event_msg\",\"payload\":[]}",
        b"{\"type\":\"turn_context\",\"payload\":3}",
        b"{\"type\":\"item.started\"}",
        b"{\"type\":\"turn.completed\",\"usage\":[]}",
    ]
    .map(<[u8]>::to_vec)
    .to_vec();
    // Each field of each recorded line, replaced by values of other types.
    for scenario in ["steps", "patch", "failed"] {
        for line in lines("core-event", "0.171.0", scenario) {
            let line = match &line["stream"] {
                Value::String(line) => serde_json::from_str(line).expect("it is JSON"),
                _ => line["record"].clone(),
            };
            for value in [Value::Null, json!(7), json!("x"), json!([7]), json!({"a": 7})] {
                inputs.extend(
                    spoiled(&line, &value).iter().map(|line| line.to_string().into_bytes()),
                );
            }
        }
    }
    let (mut record, mut stream) = (from_record::Decoder::default(), from_exec::Decoder::default());
    for input in inputs {
        for event in record.feed(&input).into_iter().chain(stream.feed(&input)) {
            assert!(!event.kind().is_empty(), "{event:?}");
        }
    }
}

/// Copies of a value, each with one field replaced.
fn spoiled(value: &Value, by: &Value) -> Vec<Value> {
    let Value::Object(fields) = value else { return vec![by.clone()] };
    let mut copies = vec![by.clone()];
    for (name, field) in fields {
        for spoiled in spoiled(field, by) {
            let mut copy = value.clone();
            copy[name] = spoiled;
            copies.push(copy);
        }
    }
    copies
}
