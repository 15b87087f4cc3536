//! MCP over standard input and output, made to survive what clients really do.
//!
//! rmcp's own stdio transport drops lines that it cannot read, so that the caller waits for ever, and
//! blocks when nobody reads standard output. This one answers every request that can be told to be
//! one, bounds what it holds in both directions, and knows which requests are still unanswered: the
//! end of the input is passed on only when there are none.
//!
//! Two threads do the blocking reads and writes, because a read of standard input can be neither
//! polled portably nor given up, and the process must be able to leave all the same.

mod hangup;
mod lines;
mod message;
mod outbox;
mod salvage;

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::io;

use rmcp::model::{
    ClientNotification, ClientRequest, GetMeta, JsonRpcMessage, NumberOrString, ProgressToken,
    RequestId, ServerNotification,
};
use rmcp::service::{RoleServer, RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use tokio::sync::{mpsc, watch};

pub(crate) use hangup::hung_up;
use lines::Line;
use message::Decoded;
pub(crate) use outbox::Outbox;

/// The longest line that is read, in bytes. The longest prompt that Codex takes fits in, also if
/// every character of it is written as an escape.
pub(crate) const MAX_LINE: usize = 16 << 20;

/// The transport of one connection.
pub(crate) struct LineTransport {
    lines: mpsc::Receiver<io::Result<Line>>,
    outbox: Outbox,
    /// Messages that came in one line with others.
    ready: VecDeque<RxJsonRpcMessage<RoleServer>>,
    input_ended: bool,
    unanswered: Unanswered,
}

/// Requests without an answer yet, each with its progress token.
#[derive(Debug)]
struct Unanswered {
    requests: HashMap<RequestId, Option<ProgressToken>>,
    count: watch::Sender<usize>,
}

impl LineTransport {
    /// Reads `input` and writes `output`, each in a thread of its own.
    pub(crate) fn new(
        input: impl io::Read + Send + 'static,
        output: impl io::Write + Send + 'static,
    ) -> Self {
        Self {
            lines: lines::read(input),
            outbox: Outbox::new(output),
            ready: VecDeque::new(),
            input_ended: false,
            unanswered: Unanswered { requests: HashMap::new(), count: watch::Sender::new(0) },
        }
    }

    /// What is to be written, to be waited for when the server leaves.
    pub(crate) fn outbox(&self) -> Outbox {
        self.outbox.clone()
    }

    /// How many requests have no answer yet.
    pub(crate) fn unanswered(&self) -> watch::Receiver<usize> {
        self.unanswered.count.subscribe()
    }

    fn take_line(&mut self, line: Line) {
        let decoded = match line {
            Line::Whole(line) => message::decode(&line),
            Line::TooLong { length, salvaged } => vec![message::too_long(length, salvaged)],
        };
        for decoded in decoded {
            match decoded {
                Decoded::Message(message) => {
                    self.unanswered.received(&message, &self.outbox);
                    self.ready.push_back(*message);
                }
                Decoded::Answer(answer) => self.outbox.push(&answer, None),
                Decoded::Nothing(why) => tracing::debug!(why, "a line was ignored"),
            }
        }
    }
}

impl Transport<RoleServer> for LineTransport {
    type Error = Infallible;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Infallible>> + Send + 'static {
        match &message {
            JsonRpcMessage::Notification(notification) => {
                if let ServerNotification::ProgressNotification(progress) =
                    &notification.notification
                {
                    let token = progress.params.progress_token.clone();
                    // After its answer, or its cancellation, a request has no progress any more.
                    if self.unanswered.knows(&token) {
                        self.outbox.push(&message, Some(token));
                    }
                } else {
                    self.outbox.push(&message, None);
                }
            }
            JsonRpcMessage::Response(response) => {
                self.outbox.push(&message, None);
                self.unanswered.ended(&response.id);
            }
            JsonRpcMessage::Error(error) => {
                self.outbox.push(&message, None);
                if let Some(id) = &error.id {
                    self.unanswered.ended(id);
                }
            }
            JsonRpcMessage::Request(_) => self.outbox.push(&message, None),
        }
        std::future::ready(Ok(()))
    }

    /// Cancel-safe: between two awaits nothing is held but what stands in `self`.
    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Some(message);
            }
            if self.input_ended {
                if self.unanswered.requests.is_empty() {
                    return None;
                }
                // An answer goes through `send`, which needs this future to be dropped; after it
                // rmcp asks again.
                std::future::pending::<()>().await;
            }
            // Who does not read the answers is not asked for more requests.
            self.outbox.room().await;
            match self.lines.recv().await {
                Some(Ok(line)) => self.take_line(line),
                Some(Err(error)) => {
                    tracing::warn!(%error, "standard input cannot be read");
                    self.input_ended = true;
                }
                None => self.input_ended = true,
            }
        }
    }

    async fn close(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl Unanswered {
    fn received(&mut self, message: &RxJsonRpcMessage<RoleServer>, outbox: &Outbox) {
        match message {
            JsonRpcMessage::Request(request) => {
                let token = progress_token(&request.request);
                self.requests.insert(request.id.clone(), token);
                self.count.send_replace(self.requests.len());
            }
            JsonRpcMessage::Notification(notification) => {
                if let ClientNotification::CancelledNotification(cancelled) =
                    &notification.notification
                    && let Some(id) = &cancelled.params.request_id
                    && let Some(Some(token)) = self.ended(id)
                {
                    outbox.withdraw(&token);
                }
            }
            JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) => {}
        }
    }

    fn ended(&mut self, id: &RequestId) -> Option<Option<ProgressToken>> {
        let token = self.requests.remove(id);
        self.count.send_replace(self.requests.len());
        token
    }

    fn knows(&self, token: &ProgressToken) -> bool {
        self.requests.values().flatten().any(|known| known == token)
    }
}

fn progress_token(request: &ClientRequest) -> Option<ProgressToken> {
    request.get_meta().get_progress_token()
}

/// An id as it stands in a message.
fn id_from(value: &serde_json::Value) -> Option<RequestId> {
    match value {
        serde_json::Value::String(text) => Some(NumberOrString::String(text.as_str().into())),
        serde_json::Value::Number(number) => number.as_i64().map(NumberOrString::Number),
        _ => None,
    }
}
