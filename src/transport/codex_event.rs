//! `codex/event` notifications: how a connection recognizes them, and which of them can be missed. Pure.

use rmcp::model::{CustomNotification, MetaObject, NotificationMetaObject, RequestId};
use serde::Deserialize;
use serde_json::{Value, json};

/// The method of the notifications, as Codex's own MCP server sent them.
const METHOD: &str = "codex/event";

/// The field of `_meta` with the id of the request.
const REQUEST: &str = "requestId";

/// The field of `_meta` with the number of events that were dropped.
const DROPPED: &str = "dropped";

/// The event that ends a turn without an answer.
const ABORTED: &str = "turn_aborted";

/// What a connection needs to know about an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EventOf {
    pub(super) request: RequestId,
    pub(super) weight: Weight,
    /// Whether the turn was aborted, so that nothing follows.
    pub(super) is_abort: bool,
}

/// What becomes of an event when too many wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// It is sent in any case: how the turn began, or how it ended.
    Kept,
    /// A later one of its type says the same and more: the count of tokens.
    Replaced,
    /// It is dropped.
    Missable,
}

impl EventOf {
    /// `None` if the notification is no event of a request.
    pub(super) fn read(notification: &CustomNotification) -> Option<Self> {
        if notification.method != METHOD {
            return None;
        }
        let request = request_of(notification)?;
        let msg = notification.params.as_ref().map(|params| &params["msg"]);
        let kind = msg.and_then(|msg| msg["type"].as_str()).unwrap_or_default();
        Some(Self { request, weight: weight(kind), is_abort: kind == ABORTED })
    }
}

/// The request that a notification says it is about.
pub(super) fn request_of(notification: &CustomNotification) -> Option<RequestId> {
    let meta = notification.extensions.get::<NotificationMetaObject>()?;
    RequestId::deserialize(meta.0.get(REQUEST)?).ok()
}

fn weight(kind: &str) -> Weight {
    match kind {
        "session_configured" | "error" | ABORTED | "task_complete" => Weight::Kept,
        "token_count" => Weight::Replaced,
        _ => Weight::Missable,
    }
}

/// The notification of an event of a request. `msg` is the event of Codex's core, `turn` its id, and `dropped`
/// the number of events that were dropped before it.
pub(crate) fn notification(
    request: &RequestId,
    thread: &str,
    turn: &str,
    msg: Value,
    dropped: u64,
) -> CustomNotification {
    let mut notification = CustomNotification::new(METHOD, Some(json!({ "id": turn, "msg": msg })));
    let mut meta = MetaObject::new();
    meta.insert(REQUEST.into(), json!(request));
    meta.insert("threadId".into(), thread.into());
    notification.extensions.insert(NotificationMetaObject(meta));
    note_dropped(&mut notification, dropped);
    notification
}

/// Says in an event that so many more of its request were dropped before it.
pub(super) fn note_dropped(notification: &mut CustomNotification, dropped: u64) {
    if dropped > 0
        && let Some(meta) = notification.extensions.get_mut::<NotificationMetaObject>()
    {
        let before = meta.0.get(DROPPED).and_then(Value::as_u64).unwrap_or_default();
        meta.0.insert(DROPPED.into(), (before + dropped).into());
    }
}
