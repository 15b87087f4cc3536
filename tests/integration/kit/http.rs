//! A server over HTTP, and clients of it that send exactly what a test says.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Value, json};

use super::wait::WAIT;
use crate::support::client::{Builder, Server, result};
use crate::support::environment::patient;

/// What the server prints before its URL.
const SERVING: &str = "Serving MCP on http://";

/// A server that listens.
pub struct Site {
    pub server: Server,
    /// Its address and port.
    pub address: String,
    /// The path of its endpoint.
    pub path: String,
}

/// A client in a session of streamable HTTP.
pub struct Client {
    address: String,
    path: String,
    headers: Vec<(String, String)>,
    next_id: AtomicI64,
}

/// An answer of HTTP whose body is read as it arrives.
pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    body: Body,
    stream: TcpStream,
}

/// An event of a stream.
#[derive(Debug, Clone)]
pub struct Event {
    pub id: Option<String>,
    pub name: Option<String>,
    pub data: String,
}

enum Body {
    Chunked(BufReader<TcpStream>, usize),
    Whole(std::io::Take<BufReader<TcpStream>>),
}

/// Starts the server on a free port.
pub fn serve(builder: Builder) -> Site {
    serve_as(builder, "serve")
}

/// The same with another command of the program that serves MCP.
pub fn serve_as(builder: Builder, command: &str) -> Site {
    let server = builder.arg(command).arg("--http").arg("127.0.0.1:0").spawn();
    server.wait_stderr(|stderr| {
        stderr.split_once(SERVING).is_some_and(|(_, rest)| rest.contains('\n'))
    });
    let stderr = server.stderr();
    let (_, rest) = stderr.split_once(SERVING).expect("it was waited for");
    let url = rest.lines().next().expect("it was waited for").trim();
    let (address, path) = url.split_once('/').expect("a URL has a path");
    Site { address: address.into(), path: format!("/{path}"), server }
}

impl Site {
    /// A client that has initialized its session, with MCP 2025-11-25.
    pub fn connect(&self) -> Client {
        self.connect_with("2025-11-25", &[])
    }

    /// The same with this version and these headers in each request.
    pub fn connect_with(&self, version: &str, headers: &[(&str, &str)]) -> Client {
        let mut client = self.client(headers);
        let answer = client.begin("initialize", &initialize(version)).with_status(200);
        let session = answer.header("mcp-session-id").expect("there is a session").to_owned();
        let answer = answer.message();
        let version = answer["result"]["protocolVersion"].as_str().expect("it names a version");
        client.headers.push(("mcp-session-id".into(), session));
        client.headers.push(("mcp-protocol-version".into(), version.into()));
        client.notify("notifications/initialized", &json!({}));
        client
    }

    /// A client without a session, with these headers in each request.
    pub fn client(&self, headers: &[(&str, &str)]) -> Client {
        let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        Client {
            address: self.address.clone(),
            path: self.path.clone(),
            headers: headers.collect(),
            next_id: AtomicI64::new(1),
        }
    }

    /// A connection that has sent nothing.
    pub fn open(&self) -> TcpStream {
        open(&self.address)
    }

    /// Sends these bytes, and reads the answer.
    pub fn send(&self, bytes: &[u8]) -> Answer {
        let mut stream = self.open();
        stream.write_all(bytes).expect("the server reads");
        Answer::read(stream)
    }

    /// Sends a request with these headers and this body, beside the ones that each needs.
    pub fn post(&self, headers: &[(&str, &str)], body: &str) -> Answer {
        self.client(headers).send("POST", &[], body)
    }
}

/// The parameters of `initialize`.
pub fn initialize(version: &str) -> Value {
    json!({"protocolVersion": version, "capabilities": {},
           "clientInfo": {"name": "tests", "version": "0"}})
}

impl Client {
    /// Sends a request, and waits for its answer.
    pub fn request(&self, method: &str, params: &Value) -> Value {
        self.begin(method, params).with_status(200).message()
    }

    /// Sends a request. Its events can be read as they come.
    pub fn begin(&self, method: &str, params: &Value) -> Answer {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.send("POST", &[], &message.to_string())
    }

    /// Sends a notification, which must be accepted.
    pub fn notify(&self, method: &str, params: &Value) {
        let message = json!({"jsonrpc": "2.0", "method": method, "params": params});
        self.send("POST", &[], &message.to_string()).with_status(202);
    }

    /// Calls a tool, and waits for its result.
    pub fn call(&self, tool: &str, arguments: &Value) -> Value {
        result(self.request("tools/call", &json!({"name": tool, "arguments": arguments})))
    }

    /// Calls a tool with a progress token.
    pub fn begin_call(&self, tool: &str, arguments: &Value) -> Answer {
        let params = json!({"name": tool, "arguments": arguments, "_meta": {"progressToken": "p"}});
        self.begin("tools/call", &params)
    }

    /// Opens the stream of what belongs to no request, or resumes the stream of an event.
    pub fn listen(&self, last_event_id: Option<&str>) -> Answer {
        let headers: Vec<_> = last_event_id.iter().map(|id| ("last-event-id", *id)).collect();
        self.send("GET", &headers, "")
    }

    /// Ends the session.
    pub fn delete(&self) -> Answer {
        self.send("DELETE", &[], "")
    }

    /// Sends a request of HTTP.
    pub fn send(&self, method: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut head = format!("{method} {} HTTP/1.1\r\nconnection: close\r\n", self.path);
        let own = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let given: Vec<_> = own.chain(headers.iter().copied()).collect();
        let usual = [
            ("host", self.address.as_str()),
            ("accept", "application/json, text/event-stream"),
            ("content-type", "application/json"),
        ];
        let usual = usual.into_iter().filter(|(name, _)| !given.iter().any(|(own, _)| own == name));
        for (name, value) in usual.chain(given.iter().copied()) {
            head += &format!("{name}: {value}\r\n");
        }
        let mut stream = open(&self.address);
        let message = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        // A refusal may come before everything is sent.
        drop(stream.write_all(message.as_bytes()));
        Answer::read(stream)
    }
}

impl Answer {
    /// Reads the head of an answer.
    ///
    /// # Panics
    /// When there is none.
    pub fn read(stream: TcpStream) -> Self {
        Self::try_read(stream).expect("the server answers")
    }

    /// Reads the head of an answer. `None` if the connection is closed without one.
    pub fn try_read(stream: TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(stream.try_clone().expect("it can be shared"));
        let status = line(&mut reader)?;
        let status = status.split(' ').nth(1)?.parse().expect("a status is a number");
        let mut headers = Vec::new();
        loop {
            let header = line(&mut reader)?;
            let Some((name, value)) = header.split_once(':') else { break };
            headers.push((name.to_lowercase(), value.trim().to_owned()));
        }
        let header = |name: &str| headers.iter().find(|(own, _)| own == name);
        let body = match header("content-length") {
            Some((_, length)) => Body::Whole(reader.take(length.parse().expect("a number"))),
            None if header("transfer-encoding").is_some() => Body::Chunked(reader, 0),
            None => Body::Whole(reader.take(0)),
        };
        Some(Self { status, headers, body, stream })
    }

    /// The same, which must have this status.
    #[track_caller]
    pub fn with_status(self, status: u16) -> Self {
        let is = self.status;
        if is != status {
            panic!("the status is {is}, and the body {}", self.text());
        }
        self
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The rest of the body.
    pub fn text(mut self) -> String {
        let mut text = String::new();
        self.body.read_to_string(&mut text).expect("the body is text");
        text
    }

    /// The body, which is a message of JSON, or the last message of the stream.
    pub fn message(mut self) -> Value {
        if self.header("content-type") == Some("application/json") {
            return serde_json::from_str(&self.text()).expect("the body is JSON");
        }
        if self.header("content-type") != Some("text/event-stream") {
            panic!("the status is {}, with no message: {:?}", self.status, self.headers);
        }
        let mut last = None;
        while let Some(event) = self.next() {
            last = event.message().or(last);
        }
        last.unwrap_or_else(|| panic!("the stream has no message: {:?}", self.headers))
    }

    /// The next event. `None` at the end of the stream.
    pub fn next(&mut self) -> Option<Event> {
        let (mut event, mut seen) = (Event { id: None, name: None, data: String::new() }, false);
        loop {
            let line = line(&mut self.body)?;
            match line.split_once(':') {
                Some(("id", id)) => event.id = Some(id.trim().into()),
                Some(("event", name)) => event.name = Some(name.trim().into()),
                Some(("data", data)) => event.data += data.trim_start(),
                _ if line.is_empty() && seen => return Some(event),
                _ => continue,
            }
            seen = true;
        }
    }

    /// The first message that is it.
    pub fn wait(&mut self, is_it: impl Fn(&Value) -> bool) -> (Event, Value) {
        loop {
            let event = self.next().expect("the stream goes on");
            if let Some(message) = event.message().filter(&is_it) {
                return (event, message);
            }
        }
    }

    /// Waits for the progress that names the session of Codex.
    pub fn wait_session(&mut self) -> String {
        let text = |message: &Value| message["params"]["message"].as_str().map(str::to_owned);
        let is_it =
            |message: &Value| text(message).is_some_and(|text| text.starts_with("session "));
        let (_, message) = self.wait(is_it);
        let text = text(&message).expect("it was waited for");
        text.split(' ').nth(1).expect("it has the id").to_owned()
    }

    /// Loses the connection.
    pub fn break_off(self) {
        let Self { stream, body, .. } = self;
        drop(body);
        drop(stream);
    }
}

impl Event {
    /// The message, if it has one.
    pub fn message(&self) -> Option<Value> {
        let data = (!self.data.is_empty()).then_some(&self.data)?;
        Some(serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}")))
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Whole(reader) => reader.read(buffer),
            Self::Chunked(reader, left) => {
                if *left == 0 {
                    let Some(size) = line(reader).filter(|size| !size.is_empty()) else {
                        return Ok(0);
                    };
                    *left = usize::from_str_radix(&size, 16).expect("a chunk has a size");
                    if *left == 0 {
                        line(reader);
                        return Ok(0);
                    }
                }
                let most = buffer.len().min(*left);
                let read = reader.read(&mut buffer[..most])?;
                *left -= read;
                if *left == 0 {
                    line(reader);
                }
                Ok(read)
            }
        }
    }
}

fn open(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(patient(WAIT))).expect("a connection can have a timeout");
    stream
}

/// The next line without its end. `None` at the end, or if the connection is broken.
fn line(reader: &mut impl Read) -> Option<String> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    loop {
        match reader.read(&mut byte) {
            Ok(1) if byte[0] == b'\n' => break,
            Ok(1) => bytes.push(byte[0]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("waited in vain for the server")
            }
            _ if bytes.is_empty() => return None,
            _ => break,
        }
    }
    let text = String::from_utf8(bytes).expect("a line is text");
    Some(text.trim_end_matches('\r').to_owned())
}
