//! Messages that wait until the transport can send them. Pure.
//!
//! Adding a message never waits, so a client that does not read blocks nothing in the server. The queue
//! is bounded all the same: it holds only the newest progress and a limited number of events of each request,
//! and while it is full no further requests are handled. An answer is never dropped.

use std::collections::{HashMap, VecDeque};

use rmcp::model::{JsonRpcMessage, ProgressToken, RequestId, ServerNotification};
use rmcp::service::{RoleServer, TxJsonRpcMessage};

use super::codex_event::{self, EventOf, Weight};
use super::json_length;

/// How many bytes may wait, as JSON, before no more requests are handled.
const MAX_WAITING: usize = 4 << 20;

/// How many events of a request may wait.
const MAX_EVENTS: usize = 256;

/// How many bytes of events of a request may wait, as JSON.
const MAX_EVENT_BYTES: usize = 256 << 10;

/// The queue, in the order of sending.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// The events that wait, by request.
    events: HashMap<RequestId, Events>,
}

/// How many events of a request wait, and how long they are as JSON.
#[derive(Debug, Default)]
struct Events {
    count: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Waiting {
    message: TxJsonRpcMessage<RoleServer>,
    bytes: usize,
    kind: Kind,
    /// How many events of the request were dropped between the one sent before and this one.
    dropped: u64,
}

/// What a message is, as far as it matters here.
#[derive(Debug)]
pub(super) enum Kind {
    /// An answer, or another message that must be sent.
    Other,
    /// Progress of the request with this token.
    Progress(ProgressToken),
    /// An event of a request.
    Event(EventOf),
}

impl Outbox {
    /// Adds a message. Progress replaces older progress of the same request, in its place. Events beyond the
    /// bounds replace older ones: first those that count tokens, then the oldest that can be missed.
    pub(super) fn push(&mut self, message: TxJsonRpcMessage<RoleServer>, kind: Kind) {
        let bytes = json_length(&message);
        self.bytes += bytes;
        let older = match &kind {
            Kind::Progress(token) => {
                self.waiting.iter_mut().find(|other| other.is_progress_of(token))
            }
            Kind::Other | Kind::Event(_) => None,
        };
        let event = match &kind {
            Kind::Event(event) => Some(event.clone()),
            Kind::Other | Kind::Progress(_) => None,
        };
        let waiting = Waiting { message, bytes, kind, dropped: 0 };
        match older {
            Some(older) => self.bytes -= std::mem::replace(older, waiting).bytes,
            None => self.waiting.push_back(waiting),
        }
        if let Some(EventOf { request, .. }) = event {
            let events = self.events.entry(request.clone()).or_default();
            events.count += 1;
            events.bytes += bytes;
            self.make_room(&request);
        }
    }

    /// Removes the next message to send.
    pub(super) fn pop(&mut self) -> Option<TxJsonRpcMessage<RoleServer>> {
        let waiting = self.waiting.pop_front()?;
        self.forget(&waiting);
        let Waiting { mut message, dropped, .. } = waiting;
        note_dropped(&mut message, dropped);
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

    /// Drops events of a request until the rest is within the bounds, or cannot be missed.
    fn make_room(&mut self, request: &RequestId) {
        let is_over = |events: &HashMap<RequestId, Events>| {
            events
                .get(request)
                .is_some_and(|events| events.count > MAX_EVENTS || events.bytes > MAX_EVENT_BYTES)
        };
        for only_replaced in [true, false] {
            let mut at = 0;
            while is_over(&self.events) {
                let Some(found) = self.next_event(at, request) else { break };
                if self.can_go(found, request, only_replaced) {
                    self.drop_event(found, request);
                    at = found;
                } else {
                    at = found + 1;
                }
            }
        }
    }

    /// Whether an event may be dropped. The newest of a request stays, so that it can tell.
    fn can_go(&self, at: usize, request: &RequestId, only_replaced: bool) -> bool {
        let later = || self.waiting.iter().skip(at + 1).filter(|it| it.is_event_of(request));
        match self.waiting[at].weight() {
            Some(Weight::Replaced) if only_replaced => {
                later().any(|other| other.weight() == Some(Weight::Replaced))
            }
            Some(Weight::Replaced | Weight::Missable) => !only_replaced && later().next().is_some(),
            Some(Weight::Kept) | None => false,
        }
    }

    /// The place of the next event of a request, from `at` on.
    fn next_event(&self, at: usize, request: &RequestId) -> Option<usize> {
        let mut rest = self.waiting.iter().enumerate().skip(at);
        rest.find(|(_, waiting)| waiting.is_event_of(request)).map(|(found, _)| found)
    }

    /// Drops an event, and lets the next one of its request tell.
    fn drop_event(&mut self, at: usize, request: &RequestId) {
        let Some(waiting) = self.waiting.remove(at) else { return };
        self.forget(&waiting);
        if let Some(next) = self.next_event(at, request) {
            self.waiting[next].dropped += waiting.dropped + 1;
        }
    }

    /// Takes what has left the queue out of the sums.
    fn forget(&mut self, waiting: &Waiting) {
        self.bytes -= waiting.bytes;
        if let Kind::Event(EventOf { request, .. }) = &waiting.kind
            && let Some(events) = self.events.get_mut(request)
        {
            events.count -= 1;
            events.bytes -= waiting.bytes;
            if events.count == 0 {
                self.events.remove(request);
            }
        }
    }
}

impl Waiting {
    fn is_progress_of(&self, token: &ProgressToken) -> bool {
        matches!(&self.kind, Kind::Progress(own) if own == token)
    }

    fn is_event_of(&self, request: &RequestId) -> bool {
        matches!(&self.kind, Kind::Event(event) if event.request == *request)
    }

    fn weight(&self) -> Option<Weight> {
        match &self.kind {
            Kind::Event(event) => Some(event.weight),
            Kind::Other | Kind::Progress(_) => None,
        }
    }
}

/// Says in an event how many were dropped before it.
fn note_dropped(message: &mut TxJsonRpcMessage<RoleServer>, dropped: u64) {
    if let JsonRpcMessage::Notification(notification) = message
        && let ServerNotification::CustomNotification(event) = &mut notification.notification
    {
        codex_event::note_dropped(event, dropped);
    }
}
