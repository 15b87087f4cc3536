//! Runs another program for a bounded time, and keeps a bounded part of its output.

use std::ffi::OsString;
use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

use crate::codex::locate::Program;
use crate::codex::process::Process;
use crate::codex::stderr::StderrTail;
use crate::codex::watchdog::Watchdog;
use crate::model::outcome::duration;
use crate::model::text::head_on_one_line;

/// How much of the output is kept, in bytes.
const KEPT: usize = 4 << 20;

/// How long to wait for the end of the output after the exit: a child of the program may hold it open.
const AFTER_EXIT: Duration = Duration::from_secs(1);

/// How much of an unexpected output is shown, in characters.
const SHOWN: usize = 200;

/// How a program ended, and its output.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) status: ExitStatus,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Why there is no output.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProbeError {
    #[error("it cannot be started: {0}")]
    NotStarted(#[from] io::Error),
    #[error("it did not answer within {}", duration(*.0))]
    TooLate(Duration),
}

impl Output {
    /// Its exit status and its output on one line: standard error if there is any.
    pub(super) fn summary(&self) -> String {
        let said = [&self.stderr, &self.stdout].map(|text| head_on_one_line(text, SHOWN));
        let said = said.iter().find(|said| !said.is_empty());
        match said {
            Some(said) => format!("{}: {said}", self.status),
            None => format!("{}, without any output", self.status),
        }
    }
}

/// Runs a program with an empty standard input. It leaves no process behind, even if the future is dropped.
pub(super) async fn probe(
    program: &Program,
    arguments: &[&str],
    within: Duration,
) -> Result<Output, ProbeError> {
    let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
    let (mut process, streams) = Process::spawn(program, &arguments, &Watchdog::default())?;
    drop(streams.stdin);
    let mut stderr = StderrTail::collect(streams.stderr, process.pid());
    let mut stdout = Vec::new();
    let ended = timeout(within, async {
        let mut reading = std::pin::pin!(read(streams.stdout, &mut stdout));
        tokio::select! {
            () = &mut reading => process.exited().await,
            status = process.exited() => {
                drop(timeout(AFTER_EXIT, reading).await);
                status
            }
        }
    });
    let status = ended.await.map_err(|_| ProbeError::TooLate(within))??;
    drop(timeout(AFTER_EXIT, stderr.ended()).await);
    let stdout = String::from_utf8_lossy(&stdout).into_owned();
    Ok(Output { status, stdout, stderr: stderr.text() })
}

/// Reads to the end, so that the writer never blocks, and keeps the start.
async fn read(mut source: impl AsyncRead + Unpin, kept: &mut Vec<u8>) {
    let mut chunk = vec![0; 16 << 10];
    while let Ok(length @ 1..) = source.read(&mut chunk).await {
        kept.extend_from_slice(&chunk[..length.min(KEPT - kept.len())]);
    }
}
