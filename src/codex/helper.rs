//! Runs short-lived helper programs with a timeout and bounded output, and leaves no processes behind.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use super::process::{Process, StopSignal, Streams};
use super::watchdog::Watchdog;

/// Maximum size of each output of a helper, in bytes. Expected outputs are a single line.
const MAX_OUTPUT_BYTES: usize = 64 << 10;

/// A helper's exit status and output.
pub(crate) struct Output {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a command with empty standard input. Dropping the future kills all processes that the command
/// started, and the watchdog does so if this process is killed.
///
/// # Errors
///
/// If the command cannot be started, does not exit within the `timeout`, or writes too much output.
pub(crate) async fn run(
    command: Command,
    watchdog: &Watchdog,
    timeout: Duration,
) -> io::Result<Output> {
    let (process, mut streams) = Process::start(gate::before(command), watchdog)?;
    gate::open(&mut streams).await?;
    let output = wait_for_output(process, streams);
    let timed_out = |_| io::Error::new(io::ErrorKind::TimedOut, "it does not respond");
    tokio::time::timeout(timeout, output).await.map_err(timed_out)?
}

async fn wait_for_output(mut process: Process, streams: Streams) -> io::Result<Output> {
    drop(streams.stdin);
    let exited = async {
        let status = process.exited().await?;
        // Orphaned child processes may keep its outputs open.
        process.signal(StopSignal::Kill);
        Ok(status)
    };
    let (status, stdout, stderr) =
        tokio::try_join!(exited, read(streams.stdout), read(streams.stderr))?;
    Ok(Output { status, stdout, stderr })
}

/// Delays a command until the watchdog knows about its process. Codex itself needs no gate, because it does
/// nothing before it has the prompt.
#[cfg(unix)]
mod gate {
    use super::{Command, Streams, io};
    use tokio::io::AsyncWriteExt;

    /// Executes the command once a line arrives on standard input, and exits if the input ends without one.
    const GATE: &str = r#"read -r open && exec "$@""#;

    pub(super) fn before(command: Command) -> Command {
        let command = command.as_std();
        let mut gated = Command::new("/bin/sh");
        gated.args(["-c", GATE, "sh"]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => gated.env(name, value),
                None => gated.env_remove(name),
            };
        }
        if let Some(dir) = command.get_current_dir() {
            gated.current_dir(dir);
        }
        gated
    }

    pub(super) async fn open(streams: &mut Streams) -> io::Result<()> {
        streams.stdin.write_all(b"\n").await
    }
}

/// A job object already ends all its processes together with this one.
#[cfg(windows)]
mod gate {
    use super::{Command, Streams, io};

    pub(super) fn before(command: Command) -> Command {
        command
    }

    pub(super) async fn open(_streams: &mut Streams) -> io::Result<()> {
        Ok(())
    }
}

async fn read(output: impl AsyncRead + Unpin) -> io::Result<String> {
    let mut bytes = Vec::new();
    output.take(MAX_OUTPUT_BYTES as u64 + 1).read_to_end(&mut bytes).await?;
    if bytes.len() > MAX_OUTPUT_BYTES {
        return Err(io::Error::other("its output is too long"));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn command() -> Command {
        let mut command = Command::new("/bin/echo");
        command.args(["$HOME", "a  b"]).env("HOME", "/nowhere").current_dir("/");
        command
    }

    #[tokio::test]
    async fn a_command_runs_with_its_arguments_and_environment() {
        let timeout = Duration::from_secs(60);
        let output = run(command(), &Watchdog::default(), timeout).await.expect("it is there");
        assert_eq!((output.status.code(), output.stdout.as_str()), (Some(0), "$HOME a  b\n"));
    }

    #[tokio::test]
    async fn a_command_does_nothing_before_the_watchdog_knows_about_it() {
        // As if this process were killed before it opened the gate.
        let (process, streams) = Process::start(gate::before(command()), &Watchdog::default())
            .expect("there is a shell");
        let output = wait_for_output(process, streams).await.expect("it ends");
        assert!(!output.status.success() && output.stdout.is_empty(), "{}", output.stdout);
    }
}
