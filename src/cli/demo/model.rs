//! A stand-in for the model: OpenAI's Responses API on a loopback port, as far as Codex needs it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;

use serde_json::{Value, json};

/// The largest request, in bytes.
const MAX_BODY: u64 = 64 << 20;

/// The largest head of a request, in bytes.
const MAX_HEAD: u64 = 64 << 10;

/// A part of a response.
#[derive(Debug, Clone)]
pub(super) enum Item {
    /// The summary of a thought. Codex takes its `**title**` for what the model is doing.
    Reasoning(&'static str),
    Shell(&'static str),
    Message(String),
}

/// Answers a request with the items of a response.
type Script = fn(&Request) -> Vec<Item>;

/// The server. Its thread ends with the process.
#[derive(Debug)]
pub(super) struct Model {
    address: SocketAddr,
}

impl Model {
    pub(super) fn start(script: Script) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Codex may leave at any time.
                thread::spawn(move || drop(serve(&stream, script)));
            }
        });
        Ok(Self { address })
    }

    /// The `base_url` for Codex.
    pub(super) fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }
}

/// A request of Codex to the model.
#[derive(Debug)]
pub(super) struct Request(Value);

impl Request {
    /// The messages of the user, in order.
    pub(super) fn prompts(&self) -> Vec<String> {
        self.input()
            .iter()
            .filter(|item| is_prompt(item))
            .map(|item| text(&item["content"]))
            .collect()
    }

    /// How many commands have run since the last one.
    pub(super) fn outputs(&self) -> usize {
        let input = self.input();
        let turn = input.iter().rposition(is_prompt).map_or(0, |at| at + 1);
        let is_output = |item: &&Value| {
            item["type"].as_str().is_some_and(|kind| kind.ends_with("_call_output"))
        };
        input[turn..].iter().filter(is_output).count()
    }

    fn input(&self) -> &[Value] {
        self.0["input"].as_array().map_or(&[], Vec::as_slice)
    }

    /// The call of a shell, in the form of the tool that this Codex offers.
    fn shell(&self, command: &str) -> Value {
        let tools = self.0["tools"].as_array().map_or(&[][..], Vec::as_slice);
        let offers = |name: &str| tools.iter().any(|tool| tool["name"] == name);
        let (name, arguments) = if offers("exec_command") {
            ("exec_command", json!({"cmd": command}))
        } else if offers("shell_command") {
            ("shell_command", json!({"command": command}))
        } else {
            ("shell", json!({"command": ["bash", "-lc", command]}))
        };
        json!({"type": "function_call", "name": name, "arguments": arguments.to_string()})
    }
}

fn is_prompt(item: &Value) -> bool {
    item["type"] == "message" && item["role"] == "user"
}

/// The text of a content, which is a string or a list of parts.
fn text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => String::new(),
    }
}

fn serve(stream: &TcpStream, script: Script) -> io::Result<()> {
    let (first, body) = read(stream)?;
    if !first.starts_with("POST ") {
        return write_json(stream, &json!({"object": "list", "data": [], "models": []}));
    }
    let request = Request(body);
    let id = |kind: &str| format!("{kind}_{}", uuid::Uuid::new_v4().simple());
    let items = script(&request).into_iter().map(|item| {
        let mut item = match item {
            Item::Reasoning(summary) => json!({
                "type": "reasoning",
                "summary": [{"type": "summary_text", "text": summary}],
                "encrypted_content": null,
            }),
            Item::Shell(command) => request.shell(command),
            Item::Message(text) => json!({
                "type": "message",
                "role": "assistant",
                "status": "completed",
                "content": [{"type": "output_text", "text": text, "annotations": []}],
            }),
        };
        if item["type"] == "function_call" {
            item["call_id"] = id("call").into();
        }
        item["id"] = id("item").into();
        item
    });
    let items: Vec<Value> = items.collect();
    let response = id("resp");
    let of = |status: &str| json!({"id": response, "object": "response", "status": status});
    let mut events = vec![json!({"type": "response.created", "response": of("in_progress")})];
    for (number, item) in items.iter().enumerate() {
        events.push(
            json!({"type": "response.output_item.done", "output_index": number, "item": item}),
        );
    }
    let mut completed = of("completed");
    completed["output"] = items.into();
    completed["usage"] = json!({
        "input_tokens": 2_400, "input_tokens_details": {"cached_tokens": 1_800},
        "output_tokens": 140, "output_tokens_details": {"reasoning_tokens": 30},
        "total_tokens": 2_540,
    });
    events.push(json!({"type": "response.completed", "response": completed}));
    let mut stream = stream;
    stream.write_all(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n",
    )?;
    for event in events {
        let kind = event["type"].as_str().unwrap_or_default();
        stream.write_all(format!("event: {kind}\ndata: {event}\n\n").as_bytes())?;
    }
    Ok(())
}

/// The first line of a request, and the body of a POST.
fn read(stream: &TcpStream) -> io::Result<(String, Value)> {
    let mut reader = BufReader::new(stream);
    let mut head = (&mut reader).take(MAX_HEAD);
    let mut first = String::new();
    head.read_line(&mut first)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        if head.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = Vec::new();
    reader.take(MAX_BODY.min(length)).read_to_end(&mut body)?;
    Ok((first, serde_json::from_slice(&body).unwrap_or_default()))
}

fn write_json(mut stream: &TcpStream, body: &Value) -> io::Result<()> {
    let body = body.to_string();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
    stream.write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes())
}
