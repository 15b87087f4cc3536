//! What happens with each request before MCP: the guard, the path, the body, the session.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use rmcp::ServerHandler;
use rmcp::model::{ClientRequest, GetMeta, JsonRpcMessage};
use rmcp::service::{RoleServer, RxJsonRpcMessage, serve_directly};
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::body::Bodies;
use super::guard::Guard;
use super::pair::{self, Pairs};
use super::refusal::Refusal;
use super::sessions::Sessions;
use super::token::Token;
use super::{KEEP_ALIVE, Reply};
use crate::model::http::{Carrier, Http};
use crate::transport::stdio::MAX_LINE;
use crate::transport::stdio::message::{Decoded, broken, decode};

/// The header of a session's id.
const SESSION_ID: &str = "mcp-session-id";

/// Answers the requests of all connections.
pub(super) struct Door<S> {
    guard: Guard,
    bodies: Bodies,
    serves: Serves<S>,
}

enum Serves<S> {
    Streamable {
        path: String,
        sessions: Arc<Sessions>,
        mcp: Box<StreamableHttpService<S, Sessions>>,
    },
    Pair {
        pairs: Pairs,
        service: S,
        services: TaskTracker,
    },
}

impl<S: ServerHandler + Clone> Door<S> {
    pub(super) fn new(
        settings: &Http,
        token: Option<Token>,
        service: S,
        leaving: &CancellationToken,
    ) -> Self {
        let serves = match settings.carrier() {
            Carrier::Sse => Serves::Pair {
                pairs: Pairs::new(settings.max_sessions, leaving.clone()),
                service,
                services: TaskTracker::new(),
            },
            Carrier::StreamableHttp | Carrier::Stdio => {
                let sessions = Arc::new(Sessions::new(settings, leaving.clone()));
                // The guard has checked these already, with messages that say what to do. The sessions send
                // the hint to connect again themselves, with the id of an event.
                let config = StreamableHttpServerConfig::default()
                    .disable_allowed_hosts()
                    .disable_allowed_origins()
                    .with_sse_retry(None)
                    .with_sse_keep_alive(Some(KEEP_ALIVE))
                    .with_max_request_body_bytes(2 * MAX_LINE);
                let mcp = StreamableHttpService::new(
                    move || Ok(service.clone()),
                    Arc::clone(&sessions),
                    config,
                );
                Serves::Streamable {
                    path: settings.mount_path.clone(),
                    sessions,
                    mcp: Box::new(mcp),
                }
            }
        };
        Self {
            guard: Guard::new(settings, token),
            bodies: Bodies::new(settings.client_timeout),
            serves,
        }
    }

    /// Expires sessions until the server leaves.
    pub(super) async fn sweep(&self) {
        if let Serves::Streamable { sessions, .. } = &self.serves {
            sessions.sweep().await;
        }
    }

    pub(super) async fn answer(&self, request: Request<Incoming>) -> Reply {
        self.pass(request).await.unwrap_or_else(Into::into)
    }

    async fn pass(&self, request: Request<Incoming>) -> Result<Reply, Refusal> {
        self.guard.check(request.uri(), request.headers())?;
        let path = request.uri().path();
        match &self.serves {
            Serves::Streamable { path: own, sessions, mcp } => {
                if path.trim_end_matches('/') != own.trim_end_matches('/') {
                    return Err(elsewhere(path, own));
                }
                self.streamable(request, sessions, mcp).await
            }
            Serves::Pair { pairs, service, services } => {
                match (path.trim_end_matches('/'), request.method()) {
                    (pair::EVENTS, &Method::GET) => {
                        let (connection, reply) = pairs.begin()?;
                        let service = serve_directly(service.clone(), connection, None);
                        services.spawn(async move { drop(service.waiting().await) });
                        Ok(reply)
                    }
                    (pair::EVENTS, _) => Err(wrong_method("GET")),
                    (pair::MESSAGES, &Method::POST) => self.message(request, pairs).await,
                    (pair::MESSAGES, _) => Err(wrong_method("POST")),
                    (path, _) => Err(elsewhere(path, pair::EVENTS)),
                }
            }
        }
    }

    async fn streamable(
        &self,
        request: Request<Incoming>,
        sessions: &Sessions,
        mcp: &StreamableHttpService<S, Sessions>,
    ) -> Result<Reply, Refusal> {
        let (parts, body) = request.into_parts();
        let named = named_session(&parts)?;
        if parts.method != Method::POST {
            if named.as_deref().is_some_and(|id| sessions.find(id).is_none()) {
                return Err(unknown_session());
            }
            let ends_session = parts.method == Method::DELETE;
            let request = Request::from_parts(parts, Full::new(Bytes::new()));
            let mut reply = mcp.handle(request).await;
            // rmcp says Accepted, which the Python SDK (1.30 and 2.3) takes for a failure.
            if ends_session && reply.status() == StatusCode::ACCEPTED {
                *reply.status_mut() = StatusCode::NO_CONTENT;
            }
            return Ok(reply);
        }
        let body = self.bodies.read(body).await?;
        let message = decoded(&body.bytes)?;
        check_session(&message, named.as_deref(), sessions)?;
        // Decoding may have mended it.
        let bytes = serde_json::to_vec(&message).map(Bytes::from).unwrap_or_default();
        let request = Request::from_parts(parts, Full::new(bytes));
        Ok(mcp.handle(request).await)
    }

    /// Takes a message of a session that has its own stream.
    async fn message(&self, request: Request<Incoming>, pairs: &Pairs) -> Result<Reply, Refusal> {
        let Some(session) = pairs.find(request.uri().query()) else {
            let message = "There is no such session. Open a new stream with GET /sse.";
            return Err(Refusal::new(StatusCode::NOT_FOUND, message));
        };
        let (parts, body) = request.into_parts();
        let body = self.bodies.read(body).await?;
        let mut message = decoded(&body.bytes)?;
        let id = id_of(&message);
        message.insert_extension(parts);
        session.send(message).await.map_err(|_| unknown_session().of(id))?;
        let mut reply = Reply::new(http_body_util::BodyExt::boxed(Full::new("Accepted".into())));
        *reply.status_mut() = StatusCode::ACCEPTED;
        Ok(reply)
    }
}

/// The message in a body.
fn decoded(body: &[u8]) -> Result<RxJsonRpcMessage<RoleServer>, Refusal> {
    let bad = |message: &str| Refusal::new(StatusCode::BAD_REQUEST, message);
    let mut decoded = decode(body).unwrap_or_else(|| vec![broken(body)]);
    match (decoded.pop(), decoded.is_empty()) {
        (Some(Decoded::Message(message)), true) => Ok(*message),
        (Some(Decoded::Refused(answer)), true) => {
            Err(Refusal::with_body(StatusCode::BAD_REQUEST, *answer))
        }
        (Some(Decoded::Ignored(why) | Decoded::Unanswerable(why)), true) => {
            Err(bad(&format!("The body is {why}.")))
        }
        (Some(_), false) => {
            Err(bad("Send each message in a request of its own: batches are not supported."))
        }
        (None, _) => Err(bad("The body is empty. It must be a JSON-RPC message.")),
    }
}

/// Checks that the session of a message exists and can take it.
fn check_session(
    message: &RxJsonRpcMessage<RoleServer>,
    named: Option<&str>,
    sessions: &Sessions,
) -> Result<(), Refusal> {
    let id = id_of(message);
    if let JsonRpcMessage::Request(request) = message {
        if matches!(request.request, ClientRequest::InitializeRequest(_)) && named.is_none() {
            if sessions.make_room() {
                return Ok(());
            }
            let message = "There are too many sessions, all of them in use. Try again later, or end one \
                           with DELETE.";
            return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, message).of(id));
        }
        // Such a request has no session, whatever its headers say.
        if request.request.get_meta().protocol_version().is_some() {
            return Ok(());
        }
    }
    let Some(named) = named else { return Ok(()) };
    let Some(session) = sessions.find(named) else { return Err(unknown_session().of(id)) };
    let JsonRpcMessage::Request(request) = message else { return Ok(()) };
    if session.is_unanswered(&request.id) {
        let message =
            "The id belongs to a request of this session that is still in progress. Use another.";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, message).of(id));
    }
    if !session.has_room() {
        let message = "This session has too many requests in progress, or too many answers that were not \
                       read. Try again later.";
        return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, message).of(id));
    }
    Ok(())
}

/// The session that the headers name.
fn named_session(parts: &Parts) -> Result<Option<String>, Refusal> {
    let Some(value) = parts.headers.get(SESSION_ID) else { return Ok(None) };
    let value = value.to_str().map_err(|_| unknown_session())?;
    Ok(Some(value.to_owned()))
}

fn id_of(message: &RxJsonRpcMessage<RoleServer>) -> Option<Value> {
    match message {
        JsonRpcMessage::Request(request) => Some(json!(request.id)),
        _ => None,
    }
}

fn unknown_session() -> Refusal {
    let message = "This session is unknown or has ended. Send initialize without Mcp-Session-Id to begin \
                   another one. Sessions of Codex are not lost: continue them by their session_id.";
    Refusal::new(StatusCode::NOT_FOUND, message)
}

fn elsewhere(path: &str, own: &str) -> Refusal {
    let path = crate::model::text::excerpt(path);
    Refusal::new(StatusCode::NOT_FOUND, format!("There is nothing at {path}. MCP is at {own}."))
}

fn wrong_method(allowed: &'static str) -> Refusal {
    let message = format!("The method must be {allowed}.");
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, message).allow(allowed)
}
