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
mod inbox;
mod lines;
mod message;
mod outbox;
mod salvage;

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;

use rmcp::model::{
    ClientNotification, ClientRequest, GetMeta, JsonRpcMessage, ProgressToken, RequestId,
    ServerNotification,
};
use rmcp::service::{RoleServer, RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use tokio::sync::{mpsc, watch};

pub(crate) use hangup::hung_up;
use inbox::Inbox;
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
    inbox: Inbox,
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
            inbox: Inbox::default(),
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
        let (decoded, bytes) = match line {
            Line::Whole(line) => (message::decode(&line), line.len()),
            Line::TooLong { length, salvaged } => (vec![message::too_long(length, salvaged)], 0),
        };
        for decoded in decoded {
            if let Decoded::Message(message) = &decoded {
                self.take_note(message);
            }
            self.inbox.push(decoded, bytes);
        }
    }

    /// Keeps the list of unanswered requests.
    fn take_note(&mut self, message: &RxJsonRpcMessage<RoleServer>) {
        match message {
            JsonRpcMessage::Request(request) => {
                self.unanswered.received(&request.id, progress_token(&request.request));
            }
            JsonRpcMessage::Notification(notification) => {
                if let ClientNotification::CancelledNotification(cancelled) =
                    &notification.notification
                    && let Some(id) = &cancelled.params.request_id
                {
                    self.inbox.withdraw(id);
                    if let Some(token) = self.unanswered.ended(id) {
                        self.outbox.withdraw(&token);
                    }
                }
            }
            JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) => {}
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
            match self.inbox.next(self.outbox.has_room()) {
                Some(Decoded::Message(message)) => return Some(*message),
                Some(Decoded::Answer(answer)) => {
                    self.outbox.push(&*answer, None);
                    continue;
                }
                Some(Decoded::Nothing(why)) => {
                    tracing::debug!(why, "a line was ignored");
                    continue;
                }
                None => {}
            }
            if self.input_ended && self.inbox.is_empty() {
                if self.unanswered.requests.is_empty() {
                    return None;
                }
                // An answer goes through `send`, which needs this future to be dropped; after it
                // rmcp asks again.
                std::future::pending::<()>().await;
            }
            tokio::select! {
                () = self.outbox.room(), if !self.inbox.is_empty() => {}
                line = self.lines.recv(), if !self.input_ended && !self.inbox.is_full() => match line {
                    Some(Ok(line)) => self.take_line(line),
                    Some(Err(error)) => {
                        tracing::warn!(%error, "standard input cannot be read");
                        self.input_ended = true;
                    }
                    None => self.input_ended = true,
                }
            }
        }
    }

    async fn close(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl Unanswered {
    fn received(&mut self, id: &RequestId, token: Option<ProgressToken>) {
        self.requests.insert(id.clone(), token);
        self.count.send_replace(self.requests.len());
    }

    /// Strikes a request off the list, and gives the token of its progress.
    fn ended(&mut self, id: &RequestId) -> Option<ProgressToken> {
        let token = self.requests.remove(id).flatten();
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

/// An id as it stands in a message, also if it is one that no request can have.
fn id_from(value: &serde_json::Value) -> Option<serde_json::Value> {
    (value.is_string() || value.is_number()).then(|| value.clone())
}
