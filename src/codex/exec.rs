//! Runs a turn as one process of `codex exec --json`: prompt in, events out, exit at the end.
//!
//! The owner of an [`Exec`] owns the process. All output is read throughout, also while Codex is being
//! stopped, so that nothing it still says is lost and it never waits for a reader.

mod state;

use std::future::pending;
use std::io;
use std::process::ExitStatus;

use tokio::io::AsyncWriteExt;
use tokio::process::{ChildStdin, ChildStdout};
use tokio::time::{Instant, sleep_until};
use tokio_util::task::AbortOnDropHandle;

use super::backend::{Backend, Control, Exit, Launch, Output};
use super::command::redact;
use super::event_stream::{EventStream, Read};
use super::process::{Process, Streams};
use super::stderr::StderrTail;
use crate::model::prompt::Prompt;
use state::{Gone, State};

/// A `codex exec` that was started.
pub(crate) struct Exec {
    process: Process,
    events: EventStream<ChildStdout>,
    stderr: StderrTail,
    _prompt_writer: AbortOnDropHandle<()>,
    state: State,
}

impl Backend for Exec {
    fn start(launch: &Launch<'_>) -> io::Result<Self> {
        let arguments = launch.invocation.arguments();
        let program = launch.program.path.display();
        tracing::debug!(%program, arguments = redact(&arguments), "starting Codex");
        let (process, Streams { stdin, stdout, stderr }) =
            Process::spawn(launch.program, &arguments, launch.watchdog)?;
        let stderr = StderrTail::collect(stderr, process.pid());
        let prompt = launch.prompt.clone();
        Ok(Self {
            process,
            events: EventStream::new(stdout),
            stderr,
            _prompt_writer: AbortOnDropHandle::new(tokio::spawn(write(stdin, prompt))),
            state: State::STARTED,
        })
    }

    fn pid(&self) -> u32 {
        self.process.pid()
    }

    async fn next(&mut self) -> Output {
        self.state.resume(Instant::now);
        loop {
            if let State::Gone(gone) = self.state {
                return Output::End(self.exit(gone));
            }
            tokio::select! {
                biased;
                () = wait_until(self.state.deadline()) => self.deadline_passed(),
                // Cancel-safe: what was read stays in the stream's buffer.
                read = self.events.next(), if self.state.reads_output() => {
                    if let Some(output) = self.take(read) {
                        return output;
                    }
                }
                // Cancel-safe: the status is returned again.
                status = self.process.exited(), if self.state.awaits_exit() => {
                    if self.has_exited(status) {
                        return Output::Left;
                    }
                }
                // Cancel-safe: the reader is a task of its own.
                () = self.stderr.ended(), if self.state.awaits_stderr() => self.state.stderr_ended(),
            }
        }
    }

    fn take_buffered(&mut self) -> Option<Output> {
        let read = self.events.take_buffered()?;
        self.take(Ok(read))
    }

    fn line(&self) -> &[u8] {
        self.events.line()
    }

    fn control(&mut self, control: Control) {
        match control {
            Control::Stop => {
                if let Some(signal) = self.state.stop(Instant::now()) {
                    self.process.signal(signal);
                }
            }
        }
    }
}

impl Exec {
    fn take(&mut self, read: io::Result<Read>) -> Option<Output> {
        let output = match read {
            Ok(Read::Event(event)) => Output::Event(event),
            Ok(Read::Skipped(skipped)) => Output::Skipped(skipped),
            Ok(Read::End) => {
                self.state.output_ended();
                return None;
            }
            Err(error) => {
                tracing::debug!(pid = self.pid(), %error, "Codex's output cannot be read");
                self.state.output_ended();
                return None;
            }
        };
        self.state.pause(Instant::now);
        Some(output)
    }

    fn deadline_passed(&mut self) {
        let pid = self.pid();
        if let Some(signal) = self.state.deadline_passed(Instant::now()) {
            return self.process.signal(signal);
        }
        match self.state {
            State::Gone(Gone::Exited(_)) => {
                tracing::debug!(pid, "another process holds Codex's output open");
            }
            State::Gone(Gone::Abandoned) => {
                tracing::error!(pid, "Codex cannot be killed; leaving it to the system");
            }
            State::Running { .. } | State::Stopping { .. } | State::Draining { .. } => {}
        }
    }

    /// Whether the exit is known.
    fn has_exited(&mut self, status: io::Result<ExitStatus>) -> bool {
        match status {
            Ok(status) => self.state.exited(status, Instant::now()),
            Err(error) => {
                tracing::error!(pid = self.pid(), %error, "cannot wait for Codex; leaving it to the system");
                self.state.abandon();
            }
        }
        !matches!(self.state, State::Gone(Gone::Abandoned))
    }

    fn exit(&self, gone: Gone) -> Exit {
        let status = match gone {
            Gone::Exited(status) => describe(status),
            Gone::Abandoned => "unknown".into(),
        };
        Exit { status, stderr: self.stderr.text() }
    }
}

async fn wait_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}

/// Writes the prompt and closes the pipe. Codex may leave without reading it all.
async fn write(mut stdin: ChildStdin, prompt: Prompt) {
    if let Err(error) = stdin.write_all(prompt.as_str().as_bytes()).await {
        tracing::debug!(%error, "Codex did not read the whole prompt");
    }
}

fn describe(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return nix::sys::signal::Signal::try_from(signal)
            .map_or_else(|_| format!("signal {signal}"), |signal| signal.as_str().to_owned());
    }
    status.code().map_or_else(|| status.to_string(), |code| format!("exit status {code}"))
}
