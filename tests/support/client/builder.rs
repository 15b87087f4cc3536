//! Starting a server.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::atomic::AtomicI64;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread;

use uuid::Uuid;

use super::inbox::Inbox;
use super::output::Output;
use super::{Server, clean, process};

const PROTOCOL: &str = "2025-06-18";

/// A server that has not been started.
#[derive(Debug)]
pub struct Builder {
    command: Command,
    marker: String,
}

impl Builder {
    pub(super) fn new(program: PathBuf, user: &Path) -> Self {
        let mut command = Command::new(program);
        clean(&mut command, user);
        Self { command, marker: Uuid::new_v4().to_string() }
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Removes an environment variable.
    #[must_use]
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Starts the server through another program: this command, followed by the server's own.
    #[must_use]
    pub fn through(mut self, command: &[&str]) -> Self {
        let (program, arguments) = command.split_first().expect("a command has a program");
        let mut outer = Command::new(program);
        outer.env_clear();
        outer.args(arguments).arg(self.command.get_program()).args(self.command.get_args());
        for (name, value) in self.command.get_envs() {
            if let Some(value) = value {
                outer.env(name, value);
            }
        }
        if let Some(directory) = self.command.get_current_dir() {
            outer.current_dir(directory);
        }
        self.command = outer;
        self
    }

    /// Sets the working directory.
    #[must_use]
    pub fn cwd(mut self, directory: impl AsRef<Path>) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Starts the server and does the handshake.
    pub fn start(self) -> Server {
        let server = self.spawn();
        server.initialize(PROTOCOL);
        server
    }

    /// Starts the server without a handshake.
    pub fn spawn(mut self) -> Server {
        let mut child = self
            .command
            .env(process::MARKER, &self.marker)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                let program = self.command.get_program();
                panic!("{}: {error}", program.display())
            });
        let inbox = Arc::new(Inbox::default());
        let stdin = child.stdin.take().expect("stdin is a pipe");
        let stdout = child.stdout.take().expect("stdout is a pipe");
        let stderr = child.stderr.take().expect("stderr is a pipe");
        let (input, lines) = mpsc::channel();
        let writing = Arc::clone(&inbox);
        thread::spawn(move || write_all(stdin, &lines, &writing));
        let reading = Arc::clone(&inbox);
        thread::spawn(move || reading.read_stderr(stderr));
        Server {
            pid: child.id(),
            child: Mutex::new(child),
            output: Output::read(stdout, Arc::clone(&inbox)),
            inbox,
            input: Mutex::new(Some(input)),
            next_id: AtomicI64::new(1),
            marker: self.marker,
        }
    }
}

/// Writes until the channel is closed. After an error it discards the rest, since a test may send
/// something to a server that has exited.
fn write_all(mut stdin: ChildStdin, lines: &Receiver<Vec<u8>>, inbox: &Inbox) {
    let written = lines.iter().try_for_each(|bytes| stdin.write_all(&bytes));
    if let Err(error) = written {
        inbox.note(format!("stdin: {error}"));
        lines.iter().for_each(drop);
    }
}
