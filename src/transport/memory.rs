//! A transport of two channels, for tests: no process, no threads, no bytes.

use rmcp::service::{RoleServer, RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::connection::{Connection, Output};

/// The server's end.
pub(crate) struct MemoryTransport {
    input: mpsc::UnboundedReceiver<RxJsonRpcMessage<RoleServer>>,
    output: mpsc::Sender<TxJsonRpcMessage<RoleServer>>,
}

/// The client's end. A message counts as sent when it is in the channel, which holds one.
pub(crate) struct Client {
    input: Option<mpsc::UnboundedSender<RxJsonRpcMessage<RoleServer>>>,
    output: mpsc::Receiver<TxJsonRpcMessage<RoleServer>>,
    closed: CancellationToken,
    last_id: u64,
}

/// Connects the two.
pub(crate) fn connected() -> (Connection<MemoryTransport>, Client) {
    let (input, from_client) = mpsc::unbounded_channel();
    let (to_client, output) = mpsc::channel(1);
    let transport = MemoryTransport { input: from_client, output: to_client };
    let report = Output::default();
    let closed = report.closed.clone();
    let client = Client { input: Some(input), output, closed, last_id: 0 };
    (Connection::new(transport, report), client)
}

impl Client {
    pub(crate) fn send(&self, message: Value) {
        let message = serde_json::from_value(message).expect("it is a message");
        let input = self.input.as_ref().expect("the input is open");
        drop(input.send(message));
    }

    /// Sends a request and returns its id.
    pub(crate) fn begin(&mut self, method: &str, params: &Value) -> u64 {
        self.last_id += 1;
        let id = self.last_id;
        self.send(json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        id
    }

    /// Sends a request and waits for its answer.
    pub(crate) async fn request(&mut self, method: &str, params: &Value) -> Value {
        let id = self.begin(method, params);
        self.answer(id).await
    }

    /// Waits for the answer to a request. Other messages are dropped.
    pub(crate) async fn answer(&mut self, id: u64) -> Value {
        loop {
            let message = self.next().await.expect("the answer comes before the end");
            if message["id"] == id {
                return message;
            }
        }
    }

    pub(crate) fn cancel(&self, id: u64) {
        self.send(json!({"jsonrpc": "2.0", "method": "notifications/cancelled",
                         "params": {"requestId": id}}));
    }

    /// The next message, `None` when the server has gone.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        self.output.recv().await.map(|message| json!(message))
    }

    pub(crate) fn close_input(&mut self) {
        self.input = None;
    }

    /// Stops reading for good, and lets the server notice.
    pub(crate) fn hang_up(&mut self) {
        self.output.close();
        self.closed.cancel();
    }
}

impl Transport<RoleServer> for MemoryTransport {
    type Error = mpsc::error::SendError<TxJsonRpcMessage<RoleServer>>;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        let output = self.output.clone();
        async move { output.send(message).await }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        self.input.recv().await
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}
