//! An MCP client for tests. It runs a server as a child process and keeps everything that it writes.
//!
//! All waits are bounded, and panic with what the server wrote so far. The parts are named with
//! their paths so that a program outside the tests can include this file.

#[path = "client/builder.rs"]
mod builder;
#[path = "client/inbox.rs"]
mod inbox;
#[path = "client/output.rs"]
mod output;
#[path = "client/process.rs"]
mod process;

use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use serde_json::{Value, json};
use uuid::Uuid;

use super::environment::{clean, patient};
pub use builder::Builder;
use inbox::Inbox;
use output::Output;
pub use process::{Left, MARKER, Process, Unavailable, descendants_of, wait_no_descendants_of};

const WAIT: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(5);
const CLEAN_UP: Duration = Duration::from_secs(5);

/// A running server. It is killed with all its descendants when this is dropped.
pub struct Server {
    pid: u32,
    child: Mutex<Child>,
    inbox: Arc<Inbox>,
    output: Output,
    input: Mutex<Option<Sender<Vec<u8>>>>,
    next_id: AtomicI64,
    marker: String,
}

/// A tool call that was sent.
#[derive(Clone, Debug)]
pub struct Call {
    /// The id of the request.
    pub id: i64,
    /// The token of its progress notifications.
    pub token: String,
}

impl Server {
    /// Describes how to start a server, for a user with this home directory and the environment of
    /// [`clean`].
    pub fn builder(program: impl Into<PathBuf>, user: &Path) -> Builder {
        Builder::new(program.into(), user)
    }

    /// Does the handshake with this protocol version, and returns the result of `initialize`.
    pub fn initialize(&self, version: &str) -> Value {
        let parameters = json!({
            "protocolVersion": version,
            "capabilities": {},
            "clientInfo": {"name": "tests", "version": "0"},
        });
        let result = result(self.request("initialize", &parameters));
        self.notify("notifications/initialized", &json!({}));
        result
    }

    /// Sends a message.
    pub fn send(&self, message: &Value) {
        self.send_raw(format!("{message}\n").as_bytes());
    }

    /// Sends bytes unchanged. They are written in the background, so that a server that does not read
    /// cannot block the test.
    pub fn send_raw(&self, bytes: &[u8]) {
        let input = self.input.lock().expect("nothing panics while it holds this lock");
        let input = input.as_ref().expect("stdin was not closed before");
        input.send(bytes.to_vec()).expect("the writing thread lives as long as its channel");
    }

    /// Sends a notification.
    pub fn notify(&self, method: &str, parameters: &Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": parameters}));
    }

    /// Sends a request and returns the whole answer.
    pub fn request(&self, method: &str, parameters: &Value) -> Value {
        let id = self.begin(method, parameters);
        self.wait_answer(id)
    }

    /// Sends a request and returns its id.
    pub fn begin(&self, method: &str, parameters: &Value) -> i64 {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": parameters}));
        id
    }

    /// Calls a tool and waits for its result.
    ///
    /// # Panics
    /// When the answer is a protocol error.
    pub fn call(&self, tool: &str, arguments: &Value) -> Value {
        result(self.answer(&self.begin_call(tool, arguments)))
    }

    /// Calls a tool with a progress token, without waiting.
    pub fn begin_call(&self, tool: &str, arguments: &Value) -> Call {
        let token = Uuid::new_v4().to_string();
        let parameters = json!({
            "name": tool,
            "arguments": arguments,
            "_meta": {"progressToken": token},
        });
        Call { id: self.begin("tools/call", &parameters), token }
    }

    /// Waits for the whole answer to a call.
    pub fn answer(&self, call: &Call) -> Value {
        self.wait_answer(call.id)
    }

    /// The answer to a call, if it has arrived.
    pub fn try_answer(&self, call: &Call) -> Option<Value> {
        self.inbox.look(|messages| inbox::answer(messages, call.id))
    }

    /// Cancels a call.
    pub fn cancel(&self, call: &Call) {
        let parameters = json!({"requestId": call.id, "reason": "the test cancels it"});
        self.notify("notifications/cancelled", &parameters);
    }

    /// The progress notifications for a call so far: their parameters, in order.
    pub fn progress(&self, call: &Call) -> Vec<Value> {
        self.inbox.look(|messages| inbox::progress(messages, &call.token).cloned().collect())
    }

    /// Waits for a progress message that matches.
    ///
    /// # Panics
    /// At once when the call is answered first.
    pub fn wait_progress(&self, call: &Call, is_it: impl Fn(&str) -> bool) -> String {
        let what = format!("the progress of call {}", call.id);
        let found = self.inbox.wait(&what, WAIT, |messages| {
            let message = inbox::progress(messages, &call.token)
                .filter_map(|parameters| parameters["message"].as_str())
                .find(|message| is_it(message));
            match message {
                Some(message) => Some(Ok(message.to_owned())),
                None => inbox::answer(messages, call.id).map(Err),
            }
        });
        found.unwrap_or_else(|answer| {
            panic!(
                "call {} was answered before its progress came: {answer}\n{}",
                call.id,
                self.inbox.report()
            )
        })
    }

    /// Waits for a message of any kind that matches.
    pub fn wait_message(&self, is_it: impl Fn(&Value) -> bool) -> Value {
        self.inbox.wait("a message", WAIT, |messages| {
            messages.iter().find(|message| is_it(message)).cloned()
        })
    }

    /// All messages so far, in order.
    pub fn messages(&self) -> Vec<Value> {
        self.inbox.messages()
    }

    /// All lines on stdout that were not JSON.
    pub fn bad_lines(&self) -> Vec<String> {
        self.inbox.bad_lines()
    }

    /// All of stderr so far.
    pub fn stderr(&self) -> String {
        self.inbox.stderr()
    }

    /// Waits until stderr matches.
    pub fn wait_stderr(&self, is_it: impl Fn(&str) -> bool) {
        self.inbox.wait_stderr(WAIT, is_it);
    }

    /// Waits until the server has closed its stdout.
    pub fn wait_stdout_closed(&self) {
        self.inbox.wait_closed(WAIT);
    }

    /// Closes the server's stdin, after everything that was sent.
    pub fn close_stdin(&self) {
        self.input.lock().expect("nothing panics while it holds this lock").take();
    }

    /// Closes our end of the server's stdout.
    pub fn close_stdout(&self) {
        self.output.close();
    }

    /// Stops reading the server's stdout, so that the pipe fills and the server blocks.
    pub fn stop_reading(&self) {
        self.output.pause();
    }

    /// Ends [`Server::stop_reading`].
    pub fn resume_reading(&self) {
        self.output.resume();
    }

    /// Sends a signal to the server alone. Does nothing if it has exited.
    pub fn signal(&self, signal: Signal) {
        let mut child = self.lock_child();
        if let Ok(None) = child.try_wait() {
            let pid = i32::try_from(self.pid).expect("process ids are positive");
            signal::kill(Pid::from_raw(pid), signal)
                .expect("the server is a child of this process");
        }
    }

    /// Kills the server alone.
    pub fn kill(&self) {
        self.signal(Signal::SIGKILL);
    }

    /// Waits until the server has exited.
    ///
    /// # Panics
    /// When it still runs after this time.
    pub fn wait_exit(&self, bound: Duration) -> ExitStatus {
        let bound = patient(bound);
        let deadline = Instant::now() + bound;
        loop {
            let status = self.lock_child().try_wait().expect("the server is our child");
            if let Some(status) = status {
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "the server still runs after {bound:?}\n{}",
                self.inbox.report()
            );
            thread::sleep(POLL);
        }
    }

    /// The server's process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The resident memory of the server, in KiB. None where that is unknown.
    pub fn rss_kib(&self) -> Option<u64> {
        process::size_kib(self.pid, "VmRSS")
    }

    /// The highest resident memory of the server so far, in KiB. None where that is unknown.
    pub fn peak_kib(&self) -> Option<u64> {
        process::size_kib(self.pid, "VmHWM")
    }

    /// The marker of this server and its descendants, for [`descendants_of`].
    pub fn marker(&self) -> &str {
        &self.marker
    }

    /// The running processes that the server started, directly or not.
    pub fn descendants(&self) -> Result<Vec<Process>, Unavailable> {
        let mut all = descendants_of(&self.marker)?;
        all.retain(|process| process.pid != self.pid);
        Ok(all)
    }

    /// Waits until the server has no descendants.
    pub fn wait_no_descendants(&self, bound: Duration) -> Result<(), Left> {
        process::wait_none(bound, || self.descendants())
    }

    fn wait_answer(&self, id: i64) -> Value {
        let what = format!("the answer to request {id}");
        self.inbox.wait(&what, WAIT, |messages| inbox::answer(messages, id))
    }

    fn lock_child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().expect("nothing panics while it holds this lock")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", self.inbox.report());
        }
        let child = match self.child.get_mut() {
            Ok(child) => child,
            Err(poisoned) => poisoned.into_inner(),
        };
        let _already_gone = child.kill();
        let _already_reaped = child.wait();
        process::kill_all(&self.marker, CLEAN_UP);
    }
}

/// The result in an answer.
///
/// # Panics
/// When the answer is an error.
pub fn result(mut answer: Value) -> Value {
    match answer.get_mut("result") {
        Some(result) => result.take(),
        None => panic!("this is not a result: {answer}"),
    }
}
