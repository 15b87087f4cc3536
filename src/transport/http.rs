//! MCP over HTTP, for several clients at once.
//!
//! rmcp's service knows the protocol. This adds what protects it: who may send what ([`guard`]), bounds of
//! everything that comes from outside, sessions whose streams can be resumed and whose calls end with their
//! client ([`session`]), and an orderly end.

mod body;
mod door;
mod guard;
mod outgoing;
mod pair;
mod refusal;
mod session;
mod sessions;
mod socket;
mod token;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::combinators::BoxBody;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rmcp::ServerHandler;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use token::Token;

use crate::model::http::{Carrier, Http};
use door::Door;
use refusal::Refusal;
use socket::Socket;

/// An answer.
type Reply = Response<BoxBody<Bytes, Infallible>>;

/// The most bytes of a request's headers, and the most headers.
const MAX_HEADER_BYTES: usize = 32 << 10;
const MAX_HEADERS: usize = 100;

/// The most bytes that are buffered for a connection in each direction.
const MAX_BUFFER: usize = 64 << 10;

/// How often a stream sends something that shows whether its client is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How long to wait after the system refused a connection, usually because too many files are open.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// A server that listens, and serves nobody yet.
pub(crate) struct HttpServer {
    listener: TcpListener,
    address: SocketAddr,
    settings: Http,
    token: Option<Token>,
}

impl HttpServer {
    /// Listens on the address of the settings. Must be called on a Tokio runtime with I/O.
    ///
    /// # Errors
    ///
    /// If the system refuses, for example because the address is in use.
    pub(crate) fn bind(settings: Http, token: Option<Token>) -> io::Result<Self> {
        let address = settings.address.ok_or(io::ErrorKind::AddrNotAvailable)?;
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, settings, token })
    }

    /// What clients connect to.
    pub(crate) fn url(&self) -> String {
        let path = match self.settings.carrier() {
            Carrier::Sse => pair::EVENTS,
            Carrier::StreamableHttp | Carrier::Stdio => &self.settings.mount_path,
        };
        format!("http://{}{path}", self.address)
    }

    /// Serves clients until `leaving`, and then what is in progress. Each client is served by a clone of
    /// `service`.
    pub(crate) async fn serve<S: ServerHandler + Clone>(
        self,
        service: S,
        leaving: CancellationToken,
    ) {
        let Self { listener, settings, token, .. } = self;
        let door = Arc::new(Door::new(&settings, token, service, &leaving));
        let sweeping = Arc::clone(&door);
        tokio::spawn(async move { sweeping.sweep().await });
        let places = Arc::new(Semaphore::new(settings.max_connections));
        let connections = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                biased;
                () = leaving.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => match Arc::clone(&places).try_acquire_owned() {
                    Ok(place) => {
                        let socket = Socket::new(stream, settings.client_timeout);
                        let timeout = settings.client_timeout;
                        let (door, leaving) = (Arc::clone(&door), leaving.clone());
                        connections.spawn(connection(socket, place, door, timeout, leaving));
                    }
                    Err(_) => turn_away(&stream),
                },
                Err(error) => {
                    tracing::warn!(%error, "a connection cannot be accepted");
                    tokio::time::sleep(AFTER_FAILURE).await;
                }
            }
        }
        // Nobody new: the listener closes.
        drop(listener);
        connections.close();
        connections.wait().await;
    }
}

/// Serves a connection to its end. After `leaving` it ends with the answer to the current request.
async fn connection<S: ServerHandler + Clone>(
    socket: Socket,
    _place: OwnedSemaphorePermit,
    door: Arc<Door<S>>,
    timeout: Duration,
    leaving: CancellationToken,
) {
    let service = service_fn(move |request| {
        let door = Arc::clone(&door);
        async move { Ok::<_, Infallible>(door.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(timeout)
        .max_headers(MAX_HEADERS)
        .max_header_size(MAX_HEADER_BYTES)
        .max_buf_size(MAX_BUFFER)
        .serve_connection(TokioIo::new(socket), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        biased;
        ended = &mut connection => ended,
        () = leaving.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}

/// Tells a client that there are too many connections, as far as that takes no time.
fn turn_away(stream: &TcpStream) {
    let message = "There are too many connections. Try again later, or start the server with a larger \
                   --http-max-connections.";
    let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, message);
    // A new connection has room for it.
    drop(stream.try_write(&refusal.to_bytes()));
}
