//! One Codex process: started in a group of its own, signalled and reaped by its owner alone.

use std::ffi::OsString;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

#[cfg(unix)]
use process_wrap::tokio::ProcessGroup;
use process_wrap::tokio::{ChildWrapper, CommandWrap};
#[cfg(windows)]
use process_wrap::tokio::{JobObject, KillOnDrop};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};

use super::locate::Program;
use super::watchdog::{Watch, Watchdog};

/// A rung of the ladder by which a process is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopSignal {
    /// SIGINT: Codex ends the turn and writes into the session that it was interrupted.
    #[cfg(unix)]
    Interrupt,
    /// SIGTERM: Codex leaves.
    #[cfg(unix)]
    Terminate,
    /// SIGKILL, or the end of the job object on Windows.
    Kill,
}

/// The signals of a stop, each with the time it is given to work.
#[cfg(unix)]
pub(crate) const STOP_LADDER: &[(StopSignal, Duration)] = &[
    (StopSignal::Interrupt, Duration::from_secs(2)),
    (StopSignal::Terminate, Duration::from_secs(2)),
    (StopSignal::Kill, Duration::from_secs(2)),
];

/// Windows has no signal that asks a process in another group to leave. Untried there.
#[cfg(windows)]
pub(crate) const STOP_LADDER: &[(StopSignal, Duration)] =
    &[(StopSignal::Kill, Duration::from_secs(2))];

/// The ends of a process's standard streams.
pub(crate) struct Streams {
    pub(crate) stdin: ChildStdin,
    pub(crate) stdout: ChildStdout,
    pub(crate) stderr: ChildStderr,
}

/// A Codex process. If it is dropped before it was seen to exit, its whole group is killed.
pub(crate) struct Process {
    child: Box<dyn ChildWrapper>,
    pid: u32,
    status: Option<ExitStatus>,
    /// Taken back last, when nothing of the group is left.
    _watch: Watch,
}

impl Process {
    /// Starts `program`. It is entered at the watchdog before this returns.
    pub(crate) fn spawn(
        program: &Program,
        arguments: &[OsString],
        watchdog: &Watchdog,
    ) -> io::Result<(Self, Streams)> {
        let mut command = CommandWrap::with_new(&program.path, |command| {
            set_variables(command, program);
            command
                .args(arguments)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
        });
        #[cfg(unix)]
        command.wrap(ProcessGroup::leader());
        #[cfg(windows)]
        command.wrap(KillOnDrop).wrap(JobObject);
        let mut child = command.spawn()?;
        let pid = child.id().expect("a process that was just started has an id");
        let streams = Streams {
            stdin: child.stdin().take().expect("stdin is piped"),
            stdout: child.stdout().take().expect("stdout is piped"),
            stderr: child.stderr().take().expect("stderr is piped"),
        };
        Ok((Self { child, pid, status: None, _watch: watchdog.watch(pid) }, streams))
    }

    /// The process id, which is its group's too.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits for the exit. Cancel-safe, and may be called again.
    pub(crate) async fn exited(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        self.status = Some(status);
        Ok(status)
    }

    /// Signals the whole group. That nobody is left to be signalled is no error.
    pub(crate) fn signal(&mut self, signal: StopSignal) {
        let sent = match signal {
            #[cfg(unix)]
            StopSignal::Interrupt => self.child.signal(nix::sys::signal::Signal::SIGINT as i32),
            #[cfg(unix)]
            StopSignal::Terminate => self.child.signal(nix::sys::signal::Signal::SIGTERM as i32),
            StopSignal::Kill => self.child.start_kill(),
        };
        if let Err(error) = sent {
            tracing::debug!(pid = self.pid, ?signal, %error, "signal not delivered");
        }
    }
}

/// Whether an error of starting is about the file that was to be started. All others are about what the
/// system has left for another process: files, processes, memory, room for arguments.
pub(crate) fn is_of_program(error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
    #[cfg(unix)]
    let is_no_program = error.raw_os_error() == Some(nix::errno::Errno::ENOEXEC as i32);
    #[cfg(not(unix))]
    let is_no_program = false;
    is_no_program || matches!(error.kind(), NotFound | PermissionDenied | NotADirectory)
}

/// Gives a command the environment that its program wants.
pub(crate) fn set_variables(command: &mut Command, program: &Program) {
    for (name, value) in program.variables() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
}

impl Drop for Process {
    /// Ends what is left of the group: all of it if Codex itself still runs, and otherwise what it
    /// left behind. The model's own commands have sessions of their own, which Codex ends itself.
    fn drop(&mut self) {
        self.signal(StopSignal::Kill);
    }
}
