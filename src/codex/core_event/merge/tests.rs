use super::*;
use crate::codex::core_event::recorded::both_sources;
use crate::codex::core_event::{from_exec, from_record};

/// Plays the turns of what was recorded, as if each was a call, and ends each as it ended.
fn played(release: &str, scenario: &str, has_record: bool) -> Vec<Vec<CoreEvent>> {
    let mut turns = Vec::new();
    for lines in both_sources(release, scenario) {
        let announces = lines
            .iter()
            .any(|(source, line)| source == "record" && line.contains(r#""session_meta""#));
        let mut merge = Merge::new("The prompt".into(), announces);
        let mut record = from_record::Decoder::default();
        let mut stream = from_exec::Decoder::default();
        let mut end = End::Aborted;
        let mut events = Vec::new();
        for (source, line) in lines {
            if source == "stream" {
                if line.contains(r#""turn.completed""#) {
                    end = End::Completed("The reply".into());
                } else if line.contains(r#""turn.failed""#) {
                    end = End::Failed("The error".into());
                }
                for event in stream.feed(line.as_bytes()) {
                    events.extend(merge.printed(event));
                }
            } else if has_record && merge.thread().is_some() {
                let recorded = record.feed(line.as_bytes());
                events.extend(merge.recorded(recorded, record.has_items()));
            }
        }
        events.extend(merge.end(end));
        turns.push(events);
    }
    turns
}

fn kinds(events: &[CoreEvent]) -> Vec<&str> {
    events.iter().map(CoreEvent::kind).collect()
}

#[test]
fn each_turn_has_one_begin_and_one_end_and_each_step_one_of_both() {
    for (release, has_record) in [("0.153.4", true), ("0.171.0", true), ("0.171.0", false)] {
        for scenario in ["call", "command", "patch", "steps", "failed", "interrupted"] {
            for events in played(release, scenario, has_record) {
                let kinds = kinds(&events);
                let count = |kind: &str| kinds.iter().filter(|own| **own == kind).count();
                let about = format!("{release} {scenario} {has_record}: {kinds:?}");
                assert_eq!(count("task_started"), 1, "{about}");
                assert_eq!(count("user_message"), 1, "{about}");
                let ends = ["task_complete", "turn_aborted", "error"];
                assert_eq!(ends.iter().map(|end| count(end)).sum::<usize>(), 1, "{about}");
                assert!(kinds.last().is_some_and(|last| ends.contains(last)), "{about}");
                let is_first = |kind: &&str| *kind == "session_configured";
                assert_eq!(
                    kinds.iter().skip(1).filter(|kind| is_first(kind)).count(),
                    0,
                    "{about}"
                );
                for step in ["exec_command", "patch_apply", "mcp_tool_call", "web_search"] {
                    let (begins, ends) =
                        (count(&format!("{step}_begin")), count(&format!("{step}_end")));
                    let open = usize::from(scenario == "interrupted") * begins;
                    assert!(begins == ends || begins == ends + open, "{about}");
                }
                let turns: Vec<&str> = events.iter().map(|event| &*event.turn).collect();
                assert!(
                    turns.iter().skip(1).all(|turn| *turn == turns[turns.len() - 1]),
                    "{about}"
                );
            }
        }
    }
}

#[test]
fn a_reply_is_not_announced_as_a_session() {
    for has_record in [true, false] {
        let turns = played("0.171.0", "call", has_record);
        assert_eq!(turns[0][0].kind(), "session_configured");
        assert_eq!(turns[1][0].kind(), "task_started");
    }
}

#[test]
fn a_failed_turn_has_the_error_of_the_record_or_of_the_stream() {
    for has_record in [true, false] {
        let turns = played("0.153.4", "failed", has_record);
        let last = turns[2].last().expect("it has an end");
        let info = json!({"response_too_many_failed_attempts": {"http_status_code": 429}});
        assert_eq!(last.field("codex_error_info"), &info);
    }
}

fn event(msg: Value) -> CoreEvent {
    CoreEvent { turn: "1".into(), time: None, msg: fields(msg) }
}

/// A turn whose source is the record.
fn started() -> Merge {
    let mut merge = Merge::new(String::new(), true);
    merge.printed(event(json!({"type": "session_configured", "thread_id": "T"})));
    merge.recorded(vec![event(json!({"type": "task_started", "turn_id": "A"}))], true);
    merge
}

#[test]
fn a_step_of_a_script_begins_when_it_is_printed_and_ends_under_the_same_id() {
    let mut merge = started();
    let begin = |id: &str, words: Value| {
        event(json!({"type": "exec_command_begin", "call_id": id, "command": words}))
    };
    let printed = begin("item_0", json!(["/bin/bash", "-lc", "make"]));
    assert_eq!(kinds(&merge.printed(printed.clone())), ["exec_command_begin"]);
    let end = event(json!({"type": "exec_command_end", "call_id": "exec-1"}));
    let recorded = begin("exec-1", json!(["bash", "-lc", "make"]));
    let ready = merge.recorded(vec![recorded.clone(), end.clone()], true);
    assert_eq!(kinds(&ready), ["exec_command_end"]);
    assert_eq!(ready[0].field("call_id"), "item_0");
    // The second is in the record first.
    assert_eq!(merge.recorded(vec![recorded, end], true).len(), 2);
    assert_eq!(merge.printed(printed), []);
}

#[test]
fn what_only_the_stream_has_is_added_to_the_record() {
    let mut merge = started();
    let plan = event(json!({"type": "plan_update", "plan": []}));
    assert_eq!(merge.recorded(vec![plan.clone()], true).len(), 1);
    assert_eq!(merge.printed(plan.clone()), [], "the record had it");
    assert_eq!(kinds(&merge.printed(plan)), ["plan_update"], "a script has made it");
    let again = merge.printed(event(json!({"type": "stream_error", "message": "Reconnecting"})));
    assert_eq!(kinds(&again), ["stream_error"]);
    let search = event(json!({"type": "web_search_begin", "call_id": "ws_1"}));
    assert_eq!(merge.printed(search.clone()).len(), 1);
    assert_eq!(merge.recorded(vec![search], true), []);
}

#[test]
fn without_a_record_the_stream_is_told_with_what_is_known() {
    let mut merge = Merge::new("Hello".into(), true);
    merge.know("cwd", "/a".into());
    assert_eq!(merge.end(End::Aborted), [], "no thread was opened");
    merge.printed(event(json!({"type": "session_configured", "thread_id": "T"})));
    let start = event(json!({"type": "task_started", "turn_id": "1"}));
    assert_eq!(merge.printed(start), [], "the record may tell more");
    let ready = merge.abandon_record();
    assert_eq!(kinds(&ready), ["session_configured", "task_started", "user_message"]);
    assert_eq!((ready[0].field("cwd"), ready[2].field("message")), (&json!("/a"), &json!("Hello")));
    let late = event(json!({"type": "agent_message", "message": "late"}));
    assert_eq!(merge.recorded(vec![late], true), [], "it would be sent twice");
    let end = merge.end(End::Completed("Bye".into()));
    assert_eq!(end[0].field("last_agent_message"), "Bye");
}

#[test]
fn the_events_that_wait_for_the_record_are_bounded() {
    let mut merge = Merge::new(String::new(), false);
    merge.printed(event(json!({"type": "session_configured", "thread_id": "T"})));
    let message = || event(json!({"type": "agent_message", "message": ""}));
    for _ in 0..MAX_UNDECIDED {
        assert_eq!(merge.printed(message()), []);
    }
    assert_eq!(merge.printed(message()).len(), MAX_UNDECIDED + 1);
}

#[test]
fn a_record_without_items_describes_the_session_and_nothing_else() {
    let mut merge = Merge::new("Hello".into(), true);
    merge.printed(event(json!({"type": "session_configured", "thread_id": "T"})));
    merge.printed(event(json!({"type": "task_started", "turn_id": "1"})));
    let session = event(json!({"type": "session_configured", "thread_id": "T", "model": "m"}));
    let message = event(json!({"type": "agent_message", "message": "hi"}));
    let ready = merge.recorded(vec![session, message.clone()], false);
    assert_eq!(kinds(&ready), ["session_configured", "task_started", "user_message"]);
    assert_eq!(ready[0].field("model"), "m");
    assert_eq!(kinds(&merge.printed(message)), ["agent_message"]);
}
