//! A stand-in for the model: the Responses API on a loopback port. A function maps each request to its
//! response. All requests are kept.
//!
//! The parts are named with their paths so that a program outside the tests can include this file.

#[path = "model/http.rs"]
pub(super) mod http;
#[path = "model/request.rs"]
mod request;
#[path = "model/response.rs"]
mod response;

use std::collections::HashMap;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub use request::Request;
pub use response::{Item, Response};
use serde_json::json;

use super::environment::patient;

const WAIT: Duration = Duration::from_mins(1);
const KEEP_ALIVE: Duration = Duration::from_millis(100);
const STREAMS: usize = 256;

/// A model that replies with "echo: " and the last message of the user.
pub fn echo(request: &Request) -> Response {
    Response::message(format!("echo: {}", request.last_user_text()))
}

/// A server that stops, with all the streams it has open, when it is dropped.
pub struct Model {
    address: SocketAddr,
    shared: Arc<Shared>,
    listener: Option<JoinHandle<()>>,
}

type Script = dyn Fn(&Request) -> Response + Send + Sync;

struct Shared {
    script: Box<Script>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    requests: Vec<Request>,
    streams: HashMap<u64, TcpStream>,
    next_stream: u64,
    stopped: bool,
}

impl Model {
    /// Starts the server. The script runs on a thread per request, so it may block before it answers.
    pub fn start(script: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            script: Box::new(script),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let accepting = Arc::clone(&shared);
        let listener = thread::spawn(move || accept(&listener, &accepting));
        Self { address, shared, listener: Some(listener) }
    }

    /// The `base_url` to configure.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// All requests for a response so far, in order of arrival.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.lock().requests.clone()
    }

    /// Waits for a request that matches, and returns the first one.
    ///
    /// # Panics
    /// When none has arrived within a minute.
    pub fn wait_for(&self, is_it: impl Fn(&Request) -> bool) -> Request {
        let bound = patient(WAIT);
        let (state, timeout) = self
            .shared
            .changed
            .wait_timeout_while(self.shared.lock(), bound, |state| {
                !state.requests.iter().any(&is_it)
            })
            .unwrap_or_else(PoisonError::into_inner);
        let found = state.requests.iter().find(|request| is_it(request)).cloned();
        let prompts: Vec<String> = state.requests.iter().map(Request::last_user_text).collect();
        drop(state);
        assert!(
            !timeout.timed_out() || found.is_some(),
            "the expected request did not reach the model within {bound:?}; \
             those that did ended with {prompts:?}"
        );
        found.expect("the wait ends when there is one")
    }

    /// Waits until no response is open: the client has left those that hang.
    ///
    /// # Panics
    /// When a stream is still open after a minute.
    pub fn wait_until_idle(&self) {
        let bound = patient(WAIT);
        let (state, timeout) = self
            .shared
            .changed
            .wait_timeout_while(self.shared.lock(), bound, |state| !state.streams.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        let open = state.streams.len();
        drop(state);
        assert!(
            !timeout.timed_out(),
            "{open} requests to the model are still open after {bound:?}"
        );
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.stopped = true;
        for stream in state.streams.values() {
            let _already_gone = stream.shutdown(Shutdown::Both);
        }
        drop(state);
        self.shared.changed.notify_all();
        let _wake_the_listener = TcpStream::connect(self.address);
        if let Some(listener) = self.listener.take() {
            let _panicked = listener.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        let Ok(stream) = stream else { continue };
        let Some(id) = shared.admit(&stream) else {
            continue;
        };
        if shared.lock().stopped {
            return;
        }
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            let open = Open { shared: &shared, id };
            // A client may leave at any time, and the server may stop.
            let _gone = open.shared.serve(&stream);
        });
    }
}

/// Removes a stream from the open ones, even when a script panics.
struct Open<'a> {
    shared: &'a Shared,
    id: u64,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let stream = self.shared.lock().streams.remove(&self.id);
        if let Some(stream) = stream {
            let _already_gone = stream.shutdown(Shutdown::Both);
        }
        self.shared.changed.notify_all();
    }
}

impl Shared {
    /// The condition of a test may panic while this is locked; the state is consistent even then.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a stream so that it can be shut down. None if there are too many.
    fn admit(&self, stream: &TcpStream) -> Option<u64> {
        let mut state = self.lock();
        if state.streams.len() >= STREAMS {
            return None;
        }
        let id = state.next_stream;
        state.next_stream += 1;
        state.streams.insert(id, stream.try_clone().ok()?);
        Some(id)
    }

    fn serve(&self, mut stream: &TcpStream) -> std::io::Result<()> {
        let received = match http::read(stream) {
            Ok(received) => received,
            Err(http::Error::Io(error)) => return Err(error),
            Err(http::Error::Refused(status, reason)) => {
                let body = json!({"error": {"message": reason}});
                return http::write_json(stream, status, &[], &body);
            }
        };
        if received.method == "GET" {
            let none = json!({"object": "list", "data": [], "models": []});
            return http::write_json(stream, 200, &[], &none);
        }
        if !received.path.ends_with("/responses") {
            let body = json!({"error": {"message": "not found"}});
            return http::write_json(stream, 404, &[], &body);
        }
        let request = Request::new(received);
        self.lock().requests.push(request.clone());
        self.changed.notify_all();
        let response = (self.script)(&request);
        if response.send(&request, stream)? == response::After::KeepOpen {
            while !self.stopped_after(KEEP_ALIVE) {
                http::comment(&mut stream)?;
            }
        }
        Ok(())
    }

    fn stopped_after(&self, duration: Duration) -> bool {
        let (state, _timeout) = self
            .changed
            .wait_timeout_while(self.lock(), duration, |state| !state.stopped)
            .unwrap_or_else(PoisonError::into_inner);
        state.stopped
    }
}
