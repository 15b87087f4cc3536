//! What is to be written, and the thread that writes it.
//!
//! Putting a message in never waits, so nothing in the server ever waits for a client that does not
//! read. What can pile up is bounded all the same: of progress only the newest of each request is
//! kept, and while too much waits no further requests are handled (see [`Outbox::room`]).

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rmcp::model::ProgressToken;
use serde::Serialize;
use tokio::sync::watch;

/// How many bytes may wait before no more requests are handled.
const MAX_WAITING: usize = 4 << 20;

/// Messages on their way to the client. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Outbox(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    state: watch::Sender<State>,
}

#[derive(Debug, Default)]
struct Waiting {
    messages: VecDeque<Message>,
    /// Bytes of all that is not written yet, what is being written included.
    bytes: usize,
}

#[derive(Debug)]
struct Message {
    line: Vec<u8>,
    /// The request that it is the progress of.
    progress_of: Option<ProgressToken>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    /// Bytes that wait or are being written.
    bytes: usize,
    /// Lines written so far: it grows as long as somebody reads.
    written: u64,
    /// Whether writing failed: nobody reads any more.
    broken: bool,
}

impl State {
    fn has_room(&self) -> bool {
        self.bytes < MAX_WAITING || self.broken
    }
}

impl Outbox {
    /// Starts the thread that writes to `output`.
    pub(crate) fn new(output: impl Write + Send + 'static) -> Self {
        let shared = Arc::new(Shared {
            waiting: Mutex::default(),
            arrived: Condvar::new(),
            state: watch::Sender::new(State { bytes: 0, written: 0, broken: false }),
        });
        let outbox = Self(Arc::clone(&shared));
        std::thread::Builder::new()
            .name("stdout".into())
            .spawn(move || shared.write_all(output))
            .expect("the system has room for one thread");
        outbox
    }

    /// Puts a message in. Progress takes the place of older progress of the same request.
    pub(crate) fn push(&self, message: &impl Serialize, progress_of: Option<ProgressToken>) {
        let mut line = match serde_json::to_vec(message) {
            Ok(line) => line,
            Err(error) => return tracing::error!(%error, "a message cannot be written as JSON"),
        };
        line.push(b'\n');
        let mut waiting = self.0.lock();
        let older = progress_of.as_ref().and_then(|token| {
            waiting.messages.iter().position(|message| message.progress_of.as_ref() == Some(token))
        });
        let message = Message { line, progress_of };
        waiting.bytes += message.line.len();
        match older {
            Some(at) => {
                let replaced = std::mem::replace(&mut waiting.messages[at], message);
                waiting.bytes -= replaced.line.len();
            }
            None => waiting.messages.push_back(message),
        }
        self.0.publish(&waiting);
        drop(waiting);
        self.0.arrived.notify_one();
    }

    /// Takes back progress of a request that was cancelled.
    pub(crate) fn withdraw(&self, token: &ProgressToken) {
        let mut waiting = self.0.lock();
        let mut taken = 0;
        waiting.messages.retain(|message| {
            let keep = message.progress_of.as_ref() != Some(token);
            taken += if keep { 0 } else { message.line.len() };
            keep
        });
        waiting.bytes -= taken;
        self.0.publish(&waiting);
    }

    /// Whether there is room for answers to further requests.
    pub(crate) fn has_room(&self) -> bool {
        self.0.state.borrow().has_room()
    }

    /// Waits until there is.
    pub(crate) async fn room(&self) {
        drop(self.0.state.subscribe().wait_for(State::has_room).await);
    }

    /// Waits until all is written, or nobody reads any more, or nothing was taken for `patience`.
    pub(crate) async fn flushed(&self, patience: Duration) {
        let mut state = self.0.state.subscribe();
        loop {
            let State { bytes, broken, .. } = *state.borrow_and_update();
            if bytes == 0 || broken {
                return;
            }
            if tokio::time::timeout(patience, state.changed()).await.is_err() {
                return tracing::warn!(bytes, "nobody reads the answers");
            }
        }
    }

    /// Waits until writing has failed.
    pub(crate) async fn broken(&self) {
        drop(self.0.state.subscribe().wait_for(|state| state.broken).await);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, waiting: &Waiting) {
        self.state.send_modify(|state| state.bytes = waiting.bytes);
    }

    fn write_all(&self, mut output: impl Write) {
        loop {
            let mut waiting = self.lock();
            let message = loop {
                match waiting.messages.pop_front() {
                    Some(message) => break message,
                    None => {
                        waiting =
                            self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                    }
                }
            };
            drop(waiting);
            let written = output.write_all(&message.line).and_then(|()| output.flush());
            let mut waiting = self.lock();
            waiting.bytes -= message.line.len();
            self.state.send_modify(|state| {
                state.bytes = waiting.bytes;
                state.written += 1;
                state.broken |= written.is_err();
            });
        }
    }
}
