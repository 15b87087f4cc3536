//! The ids of requests, so that each request in progress has one of its own. Pure.
//!
//! A script that appends requests to a file may well use the same id again. rmcp identifies the requests in
//! progress by their ids, and would answer only one of those that share an id. So a request whose id is
//! taken gets another one inside the server, and everything that is sent about it has the client's id.

use std::collections::{HashMap, VecDeque};

use rmcp::model::{
    CustomNotification, JsonRpcMessage, NotificationMetaObject, RequestId, ServerNotification,
};
use rmcp::service::{RoleServer, TxJsonRpcMessage};
use serde::Deserialize;
use serde_json::json;

/// How many cancelled requests are remembered. An id that was forgotten can be confused with that of a
/// later request, but only for as long as the cancelled one takes to end.
const MAX_CANCELLED: usize = 256;

/// The requests in progress. A number and a string are different ids.
#[derive(Debug, Default)]
pub(super) struct Ids {
    /// Their ids inside the server by those of the client, the oldest first.
    in_progress: HashMap<RequestId, VecDeque<RequestId>>,
    /// The client's ids by those inside the server, where they differ.
    replaced: HashMap<RequestId, RequestId>,
    /// Ids inside the server that are not used again: a cancelled request has no answer, so nothing shows
    /// when it has ended.
    cancelled: VecDeque<RequestId>,
    created: u64,
}

impl Ids {
    /// Adds a request of the client. Returns its id inside the server.
    pub(super) fn admit(&mut self, client: &RequestId) -> RequestId {
        let inside = match self.is_taken(client) {
            true => self.create(client),
            false => client.clone(),
        };
        self.in_progress.entry(client.clone()).or_default().push_back(inside.clone());
        inside
    }

    /// Removes the oldest request with this id, which the client cancelled. Returns its id inside the
    /// server, `None` if there is none.
    pub(super) fn cancel(&mut self, client: &RequestId) -> Option<RequestId> {
        let inside = self.in_progress.get(client)?.front()?.clone();
        self.remove(client, &inside);
        if self.cancelled.len() == MAX_CANCELLED
            && let Some(forgotten) = self.cancelled.pop_front()
        {
            self.replaced.remove(&forgotten);
        }
        self.cancelled.push_back(inside.clone());
        Some(inside)
    }

    /// Puts the client's id into a message: an answer, after which the request is no longer in progress, or
    /// a notification whose `_meta` has a `requestId`.
    pub(super) fn restore(&mut self, message: &mut TxJsonRpcMessage<RoleServer>) {
        match message {
            JsonRpcMessage::Response(response) => self.answer(&mut response.id),
            JsonRpcMessage::Error(error) => {
                if let Some(id) = &mut error.id {
                    self.answer(id);
                }
            }
            JsonRpcMessage::Notification(notification) if !self.replaced.is_empty() => {
                if let ServerNotification::CustomNotification(custom) =
                    &mut notification.notification
                {
                    self.restore_meta(custom);
                }
            }
            JsonRpcMessage::Notification(_) | JsonRpcMessage::Request(_) => {}
        }
    }

    fn answer(&mut self, id: &mut RequestId) {
        let inside = id.clone();
        if let Some(client) = self.replaced.remove(&inside) {
            *id = client;
        }
        self.remove(id, &inside);
    }

    /// rmcp keeps `_meta` beside the parameters, unless it was put into them.
    fn restore_meta(&self, notification: &mut CustomNotification) {
        let beside = notification.extensions.get_mut::<NotificationMetaObject>();
        let beside = beside.and_then(|meta| meta.0.get_mut("requestId"));
        let within = notification.params.as_mut();
        let within = within.and_then(|params| params.pointer_mut("/_meta/requestId"));
        for id in beside.into_iter().chain(within) {
            let inside = RequestId::deserialize(&*id).ok();
            if let Some(client) = inside.and_then(|inside| self.replaced.get(&inside)) {
                *id = json!(client);
            }
        }
    }

    fn remove(&mut self, client: &RequestId, inside: &RequestId) {
        if let Some(requests) = self.in_progress.get_mut(client) {
            requests.retain(|other| other != inside);
            if requests.is_empty() {
                self.in_progress.remove(client);
            }
        }
    }

    /// Whether a request inside the server has this id, or had it and may not have ended.
    fn is_taken(&self, id: &RequestId) -> bool {
        self.in_progress.contains_key(id)
            || self.replaced.contains_key(id)
            || self.cancelled.contains(id)
    }

    /// An id that is not taken.
    fn create(&mut self, client: &RequestId) -> RequestId {
        let inside = loop {
            self.created += 1;
            let id = format!("{}-{}", env!("CARGO_PKG_NAME"), self.created);
            let id = RequestId::String(id.into());
            if !self.is_taken(&id) {
                break id;
            }
        };
        self.replaced.insert(inside.clone(), client.clone());
        inside
    }
}

#[cfg(test)]
mod tests {
    use rmcp::model::ServerNotification;
    use serde_json::Value;

    use super::*;

    fn number(id: i64) -> RequestId {
        RequestId::Number(id)
    }

    fn string(id: &str) -> RequestId {
        RequestId::String(id.into())
    }

    fn restored(ids: &mut Ids, message: Value) -> Value {
        let mut message = serde_json::from_value(message).expect("it is a message");
        ids.restore(&mut message);
        json!(message)
    }

    /// The client's id in the answer to a request.
    fn answered(ids: &mut Ids, inside: &RequestId) -> Value {
        let answer = json!({"jsonrpc": "2.0", "id": inside, "result": {}});
        restored(ids, answer)["id"].clone()
    }

    /// The client's id in an event of a request.
    fn event(ids: &mut Ids, inside: &RequestId) -> Value {
        let params = json!({"_meta": {"requestId": inside, "threadId": "t"}, "id": "1"});
        let beside = json!({"jsonrpc": "2.0", "method": "codex/event", "params": params});
        let beside = restored(ids, beside);
        assert_eq!(beside["params"]["_meta"]["threadId"], "t");
        let within = CustomNotification::new("codex/event", Some(params));
        let within = ServerNotification::CustomNotification(within);
        let mut within = JsonRpcMessage::notification(within);
        ids.restore(&mut within);
        assert_eq!(json!(within), beside);
        beside["params"]["_meta"]["requestId"].clone()
    }

    #[test]
    fn requests_with_one_id_are_told_apart_and_answered_under_it() {
        let mut ids = Ids::default();
        let first = ids.admit(&number(4));
        let second = ids.admit(&number(4));
        let third = ids.admit(&number(4));
        assert_eq!(first, number(4));
        assert!(second != first && third != first && second != third);
        assert_eq!(event(&mut ids, &second), 4);
        assert_eq!(answered(&mut ids, &second), 4);
        assert_eq!(answered(&mut ids, &first), 4);
        // The id is still that of the third one.
        assert_ne!(ids.admit(&number(4)), number(4));
        let error = json!({"jsonrpc": "2.0", "id": third, "error": {"code": 1, "message": ""}});
        assert_eq!(restored(&mut ids, error)["id"], 4);
    }

    #[test]
    fn an_id_is_free_after_its_answer() {
        let mut ids = Ids::default();
        for _ in 0..3 {
            let inside = ids.admit(&string("a"));
            assert_eq!(inside, string("a"));
            assert_eq!(answered(&mut ids, &inside), "a");
        }
        assert!(ids.in_progress.is_empty() && ids.replaced.is_empty());
    }

    #[test]
    fn a_number_and_a_string_are_different_ids() {
        let mut ids = Ids::default();
        assert_eq!(ids.admit(&number(1)), number(1));
        assert_eq!(ids.admit(&string("1")), string("1"));
        let second = ids.admit(&string("1"));
        assert_eq!(answered(&mut ids, &second), "1");
    }

    #[test]
    fn a_cancellation_is_for_the_oldest_and_its_id_is_not_used_again() {
        let mut ids = Ids::default();
        let first = ids.admit(&number(4));
        let second = ids.admit(&number(4));
        assert_eq!(ids.cancel(&number(4)), Some(first.clone()));
        assert_eq!(ids.cancel(&number(4)), Some(second.clone()));
        assert_eq!(ids.cancel(&number(4)), None);
        assert_eq!(event(&mut ids, &second), 4, "what is left to be said about it");
        let third = ids.admit(&number(4));
        assert!(third != first && third != second, "both may still end");
        assert_eq!(answered(&mut ids, &third), 4);
    }

    #[test]
    fn an_id_like_those_inside_the_server_is_one_like_any_other() {
        let mut ids = Ids::default();
        ids.admit(&number(4));
        let inside = ids.admit(&number(4));
        let same = ids.admit(&inside);
        assert_ne!(same, inside);
        assert_eq!(answered(&mut ids, &same), json!(inside));
        assert_eq!(answered(&mut ids, &inside), 4);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut ids = Ids::default();
        for _ in 0..2 * MAX_CANCELLED {
            ids.admit(&number(4));
            ids.cancel(&number(4));
        }
        assert!(ids.cancelled.len() == MAX_CANCELLED && ids.replaced.len() <= MAX_CANCELLED);
        assert!(ids.in_progress.is_empty());
    }
}
