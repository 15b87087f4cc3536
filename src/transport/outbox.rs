//! Messages that wait until the transport can send them. Pure.
//!
//! Adding a message never waits, so a client that does not read blocks nothing in the server. The queue
//! is bounded all the same: it holds only the newest progress of each request, and while it is full no
//! further requests are handled.

use std::collections::VecDeque;

use rmcp::model::ProgressToken;
use rmcp::service::{RoleServer, TxJsonRpcMessage};

use super::json_length;

/// How many bytes may wait, as JSON, before no more requests are handled.
const MAX_WAITING: usize = 4 << 20;

/// The queue, in the order of sending.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: VecDeque<Waiting>,
    bytes: usize,
}

#[derive(Debug)]
struct Waiting {
    message: TxJsonRpcMessage<RoleServer>,
    bytes: usize,
    /// The request that this is the progress of.
    progress_of: Option<ProgressToken>,
}

impl Outbox {
    /// Adds a message. Progress replaces older progress of the same request, in its place.
    pub(super) fn push(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
        progress_of: Option<ProgressToken>,
    ) {
        let bytes = json_length(&message);
        self.bytes += bytes;
        let older = progress_of
            .as_ref()
            .and_then(|token| self.waiting.iter_mut().find(|other| other.is_progress_of(token)));
        let waiting = Waiting { message, bytes, progress_of };
        match older {
            Some(older) => self.bytes -= std::mem::replace(older, waiting).bytes,
            None => self.waiting.push_back(waiting),
        }
    }

    /// Removes the next message to send.
    pub(super) fn pop(&mut self) -> Option<TxJsonRpcMessage<RoleServer>> {
        let Waiting { message, bytes, .. } = self.waiting.pop_front()?;
        self.bytes -= bytes;
        Some(message)
    }

    /// Removes the progress of a request that was cancelled.
    pub(super) fn withdraw(&mut self, token: &ProgressToken) {
        self.waiting.retain(|waiting| {
            let keep = !waiting.is_progress_of(token);
            self.bytes -= if keep { 0 } else { waiting.bytes };
            keep
        });
    }

    /// Whether there is room for the answers to further requests.
    pub(super) fn has_room(&self) -> bool {
        self.bytes < MAX_WAITING
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

impl Waiting {
    fn is_progress_of(&self, token: &ProgressToken) -> bool {
        self.progress_of.as_ref() == Some(token)
    }
}
