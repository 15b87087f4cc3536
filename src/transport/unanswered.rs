//! The requests that have no answer yet.

use std::collections::HashMap;

use rmcp::model::{ClientRequest, GetMeta, ProgressToken, RequestId};

/// Requests without an answer, each with its progress token.
#[derive(Debug, Default)]
pub(super) struct Unanswered(HashMap<RequestId, Option<ProgressToken>>);

impl Unanswered {
    pub(super) fn insert(&mut self, id: &RequestId, request: &ClientRequest) {
        self.0.insert(id.clone(), request.get_meta().get_progress_token());
    }

    /// Removes a request that was answered or cancelled. Returns its progress token.
    pub(super) fn remove(&mut self, id: &RequestId) -> Option<ProgressToken> {
        self.0.remove(id).flatten()
    }

    /// Whether the token belongs to a request that has no answer yet.
    pub(super) fn has_token(&self, token: &ProgressToken) -> bool {
        self.0.values().flatten().any(|known| known == token)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
