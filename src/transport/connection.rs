//! What holds for every transport: bounds, merged progress, and an end that waits for the answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use rmcp::model::{ClientNotification, JsonRpcMessage, ServerNotification};
use rmcp::service::{RoleServer, RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::answered_by;
use super::codex_event::EventOf;
use super::ids::Ids;
use super::inbox::Inbox;
use super::outbox::{Kind, Outbox};
use super::unanswered::Unanswered;

/// A transport whose sends never wait and whose queues are bounded.
///
/// One message at a time is with the transport; it counts as sent when the transport's future
/// completes. The others wait in the outbox. [`receive`](Transport::receive) drives all of it, and rmcp
/// calls that again after each message.
pub(crate) struct Connection<T: Transport<RoleServer>> {
    transport: T,
    output: Output,
    sending: Option<BoxFuture<'static, Result<(), T::Error>>>,
    /// Whether that message is an answer.
    sending_answer: bool,
    outbox: Outbox,
    inbox: Inbox,
    ids: Ids,
    unanswered: Unanswered,
    input_ended: bool,
    /// Whether an answer could not be sent.
    lost_answer: bool,
    /// Set again for each message that is received, queued or sent.
    state: watch::Sender<State>,
}

/// What a transport reports about its output, apart from the messages that it sends.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    /// Cancelled when nobody can read what is sent.
    pub(crate) closed: CancellationToken,
    /// Bytes of its own answers, to messages that it cannot decode, that it has not written yet.
    pub(crate) refusals: watch::Receiver<usize>,
    /// Set when it could not answer a message that may have been a request.
    pub(crate) unanswerable: Arc<AtomicBool>,
}

impl Default for Output {
    /// For a transport that answers nothing itself and notices a closed output only when it sends.
    fn default() -> Self {
        Self {
            closed: CancellationToken::new(),
            refusals: watch::channel(0).1,
            unanswerable: Arc::default(),
        }
    }
}

/// Follows a connection from outside of the service that owns it. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Monitor {
    state: watch::Receiver<State>,
    output: Output,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    input_ended: bool,
    /// Requests without an answer.
    unanswered: usize,
    /// Messages that the transport has not sent yet.
    unsent: usize,
    lost_answer: bool,
}

impl<T: Transport<RoleServer>> Connection<T> {
    pub(crate) fn new(transport: T, output: Output) -> Self {
        Self {
            transport,
            output,
            sending: None,
            sending_answer: false,
            outbox: Outbox::default(),
            inbox: Inbox::default(),
            ids: Ids::default(),
            unanswered: Unanswered::default(),
            input_ended: false,
            lost_answer: false,
            state: watch::Sender::default(),
        }
    }

    pub(crate) fn monitor(&self) -> Monitor {
        Monitor { state: self.state.subscribe(), output: self.output.clone() }
    }

    /// Hands a message to the transport, or queues it behind earlier ones.
    fn push(&mut self, message: TxJsonRpcMessage<RoleServer>, kind: Kind) {
        if self.output.closed.is_cancelled() {
            self.lost_answer |= is_answer(&message);
            return;
        }
        if self.sending.is_some() {
            self.outbox.push(message, kind);
        } else {
            self.start_sending(message);
        }
    }

    fn start_sending(&mut self, message: TxJsonRpcMessage<RoleServer>) {
        self.sending_answer = is_answer(&message);
        self.sending = Some(Box::pin(self.transport.send(message)));
    }

    /// Records that the transport has sent a message, and gives it the next one.
    fn note_sent(&mut self, result: Result<(), T::Error>) {
        self.sending = None;
        if let Err(error) = result {
            tracing::debug!(%error, "standard output cannot be written");
            self.output.closed.cancel();
            self.lost_answer |= self.sending_answer;
            while let Some(unsent) = self.outbox.pop() {
                self.lost_answer |= is_answer(&unsent);
            }
        }
        if let Some(next) = self.outbox.pop() {
            self.start_sending(next);
        }
        self.publish();
    }

    /// Records a message, and gives it the id that its request has inside the server.
    fn note_received(&mut self, message: &mut RxJsonRpcMessage<RoleServer>) {
        match message {
            JsonRpcMessage::Request(request) => {
                request.id = self.ids.admit(&request.id);
                self.unanswered.insert(&request.id, &request.request);
            }
            JsonRpcMessage::Notification(notification) => {
                if let ClientNotification::CancelledNotification(cancelled) =
                    &mut notification.notification
                    && let Some(id) = &mut cancelled.params.request_id
                {
                    if let Some(inside) = self.ids.cancel(id) {
                        *id = inside;
                    }
                    self.inbox.withdraw(id);
                    if let Some(token) = self.unanswered.cancel(id) {
                        self.outbox.withdraw(&token);
                    }
                }
            }
            JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) => {}
        }
        self.publish();
    }

    fn publish(&self) {
        self.state.send_replace(State {
            input_ended: self.input_ended,
            unanswered: self.unanswered.len(),
            unsent: self.outbox.len() + usize::from(self.sending.is_some()),
            lost_answer: self.lost_answer,
        });
    }
}

impl<T: Transport<RoleServer>> Transport<RoleServer> for Connection<T> {
    type Error = T::Error;

    fn send(
        &mut self,
        mut message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), T::Error>> + Send + 'static {
        let kind = kind_of(&message);
        let is_wanted = match &kind {
            Kind::Other => true,
            // After its answer, or its cancellation, a request has no more progress.
            Kind::Progress(token) => self.unanswered.has_token(token),
            Kind::Event(EventOf { request, is_abort, .. }) => {
                self.unanswered.takes_event(request, *is_abort)
            }
        };
        let answers = answered_by(&message).cloned();
        self.ids.restore(&mut message);
        if is_wanted {
            self.push(message, kind);
        }
        if let Some(id) = answers {
            self.unanswered.remove(&id);
        }
        self.publish();
        std::future::ready(Ok(()))
    }

    /// Cancel-safe: between two awaits everything is in `self`.
    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            if let Some(message) = self.inbox.next(self.outbox.has_room()) {
                return Some(message);
            }
            let all_answered = self.inbox.is_empty() && self.unanswered.len() == 0;
            if self.input_ended && all_answered && self.sending.is_none() {
                return None;
            }
            tokio::select! {
                result = next_sent(&mut self.sending) => self.note_sent(result),
                message = self.transport.receive(),
                    if !self.input_ended && !self.inbox.is_full() =>
                {
                    match message {
                        Some(mut message) => {
                            self.note_received(&mut message);
                            if self.inbox.is_empty() && self.outbox.has_room() {
                                return Some(message);
                            }
                            self.inbox.push(message);
                        }
                        None => {
                            self.input_ended = true;
                            self.publish();
                        }
                    }
                }
            }
        }
    }

    async fn close(&mut self) -> Result<(), T::Error> {
        while self.sending.is_some() {
            let result = next_sent(&mut self.sending).await;
            self.note_sent(result);
        }
        self.transport.close().await
    }
}

fn is_answer(message: &TxJsonRpcMessage<RoleServer>) -> bool {
    matches!(message, JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_))
}

fn kind_of(message: &TxJsonRpcMessage<RoleServer>) -> Kind {
    let JsonRpcMessage::Notification(notification) = message else { return Kind::Other };
    match &notification.notification {
        ServerNotification::ProgressNotification(progress) => {
            Kind::Progress(progress.params.progress_token.clone())
        }
        ServerNotification::CustomNotification(custom) => {
            EventOf::read(custom).map_or(Kind::Other, Kind::Event)
        }
        _ => Kind::Other,
    }
}

/// Completes when the message in `sending` was sent. Without one it never does: the next message comes
/// through `send`, and for that rmcp drops this future and receives again.
async fn next_sent<E>(sending: &mut Option<BoxFuture<'static, Result<(), E>>>) -> Result<(), E> {
    match sending {
        Some(sending) => sending.await,
        None => std::future::pending().await,
    }
}

impl Monitor {
    /// Waits until every request has its answer, written or not.
    pub(crate) async fn answered(&self) {
        // An error means that the connection is gone, and so is everything that could wait.
        drop(self.state.clone().wait_for(|state| state.unanswered == 0).await);
    }

    /// Whether every request up to now has its answer, and all answers are written.
    pub(crate) fn all_answered(&self) -> bool {
        let State { unanswered, unsent, lost_answer, .. } = *self.state.borrow();
        let refused = *self.output.refusals.borrow() == 0;
        let answerable = !self.output.unanswerable.load(Ordering::Relaxed);
        unanswered == 0 && unsent == 0 && !lost_answer && refused && answerable
    }

    /// Waits until all messages are written, or nobody can read them.
    pub(crate) async fn flushed(&self) {
        let (mut state, mut refusals) = (self.state.clone(), self.output.refusals.clone());
        let written = async {
            drop(state.wait_for(|state| state.unsent == 0).await);
            drop(refusals.wait_for(|bytes| *bytes == 0).await);
        };
        tokio::select! {
            () = written => {}
            () = self.closed() => {}
        }
    }

    /// Waits until nobody can read what is sent.
    pub(crate) async fn closed(&self) {
        self.output.closed.cancelled().await;
    }

    /// Waits until the input has ended, all is answered, and the client has then read nothing for
    /// `patience`.
    pub(crate) async fn stalled(&self, patience: Duration) {
        let mut state = self.state.clone();
        let mut refusals = self.output.refusals.clone();
        drop(state.wait_for(|state| state.input_ended && state.unanswered == 0).await);
        loop {
            let something_read = async {
                tokio::select! {
                    Ok(()) = state.changed() => {}
                    Ok(()) = refusals.changed() => {}
                    else => std::future::pending().await,
                }
            };
            if tokio::time::timeout(patience, something_read).await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
