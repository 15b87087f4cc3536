//! The protocol and the end of life, over a transport in memory: no process and no standard streams.

use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::serve;
use crate::model::settings::Settings;
use crate::server::Server;
use crate::transport::memory::{Client, connected};
use crate::turn::Codex;

/// A server in this process.
struct Running {
    client: Client,
    shutdown: CancellationToken,
    service: JoinHandle<bool>,
}

impl Running {
    /// Starts one whose calls all wait in the queue, so that no Codex is ever started.
    fn start() -> Self {
        let settings = Settings { max_concurrent: 0, state_dir: None, ..Settings::default() };
        let (connection, client) = connected();
        let shutdown = CancellationToken::new();
        let server = Server::new(Codex::new(settings));
        let service = tokio::spawn(serve(server, connection, shutdown.clone().cancelled_owned()));
        Self { client, shutdown, service }
    }

    async fn request(&mut self, method: &str, params: Value) -> Value {
        self.client.request(method, &params).await
    }

    /// Starts a call that waits in the queue, and waits until the server has it.
    async fn begin_waiting_call(&mut self) -> u64 {
        let params = json!({"name": "codex_chat", "arguments": {"prompt": "hello"}});
        let call = self.client.begin("tools/call", &params);
        self.assert_alive().await;
        call
    }

    async fn assert_alive(&mut self) {
        let pong = self.request("ping", json!({})).await;
        assert_eq!(pong["result"], json!({}), "{pong}");
    }

    /// Waits until `serve` has returned and the client sees the end.
    async fn assert_gone(mut self) {
        let all_answered = self.service.await.expect("it does not panic");
        assert!(all_answered, "every request has its answer");
        assert_eq!(self.client.next().await, None);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_client_initializes_and_lists_the_tools() {
    let mut server = Running::start();
    let client = json!({"name": "tests", "version": "0"});
    let params = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client});
    let agreed = server.request("initialize", params).await;
    assert_eq!(agreed["result"]["protocolVersion"], "2025-06-18");
    assert_eq!(agreed["result"]["serverInfo"]["name"], env!("CARGO_PKG_NAME"));
    let list = server.request("tools/list", json!({})).await;
    let tools = list["result"]["tools"].as_array().expect("tools are a list");
    assert_eq!(tools[0]["name"], "codex_chat");
    assert!(tools.iter().any(|tool| tool["name"] == "codex_job_wait"), "{list}");
}

#[tokio::test(flavor = "current_thread")]
async fn an_unknown_tool_is_an_error_that_names_the_tools() {
    let mut server = Running::start();
    let answer = server.request("tools/call", json!({"name": "codex_chta"})).await;
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    let message = answer["error"]["message"].as_str().expect("an error has a message");
    assert!(message.contains("codex_chta") && message.contains("codex_chat"), "{message}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_cancellation_ends_its_call_alone() {
    let mut server = Running::start();
    server.client.cancel(4_711);
    server.assert_alive().await;
    let cancelled = server.begin_waiting_call().await;
    let other = server.begin_waiting_call().await;
    server.client.cancel(cancelled);
    server.assert_alive().await;
    server.shutdown.cancel();
    let next = server.client.next().await.expect("an answer");
    assert_eq!(next["id"], other, "the cancelled call gets none");
    server.assert_gone().await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_shutdown_stops_the_calls_and_answers_them() {
    let mut server = Running::start();
    let mut calls = vec![server.begin_waiting_call().await, server.begin_waiting_call().await];
    server.shutdown.cancel();
    while !calls.is_empty() {
        let answer = server.client.next().await.expect("each call is answered before the end");
        let text = answer["result"]["content"][0]["text"].as_str().unwrap_or_default();
        assert!(text.starts_with("cancelled: ") && text.contains("shutting down"), "{answer}");
        calls.retain(|call| answer["id"] != *call);
    }
    server.assert_gone().await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_client_that_hangs_up_ends_the_service_and_its_calls() {
    let mut server = Running::start();
    server.begin_waiting_call().await;
    server.client.hang_up();
    server.service.await.expect("it does not panic");
}

#[tokio::test(flavor = "current_thread")]
async fn at_the_end_of_the_input_a_client_reads_every_answer() {
    let mut server = Running::start();
    let pings: Vec<u64> = (0..9).map(|_| server.client.begin("ping", &json!({}))).collect();
    server.client.close_input();
    for ping in pings {
        assert_eq!(server.client.answer(ping).await["result"], json!({}));
    }
    server.assert_gone().await;
}
