//! The bounds and the end of a connection, over a transport that is not stdio.

use rmcp::model::NumberOrString;
use rmcp::transport::Transport;
use serde_json::{Value, json};

use super::Connection;
use crate::transport::codex_event;
use crate::transport::memory::{Client, MemoryTransport, connected};

/// Both ends of a connection. The test plays the service too.
struct Ends {
    connection: Connection<MemoryTransport>,
    client: Client,
}

impl Ends {
    fn new() -> Self {
        let (connection, client) = connected();
        Self { connection, client }
    }

    /// The service sends a message.
    async fn send(&mut self, message: Value) {
        let message = serde_json::from_value(message).expect("it is a message");
        self.connection.send(message).await.expect("it only queues");
    }

    async fn answer(&mut self, id: u64, text: &str) {
        let result = json!({"content": [{"type": "text", "text": text}]});
        self.send(json!({"jsonrpc": "2.0", "id": id, "result": result})).await;
    }

    async fn progress(&mut self, token: &str, step: u64) {
        let params = json!({"progressToken": token, "progress": step});
        let method = "notifications/progress";
        self.send(json!({"jsonrpc": "2.0", "method": method, "params": params})).await;
    }

    /// The service sends an event of a request.
    async fn event(&mut self, id: u64, msg: Value) {
        let id = NumberOrString::Number(i64::try_from(id).expect("a small number"));
        let mut message = json!(codex_event::notification(&id, "thread", "turn", msg, 0));
        message["jsonrpc"] = "2.0".into();
        self.send(message).await;
    }

    /// A call of a tool that the service has got.
    async fn called(&mut self) -> u64 {
        let id = self.client.begin("tools/call", &json!({"name": "codex", "arguments": {}}));
        self.received().await;
        id
    }

    /// The messages that wait, up to and including the answer to a request.
    async fn read_to_answer(&mut self, id: u64) -> Vec<Value> {
        let mut messages = Vec::new();
        while messages.last().is_none_or(|last: &Value| last["id"] != id) {
            messages.push(self.read().await);
        }
        messages
    }

    /// The next message that the service gets.
    async fn received(&mut self) -> Option<Value> {
        self.connection.receive().await.map(|message| json!(message))
    }

    /// Asserts that the service gets nothing, neither a message nor the end.
    async fn assert_nothing_received(&mut self) {
        tokio::select! {
            biased;
            received = self.connection.receive() => panic!("unexpected: {received:?}"),
            () = tokio::task::yield_now() => {}
        }
    }

    /// The next message that the client reads, while the connection works.
    async fn read(&mut self) -> Value {
        tokio::select! {
            message = self.client.next() => message.expect("the server is there"),
            received = self.connection.receive() => panic!("unexpected: {received:?}"),
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn progress_is_merged_while_nobody_reads_and_ends_with_the_answer() {
    let mut ends = Ends::new();
    let id = ends.client.begin("tools/list", &json!({"_meta": {"progressToken": "a"}}));
    ends.received().await;
    for step in 0..=5 {
        ends.progress("a", step).await;
    }
    ends.answer(id, "done").await;
    ends.progress("a", 6).await;
    ends.answer(99, "the next answer").await;
    // The first one was with the transport already.
    assert_eq!(ends.read().await["params"]["progress"], 0.0);
    assert_eq!(ends.read().await["params"]["progress"], 5.0);
    assert_eq!(ends.read().await["id"], id);
    assert_eq!(ends.read().await["id"], 99);
}

#[tokio::test(flavor = "current_thread")]
async fn requests_are_held_back_while_answers_pile_up_and_cancellations_get_through() {
    let mut ends = Ends::new();
    let first = ends.client.begin("ping", &json!({}));
    ends.received().await;
    let long = "x".repeat(5 << 20);
    // One is in the channel, one is with the transport, and one waits.
    for id in [first, 98, 99] {
        ends.answer(id, &long).await;
    }
    let cancelled = ends.client.begin("ping", &json!({}));
    let last = ends.client.begin("ping", &json!({}));
    ends.assert_nothing_received().await;
    ends.client.cancel(cancelled);
    let next = ends.received().await.expect("a message");
    assert_eq!(next["params"]["requestId"], cancelled);

    assert_eq!(ends.client.next().await.expect("an answer")["id"], first);
    let next = ends.received().await.expect("a message");
    assert_eq!(next["id"], last, "the cancelled request is not handled any more");
}

#[tokio::test(flavor = "current_thread")]
async fn the_end_of_the_input_is_passed_on_when_all_answers_are_sent() {
    let mut ends = Ends::new();
    let id = ends.client.begin("ping", &json!({}));
    ends.client.close_input();
    assert_eq!(ends.received().await.expect("a message")["id"], id);
    ends.assert_nothing_received().await;
    ends.answer(id, "first").await;
    ends.answer(99, "second").await;
    ends.assert_nothing_received().await;
    assert_eq!(ends.read().await["id"], id);
    assert!(ends.received().await.is_none(), "the second one is in the channel");
    assert_eq!(ends.client.next().await.expect("an answer")["id"], 99);
}

#[tokio::test(flavor = "current_thread")]
async fn events_nobody_reads_are_merged_and_dropped_and_the_next_one_says_how_many() {
    let mut ends = Ends::new();
    let (id, other) = (ends.called().await, ends.called().await);
    ends.event(id, json!({"type": "session_configured"})).await;
    let sent = 2_000;
    for number in 0..sent {
        ends.event(id, json!({"type": "token_count", "info": {"number": number}})).await;
        ends.event(id, json!({"type": "agent_message", "message": number.to_string()})).await;
    }
    ends.event(other, json!({"type": "agent_message", "message": "of another request"})).await;
    ends.event(id, json!({"type": "error", "message": "no"})).await;
    ends.answer(id, "done").await;
    ends.event(id, json!({"type": "agent_message", "message": "late"})).await;
    let messages = ends.read_to_answer(id).await;
    let params: Vec<&Value> = messages.iter().map(|message| &message["params"]).collect();
    let count = |kind: &str| params.iter().filter(|params| params["msg"]["type"] == kind).count();
    assert_eq!((count("session_configured"), count("error"), count("token_count")), (1, 1, 1));
    assert!(count("agent_message") > 200, "{}", count("agent_message"));
    let of_other = params.iter().filter(|params| params["_meta"]["requestId"] == other);
    assert_eq!(of_other.count(), 1, "each request has bounds of its own");
    // The first was with the transport already.
    let own = messages.len() - 3;
    assert_eq!(own, 256);
    let dropped: u64 = params.iter().filter_map(|params| params["_meta"]["dropped"].as_u64()).sum();
    assert_eq!(dropped, 2 * sent + 1 - own as u64);
    let newest = params.iter().rev().find(|params| params["msg"]["type"] == "agent_message");
    assert_eq!(newest.map(|params| &params["msg"]["message"]), Some(&json!("of another request")));
    assert!(!messages.iter().any(|message| message["params"]["msg"]["message"] == "late"));
}

#[tokio::test(flavor = "current_thread")]
async fn events_are_bounded_in_bytes_and_answers_are_not_lost() {
    let mut ends = Ends::new();
    let id = ends.called().await;
    let text = "x".repeat(60 << 10);
    for _ in 0..100 {
        ends.event(id, json!({"type": "agent_message", "message": text})).await;
    }
    ends.answer(id, "done").await;
    let messages = ends.read_to_answer(id).await;
    // One is with the transport, four fit into 256 KiB, and the last one is the answer.
    assert_eq!(messages.len(), 6);
    assert_eq!(messages[1]["params"]["_meta"]["dropped"], 95);
}

#[tokio::test(flavor = "current_thread")]
async fn a_cancelled_request_has_events_until_one_says_that_it_was_aborted() {
    let mut ends = Ends::new();
    let (id, next) = (ends.called().await, ends.called().await);
    ends.client.cancel(id);
    ends.received().await;
    ends.event(id, json!({"type": "token_count"})).await;
    ends.event(id, json!({"type": "turn_aborted"})).await;
    ends.event(id, json!({"type": "agent_message"})).await;
    ends.event(id, json!({"type": "turn_aborted"})).await;
    ends.answer(next, "done").await;
    let messages = ends.read_to_answer(next).await;
    let kinds: Vec<&Value> =
        messages.iter().map(|message| &message["params"]["msg"]["type"]).collect();
    assert_eq!(kinds, [&json!("token_count"), &json!("turn_aborted"), &Value::Null]);
}
