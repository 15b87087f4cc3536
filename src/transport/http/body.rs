//! The body of a request, read within bounds.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::refusal::Refusal;
use crate::transport::stdio::MAX_LINE;

/// How many bytes all bodies that are being received may have together.
const MAX_TOGETHER: usize = 64 << 20;

/// How long a refused body may be that is still read to its end. Most clients read no answer before they
/// have sent everything, and a connection that is closed before loses the answer.
const MAX_DISCARDED: usize = 4 * MAX_LINE;

/// Memory is reserved in pieces of this many bytes.
const PIECE: usize = 64 << 10;

/// Reads the bodies of a server's requests.
#[derive(Debug)]
pub(super) struct Bodies {
    pieces: Arc<Semaphore>,
    timeout: Duration,
}

/// A body, and the memory that it counts for until it is dropped.
pub(super) struct Body {
    pub(super) bytes: Bytes,
    _reserved: Vec<OwnedSemaphorePermit>,
}

impl Bodies {
    /// A client may take `timeout` for a whole body.
    pub(super) fn new(timeout: Duration) -> Self {
        Self { pieces: Arc::new(Semaphore::new(MAX_TOGETHER / PIECE)), timeout }
    }

    /// Reads a body to its end.
    pub(super) async fn read(&self, body: Incoming) -> Result<Body, Refusal> {
        match timeout(self.timeout, self.collect(body)).await {
            Ok(read) => read,
            Err(_) => Err(Refusal::new(
                StatusCode::REQUEST_TIMEOUT,
                format!("The body did not arrive within {:?}.", self.timeout),
            )
            .closing()),
        }
    }

    async fn collect(&self, mut body: Incoming) -> Result<Body, Refusal> {
        let mut bytes = BytesMut::new();
        let mut reserved = Vec::new();
        let mut refused = (body.size_hint().lower() > MAX_LINE as u64).then(too_large);
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| {
                let message = format!("The body cannot be read: {error}.");
                Refusal::new(StatusCode::BAD_REQUEST, message).closing()
            })?;
            let Ok(data) = frame.into_data() else { continue };
            length += data.len();
            if refused.is_none() && length > MAX_LINE {
                refused = Some(too_large());
            }
            while refused.is_none() && length > reserved.len() * PIECE {
                match Arc::clone(&self.pieces).try_acquire_owned() {
                    Ok(piece) => reserved.push(piece),
                    Err(_) => refused = Some(too_many()),
                }
            }
            if let Some(refusal) = &refused {
                (bytes, reserved) = (BytesMut::new(), Vec::new());
                if length > MAX_DISCARDED {
                    return Err(refusal.clone().closing());
                }
            } else {
                bytes.extend_from_slice(&data);
            }
        }
        match refused {
            Some(refusal) => Err(refusal),
            None => Ok(Body { bytes: bytes.freeze(), _reserved: reserved }),
        }
    }
}

fn too_large() -> Refusal {
    Refusal::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!(
            "The message is longer than {MAX_LINE} bytes, which is the limit. Put long text into a file and \
             refer to the file."
        ),
    )
}

fn too_many() -> Refusal {
    let message = "The server is receiving too much at once. Try again.";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, message)
}
