//! The process that runs a job: started apart from this one, and identified by its id and its start
//! time.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
#[cfg(unix)]
use std::time::{Duration, Instant};

use crate::model::settings::HTTP_TOKEN;
#[cfg(unix)]
use nix::sys::signal::{Signal, killpg};
use process_wrap::tokio::CommandWrap;
#[cfg(unix)]
use process_wrap::tokio::ProcessSession;
use serde::{Deserialize, Serialize};

/// How to stop a Codex whose owner is gone. Its watchdog does the same, and gets a moment for it
/// first.
#[cfg(unix)]
const STOP_LADDER: &[(Option<Signal>, Duration)] = &[
    (None, Duration::from_millis(200)),
    (Some(Signal::SIGINT), Duration::from_millis(700)),
    (Some(Signal::SIGTERM), Duration::from_millis(500)),
    (Some(Signal::SIGKILL), Duration::from_millis(500)),
];

/// A process, distinguishable from a later one with the same id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProcessId {
    pub(crate) pid: u32,
    /// The start time in the system's own format. Empty where the system does not report it.
    start: String,
}

impl ProcessId {
    /// This process.
    pub(crate) fn this() -> Self {
        Self::of(std::process::id())
    }

    /// The process with this id.
    pub(crate) fn of(pid: u32) -> Self {
        Self { pid, start: start_of(pid).unwrap_or_default() }
    }

    /// Stops the process group that it leads, unless it exits by itself. Blocks: usually for a
    /// tenth of a second, and for 2 s if only SIGKILL helps.
    #[cfg(unix)]
    pub(crate) fn stop_group(&self) {
        let Ok(group) = i32::try_from(self.pid).map(nix::unistd::Pid::from_raw) else { return };
        for &(signal, grace) in STOP_LADDER {
            if !self.is_alive() {
                return;
            }
            if let Some(signal) = signal {
                tracing::info!(pid = self.pid, signal = signal.as_str(), "stopping Codex");
                let _gone = killpg(group, signal);
            }
            let until = Instant::now() + grace;
            while self.is_alive() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }

    /// The system has ended it together with its parent.
    #[cfg(not(unix))]
    pub(crate) fn stop_group(&self) {}

    /// Sends SIGTERM. Returns `false` if the process is gone, or cannot be signalled.
    pub(crate) fn terminate(&self) -> bool {
        self.is_alive() && terminate(self.pid)
    }

    /// Whether it is running, rather than a zombie.
    pub(crate) fn is_alive(&self) -> bool {
        start_of(self.pid).is_some_and(|start| start == self.start)
    }
}

#[cfg(unix)]
fn terminate(pid: u32) -> bool {
    i32::try_from(pid).is_ok_and(|pid| {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGTERM).is_ok()
    })
}

#[cfg(not(unix))]
fn terminate(_pid: u32) -> bool {
    false
}

/// The boot id, and the ticks from boot to the start of the process: no other process with the same
/// id shares both. `None` if there is no such process.
#[cfg(target_os = "linux")]
fn start_of(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may contain anything. The state and 18 more fields follow, then the
    // start time (proc_pid_stat(5)).
    let mut fields = stat[stat.rfind(')')? + 1..].split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    let ticks = fields.nth(18)?;
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    Some(format!("{}/{ticks}", boot.trim()))
}

#[cfg(all(unix, not(target_os = "linux")))]
fn start_of(pid: u32) -> Option<String> {
    let output = std::process::Command::new("/bin/ps")
        .args(["-o", "stat=,lstart=", "-p", &pid.to_string()])
        .env("LC_ALL", "C")
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let (stat, start) = text.trim().split_once(' ')?;
    (!stat.starts_with('Z')).then(|| start.trim().to_owned())
}

/// Windows would need calls that are `unsafe`. There a job counts as running while its lock is
/// held, see [`super::store`].
#[cfg(not(unix))]
fn start_of(_pid: u32) -> Option<String> {
    None
}

/// How this program is started to run a job.
#[derive(Debug, Clone)]
pub(crate) struct Runner {
    pub(crate) program: PathBuf,
    /// All arguments except the last one, the job's id.
    pub(crate) arguments: Vec<OsString>,
}

impl Runner {
    /// Starts the process that runs a job, in a session of its own, so that no signal to this process or to its
    /// terminal reaches it. It logs to `log`. Must be called on a Tokio runtime, which also reaps the process.
    ///
    /// # Errors
    ///
    /// If the process cannot be started.
    pub(crate) fn start(
        &self,
        job: &str,
        log: std::fs::File,
        codex_home: Option<&Path>,
    ) -> io::Result<ProcessId> {
        let mut command = CommandWrap::with_new(&self.program, |command| {
            command
                .args(&self.arguments)
                .arg(job)
                .env_remove(HTTP_TOKEN)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log);
            if let Some(home) = codex_home {
                command.env("CODEX_HOME", home);
            }
            // The list of processes should show the program's name, not the link by which it is started.
            #[cfg(unix)]
            command.arg0(env!("CARGO_PKG_NAME"));
        });
        #[cfg(unix)]
        command.wrap(ProcessSession);
        let child = command.spawn()?;
        let pid = child.id().expect("a process that was just started has an id");
        Ok(ProcessId::of(pid))
    }
}

/// The path of the running program, valid even if its file was replaced by a newer one.
pub(crate) fn this_program() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") { Ok("/proc/self/exe".into()) } else { std::env::current_exe() }
}

/// The path of another program: itself a path, or a name on the PATH.
pub(crate) fn installed(program: &Path) -> io::Result<PathBuf> {
    which::which(program).map_err(|error| {
        let message = format!("{}: {error}", program.display());
        io::Error::new(io::ErrorKind::NotFound, message)
    })
}
