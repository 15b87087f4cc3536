//! Messages that were received and not handled yet. Pure.
//!
//! While answers pile up, because the client does not read them, no further requests are handled. They
//! are held back here, in order, so that the messages behind them are still seen: above all a
//! cancellation, which must get through whatever the client does.

use std::collections::VecDeque;

use rmcp::model::{JsonRpcMessage, RequestId};
use rmcp::service::{RoleServer, RxJsonRpcMessage};

use super::json_length;

/// How many messages are held back at most.
const MAX_MESSAGES: usize = 256;

/// How many bytes, as JSON, are held back at most. One message is always accepted, however long it is.
const MAX_BYTES: usize = 16 << 20;

/// What was received, in order.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    held: VecDeque<(RxJsonRpcMessage<RoleServer>, usize)>,
    bytes: usize,
}

impl Inbox {
    pub(super) fn push(&mut self, message: RxJsonRpcMessage<RoleServer>) {
        let bytes = json_length(&message);
        self.bytes += bytes;
        self.held.push_back((message, bytes));
    }

    /// The next message that may be handled. Without room for answers, requests stay.
    pub(super) fn next(&mut self, room_for_answers: bool) -> Option<RxJsonRpcMessage<RoleServer>> {
        let may_leave = |message: &_| room_for_answers || !is_request(message);
        let at = self.held.iter().position(|(message, _)| may_leave(message))?;
        let (message, bytes) = self.held.remove(at)?;
        self.bytes -= bytes;
        Some(message)
    }

    /// Removes a request that was cancelled before it was handled.
    pub(super) fn withdraw(&mut self, id: &RequestId) {
        self.held.retain(|(message, bytes)| {
            let keep = !matches!(message, JsonRpcMessage::Request(request) if request.id == *id);
            self.bytes -= if keep { 0 } else { *bytes };
            keep
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Whether no more may be received.
    pub(super) fn is_full(&self) -> bool {
        self.held.len() >= MAX_MESSAGES || self.bytes >= MAX_BYTES
    }
}

fn is_request(message: &RxJsonRpcMessage<RoleServer>) -> bool {
    matches!(message, JsonRpcMessage::Request(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rmcp::model::NumberOrString;
    use serde_json::{Value, json};

    fn message(value: Value) -> RxJsonRpcMessage<RoleServer> {
        serde_json::from_value(value).expect("it is a message")
    }

    fn ping(id: usize) -> RxJsonRpcMessage<RoleServer> {
        message(json!({"jsonrpc": "2.0", "id": id, "method": "ping"}))
    }

    fn cancel(id: usize) -> RxJsonRpcMessage<RoleServer> {
        message(json!({"jsonrpc": "2.0", "method": "notifications/cancelled",
                       "params": {"requestId": id}}))
    }

    #[test]
    fn without_room_for_answers_only_messages_that_need_none_come_out() {
        let mut inbox = Inbox::default();
        inbox.push(ping(1));
        inbox.push(ping(2));
        inbox.push(cancel(1));
        assert!(matches!(inbox.next(false), Some(JsonRpcMessage::Notification(_))));
        assert!(inbox.next(false).is_none());
        inbox.withdraw(&NumberOrString::Number(1));
        let next = inbox.next(true).expect("the second ping is still there");
        assert_eq!(json!(next)["id"], 2, "the first one was withdrawn");
        assert!(inbox.is_empty());
    }

    #[test]
    fn the_inbox_is_bounded_in_number_and_in_size() {
        let mut inbox = Inbox::default();
        for id in 0..MAX_MESSAGES {
            assert!(!inbox.is_full());
            inbox.push(ping(id));
        }
        assert!(inbox.is_full());
        let mut inbox = Inbox::default();
        let text = "x".repeat(MAX_BYTES);
        inbox.push(message(json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                                  "params": {"name": "codex_chat", "arguments": {"prompt": text}}})));
        assert!(inbox.is_full());
        assert!(inbox.next(true).is_some() && !inbox.is_full());
    }
}
