//! A program that is asked something in passing: for a bounded time, with a bounded answer, and with
//! nothing of it left afterwards.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

#[cfg(windows)]
use process_wrap::tokio::JobObject;
#[cfg(unix)]
use process_wrap::tokio::ProcessGroup;
use process_wrap::tokio::{ChildWrapper, CommandWrap};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use super::watchdog::{Watch, Watchdog};

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
    mut command: Command,
    watchdog: &Watchdog,
    within: Duration,
) -> io::Result<Answer> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let answer = Running::start(command, watchdog)?.answer();
    let too_late = |_| io::Error::new(io::ErrorKind::TimedOut, "it does not answer");
    tokio::time::timeout(within, answer).await.map_err(too_late)?
}

/// A helper at work. When it is dropped, all of its group is killed.
struct Running {
    child: Box<dyn ChildWrapper>,
    _watch: Watch,
}

impl Running {
    fn start(command: Command, watchdog: &Watchdog) -> io::Result<Self> {
        let mut command = CommandWrap::from(command);
        #[cfg(unix)]
        command.wrap(ProcessGroup::leader());
        #[cfg(windows)]
        command.wrap(JobObject);
        let child = command.spawn()?;
        let pid = child.id().expect("a process that was just started has an id");
        Ok(Self { child, _watch: watchdog.watch(pid) })
    }

    async fn answer(mut self) -> io::Result<Answer> {
        let stdout = self.child.stdout().take().expect("stdout is piped");
        let stderr = self.child.stderr().take().expect("stderr is piped");
        let ended = async {
            let status = self.child.wait().await?;
            // What it left behind may hold its outputs open.
            self.kill();
            Ok(status)
        };
        let (status, stdout, stderr) = tokio::try_join!(ended, read(stdout), read(stderr))?;
        Ok(Answer { status, stdout, stderr })
    }

    /// That nobody is left to be killed is no error.
    fn kill(&mut self) {
        drop(self.child.start_kill());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
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
