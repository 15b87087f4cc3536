//! The program as a user starts it from a shell, and its output.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::kit::setup::PROGRAM;
use crate::kit::wait::{WAIT, wait_until};
use crate::support::client::{MARKER, descendants_of};
use crate::support::environment::{clean, patient};
use crate::support::real_codex::Home;

/// The output and the exit status of a command.
#[derive(Debug)]
pub struct Ran {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("the program writes text");
        Self {
            status: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

/// A command in the home's project, with nothing on standard input.
pub fn command(home: &Home, codex: &Path, program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    clean(&mut command, home.user())
        .args(arguments)
        .env("CODEX_BIN", codex)
        .env("CODEX_HOME", home.path())
        .env("CODEX_PERSISTENT_MCP_STATE_DIR", home.state())
        .env("SCRIPTED_CODEX_LOG", home.path().join("starts.jsonl"))
        .env(MARKER, home.path())
        .current_dir(home.project())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// The program under test.
pub fn program(home: &Home, codex: &Path, arguments: &[&str]) -> Command {
    command(home, codex, PROGRAM, arguments)
}

/// Runs a command with this on standard input.
pub fn run_with(mut command: Command, input: &str) -> Ran {
    let mut child = start(command.stdin(Stdio::piped()));
    give(&mut child, input);
    ended(child)
}

/// Writes to a child's standard input, and closes it.
pub fn give(child: &mut Child, input: &str) {
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    stdin.write_all(input.as_bytes()).expect("the program reads its input");
}

pub fn run(mut command: Command) -> Ran {
    ended(start(&mut command))
}

pub fn start(command: &mut Command) -> Child {
    command.spawn().expect("the program starts")
}

/// Waits for its end, for a bounded time. A child that does not end is killed.
pub fn ended(child: Child) -> Ran {
    let pid = pid_of(&child);
    let (sender, output) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    let bound = patient(WAIT);
    let output = output.recv_timeout(bound).unwrap_or_else(|_| {
        let _already_gone = kill(pid, Signal::SIGKILL);
        panic!("the program has not ended within {bound:?}")
    });
    output.expect("it is a child of this process").into()
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("a process id"))
}

/// Runs a command on a terminal that does not report its size, and returns what it showed and its exit status.
pub fn on_terminal(command: Command) -> (String, Option<i32>) {
    on_sized_terminal(command, None, |_, _| {})
}

/// The same with the terminal as standard input too.
pub fn in_terminal_of(columns: u16, mut command: Command) -> (String, Option<i32>) {
    let terminal = openpty(&size(columns), None).expect("the system has terminals");
    command.stdin(terminal.slave.try_clone().expect("it can be shared"));
    shown_on(terminal, command, |_, _| {})
}

/// The same on a terminal of this many columns.
pub fn on_terminal_of(columns: u16, command: Command) -> (String, Option<i32>) {
    on_sized_terminal(command, Some(size(columns)), |_, _| {})
}

/// The same. Once the terminal has got a text for which `is_it` holds, `then` is called.
pub fn on_terminal_until(
    columns: u16,
    command: Command,
    is_it: impl Fn(&str) -> bool,
    then: impl FnOnce(&Child),
) -> (String, Option<i32>) {
    on_sized_terminal(command, Some(size(columns)), |shown, child| {
        wait_until("the terminal to show it", || {
            is_it(&String::from_utf8_lossy(&shown.lock().expect("reading does not panic")))
        });
        then(child);
    })
}

fn size(columns: u16) -> Winsize {
    Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

fn on_sized_terminal(
    command: Command,
    size: Option<Winsize>,
    meanwhile: impl FnOnce(&Mutex<Vec<u8>>, &Child),
) -> (String, Option<i32>) {
    shown_on(openpty(&size, None).expect("the system has terminals"), command, meanwhile)
}

/// `meanwhile` gets what was shown so far, and the program.
fn shown_on(
    terminal: OpenptyResult,
    mut command: Command,
    meanwhile: impl FnOnce(&Mutex<Vec<u8>>, &Child),
) -> (String, Option<i32>) {
    // Every terminal says what it is.
    if command.get_envs().all(|(name, _)| name != "TERM") {
        command.env("TERM", "xterm");
    }
    let to = terminal.slave.try_clone().expect("it can be shared");
    let child = start(command.stdout(terminal.slave).stderr(to));
    // It holds copies of the terminal, and reading the screen ends only when all are closed.
    drop(command);
    let mut screen = fs::File::from(terminal.master);
    let shown = Arc::new(Mutex::new(Vec::new()));
    let to = Arc::clone(&shown);
    let reader = thread::spawn(move || {
        let mut part = [0; 4096];
        // On Linux the end is an error.
        while let Ok(count @ 1..) = screen.read(&mut part) {
            to.lock().expect("nobody panics with it").extend_from_slice(&part[..count]);
        }
    });
    meanwhile(&shown, &child);
    let status = ended(child).status;
    reader.join().expect("reading does not panic");
    let shown = std::mem::take(&mut *shown.lock().expect("reading does not panic"));
    (String::from_utf8(shown).expect("the program writes text").replace("\r\n", "\n"), status)
}

pub fn signal(child: &Child, signal: Signal) {
    kill(pid_of(child), signal).expect("it is running");
}

/// The JSON objects that were printed, one per line.
pub fn parsed(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

/// The session id on standard error.
pub fn session(stderr: &str) -> &str {
    let line = stderr.lines().find_map(|line| line.strip_prefix("session: "));
    line.unwrap_or_else(|| panic!("no session in {stderr}"))
}

/// Waits until no process runs that was started in this home.
pub fn wait_nothing_left(home: &Home) {
    let marker = home.path().to_str().expect("test paths are text");
    wait_until("all processes to be gone", || {
        descendants_of(marker).map_or(true, |left| left.is_empty())
    });
}

/// Kills all processes that were started in this home.
pub fn kill_what_is_left(home: &Home) {
    let marker = home.path().to_str().expect("test paths are text");
    while let Ok(left) = descendants_of(marker)
        && !left.is_empty()
    {
        for process in left {
            let pid = Pid::from_raw(i32::try_from(process.pid).expect("a process id"));
            let _already_gone = kill(pid, Signal::SIGKILL);
        }
    }
}
