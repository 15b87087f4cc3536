//! Answers to requests that do not reach MCP.

use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use http_body_util::{BodyExt, Full};
use rmcp::model::{ErrorCode, ErrorData};
use serde_json::{Value, json};

use super::Reply;

/// When a client that was refused for lack of room should try again.
const RETRY_SECONDS: &str = "5";

/// Why a request is refused: a status, a message for the client's user, and the id of the JSON-RPC request
/// if it is known.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    body: Box<Value>,
    /// The methods that the path allows, if the method is what is wrong.
    allow: Option<&'static str>,
    closes: bool,
}

impl Refusal {
    /// With a message.
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        let error = ErrorData::new(ErrorCode::INVALID_REQUEST, message.into(), None);
        Self::with_body(status, json!({"jsonrpc": "2.0", "id": null, "error": error}))
    }

    /// With a whole JSON-RPC message.
    pub(super) fn with_body(status: StatusCode, body: Value) -> Self {
        Self { status, body: Box::new(body), allow: None, closes: false }
    }

    /// The same for the request of this id.
    pub(super) fn of(mut self, id: Option<Value>) -> Self {
        if let Some(id) = id {
            self.body["id"] = id;
        }
        self
    }

    /// The same, with the methods that the path allows.
    pub(super) fn allow(mut self, methods: &'static str) -> Self {
        self.allow = Some(methods);
        self
    }

    /// The same, after which the connection is closed: the rest of the request is not read.
    pub(super) fn closing(mut self) -> Self {
        self.closes = true;
        self
    }

    /// The message.
    #[cfg(test)]
    pub(super) fn message(&self) -> &str {
        self.body["error"]["message"].as_str().unwrap_or_default()
    }

    /// The whole answer as bytes, for a connection that nobody serves.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let body = self.body.to_string();
        let (status, length) = (self.status, body.len());
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
             retry-after: {RETRY_SECONDS}\r\nconnection: close\r\n\r\n{body}"
        )
        .into_bytes()
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        let body = Full::new(Bytes::from(refusal.body.to_string()));
        let mut response = Response::new(body.boxed());
        *response.status_mut() = refusal.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(methods) = refusal.allow {
            headers.insert(ALLOW, HeaderValue::from_static(methods));
        }
        if refusal.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"codex-persistent-mcp\"");
            headers.insert(WWW_AUTHENTICATE, scheme);
        }
        if refusal.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_SECONDS));
        }
        if refusal.closes {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
