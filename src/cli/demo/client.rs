//! A minimal MCP client: one JSON-RPC message per line over the pipes of a child process.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

pub(super) type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How long a moment is in which something may be drawn.
const MOMENT: Duration = Duration::from_millis(100);

/// A running server. It is stopped on drop.
pub(super) struct Client {
    server: Child,
    /// Standard input and output. `None` once the server is being stopped.
    pipes: Option<(ChildStdin, Receiver<io::Result<String>>)>,
    last_id: u64,
}

impl Client {
    /// Starts a server.
    pub(super) fn start(command: Result<Command>) -> Result<Self> {
        let mut command = command?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut server = command.spawn()?;
        let input = server.stdin.take().expect("stdin is a pipe");
        let output = server.stdout.take().expect("stdout is a pipe");
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            BufReader::new(output).lines().try_for_each(|line| sender.send(line)).ok();
        });
        let pipes = Some((input, lines));
        Ok(Self { server, pipes, last_id: 0 })
    }

    /// Initializes the protocol. Returns the server's description of itself.
    pub(super) fn initialize(&mut self) -> Result<Value> {
        let params = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "demo", "version": env!("CARGO_PKG_VERSION")},
        });
        let answer = self.request("initialize", params, |_| {})?;
        self.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))?;
        Ok(answer)
    }

    /// Lists the server's tools.
    pub(super) fn tools(&mut self) -> Result<Vec<Value>> {
        let answer = self.request("tools/list", json!({}), |_| {})?;
        Ok(answer["tools"].as_array().cloned().unwrap_or_default())
    }

    /// Calls a tool and returns the structured content of its answer. Reports progress as it arrives, and `None`
    /// now and then in between.
    pub(super) fn call(
        &mut self,
        tool: &str,
        arguments: Value,
        mut on_progress: impl FnMut(Option<&str>),
    ) -> Result<Value> {
        // The token requests progress notifications for the call.
        let meta = json!({"progressToken": tool});
        let params = json!({"name": tool, "arguments": arguments, "_meta": meta});
        let answer = self.request("tools/call", params, |notification| match notification {
            Some(told) if told["method"] == "notifications/progress" => {
                on_progress(told["params"]["message"].as_str());
            }
            Some(_) => {}
            None => on_progress(None),
        })?;
        if answer["isError"] == true {
            return Err(answer["content"][0]["text"].as_str().unwrap_or_default().trim().into());
        }
        Ok(answer["structuredContent"].clone())
    }

    /// Sends a request and waits for its answer. Notifications received meanwhile are passed to
    /// `on_notification`.
    fn request(
        &mut self,
        method: &str,
        params: Value,
        mut on_notification: impl FnMut(Option<&Value>),
    ) -> Result<Value> {
        self.last_id += 1;
        let id = self.last_id;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))?;
        loop {
            let Some(message) = self.receive()? else {
                on_notification(None);
                continue;
            };
            if message["id"] != id {
                on_notification(Some(&message));
            } else if let Some(error) = message.get("error") {
                return Err(error["message"].as_str().unwrap_or_default().into());
            } else {
                return Ok(message["result"].clone());
            }
        }
    }

    fn send(&mut self, message: &Value) -> Result<()> {
        let sent = self.pipes.as_mut().map(|(input, _)| writeln!(input, "{message}"));
        if matches!(sent, Some(Ok(()))) { Ok(()) } else { Err(self.gone()) }
    }

    /// The next message, or `None` if there is none for a moment.
    fn receive(&mut self) -> Result<Option<Value>> {
        let line = self.pipes.as_ref().map(|(_, lines)| lines.recv_timeout(MOMENT));
        match line {
            Some(Ok(line)) => Ok(Some(serde_json::from_str(&line?)?)),
            Some(Err(RecvTimeoutError::Timeout)) => Ok(None),
            Some(Err(RecvTimeoutError::Disconnected)) | None => Err(self.gone()),
        }
    }

    /// Kills the server, as a crash would.
    pub(super) fn kill(mut self) -> Result<()> {
        self.server.kill()?;
        self.server.wait()?;
        Ok(())
    }

    /// The error for a server that has exited, with its status and log.
    fn gone(&mut self) -> Box<dyn Error> {
        self.pipes = None;
        let mut log = String::new();
        let read = self.server.stderr.take().map(|mut stderr| stderr.read_to_string(&mut log));
        match (self.server.wait(), read) {
            (Ok(status), Some(Ok(_))) => format!("the server left with {status}\n{log}").into(),
            _ => "the server has left".into(),
        }
    }
}

impl Drop for Client {
    /// The server exits when its input ends, after stopping its Codex.
    fn drop(&mut self) {
        self.pipes = None;
        if let Err(error) = self.server.wait() {
            eprintln!("the server cannot be waited for: {error}");
        }
    }
}
