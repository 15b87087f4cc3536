//! A job of the real Codex with thousands of events, read page by page.

use std::fs;

use serde_json::{Value, json};

use crate::kit::jobs::{assert_nothing_left, gate, pages, snapshot, start, text};
use crate::kit::real::command;
use crate::kit::setup::{home, real};
use crate::kit::wait::wait_until;
use crate::support::client::Server;
use crate::support::model::{Item, Model, Request, Response};

/// The number of messages before the command, and after it.
const HALF: usize = 1_000;

/// Sends these messages, runs the command of the prompt, and sends as many again.
fn say_much(request: &Request) -> Response {
    let messages = |from: usize| (from..from + HALF).map(|number| Item::message(said(number)));
    if request.has_tool_output() {
        return Response::items(messages(HALF).collect());
    }
    let prompt = request.last_user_text();
    let command = command(&prompt).expect("the prompt has a command");
    Response::items(messages(0).chain([Item::shell(command)]).collect())
}

fn said(number: usize) -> String {
    format!("message {number}")
}

/// The messages among events, in the form for readers or in that of Codex.
fn messages(events: &[Value]) -> Vec<&str> {
    let of = |event: &'static str| move |value: &Value| value["type"] == event;
    let readable = of("agent_message");
    events
        .iter()
        .filter_map(|event| {
            let item = if readable(event) { event } else { &event["event"]["item"] };
            readable(item).then(|| text(item, "text"))
        })
        .collect()
}

fn cursors(events: &[Value]) -> Vec<u64> {
    events.iter().map(|event| event["cursor"].as_u64().expect("a number")).collect()
}

/// Reads from the last cursor until there are this many messages, while the job writes.
fn read_on(server: &Server, query: &Value, read: &mut (Vec<Value>, u64), count: usize) {
    let read = std::cell::RefCell::new(read);
    wait_until(&format!("{count} messages"), || {
        let mut read = read.borrow_mut();
        let (events, cursor) = pages(server, query, read.1);
        read.0.extend(events);
        read.1 = cursor;
        messages(&read.0).len() >= count
    });
}

#[test]
fn thousands_of_events_are_read_once_each_and_in_order_while_they_come_and_afterwards() {
    let model = Model::start(say_much);
    let home = home(&model.url());
    let first = real(&home).start();
    let second = real(&home).start();
    let (path, prompt) = gate(&home, "gate");
    let job = start(&first, &prompt);
    let id = text(&job, "job_id");
    let readable = json!({"job_id": id, "limit": 200});
    let raw = json!({"job_id": id, "limit": 200, "raw": true});
    let (mut as_read, mut as_raw) = ((Vec::new(), 0), (Vec::new(), 0));
    read_on(&second, &readable, &mut as_read, HALF);
    read_on(&second, &raw, &mut as_raw, HALF);
    assert_eq!(text(&snapshot(&second, id), "status"), "running");
    fs::write(&path, "").expect("writable");
    read_on(&second, &readable, &mut as_read, 2 * HALF);
    read_on(&second, &raw, &mut as_raw, 2 * HALF);
    wait_until("the job's end", || text(&snapshot(&second, id), "status") == "completed");
    for (query, read) in [(&readable, &mut as_read), (&raw, &mut as_raw)] {
        let (rest, cursor) = pages(&second, query, read.1);
        read.0.extend(rest);
        read.1 = cursor;
    }

    let all: Vec<String> = (0..2 * HALF).map(said).collect();
    assert_eq!(messages(&as_read.0), all);
    assert_eq!(messages(&as_raw.0), all);
    let last = snapshot(&second, id)["cursor"].as_u64().expect("a number");
    assert_eq!((as_read.1, as_raw.1), (last, last));
    assert_eq!(cursors(&as_raw.0), (1..=last).collect::<Vec<_>>(), "every line of the record");
    assert!(cursors(&as_read.0).is_sorted_by(|one, next| one < next));
    // Another server, or other page sizes, give the same events.
    for (server, limit) in [(&first, 200), (&second, 199)] {
        for (query, read) in [(&readable, &as_read), (&raw, &as_raw)] {
            let mut query = query.clone();
            query["limit"] = limit.into();
            assert_eq!(&pages(server, &query, 0), read);
        }
    }
    assert_nothing_left(&home, &first);
}
