//! Messages that were read and not handled yet.
//!
//! While answers pile up, because the client does not read them, no further requests are handled. They
//! are held back here, in order, so that what stands behind them can still be seen: above all a
//! cancellation, which must get through whatever the client does.

use std::collections::VecDeque;

use rmcp::model::{JsonRpcMessage, RequestId};

use super::MAX_LINE;
use super::message::Decoded;

/// How many messages are held back at most. One of [`MAX_LINE`] is always taken.
const MAX_HELD: usize = 256;

/// What was read, in order.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    held: VecDeque<(Decoded, usize)>,
    bytes: usize,
}

impl Inbox {
    /// Puts in a message that was so many bytes long.
    pub(super) fn push(&mut self, message: Decoded, bytes: usize) {
        self.bytes += bytes;
        self.held.push_back((message, bytes));
    }

    /// The next message that may be handled: of those that lead to an answer none, if there is no
    /// room for answers.
    pub(super) fn next(&mut self, room_for_answers: bool) -> Option<Decoded> {
        let at = if room_for_answers {
            0
        } else {
            self.held.iter().position(|(message, _)| !leads_to_answer(message))?
        };
        let (message, bytes) = self.held.remove(at)?;
        self.bytes -= bytes;
        Some(message)
    }

    /// Takes back a request that was cancelled before it was handled.
    pub(super) fn withdraw(&mut self, id: &RequestId) {
        self.held.retain(|(message, bytes)| {
            let keep = !matches!(message, Decoded::Message(message)
                if matches!(&**message, JsonRpcMessage::Request(request) if request.id == *id));
            self.bytes -= if keep { 0 } else { *bytes };
            keep
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Whether no more should be read.
    pub(super) fn is_full(&self) -> bool {
        self.held.len() >= MAX_HELD || self.bytes >= MAX_LINE
    }
}

fn leads_to_answer(message: &Decoded) -> bool {
    match message {
        Decoded::Message(message) => matches!(&**message, JsonRpcMessage::Request(_)),
        Decoded::Answer(_) => true,
        Decoded::Nothing(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::message::decode;
    use rmcp::model::NumberOrString;

    fn put(inbox: &mut Inbox, line: &str) {
        for message in decode(line.as_bytes()) {
            inbox.push(message, line.len());
        }
    }

    fn ping(id: usize) -> String {
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#)
    }

    const CANCEL: &str =
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;

    #[test]
    fn without_room_for_answers_only_what_needs_none_comes_out() {
        let mut inbox = Inbox::default();
        put(&mut inbox, &ping(1));
        put(&mut inbox, r#"{"id":2,"method":7}"#);
        put(&mut inbox, CANCEL);
        assert!(matches!(
            inbox.next(false),
            Some(Decoded::Message(message)) if matches!(*message, JsonRpcMessage::Notification(_))
        ));
        assert!(inbox.next(false).is_none());
        inbox.withdraw(&NumberOrString::Number(1));
        assert!(matches!(inbox.next(true), Some(Decoded::Answer(_))), "the ping was taken back");
        assert!(inbox.is_empty());
    }

    #[test]
    fn what_is_held_is_bounded_in_number_and_in_size() {
        let mut inbox = Inbox::default();
        for id in 0..MAX_HELD {
            assert!(!inbox.is_full());
            put(&mut inbox, &ping(id));
        }
        assert!(inbox.is_full());
        let mut inbox = Inbox::default();
        put(&mut inbox, &(ping(1) + &" ".repeat(MAX_LINE)));
        assert!(inbox.is_full());
        assert!(inbox.next(true).is_some() && !inbox.is_full());
    }
}
