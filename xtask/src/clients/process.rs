//! Commands with an upper bound, and the end of everything that they started.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Failure;

const POLL: Duration = Duration::from_millis(20);

/// How long processes may take to end once their client has ended.
const LEAVE: Duration = Duration::from_secs(20);

/// The end of a command.
#[derive(Debug)]
pub struct Ran {
    pub succeeded: bool,
    /// Standard output, then standard error.
    pub output: String,
}

impl Ran {
    /// The end of the output, for a message.
    pub fn tail(&self) -> &str {
        let from = self.output.len().saturating_sub(1500);
        let from = (from..).find(|at| self.output.is_char_boundary(*at)).unwrap_or(0);
        self.output[from..].trim()
    }
}

/// Runs a command with its output in files of this folder, because what it leaves behind may keep a pipe open.
///
/// # Errors
/// If it cannot be started, or is not done in time.
pub fn run(command: &mut Command, folder: &Path, bound: Duration) -> Result<Ran, Failure> {
    let files = ["stdout", "stderr"].map(|name| folder.join(name));
    let create = |at: usize| File::create(&files[at]).map_err(|error| error.to_string());
    command.stdin(Stdio::null()).stdout(create(0)?).stderr(create(1)?);
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    let mut child = command
        .spawn()
        .map_err(|error| format!("cannot start {}: {error}", command.get_program().display()))?;
    let status = wait(&mut child, bound).map_err(|error| error.to_string())?;
    let texts = files.map(|file| fs::read(file).unwrap_or_default());
    let texts = texts.map(|text| String::from_utf8_lossy(&text).into_owned());
    let ran =
        Ran { succeeded: status.is_some_and(|status| status.success()), output: texts.concat() };
    match status {
        Some(_) => Ok(ran),
        None => Err(format!("still running after {} s: {}", bound.as_secs(), ran.tail())),
    }
}

fn wait(child: &mut Child, bound: Duration) -> io::Result<Option<std::process::ExitStatus>> {
    let deadline = Instant::now() + bound;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            kill(&[format!("-{}", child.id())]);
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(POLL);
    }
}

/// Waits until neither this program nor Codex runs with this folder as home directory, which every client passes on,
/// and kills the rest, such as a daemon of the client itself. Only Linux shows the environment of other processes;
/// elsewhere it does nothing.
///
/// # Errors
/// If this program or Codex had to be killed.
pub fn none_left(home: &Path) -> Result<(), Failure> {
    let deadline = Instant::now() + LEAVE;
    loop {
        let left = at_home(home);
        let ours: Vec<_> = left.iter().filter(|it| it.is_ours()).map(|it| &it.line).collect();
        if !ours.is_empty() && Instant::now() < deadline {
            thread::sleep(POLL);
            continue;
        }
        if !left.is_empty() {
            kill(&left.iter().map(|process| process.id.clone()).collect::<Vec<_>>());
        }
        return match ours.is_empty() {
            true => Ok(()),
            false => Err(format!("{} s later these still ran: {ours:?}", LEAVE.as_secs())),
        };
    }
}

struct Process {
    id: String,
    /// Its arguments.
    line: Vec<String>,
}

impl Process {
    /// Whether it is this program or Codex, by itself or in an interpreter.
    fn is_ours(&self) -> bool {
        let names = self.line.iter().take(2).filter_map(|word| Path::new(word).file_name());
        names.into_iter().any(|name| name == "codex-persistent-mcp" || name == "codex")
    }
}

fn at_home(home: &Path) -> Vec<Process> {
    let variable = format!("HOME={}", home.display());
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let id = entry.file_name().to_string_lossy().into_owned();
        let is_process = id.bytes().all(|byte| byte.is_ascii_digit());
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        let mut variables = environment.split(|byte| *byte == 0);
        if is_process && variables.any(|it| it == variable.as_bytes()) {
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let words = line.split(|byte| *byte == 0).filter(|word| !word.is_empty());
            let line = words.map(|word| String::from_utf8_lossy(word).into_owned()).collect();
            found.push(Process { id, line });
        }
    }
    found
}

fn kill(ids: &[String]) {
    // One that is already gone is no concern.
    let _gone = Command::new("kill").args(["-KILL", "--"]).args(ids).output();
}
