//! Everything that a server wrote, and waits for more.

use std::io::Read;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::patient;

const SHOWN: usize = 50;
const LENGTH: usize = 1000;

/// Filled by the reading threads, and read by the test.
#[derive(Default)]
pub struct Inbox {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    messages: Vec<Value>,
    bad_lines: Vec<String>,
    stderr: Vec<u8>,
    notes: Vec<String>,
    closed: bool,
}

impl Inbox {
    /// Adds a line of stdout.
    pub fn line(&self, line: &[u8]) {
        let message = serde_json::from_slice(line);
        self.change(|state| {
            if let Ok(message) = message {
                state.messages.push(message);
            } else {
                let line = String::from_utf8_lossy(line);
                state.bad_lines.push(line.into_owned());
            }
        });
    }

    /// Records the end of stdout.
    pub fn close(&self) {
        self.change(|state| state.closed = true);
    }

    /// Adds a remark for the report.
    pub fn note(&self, note: String) {
        self.change(|state| state.notes.push(note));
    }

    /// Reads stderr to its end.
    pub fn read_stderr(&self, mut stderr: impl Read) {
        let mut buffer = [0; 8192];
        while let Ok(length @ 1..) = stderr.read(&mut buffer) {
            self.change(|state| state.stderr.extend_from_slice(&buffer[..length]));
        }
    }

    /// All the messages so far.
    pub fn messages(&self) -> Vec<Value> {
        self.lock().messages.clone()
    }

    /// Searches the messages so far.
    pub fn look<T>(&self, look: impl FnOnce(&[Value]) -> T) -> T {
        look(&self.lock().messages)
    }

    /// Waits until something is found among the messages, those so far included.
    ///
    /// # Panics
    /// When the time is over, or at once after the end of stdout.
    pub fn wait<T>(
        &self,
        what: &str,
        bound: Duration,
        mut look: impl FnMut(&[Value]) -> Option<T>,
    ) -> T {
        let mut seen = 0;
        let mut found = None;
        self.wait_until(what, bound, |state| {
            found = look(&state.messages[seen..]);
            seen = state.messages.len();
            found.is_some() || state.closed
        });
        found.unwrap_or_else(|| panic!("stdout ended before {what}\n{}", self.report()))
    }

    /// Waits until stderr matches.
    pub fn wait_stderr(&self, bound: Duration, is_it: impl Fn(&str) -> bool) {
        self.wait_until("the expected text on stderr", bound, |state| {
            is_it(&String::from_utf8_lossy(&state.stderr))
        });
    }

    /// Waits until stdout is closed.
    pub fn wait_closed(&self, bound: Duration) {
        self.wait_until("the end of stdout", bound, |state| state.closed);
    }

    /// All of stderr.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.lock().stderr).into_owned()
    }

    /// The lines of stdout that were not JSON.
    pub fn bad_lines(&self) -> Vec<String> {
        self.lock().bad_lines.clone()
    }

    /// Everything so far, for the message of a failing test.
    pub fn report(&self) -> String {
        let state = self.lock();
        let skipped = state.messages.len().saturating_sub(SHOWN);
        let messages: Vec<String> = state.messages[skipped..]
            .iter()
            .map(|message| message.to_string().chars().take(LENGTH).collect())
            .collect();
        let messages = messages.join("\n");
        format!(
            "--- stdout (the first {skipped} messages are left out, closed: {})\n{messages}\n\
             --- not JSON: {:?}\n--- notes: {:?}\n--- stderr\n{}\n---",
            state.closed,
            state.bad_lines,
            state.notes,
            String::from_utf8_lossy(&state.stderr),
        )
    }

    fn wait_until(&self, what: &str, bound: Duration, mut is_it: impl FnMut(&State) -> bool) {
        let bound = patient(bound);
        let (state, timeout) = self
            .changed
            .wait_timeout_while(self.lock(), bound, |state| !is_it(state))
            .unwrap_or_else(PoisonError::into_inner);
        drop(state);
        assert!(!timeout.timed_out(), "waited {bound:?} in vain for {what}\n{}", self.report());
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// The condition of a test may panic while this is locked; the state is consistent even then.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The answer to a request.
pub fn answer(messages: &[Value], id: i64) -> Option<Value> {
    messages.iter().find(|message| message["id"] == id && message.get("method").is_none()).cloned()
}

/// The parameters of the progress notifications with a token.
pub fn progress<'a>(messages: &'a [Value], token: &str) -> impl Iterator<Item = &'a Value> {
    messages
        .iter()
        .filter(|message| message["method"] == "notifications/progress")
        .map(|message| &message["params"])
        .filter(move |parameters| parameters["progressToken"] == token)
}
