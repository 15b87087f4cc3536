//! The processes that a server started, found by an environment variable that they inherit.

use std::error::Error;
use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::patient;

/// The variable with the server's marker, in all processes below a server.
pub const MARKER: &str = "CODEX_PERSISTENT_MCP_TEST";

const POLL: Duration = Duration::from_millis(5);

/// A running process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pub pid: u32,
    /// Its arguments, separated by spaces.
    pub cmdline: String,
}

/// The system does not show the environment of other processes. A test that needs it should say
/// that it is skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable;

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this system does not show the environment of processes")
    }
}

impl Error for Unavailable {}

/// Why there are not surely no processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// These were there when the time was over.
    Alive(Vec<Process>),
    /// Nobody knows.
    Unavailable(Unavailable),
}

/// All the living processes that carry a marker; zombies do not live.
#[cfg(target_os = "linux")]
pub fn descendants_of(marker: &str) -> Result<Vec<Process>, Unavailable> {
    use std::fs;

    let variable = format!("{MARKER}={marker}");
    let entries = fs::read_dir("/proc").map_err(|_| Unavailable)?;
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // A process that ended meanwhile, or that belongs to another user, is none of ours.
        let Ok(environment) = fs::read(entry.path().join("environ")) else {
            continue;
        };
        if environment.split(|&byte| byte == 0).any(|entry| entry == variable.as_bytes()) {
            let cmdline = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let cmdline = String::from_utf8_lossy(&cmdline).replace('\0', " ");
            found.push(Process { pid, cmdline: cmdline.trim_end().to_owned() });
        }
    }
    Ok(found)
}

/// All the living processes that carry a marker.
#[cfg(not(target_os = "linux"))]
pub fn descendants_of(_marker: &str) -> Result<Vec<Process>, Unavailable> {
    Err(Unavailable)
}

/// Waits until no process carries the marker, for when the server is gone as well.
pub fn wait_no_descendants_of(marker: &str, bound: Duration) -> Result<(), Left> {
    wait_none(bound, || descendants_of(marker))
}

pub(super) fn wait_none(
    bound: Duration,
    list: impl Fn() -> Result<Vec<Process>, Unavailable>,
) -> Result<(), Left> {
    let deadline = Instant::now() + patient(bound);
    loop {
        let left = list().map_err(Left::Unavailable)?;
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(Left::Alive(left));
        }
        thread::sleep(POLL);
    }
}

/// Kills all processes with the marker, and those that they start meanwhile.
pub(super) fn kill_all(marker: &str, bound: Duration) {
    let left = wait_none(bound, || {
        let left = descendants_of(marker)?;
        for process in &left {
            if let Ok(pid) = i32::try_from(process.pid) {
                let _already_gone = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
        Ok(left)
    });
    if let Err(Left::Alive(left)) = left {
        eprintln!("these processes cannot be killed: {left:?}");
    }
}

/// A size of a process as Linux reports it: `VmRSS` is its resident memory, and `VmHWM` the highest so
/// far.
#[cfg(target_os = "linux")]
pub(super) fn size_kib(pid: u32, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// Only Linux reports sizes.
#[cfg(not(target_os = "linux"))]
pub(super) fn size_kib(_pid: u32, _name: &str) -> Option<u64> {
    None
}
