//! The server over HTTP: what idle clients cost, and what a call costs more than on standard input and output.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::SETTLE;
use crate::server::{Build, Server, Setup, request, status};
use crate::table::{Samples, Table, kib};

/// How many clients are idle.
const IDLE: usize = 1_000;

/// How many calls run at once, and how often that is tried.
const AT_ONCE: usize = 64;
const ROUNDS: usize = 20;

pub fn run(home: &Path) {
    allow_open_files();
    idle(home);
    calls(home);
}

fn idle(home: &Path) {
    let site = Site::start(Setup::scripted(home));
    let empty = site.resident();
    let connections: Vec<TcpStream> = (0..IDLE).map(|_| site.open()).collect();
    // The server has accepted them all when it serves one more.
    site.initialize();
    let connected = site.resident();
    drop(connections);
    let site = Site::start(Setup::scripted(home));
    let streams: Vec<TcpStream> = (0..IDLE)
        .map(|_| {
            let session = site.initialize();
            let mut stream = site.open();
            site.send(&mut stream, "GET", Some(&session), "");
            stream
        })
        .collect();
    site.initialize();
    let listening = site.resident();
    drop(streams);
    Table::new(&format!("Resident memory with {IDLE} clients over HTTP"))
        .row("nobody is connected", &[kib(empty)], "")
        .row("all are connected and have sent nothing", &[kib(connected)], "under 60 MB")
        .row("all are in a session and listen", &[kib(listening)], "")
        .print();
}

fn calls(home: &Path) {
    let mut by_pipe = Server::spawn(Setup::scripted(home).at_once(AT_ONCE));
    by_pipe.initialize();
    // A folder of its own, so that they share no queue.
    let site = Site::start(Setup::scripted(&Build::Before.home(home)).at_once(AT_ONCE));
    let session = site.initialize();
    let mut streams: Vec<TcpStream> = (0..AT_ONCE).map(|_| site.open()).collect();
    let (mut pipe, mut http) = (Samples::default(), Samples::default());
    for round in 0..=ROUNDS {
        let began = Instant::now();
        by_pipe.calls(AT_ONCE);
        let by_pipe = began.elapsed() / AT_ONCE as u32;
        thread::sleep(SETTLE);
        let began = Instant::now();
        thread::scope(|scope| {
            for (id, stream) in streams.iter_mut().enumerate() {
                let (site, session) = (&site, &session);
                scope.spawn(move || site.call(stream, session, id + 1));
            }
        });
        let by_http = began.elapsed() / AT_ONCE as u32;
        thread::sleep(SETTLE);
        // The first round of each starts the watchdog and warms the caches.
        if round > 0 {
            pipe.push(by_pipe);
            http.push(by_http);
        }
    }
    by_pipe.leave();
    let what = format!("A call, {AT_ONCE} at once ({ROUNDS} pairs; time divided by {AT_ONCE})");
    Table::new(&what)
        .times("on standard input and output", &pipe)
        .times("over HTTP, on connections that are open", &http)
        .difference(&pipe, &http, "at most 1 ms")
        .print();
}

/// A server over HTTP. It is killed on drop.
struct Site {
    child: Child,
    address: String,
}

impl Site {
    fn start(setup: Setup) -> Self {
        let mut child = Command::from(setup)
            .args(["serve", "--http", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program can be started");
        let mut stderr = BufReader::new(child.stderr.take().expect("stderr is a pipe"));
        let mut line = String::new();
        stderr.read_line(&mut line).expect("it prints its address");
        let (_, url) = line.trim().split_once("http://").expect("it prints its address");
        let address = url.split('/').next().unwrap_or_default().to_owned();
        // Nobody waits for the log.
        thread::spawn(move || stderr.read_to_end(&mut Vec::new()));
        Self { child, address }
    }

    fn open(&self) -> TcpStream {
        TcpStream::connect(&self.address).expect("it listens")
    }

    /// Sends a request and does not wait.
    fn send(&self, stream: &mut TcpStream, method: &str, session: Option<&str>, body: &str) {
        let session = session.map(|id| format!("mcp-session-id: {id}\r\n")).unwrap_or_default();
        let request = format!(
            "{method} /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             accept: application/json, text/event-stream\r\n{session}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).expect("the server reads");
    }

    /// Begins a session, and returns its id.
    fn initialize(&self) -> String {
        let client = json!({"name": "bench", "version": "0"});
        let params =
            json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client});
        let mut stream = self.open();
        self.send(&mut stream, "POST", None, &request(0, "initialize", &params).to_string());
        let answer = whole(&mut stream);
        let (_, rest) = answer.split_once("mcp-session-id: ").expect("it names the session");
        rest.lines().next().unwrap_or_default().to_owned()
    }

    fn call(&self, stream: &mut TcpStream, session: &str, id: usize) {
        let arguments = json!({"prompt": "A question."});
        let meta = json!({"progressToken": id});
        let params: Value = json!({"name": "codex_chat", "arguments": arguments, "_meta": meta});
        let call = request(id, "tools/call", &params).to_string();
        self.send(stream, "POST", Some(session), &call);
        let answer = whole(stream);
        assert!(answer.contains("structuredContent"), "failed: {answer}");
    }

    fn resident(&self) -> Option<u64> {
        status(self.child.id(), "VmRSS:")
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _already_reaped = self.child.wait();
    }
}

/// A whole answer, which is a stream in chunks.
fn whole(stream: &mut TcpStream) -> String {
    const END: &[u8] = b"\r\n0\r\n\r\n";
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("it can have a timeout");
    let (mut answer, mut buffer) = (Vec::new(), [0; 16 << 10]);
    while !answer.ends_with(END) {
        let length = stream.read(&mut buffer).expect("the server answers");
        assert!(length > 0, "it ended early: {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&buffer[..length]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// This program has as many connections open as the server.
#[cfg(unix)]
fn allow_open_files() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("there is a limit");
    let wanted = hard.min(4 * IDLE as u64);
    if wanted > soft {
        setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).expect("it is allowed");
    }
}

#[cfg(not(unix))]
fn allow_open_files() {}
