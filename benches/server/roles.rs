//! The processes to compare with, which are this program itself started with a role.

use std::env;
use std::io::{self, BufRead, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use uuid::Uuid;

use crate::SCRATCH;
use crate::environment::clean;

/// The variable that selects the role of a process.
pub const ROLE: &str = "CODEX_PERSISTENT_MCP_BENCH_ROLE";

/// The variable with the line length of a flood of events. Without it there is no flood.
pub const FLOOD_LINE: &str = "CODEX_PERSISTENT_MCP_BENCH_LINE";

/// The size of a flood, in bytes.
pub const FLOOD_BYTES: usize = 1_000_000_000;

const CHUNK: usize = 128 << 10;

/// What a process started by this one does.
pub enum Role {
    /// Reads a line and writes it back.
    Echo,
    /// Reads the prompt and prints the events of a turn.
    Codex,
}

impl Role {
    /// The role of this process, or `None` for the benchmark itself.
    pub fn of_this_process() -> Option<Self> {
        match env::var(ROLE).ok()?.as_str() {
            "echo" => Some(Self::Echo),
            "codex" => Some(Self::Codex),
            other => panic!("there is no role {other:?}"),
        }
    }

    /// Runs the role to its end.
    pub fn play(self) {
        match self {
            Self::Echo => echo(),
            Self::Codex => codex(),
        }
        .expect("the other side reads and writes");
    }
}

/// The command that starts this program with a role.
pub fn program() -> PathBuf {
    env::current_exe().expect("a running program has a path")
}

/// The scripted Codex with the arguments that the server would pass.
pub fn codex_command() -> Command {
    let mut command = Command::new(program());
    clean(&mut command, Path::new(SCRATCH))
        .args(["exec", "--skip-git-repo-check", "--json", "-C", "/", "-"])
        .env(ROLE, "codex")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Starts the scripted Codex, sends it a prompt and reads its output to the end.
pub fn run_codex_bare() {
    let mut child = codex_command().spawn().expect("this program can be started");
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    stdin.write_all(b"A question.").expect("Codex reads its prompt");
    drop(stdin);
    let output = child.wait_with_output().expect("a child can be waited for");
    assert!(output.status.success() && output.stdout.ends_with(b"}\n"));
}

fn echo() -> io::Result<()> {
    let mut line = Vec::new();
    io::stdin().lock().read_until(b'\n', &mut line)?;
    io::stdout().lock().write_all(&line)?;
    // Like a server, this runs until its input ends.
    io::stdin().lock().read_to_end(&mut line)?;
    Ok(())
}

fn codex() -> io::Result<()> {
    if env::args().any(|argument| argument == "--version") {
        return writeln!(io::stdout(), "codex-cli 0.171.0");
    }
    io::stdin().lock().read_to_end(&mut Vec::new())?;
    let mut out = io::stdout().lock();
    writeln!(out, r#"{{"type":"thread.started","thread_id":"{}"}}"#, Uuid::new_v4())?;
    writeln!(out, r#"{{"type":"turn.started"}}"#)?;
    if let Ok(length) = env::var(FLOOD_LINE) {
        flood(&mut out, length.parse().expect("a length is a number"))?;
    }
    let reply = r#"{"id":"item_0","type":"agent_message","text":"An answer."}"#;
    writeln!(out, r#"{{"type":"item.completed","item":{reply}}}"#)?;
    let usage = r#"{"input_tokens":100,"cached_input_tokens":40,"output_tokens":20}"#;
    writeln!(out, r#"{{"type":"turn.completed","usage":{usage}}}"#)
}

/// Writes the same lines repeatedly, so that the reader is what is measured.
fn flood(out: &mut impl Write, line_length: usize) -> io::Result<()> {
    let line = command_event(line_length);
    let lines = (CHUNK / line.len()).max(1);
    let chunk = line.repeat(lines);
    for _ in 0..FLOOD_BYTES / chunk.len() {
        out.write_all(chunk.as_bytes())?;
    }
    Ok(())
}

/// The event of a command with output, about `length` bytes long.
fn command_event(length: usize) -> String {
    let event = |output: &str| {
        let item = format!(
            r#"{{"id":"item_7","type":"command_execution","command":"/bin/bash -lc 'cargo test'","aggregated_output":"{output}","exit_code":0,"status":"completed"}}"#
        );
        format!("{{\"type\":\"item.completed\",\"item\":{item}}}\n")
    };
    let printed = r"test turn::clock::tests::the_total_counts_always ... ok\n";
    event(&printed.repeat(length.saturating_sub(event("").len()) / printed.len()))
}
