//! The transport of MCP 2024-11-05: a stream of events on `GET /sse`, and messages on `POST /messages`.
//!
//! A session is its stream: it ends, and its requests are cancelled, when the connection does.

use std::collections::{HashMap, HashSet, VecDeque};
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use rmcp::model::{JsonRpcMessage, NumberOrString as RequestId};
use rmcp::service::{RoleServer, RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use tokio::sync::mpsc;
use tokio::time::{Interval, interval_at};
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use super::refusal::Refusal;
use super::session::cancellation;
use super::{KEEP_ALIVE, Reply};
use crate::transport::answered_by;
use crate::transport::connection::{Connection, Output};

/// The paths.
pub(super) const EVENTS: &str = "/sse";
pub(super) const MESSAGES: &str = "/messages";

/// The parameter of a session's id in the address for messages.
const SESSION_ID: &str = "session_id";

/// How many messages wait for the service.
const WAITING: usize = 16;

/// All sessions of a server.
#[derive(Debug)]
pub(super) struct Pairs {
    all: Arc<Mutex<HashMap<Uuid, mpsc::Sender<RxJsonRpcMessage<RoleServer>>>>>,
    most: usize,
    leaving: CancellationToken,
}

/// The service's end of a session.
pub(super) struct PairTransport {
    input: mpsc::Receiver<RxJsonRpcMessage<RoleServer>>,
    output: mpsc::Sender<TxJsonRpcMessage<RoleServer>>,
    unanswered: HashSet<RequestId>,
    stopped: VecDeque<RequestId>,
    closed: CancellationToken,
    leaving: CancellationToken,
    ended: bool,
}

/// The events that a client reads.
struct Events {
    /// The first event.
    address: Option<Bytes>,
    messages: mpsc::Receiver<TxJsonRpcMessage<RoleServer>>,
    ticks: Interval,
    _session: Registered,
}

/// Removes the session when its stream is dropped.
struct Registered {
    all: Arc<Mutex<HashMap<Uuid, mpsc::Sender<RxJsonRpcMessage<RoleServer>>>>>,
    id: Uuid,
    _closed: DropGuard,
}

impl Pairs {
    /// `leaving` is cancelled when the server leaves.
    pub(super) fn new(most: usize, leaving: CancellationToken) -> Self {
        Self { all: Arc::default(), most, leaving }
    }

    /// Begins a session. The connection must be served.
    pub(super) fn begin(&self) -> Result<(Connection<PairTransport>, Reply), Refusal> {
        let mut all = locked(&self.all);
        if all.len() >= self.most {
            let message = format!("There are {} sessions already. Try again later.", self.most);
            return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, message));
        }
        let id = Uuid::new_v4();
        let (sender, input) = mpsc::channel(WAITING);
        let (output, messages) = mpsc::channel(1);
        let closed = CancellationToken::new();
        all.insert(id, sender);
        drop(all);
        let events = Events {
            address: Some(event("endpoint", &format!("{MESSAGES}?{SESSION_ID}={id}"))),
            messages,
            ticks: interval_at(tokio::time::Instant::now() + KEEP_ALIVE, KEEP_ALIVE),
            _session: Registered {
                all: Arc::clone(&self.all),
                id,
                _closed: closed.clone().drop_guard(),
            },
        };
        let transport = PairTransport {
            input,
            output,
            unanswered: HashSet::new(),
            stopped: VecDeque::new(),
            closed,
            leaving: self.leaving.clone(),
            ended: false,
        };
        let mut response = Response::new(StreamBody::new(events).boxed());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        Ok((Connection::new(transport, Output::default()), response))
    }

    /// Where messages for the session in the query of an address go.
    pub(super) fn find(
        &self,
        query: Option<&str>,
    ) -> Option<mpsc::Sender<RxJsonRpcMessage<RoleServer>>> {
        let mut parameters = query.unwrap_or_default().split('&');
        let id = parameters.find_map(|parameter| {
            parameter.strip_prefix(SESSION_ID)?.strip_prefix('=')?.parse::<Uuid>().ok()
        });
        locked(&self.all).get(&id?).cloned()
    }
}

impl Transport<RoleServer> for PairTransport {
    type Error = io::Error;

    /// Completes when the connection has room for the next message.
    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        if let Some(id) = answered_by(&message) {
            self.unanswered.remove(id);
        }
        let output = self.output.clone();
        async move { output.send(message).await.map_err(|_| io::ErrorKind::BrokenPipe.into()) }
    }

    /// Cancel-safe: each await is.
    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            if let Some(id) = self.stopped.pop_front() {
                return Some(cancellation(id));
            }
            if self.ended {
                return None;
            }
            tokio::select! {
                biased;
                () = self.closed.cancelled() => {
                    self.ended = true;
                    self.stopped.extend(self.unanswered.drain());
                }
                // What is in progress is answered first.
                () = self.leaving.cancelled() => self.ended = true,
                message = self.input.recv() => {
                    if let Some(JsonRpcMessage::Request(request)) = &message {
                        self.unanswered.insert(request.id.clone());
                    }
                    return message;
                }
            }
        }
    }

    async fn close(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl futures::Stream for Events {
    type Item = Result<Frame<Bytes>, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(address) = self.address.take() {
            return Poll::Ready(Some(Ok(Frame::data(address))));
        }
        if let Poll::Ready(message) = self.messages.poll_recv(context) {
            let json = message.map(|message| serde_json::to_string(&message).unwrap_or_default());
            return Poll::Ready(json.map(|json| Ok(Frame::data(event("message", &json)))));
        }
        self.ticks.poll_tick(context).map(|_| Some(Ok(Frame::data(Bytes::from_static(b":\n\n")))))
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        locked(&self.all).remove(&self.id);
    }
}

/// An event of one line.
fn event(name: &str, data: &str) -> Bytes {
    format!("event: {name}\ndata: {data}\n\n").into()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it is held.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
