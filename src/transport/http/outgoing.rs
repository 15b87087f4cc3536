//! What a session has to send: one stream for each request, and one for everything else. Pure.
//!
//! Adding a message never waits, and what a stream holds is bounded. A stream keeps what it has delivered,
//! because a client whose connection was lost asks for it again: nothing shows what it has received.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use rmcp::model::{JsonRpcMessage, NumberOrString as RequestId, ProgressToken, ServerNotification};
use rmcp::service::{RoleServer, TxJsonRpcMessage};

use crate::transport::codex_event::request_of;
use crate::transport::json_length;

/// The stream of what belongs to no request. It exists as long as the session.
pub(super) const COMMON: u64 = 0;

/// How many requests of a session may be unanswered.
pub(super) const MAX_UNANSWERED: usize = 256;

/// How many bytes of messages a session keeps before it forgets the oldest answered streams. With twice as
/// much no further requests are accepted.
const MAX_KEPT: usize = 4 << 20;

/// How many notifications a stream keeps, and how many bytes of them. Of more, the oldest are forgotten.
const MAX_NOTES: usize = 256;
const MAX_NOTE_BYTES: usize = 256 << 10;

/// The streams of a session.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    streams: BTreeMap<u64, Stream>,
    last: u64,
    bytes: usize,
}

/// The messages of a stream.
#[derive(Debug, Default)]
struct Stream {
    request: Option<Request>,
    kept: VecDeque<Kept>,
    next_index: u64,
    note_bytes: usize,
    /// Whether no more will come.
    ended: bool,
    /// Increases with each reader. Only the newest one gets messages.
    reader: u64,
    attached: usize,
    /// When the last reader left, or when the stream ended without one.
    left_at: Option<Instant>,
    /// The index after the newest event that a reader got. With an event it got an id to resume with.
    read: u64,
    waker: Option<Waker>,
}

#[derive(Debug, Clone, PartialEq)]
struct Request {
    id: RequestId,
    token: Option<ProgressToken>,
}

/// A message that is kept.
#[derive(Debug, Clone)]
struct Kept {
    index: u64,
    message: Option<Arc<TxJsonRpcMessage<RoleServer>>>,
    kind: Kind,
    bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// An event without a message, which tells the client an id.
    First,
    /// Replaced by newer progress.
    Progress,
    /// Another notification, or a request of the server.
    Note,
    /// The last one.
    Answer,
}

/// What a reader gets.
#[derive(Debug)]
pub(super) enum Next {
    /// An event: its index, and the message if it has one.
    Event(u64, Option<Arc<TxJsonRpcMessage<RoleServer>>>),
    /// Nothing yet. The waker is called when that changes.
    Later,
    /// Nothing any more.
    End,
}

impl Outgoing {
    /// Begins the stream of a request. `first` gives it an event without a message.
    pub(super) fn begin(
        &mut self,
        id: RequestId,
        token: Option<ProgressToken>,
        first: bool,
    ) -> u64 {
        self.last += 1;
        let mut stream = Stream { request: Some(Request { id, token }), ..Stream::default() };
        if first {
            stream.keep(None, Kind::First, 0);
        }
        self.streams.insert(self.last, stream);
        self.last
    }

    /// Adds a message to the stream that it belongs to.
    pub(super) fn push(&mut self, message: TxJsonRpcMessage<RoleServer>) {
        let (id, kind) = self.place_of(&message);
        let bytes = json_length(&message);
        let stream = self.streams.entry(id).or_default();
        self.bytes += bytes;
        self.bytes -= stream.keep(Some(Arc::new(message)), kind, bytes);
        if kind == Kind::Answer {
            stream.end();
        }
        stream.wake();
        self.forget_over(MAX_KEPT);
    }

    /// Ends the stream of a request that gets no answer.
    pub(super) fn cancelled(&mut self, id: &RequestId) {
        if let Some((_, stream)) = self.unanswered_mut().find(|(request, _)| request.id == *id) {
            stream.end();
            stream.wake();
        }
    }

    /// Attaches a reader. Returns its number, or `None` if there is no such stream.
    pub(super) fn attach(&mut self, id: u64) -> Option<u64> {
        if id == COMMON {
            self.streams.entry(COMMON).or_default();
        }
        let stream = self.streams.get_mut(&id)?;
        stream.reader += 1;
        stream.attached += 1;
        stream.left_at = None;
        stream.wake();
        Some(stream.reader)
    }

    /// The index of the first event of a stream that no reader got.
    pub(super) fn unread(&self, id: u64) -> u64 {
        self.streams.get(&id).map_or(0, |stream| stream.read)
    }

    /// The next message for a reader that has everything before `from`. `leaving`: the common stream ends.
    pub(super) fn next(
        &mut self,
        id: u64,
        reader: u64,
        from: u64,
        leaving: bool,
        waker: &Waker,
    ) -> Next {
        let Some(stream) = self.streams.get_mut(&id) else { return Next::End };
        let is_newest = stream.reader == reader;
        if is_newest && let Some(next) = stream.kept.iter().find(|kept| kept.index >= from) {
            stream.read = stream.read.max(next.index + 1);
            return Next::Event(next.index, next.message.clone());
        }
        if stream.ended || (id == COMMON && leaving) {
            return Next::End;
        }
        match (is_newest, id) {
            (true, _) => stream.waker = Some(waker.clone()),
            // Otherwise two connections for the common stream would replace each other for ever.
            (false, COMMON) => {}
            (false, _) => return Next::End,
        }
        Next::Later
    }

    /// Detaches a reader. Returns the request whose answer nobody can get any more.
    pub(super) fn detach(&mut self, id: u64, resume_within: Duration) -> Option<RequestId> {
        let stream = self.streams.get_mut(&id)?;
        stream.attached -= 1;
        if stream.attached > 0 || id == COMMON {
            return None;
        }
        stream.left_at = Some(Instant::now());
        if stream.read > 0 && !resume_within.is_zero() {
            return None;
        }
        self.remove(id)
    }

    /// Forgets the streams that nobody resumed in time. Returns the requests that have no answer yet.
    pub(super) fn expire(&mut self, resume_within: Duration) -> Vec<RequestId> {
        let is_over = |stream: &Stream| {
            stream.left_at.is_some_and(|left_at| left_at.elapsed() >= resume_within)
        };
        let streams = self.streams.iter().filter(|(_, stream)| is_over(stream));
        let over: Vec<u64> = streams.map(|(id, _)| *id).collect();
        over.into_iter().filter_map(|id| self.remove(id)).collect()
    }

    /// Ends all streams. Returns the requests that have no answer yet.
    pub(super) fn end_all(&mut self) -> Vec<RequestId> {
        let unanswered: Vec<_> = self.unanswered_mut().map(|(request, _)| request.id).collect();
        for stream in self.streams.values_mut() {
            stream.end();
            stream.wake();
        }
        unanswered
    }

    /// Wakes the readers of the common stream.
    pub(super) fn wake_common(&mut self) {
        if let Some(stream) = self.streams.get_mut(&COMMON) {
            stream.wake();
        }
    }

    pub(super) fn is_unanswered(&self, id: &RequestId) -> bool {
        self.unanswered().any(|request| request.id == *id)
    }

    /// Whether a further request is accepted.
    pub(super) fn has_room(&self) -> bool {
        self.bytes < 2 * MAX_KEPT && self.unanswered().count() < MAX_UNANSWERED
    }

    /// Whether somebody reads, or waits for an answer.
    pub(super) fn is_in_use(&self) -> bool {
        self.streams.values().any(|stream| stream.attached > 0)
            || self.unanswered().next().is_some()
    }

    fn unanswered(&self) -> impl Iterator<Item = &Request> {
        self.streams
            .values()
            .filter(|stream| !stream.ended)
            .filter_map(|stream| stream.request.as_ref())
    }

    fn unanswered_mut(&mut self) -> impl Iterator<Item = (Request, &mut Stream)> {
        let open = self.streams.values_mut().filter(|stream| !stream.ended);
        open.filter_map(|stream| Some((stream.request.clone()?, stream)))
    }

    /// The stream that a message belongs to, and what it is there.
    fn place_of(&self, message: &TxJsonRpcMessage<RoleServer>) -> (u64, Kind) {
        let stream_of = |belongs: &dyn Fn(&Request) -> bool| {
            let mut open = self.streams.iter().filter(|(_, stream)| !stream.ended);
            let found = open.find(|(_, stream)| stream.request.as_ref().is_some_and(belongs));
            found.map_or(COMMON, |(id, _)| *id)
        };
        let by_id = |id: &RequestId| stream_of(&|request| request.id == *id);
        let answer = |id: Option<&RequestId>| match id.map_or(COMMON, by_id) {
            COMMON => (COMMON, Kind::Note),
            stream => (stream, Kind::Answer),
        };
        match message {
            JsonRpcMessage::Response(response) => answer(Some(&response.id)),
            JsonRpcMessage::Error(error) => answer(error.id.as_ref()),
            JsonRpcMessage::Request(_) => (COMMON, Kind::Note),
            JsonRpcMessage::Notification(notification) => match &notification.notification {
                ServerNotification::ProgressNotification(progress) => {
                    let token = Some(&progress.params.progress_token);
                    (stream_of(&|request| request.token.as_ref() == token), Kind::Progress)
                }
                ServerNotification::CustomNotification(custom) => {
                    let id = request_of(custom);
                    (id.as_ref().map_or(COMMON, by_id), Kind::Note)
                }
                _ => (COMMON, Kind::Note),
            },
        }
    }

    /// Removes a stream. Returns its request if that has no answer.
    fn remove(&mut self, id: u64) -> Option<RequestId> {
        let stream = self.streams.remove(&id)?;
        self.bytes -= stream.kept.iter().map(|kept| kept.bytes).sum::<usize>();
        if stream.ended { None } else { stream.request.map(|request| request.id) }
    }

    /// Forgets ended streams that nobody reads, oldest first, until at most `most` bytes are left.
    fn forget_over(&mut self, most: usize) {
        while self.bytes > most {
            let is_forgettable = |stream: &Stream| stream.ended && stream.attached == 0;
            let oldest = self.streams.iter().find(|(_, stream)| is_forgettable(stream));
            let Some((&id, _)) = oldest else { break };
            self.remove(id);
        }
    }
}

impl Stream {
    /// Keeps a message. Returns how many bytes of others were forgotten for it.
    fn keep(
        &mut self,
        message: Option<Arc<TxJsonRpcMessage<RoleServer>>>,
        kind: Kind,
        bytes: usize,
    ) -> usize {
        let mut forgotten = 0;
        if kind == Kind::Progress
            && let Some(at) = self.kept.iter().position(|kept| kept.kind == Kind::Progress)
        {
            forgotten += self.forget(at);
        }
        if kind == Kind::Note {
            self.note_bytes += bytes;
            let notes = |stream: &Self| {
                stream.kept.iter().filter(|kept| kept.kind == Kind::Note).count() + 1
            };
            while notes(self) > MAX_NOTES || self.note_bytes > MAX_NOTE_BYTES {
                let oldest = self.kept.iter().position(|kept| kept.kind == Kind::Note);
                let Some(oldest) = oldest else { break };
                forgotten += self.forget(oldest);
            }
        }
        self.kept.push_back(Kept { index: self.next_index, message, kind, bytes });
        self.next_index += 1;
        forgotten
    }

    fn forget(&mut self, at: usize) -> usize {
        let Some(kept) = self.kept.remove(at) else { return 0 };
        if kept.kind == Kind::Note {
            self.note_bytes -= kept.bytes;
        }
        kept.bytes
    }

    fn end(&mut self) {
        self.ended = true;
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests;
