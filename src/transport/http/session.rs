//! A session: what its client sends goes to the service, what the service sends goes to the client's streams.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rmcp::model::{
    CancelledNotification, CancelledNotificationParam, ClientNotification, GetMeta, JsonRpcMessage,
    NumberOrString as RequestId,
};
use rmcp::service::{RoleServer, RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use rmcp::transport::common::server_side_http::ServerSseMessage;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::outgoing::{COMMON, Next, Outgoing};

/// How many messages wait for the service.
const WAITING: usize = 16;

/// How long a client should wait before it connects again.
const RETRY: Duration = Duration::from_secs(1);

/// What a client sends. In a box, because a channel has room for 32 of them from the beginning: an idle session
/// would cost twice as much.
type Message = Box<RxJsonRpcMessage<RoleServer>>;

/// What the requests of a session share.
#[derive(Debug)]
pub(super) struct Session {
    input: mpsc::Sender<Message>,
    state: Mutex<State>,
    /// Notified when a request was added to [`State::stopped`].
    stopping: Notify,
    closed: CancellationToken,
    leaving: CancellationToken,
    resume_within: Duration,
}

#[derive(Debug)]
struct State {
    outgoing: Outgoing,
    /// Requests that must be cancelled.
    stopped: VecDeque<RequestId>,
    /// Whether the client expects an event without a message at the beginning of each stream.
    primes: bool,
    last_used: Instant,
}

/// The service's end of a session.
pub(super) struct SessionTransport {
    session: Arc<Session>,
    input: mpsc::Receiver<Message>,
    ended: bool,
}

/// A connection that reads a stream of a session. Dropping it detaches it.
pub(super) struct Reader {
    session: Arc<Session>,
    stream: u64,
    number: u64,
    /// The index of the next event.
    from: u64,
}

impl Session {
    /// `leaving` is cancelled when the server leaves: the common stream ends then.
    pub(super) fn new(
        resume_within: Duration,
        leaving: CancellationToken,
    ) -> (Arc<Self>, SessionTransport) {
        let (sender, input) = mpsc::channel(WAITING);
        let state = State {
            outgoing: Outgoing::default(),
            stopped: VecDeque::new(),
            primes: false,
            last_used: Instant::now(),
        };
        let session = Arc::new(Self {
            input: sender,
            state: Mutex::new(state),
            stopping: Notify::new(),
            closed: CancellationToken::new(),
            leaving,
            resume_within,
        });
        (Arc::clone(&session), SessionTransport { session, input, ended: false })
    }

    /// Hands a request to the service. The reader gets its progress and its answer.
    pub(super) async fn request(
        self: &Arc<Self>,
        message: RxJsonRpcMessage<RoleServer>,
    ) -> io::Result<Reader> {
        let JsonRpcMessage::Request(request) = &message else {
            return Err(io::Error::other("it is no request"));
        };
        let token = request.request.get_meta().get_progress_token();
        let id = request.id.clone();
        let reader = {
            let mut state = self.state();
            let first = state.primes;
            let stream = state.outgoing.begin(id, token, first);
            drop(state);
            self.read(stream, 0).ok_or_else(gone)?
        };
        self.send(message).await?;
        Ok(reader)
    }

    /// Hands a message to the service that gets no answer.
    pub(super) async fn send(&self, message: RxJsonRpcMessage<RoleServer>) -> io::Result<()> {
        if let JsonRpcMessage::Notification(notification) = &message
            && let ClientNotification::CancelledNotification(cancelled) = &notification.notification
            && let Some(id) = &cancelled.params.request_id
        {
            self.state().outgoing.cancelled(id);
        }
        tokio::select! {
            sent = self.input.send(Box::new(message)) => sent.map_err(|_| gone()),
            () = self.closed.cancelled() => Err(gone()),
        }
    }

    /// Reads a stream from this event on.
    pub(super) fn read(self: &Arc<Self>, stream: u64, from: u64) -> Option<Reader> {
        let number = self.state().outgoing.attach(stream)?;
        Some(Reader { session: Arc::clone(self), stream, number, from })
    }

    /// Reads what belongs to no request, and that nobody has read yet.
    pub(super) fn read_common(self: &Arc<Self>) -> Option<Reader> {
        let from = self.state().outgoing.unread(COMMON);
        self.read(COMMON, from)
    }

    /// Reads a stream after the event of this id.
    pub(super) fn resume(self: &Arc<Self>, last_event_id: &str) -> Option<Reader> {
        let (stream, index) = parse_event_id(last_event_id)?;
        self.read(stream, index.checked_add(1)?)
    }

    /// Begins each later stream with an event without a message.
    pub(super) fn prime(&self) {
        self.state().primes = true;
    }

    /// Ends the session, and cancels its requests.
    pub(super) fn close(&self) {
        let mut state = self.state();
        let unanswered = state.outgoing.end_all();
        state.stopped.extend(unanswered);
        drop(state);
        self.closed.cancel();
    }

    /// Cancels what nobody can get the answer of any more.
    pub(super) fn expire(&self) {
        let mut state = self.state();
        let abandoned = state.outgoing.expire(self.resume_within);
        self.stop(state, abandoned);
    }

    /// Lets the common stream end if the server is leaving.
    pub(super) fn leave(&self) {
        self.state().outgoing.wake_common();
    }

    /// Records that the client uses the session.
    pub(super) fn touch(&self) {
        self.state().last_used = Instant::now();
    }

    /// For how long nobody has used the session. `None` if it is in use.
    pub(super) fn idle_for(&self) -> Option<Duration> {
        let state = self.state();
        (!state.outgoing.is_in_use()).then(|| state.last_used.elapsed())
    }

    pub(super) fn is_unanswered(&self, id: &RequestId) -> bool {
        self.state().outgoing.is_unanswered(id)
    }

    pub(super) fn has_room(&self) -> bool {
        self.state().outgoing.has_room()
    }

    fn stop(&self, mut state: MutexGuard<'_, State>, requests: Vec<RequestId>) {
        if !requests.is_empty() {
            state.stopped.extend(requests);
            drop(state);
            self.stopping.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transport<RoleServer> for SessionTransport {
    type Error = io::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        self.session.state().outgoing.push(message);
        std::future::ready(Ok(()))
    }

    /// Cancel-safe: each await is.
    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            let stopped = self.session.state().stopped.pop_front();
            if let Some(id) = stopped {
                return Some(cancellation(id));
            }
            if self.ended {
                return None;
            }
            tokio::select! {
                biased;
                () = self.session.closed.cancelled() => self.ended = true,
                () = self.session.stopping.notified() => {}
                message = self.input.recv() => return message.map(|message| *message),
            }
        }
    }

    async fn close(&mut self) -> io::Result<()> {
        self.session.close();
        Ok(())
    }
}

impl futures::Stream for Reader {
    type Item = ServerSseMessage;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let leaving = self.session.leaving.is_cancelled();
        let next = self.session.state().outgoing.next(
            self.stream,
            self.number,
            self.from,
            leaving,
            context.waker(),
        );
        match next {
            Next::Event(index, message) => {
                self.from = index + 1;
                let mut event = ServerSseMessage::default();
                event.event_id = Some(event_id(self.stream, index));
                event.retry = message.is_none().then_some(RETRY);
                event.message = message;
                Poll::Ready(Some(event))
            }
            Next::Later => Poll::Pending,
            Next::End => Poll::Ready(None),
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut state = self.session.state();
        state.last_used = Instant::now();
        let abandoned = state.outgoing.detach(self.stream, self.session.resume_within);
        self.session.stop(state, abandoned.into_iter().collect());
    }
}

/// The id of an event: the stream and the index in it.
fn event_id(stream: u64, index: u64) -> String {
    format!("{stream}-{index}")
}

fn parse_event_id(text: &str) -> Option<(u64, u64)> {
    let (stream, index) = text.split_once('-')?;
    Some((stream.parse().ok()?, index.parse().ok()?))
}

/// What a client would send that cancels this request.
pub(super) fn cancellation(id: RequestId) -> RxJsonRpcMessage<RoleServer> {
    let params = CancelledNotificationParam::new(Some(id), Some("the client is gone".into()));
    JsonRpcMessage::notification(ClientNotification::CancelledNotification(
        CancelledNotification::new(params),
    ))
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the session has ended")
}
