//! Sends a turn's events to the client while it runs, as `codex/event` notifications.
//!
//! A task of its own does it, so that neither the turn nor the answer waits for a disk or a client. All events of a
//! turn are sent before its answer. A cancelled call has no answer; its last event says that the turn was aborted.

use std::time::Duration;

use rmcp::model::{RequestId, ServerNotification};
use rmcp::service::{Peer, RequestContext, RoleServer};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use crate::codex::core_event::CoreEvent;
use crate::codex::core_event::merge::{End, Merge};
use crate::codex::core_event::tail::Tail;
use crate::model::outcome::{Answer, Failure, FailureKind};
use crate::model::request::TurnRequest;
use crate::system::bounded::blocking;
use crate::transport::codex_event;
use crate::turn::core_events::{CoreEvents, Seen, core_events};
use crate::turn::tap::{RecordPlace, Taps};

/// How long the first events wait for what the record says about the session. Codex writes it within 0.1 s.
const RECORD_STARTS_WITHIN: Duration = Duration::from_secs(1);

/// How often the record is read meanwhile. After that it is read when Codex prints something.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long a read of the record may take. After that it is not read any more in this turn.
const READ_WITHIN: Duration = Duration::from_secs(2);

/// How long the answer waits for the last events.
const END_WITHIN: Duration = Duration::from_secs(3);

/// Sends the events of a turn. Dropped without an end, it sends that the turn was aborted, once its process is
/// gone.
pub(super) struct Events(oneshot::Sender<Ended>);

/// The end of a turn, and who waits until that was sent.
struct Ended {
    end: End,
    sent: oneshot::Sender<()>,
}

impl Events {
    /// Starts to send the events of the turn that has these taps. `announces`: the first says in which thread it is.
    pub(super) fn start(
        request: &TurnRequest,
        announces: bool,
        context: &RequestContext<RoleServer>,
    ) -> (Self, Taps) {
        let (tap, seen) = core_events();
        let (ended, end) = oneshot::channel();
        let mut merge = Merge::new(request.prompt.as_str().to_owned(), announces);
        // Nobody can answer a request for approval.
        merge.know("approval_policy", "never".into());
        if let Some(model) = &request.options.model {
            merge.know("model", model.as_str().into());
        }
        let sender = Sender {
            peer: context.peer.clone(),
            request: context.id.clone(),
            merge,
            tail: None,
            place: RecordPlace::Unknown,
            announces,
            looks_until: None,
            dropped: 0,
        };
        tokio::spawn(sender.run(seen, end));
        (Self(ended), Taps::one(tap))
    }

    /// Sends what is left, for a bounded time.
    pub(super) async fn end(self, outcome: &Result<Answer, Box<Failure>>) {
        let (sent, wait) = oneshot::channel();
        let end = match outcome {
            Ok(answer) => End::Completed(answer.reply.clone()),
            Err(failure) => end_of(failure),
        };
        if self.0.send(Ended { end, sent }).is_ok() {
            drop(timeout(END_WITHIN, wait).await);
        }
    }
}

fn end_of(failure: &Failure) -> End {
    match &failure.kind {
        FailureKind::Cancelled { .. } | FailureKind::TimedOut { .. } => End::Aborted,
        kind => End::Failed(failure.reported.clone().unwrap_or_else(|| kind.to_string())),
    }
}

/// What sends the events of one turn.
struct Sender {
    peer: Peer<RoleServer>,
    request: RequestId,
    merge: Merge,
    /// The record, while it is not being read.
    tail: Option<Tail>,
    place: RecordPlace,
    announces: bool,
    /// Until when the record is read although Codex prints nothing.
    looks_until: Option<Instant>,
    /// Events that were dropped before the next one.
    dropped: u64,
}

impl Sender {
    async fn run(mut self, mut seen: CoreEvents, mut ended: oneshot::Receiver<Ended>) {
        let ended = loop {
            let looks = self.looks_until.is_some();
            tokio::select! {
                biased;
                // Cancel-safe, see there.
                next = seen.next() => match next {
                    Some(next) => self.take(next, &mut seen).await,
                    // The outcome follows, unless the call was cancelled.
                    None if ended.is_terminated() => break None,
                    None => break ended.await.ok(),
                },
                // Cancel-safe: a message stays in the channel.
                Ok(ended) = &mut ended, if !ended.is_terminated() => break Some(ended),
                // May be lost: it only waits.
                () = sleep(LOOK_EVERY), if looks => self.look().await,
            }
        };
        match ended {
            Some(Ended { end, sent }) => {
                self.finish(end).await;
                // Nobody waits any more, if it took too long.
                sent.send(()).ok();
            }
            None => self.finish(End::Aborted).await,
        }
    }

    /// Takes what was seen, and all that was seen since.
    async fn take(&mut self, first: Seen, seen: &mut CoreEvents) {
        let mut printed = Vec::new();
        let mut next = Some(first);
        while let Some(one) = next {
            match one {
                Seen::Starting { working_dir, record } => {
                    self.merge.know("cwd", working_dir.to_string_lossy().into());
                    self.place = record;
                }
                Seen::Printed(events) => printed.extend(events),
                Seen::Omitted(events) if !self.merge.reads_record() => printed.extend(events),
                Seen::Omitted(_) => {}
            }
            next = seen.try_next();
        }
        self.dropped += seen.take_dropped();
        // Which record it is depends on the thread.
        let opened = printed.iter().position(|event| event.kind() == "session_configured");
        if let Some(opened) = opened {
            let rest = printed.split_off(opened + 1);
            for event in std::mem::replace(&mut printed, rest) {
                let ready = self.merge.printed(event);
                self.send(ready).await;
            }
            self.open();
        }
        self.read().await;
        for event in printed {
            let ready = self.merge.printed(event);
            self.send(ready).await;
        }
    }

    /// Finds out where the record is, once the thread is known.
    fn open(&mut self) {
        let place = std::mem::replace(&mut self.place, RecordPlace::Unknown);
        let thread = self.merge.thread().and_then(|thread| thread.parse().ok());
        self.tail = match (place, thread) {
            (RecordPlace::Known(record, length), Some(thread)) => {
                let announced = self.announces.then_some(thread);
                Some(Tail::of_known(record, length, announced))
            }
            (RecordPlace::New(home), Some(thread)) => Some(Tail::of_new(home, thread)),
            (RecordPlace::Known(..) | RecordPlace::New(_), None) | (RecordPlace::Unknown, _) => {
                None
            }
        };
        self.looks_until = Some(Instant::now() + RECORD_STARTS_WITHIN);
    }

    /// Reads the record although Codex has printed nothing.
    async fn look(&mut self) {
        self.read().await;
        if self.looks_until.is_some_and(|until| Instant::now() < until) {
            return;
        }
        self.looks_until = None;
        if let Some(tail) = &mut self.tail {
            let (held, has_items) = (tail.release(), tail.has_items());
            let ready = self.merge.recorded(held, has_items);
            self.send(ready).await;
        }
        let ready = self.merge.abandon_record();
        self.send(ready).await;
    }

    /// Sends what was added to the record.
    async fn read(&mut self) {
        while self.merge.reads_record()
            && let Some(mut tail) = self.tail.take()
        {
            let read = move || {
                let events = tail.read();
                (events, tail)
            };
            let Some((events, tail)) = blocking(READ_WITHIN, read).await else {
                tracing::debug!("Codex's record of the turn cannot be read in time");
                let ready = self.merge.lose_record();
                return self.send(ready).await;
            };
            let is_done = !tail.has_more();
            let ready = self.merge.recorded(events, tail.has_items());
            self.send(ready).await;
            if tail.is_exhausted() {
                let ready = self.merge.lose_record();
                return self.send(ready).await;
            }
            self.tail = Some(tail);
            if is_done {
                return;
            }
        }
    }

    async fn finish(&mut self, end: End) {
        self.read().await;
        if let Some(tail) = &mut self.tail {
            let (held, has_items) = (tail.release(), tail.has_items());
            let ready = self.merge.recorded(held, has_items);
            self.send(ready).await;
        }
        let ready = self.merge.end(end);
        self.send(ready).await;
    }

    /// Sends events. The transport never blocks on a message, so this takes no time.
    async fn send(&mut self, events: Vec<CoreEvent>) {
        for CoreEvent { turn, msg, .. } in events {
            let thread = self.merge.thread().unwrap_or_default();
            let dropped = std::mem::take(&mut self.dropped);
            let msg = Value::Object(msg);
            let event = codex_event::notification(&self.request, thread, &turn, msg, dropped);
            let event = ServerNotification::CustomNotification(event);
            drop(self.peer.send_notification(event).await);
        }
    }
}
