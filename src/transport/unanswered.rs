//! The requests that have no answer yet.

use std::collections::{HashMap, VecDeque};

use rmcp::model::{ClientRequest, GetMeta, ProgressToken, RequestId};

/// How many cancelled requests are remembered.
const MAX_CANCELLED: usize = 256;

/// Requests without an answer, each with its progress token.
#[derive(Debug, Default)]
pub(super) struct Unanswered {
    requests: HashMap<RequestId, Option<ProgressToken>>,
    /// Cancelled requests whose turn may still say that it was aborted, in the order of their cancellation.
    cancelled: VecDeque<RequestId>,
}

impl Unanswered {
    pub(super) fn insert(&mut self, id: &RequestId, request: &ClientRequest) {
        self.cancelled.retain(|cancelled| cancelled != id);
        self.requests.insert(id.clone(), request.get_meta().get_progress_token());
    }

    /// Removes a request that was answered.
    pub(super) fn remove(&mut self, id: &RequestId) {
        self.requests.remove(id);
    }

    /// Removes a request that was cancelled. Returns its progress token.
    pub(super) fn cancel(&mut self, id: &RequestId) -> Option<ProgressToken> {
        let token = self.requests.remove(id)?;
        if self.cancelled.len() == MAX_CANCELLED {
            self.cancelled.pop_front();
        }
        self.cancelled.push_back(id.clone());
        token
    }

    /// Whether the token belongs to a request that has no answer yet.
    pub(super) fn has_token(&self, token: &ProgressToken) -> bool {
        self.requests.values().flatten().any(|known| known == token)
    }

    /// Whether events of this request may be sent: until its answer, or if it was cancelled, until an event
    /// that says so.
    pub(super) fn takes_event(&mut self, id: &RequestId, is_abort: bool) -> bool {
        if self.requests.contains_key(id) {
            return true;
        }
        let at = self.cancelled.iter().position(|cancelled| cancelled == id);
        if is_abort && let Some(at) = at {
            self.cancelled.remove(at);
        }
        at.is_some()
    }

    pub(super) fn len(&self) -> usize {
        self.requests.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_cancelled_requests_that_are_remembered_are_bounded() {
        let mut unanswered = Unanswered::default();
        let ping = json!({"method": "ping"});
        let ping: ClientRequest = serde_json::from_value(ping).expect("it is a request");
        let id = |number: usize| RequestId::String(number.to_string().into());
        for number in 0..=MAX_CANCELLED {
            unanswered.insert(&id(number), &ping);
            unanswered.cancel(&id(number));
        }
        assert!(!unanswered.takes_event(&id(0), false), "it was forgotten");
        assert!(unanswered.takes_event(&id(1), false) && unanswered.takes_event(&id(1), true));
        assert!(!unanswered.takes_event(&id(1), false), "it has told its end");
    }
}
