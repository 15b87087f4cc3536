//! The bounds and the end of a connection, over a transport that is not stdio.

use rmcp::transport::Transport;
use serde_json::{Value, json};

use super::Connection;
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
