//! A program that is asked something in passing: for a bounded time, with a bounded answer, and with
//! nothing of it left afterwards.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use super::process::{Process, StopSignal, Streams};
use super::watchdog::Watchdog;

/// The most that a helper may write on either output, in bytes. What is asked is answered in a line.
const MAX_ANSWER: usize = 64 << 10;

/// How a helper ended, and what it wrote.
pub(crate) struct Answer {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a command with nothing on its standard input. Dropped before its end, it kills all that the
/// command has started; so does the watchdog if this process is killed.
///
/// # Errors
///
/// If it cannot be started, takes too long, or does not stop talking.
pub(crate) async fn ask(
    command: Command,
    watchdog: &Watchdog,
    within: Duration,
) -> io::Result<Answer> {
    let (process, mut streams) = Process::start(gate::before(command), watchdog)?;
    gate::open(&mut streams).await?;
    let answer = answer(process, streams);
    let too_late = |_| io::Error::new(io::ErrorKind::TimedOut, "it does not answer");
    tokio::time::timeout(within, answer).await.map_err(too_late)?
}

async fn answer(mut process: Process, streams: Streams) -> io::Result<Answer> {
    drop(streams.stdin);
    let ended = async {
        let status = process.exited().await?;
        // What it left behind may hold its outputs open.
        process.signal(StopSignal::Kill);
        Ok(status)
    };
    let (status, stdout, stderr) =
        tokio::try_join!(ended, read(streams.stdout), read(streams.stderr))?;
    Ok(Answer { status, stdout, stderr })
}

/// Keeps a command from its work until the watchdog knows of it. Codex needs none, since it does
/// nothing before it has the prompt.
#[cfg(unix)]
mod gate {
    use super::{Command, Streams, io};
    use tokio::io::AsyncWriteExt;

    /// Becomes the command at a line on standard input, and leaves if that ends without one.
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

/// A job object ends what it holds with this process, from the beginning.
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
    output.take(MAX_ANSWER as u64 + 1).read_to_end(&mut bytes).await?;
    if bytes.len() > MAX_ANSWER {
        return Err(io::Error::other("it says more than is read here"));
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
    async fn a_command_runs_as_it_was_given() {
        let within = Duration::from_secs(60);
        let answer = ask(command(), &Watchdog::default(), within).await.expect("it is there");
        assert_eq!((answer.status.code(), answer.stdout.as_str()), (Some(0), "$HOME a  b\n"));
    }

    #[tokio::test]
    async fn a_command_does_nothing_before_it_is_watched() {
        // As if this process was killed before it could say more.
        let (process, streams) = Process::start(gate::before(command()), &Watchdog::default())
            .expect("there is a shell");
        let answer = answer(process, streams).await.expect("it ends");
        assert!(!answer.status.success() && answer.stdout.is_empty(), "{}", answer.stdout);
    }
}
