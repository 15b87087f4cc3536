//! The connection to an MCP client.
//!
//! [`Connection`] is what holds for every transport: it bounds what waits in both directions, merges
//! progress, and passes the end of the input on only when every request has its answer. It works above
//! any transport of rmcp: [`stdio`], or one of the sessions of [`http`].

pub(crate) mod codex_event;
mod connection;
#[cfg(feature = "http")]
mod http;
mod ids;
mod inbox;
#[cfg(test)]
pub(crate) mod memory;
mod outbox;
mod stdio;
mod unanswered;

use rmcp::model::{JsonRpcMessage, RequestId};
use rmcp::service::{RoleServer, TxJsonRpcMessage};
use serde::Serialize;

pub(crate) use connection::{Connection, Monitor};
#[cfg(feature = "http")]
pub(crate) use http::{HttpServer, Token};
pub(crate) use stdio::{FIRST_ANSWER_WITHIN, hung_up, stdio};

/// The request that a message answers.
fn answered_by(message: &TxJsonRpcMessage<RoleServer>) -> Option<&RequestId> {
    match message {
        JsonRpcMessage::Response(response) => Some(&response.id),
        JsonRpcMessage::Error(error) => error.id.as_ref(),
        JsonRpcMessage::Request(_) | JsonRpcMessage::Notification(_) => None,
    }
}

/// The length of `value` as JSON, in bytes. Measured without keeping the JSON.
fn json_length(value: &impl Serialize) -> usize {
    struct Counter(usize);

    impl std::io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let mut counter = Counter(0);
    // What cannot be written as JSON is never sent, so its length does not count.
    drop(serde_json::to_writer(&mut counter, value));
    counter.0
}
