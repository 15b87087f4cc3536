//! One Codex process: in a group of its own, signalled and reaped by its owner alone.

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

#[cfg(unix)]
use super::exit::Exit;
use super::locate::Program;
use super::watchdog::{Watch, Watchdog};
use crate::model::settings::HTTP_TOKEN;

/// A step of a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopSignal {
    /// SIGINT: Codex ends the turn and records in the session that it was interrupted.
    #[cfg(unix)]
    Interrupt,
    /// SIGTERM: Codex leaves.
    #[cfg(unix)]
    Terminate,
    /// SIGKILL, or on Windows the end of the job object.
    Kill,
}

/// The signals of a stop in order, each with the time that it gets to take effect.
#[cfg(unix)]
pub(crate) const STOP_LADDER: &[(StopSignal, Duration)] = &[
    (StopSignal::Interrupt, Duration::from_secs(2)),
    (StopSignal::Terminate, Duration::from_secs(2)),
    (StopSignal::Kill, Duration::from_secs(2)),
];

/// Windows has no signal for a process in another group. Not tested there.
#[cfg(windows)]
pub(crate) const STOP_LADDER: &[(StopSignal, Duration)] =
    &[(StopSignal::Kill, Duration::from_secs(2))];

/// The ends of a process's standard streams.
pub(crate) struct Streams {
    pub(crate) stdin: ChildStdin,
    pub(crate) stdout: ChildStdout,
    pub(crate) stderr: ChildStderr,
}

/// A process and its group. Dropping it kills what is left of the group.
pub(crate) struct Process {
    pid: u32,
    #[cfg(unix)]
    exit: Exit,
    /// Removed after the group was killed, and before the process is reaped.
    _watch: Watch,
    child: Box<dyn ChildWrapper>,
}

impl Process {
    /// Starts `program`. The watchdog knows of it before this returns.
    pub(crate) fn spawn(
        program: &Program,
        arguments: &[OsString],
        watchdog: &Watchdog,
    ) -> io::Result<(Self, Streams)> {
        let mut command = Command::new(&program.path);
        set_variables(&mut command, program);
        command.args(arguments);
        Self::start(command, watchdog)
    }

    /// The same with any command.
    pub(super) fn start(mut command: Command, watchdog: &Watchdog) -> io::Result<(Self, Streams)> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut command = CommandWrap::from(command);
        #[cfg(unix)]
        command.wrap(ProcessGroup::leader());
        #[cfg(windows)]
        command.wrap(KillOnDrop).wrap(JobObject);
        #[cfg(unix)]
        let exit = Exit::listen()?;
        let mut child = command.spawn()?;
        let pid = child.id().expect("a process that was just started has an id");
        let _watch = watchdog.watch(pid);
        let streams = Streams {
            stdin: child.stdin().take().expect("stdin is piped"),
            stdout: child.stdout().take().expect("stdout is piped"),
            stderr: child.stderr().take().expect("stderr is piped"),
        };
        let process = Self {
            pid,
            #[cfg(unix)]
            exit,
            _watch,
            child,
        };
        Ok((process, streams))
    }

    /// The process id, which is also that of its group.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits for the exit. Cancel-safe, and returns the same status when called again. On Unix the process
    /// is reaped only when this is dropped: until then no other process can have its id, so signals reach
    /// its own group.
    pub(crate) async fn exited(&mut self) -> io::Result<ExitStatus> {
        #[cfg(unix)]
        return self.exit.of(self.pid).await;
        #[cfg(windows)]
        self.child.wait().await
    }

    /// Signals the whole group, if there is anything left of it.
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

/// Whether a program could not be started because of its file. All other errors come from what the system
/// has left for another process: files, processes, memory, room for arguments.
pub(crate) fn is_of_program(error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
    #[cfg(unix)]
    let is_no_program = error.raw_os_error() == Some(nix::errno::Errno::ENOEXEC as i32);
    #[cfg(not(unix))]
    let is_no_program = false;
    is_no_program || matches!(error.kind(), NotFound | PermissionDenied | NotADirectory)
}

/// Sets the environment variables of a program.
pub(crate) fn set_variables(command: &mut Command, program: &Program) {
    command.env_remove(HTTP_TOKEN);
    for (name, value) in program.variables() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
}

impl Drop for Process {
    /// Kills what is left of the group: all of it, or what Codex left behind. The model's commands are in
    /// sessions of their own, which Codex ends itself.
    fn drop(&mut self) {
        self.signal(StopSignal::Kill);
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use nix::sys::signal::{kill, killpg};
    use nix::unistd::Pid;

    fn shell(script: &str) -> (Process, Streams) {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        Process::start(command, &Watchdog::default()).expect("there is a shell")
    }

    #[tokio::test]
    async fn nobody_else_can_have_the_id_until_the_group_was_killed() {
        let (mut process, _streams) = shell("sleep 1000 & exit 3");
        let pid = Pid::from_raw(i32::try_from(process.pid()).expect("process ids are small"));
        for _ in 0..2 {
            assert_eq!(process.exited().await.expect("it exits").code(), Some(3));
        }
        assert_eq!(kill(pid, None), Ok(()), "it was reaped");
        drop(process);
        assert_eq!(kill(pid, None), Err(nix::errno::Errno::ESRCH), "it was not reaped");
        // What it left behind is killed, and reaped by the system.
        while killpg(pid, None).is_ok() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn the_signal_that_ended_it_is_known() {
        use std::os::unix::process::ExitStatusExt;

        let (mut process, _streams) = shell("kill -KILL $$");
        assert_eq!(process.exited().await.expect("it is killed").signal(), Some(9));
    }
}
