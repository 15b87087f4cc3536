//! The server as a child process, with a minimal client.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::environment::clean;
use crate::{SCRATCH, roles};

/// The variable with the path of another build, which is measured beside the current one.
const OTHER_BUILD: &str = "CODEX_PERSISTENT_MCP_BENCH_BEFORE";

/// A build of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Build {
    /// The one that [`OTHER_BUILD`] names.
    Before,
    /// The one that Cargo has just built.
    Current,
}

impl Build {
    /// The builds to measure, the current one last.
    pub fn all() -> Vec<Self> {
        let before = std::env::var_os(OTHER_BUILD).map(|_| Self::Before);
        before.into_iter().chain([Self::Current]).collect()
    }

    /// Its name in a table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Before => "the build before",
            Self::Current => "codex-persistent-mcp",
        }
    }

    /// A folder of its own, so that builds share no queue.
    pub fn home(self, home: &Path) -> PathBuf {
        let home = match self {
            Self::Before => home.join("before"),
            Self::Current => home.to_owned(),
        };
        std::fs::create_dir_all(&home).expect("the target directory can be written");
        home
    }

    /// The path of the program.
    pub fn program(self) -> PathBuf {
        match self {
            Self::Before => std::env::var_os(OTHER_BUILD).unwrap_or_default().into(),
            Self::Current => env!("CARGO_BIN_EXE_codex-persistent-mcp").into(),
        }
    }
}

/// The command to start.
pub struct Setup(Command);

impl Setup {
    /// The process that the server is compared with.
    pub fn echo() -> Self {
        let mut command = Command::new(roles::program());
        clean(&mut command, Path::new(SCRATCH)).env(roles::ROLE, "echo");
        Self(command)
    }

    /// The server, with the scripted Codex.
    pub fn scripted(home: &Path) -> Self {
        Self::of(Build::Current, home)
    }

    /// A build of the server, with the scripted Codex.
    pub fn of(build: Build, home: &Path) -> Self {
        let mut setup = Self::start(build, &roles::program(), home);
        setup.0.env(roles::ROLE, "codex");
        setup
    }

    /// The server, with this Codex and this home for it.
    pub fn with_codex(codex: &Path, home: &Path) -> Self {
        Self::start(Build::Current, codex, home)
    }

    fn start(build: Build, codex: &Path, home: &Path) -> Self {
        let mut command = Command::new(build.program());
        clean(&mut command, home)
            .env("CODEX_BIN", codex)
            .env("CODEX_HOME", home)
            .env("CODEX_PERSISTENT_MCP_STATE_DIR", home.join("state"))
            .current_dir(home);
        Self(command)
    }

    /// Has Node start it with this script.
    pub fn through(self, node: &Path, script: &Path) -> Self {
        let mut command = Command::new(node);
        command.env_clear().arg(script);
        for (name, value) in self.0.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        Self(command)
    }

    /// Sets how many calls may run at once.
    pub fn at_once(mut self, calls: usize) -> Self {
        let calls = calls.to_string();
        self.0
            .env("CODEX_PERSISTENT_MCP_MAX_CONCURRENT", &calls)
            .env("CODEX_PERSISTENT_MCP_MAX_QUEUED", &calls);
        self
    }

    /// Allows calls to request any sandbox.
    pub fn open(mut self) -> Self {
        self.0.env("CODEX_PERSISTENT_MCP_MAX_SANDBOX", "danger-full-access");
        self
    }

    /// Makes the scripted Codex print a flood of lines of this length.
    pub fn flood(mut self, line_length: usize) -> Self {
        self.0.env(roles::FLOOD_LINE, line_length.to_string());
        self
    }
}

impl From<Setup> for Command {
    fn from(Setup(command): Setup) -> Self {
        command
    }
}

/// A running server, or the process that it is compared with.
pub struct Server {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    line: String,
}

impl Server {
    /// Starts it.
    pub fn spawn(setup: Setup) -> Self {
        let Setup(mut command) = setup;
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program can be started");
        let input = child.stdin.take().expect("stdin is a pipe");
        let output = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        Self { child, input, output, line: String::new() }
    }

    /// Sends the `initialize` request and waits for a line.
    pub fn initialize(&mut self) {
        let client = json!({"name": "bench", "version": "0"});
        let params =
            json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client});
        self.send(&[request(0, "initialize", &params)]);
        self.receive();
    }

    /// Calls `codex_chat` so many times at once, each in a session of its own, and waits for all the
    /// answers.
    pub fn calls(&mut self, count: usize) {
        let requests: Vec<Value> = (1..=count)
            .map(|id| {
                let meta = json!({"progressToken": id});
                let arguments = json!({"prompt": "A question."});
                let params = json!({"name": "codex_chat", "arguments": arguments, "_meta": meta});
                request(id, "tools/call", &params)
            })
            .collect();
        self.send(&requests);
        let mut unanswered = count;
        while unanswered > 0 {
            let message = self.receive();
            if message.get("id").is_some() {
                assert!(message["result"]["structuredContent"].is_object(), "failed: {message}");
                unanswered -= 1;
            }
        }
    }

    /// Calls a tool and returns the structured content of its answer.
    pub fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        self.send(&[request(1, "tools/call", &json!({"name": tool, "arguments": arguments}))]);
        loop {
            let mut message = self.receive();
            if message.get("id").is_some() {
                let content = message["result"]["structuredContent"].take();
                assert!(content.is_object(), "failed: {message}");
                return content;
            }
        }
    }

    /// Its current resident memory, in KiB.
    pub fn resident(&self) -> Option<u64> {
        self.status("VmRSS:")
    }

    /// Its peak resident memory, in KiB.
    pub fn peak(&self) -> Option<u64> {
        self.status("VmHWM:")
    }

    /// Closes its input and waits until it has exited.
    pub fn leave(self) {
        let Self { mut child, input, .. } = self;
        drop(input);
        let status = child.wait().expect("a child can be waited for");
        assert!(status.success(), "the server left with {status}");
    }

    fn send(&mut self, messages: &[Value]) {
        let lines: String = messages.iter().map(|message| format!("{message}\n")).collect();
        self.input.write_all(lines.as_bytes()).expect("the server reads");
    }

    fn receive(&mut self) -> Value {
        self.line.clear();
        self.output.read_line(&mut self.line).expect("the server writes text");
        serde_json::from_str(&self.line).expect("the server writes JSON")
    }

    /// A field of the process status in `/proc`.
    fn status(&self, name: &str) -> Option<u64> {
        status(self.child.id(), name)
    }
}

/// A field of the status of a process in `/proc`.
pub fn status(pid: u32, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

pub fn request(id: usize, method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}
