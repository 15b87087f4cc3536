//! Codex's standard error: its end is kept, and each of its lines goes to the detailed log.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::task::JoinHandle;

use crate::system::line_splitter::LineSplitter;

/// How much of standard error is kept, in bytes: its end, which has the reason for an exit.
const KEPT: usize = 64 << 10;

/// How much of a line is logged, in bytes.
const MAX_LOGGED: usize = 64 << 10;

/// How much is read at once.
const CHUNK: usize = 4 << 10;

/// Reads standard error in the background, so that Codex never waits for it.
pub(crate) struct StderrTail {
    tail: Arc<Mutex<VecDeque<u8>>>,
    reader: JoinHandle<()>,
}

impl StderrTail {
    pub(crate) fn collect(mut source: impl AsyncRead + Unpin + Send + 'static, pid: u32) -> Self {
        let tail = Arc::new(Mutex::new(VecDeque::new()));
        let shared = Arc::clone(&tail);
        let reader = tokio::spawn(async move {
            let mut lines = LineSplitter::new(MAX_LOGGED, CHUNK);
            loop {
                let spare = lines.spare();
                let Ok(read @ 1..) = source.read(spare).await else { break };
                let text = &spare[..read];
                {
                    let mut tail = shared.lock().unwrap_or_else(PoisonError::into_inner);
                    tail.extend(text);
                    let excess = tail.len().saturating_sub(KEPT);
                    tail.drain(..excess);
                }
                lines.advance(read);
                while let Some(line) = lines.next_line() {
                    log(pid, lines.bytes(line.range()));
                }
            }
            if let Some(line) = lines.incomplete() {
                log(pid, lines.bytes(line.range()));
            }
        });
        Self { tail, reader }
    }

    /// Waits for the end of the stream, which a grandchild may hold open forever. Cancel-safe.
    pub(crate) async fn ended(&mut self) {
        if !self.reader.is_finished() {
            drop((&mut self.reader).await);
        }
    }

    /// The end of standard error so far.
    pub(crate) fn text(&self) -> String {
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(tail.make_contiguous()).into_owned()
    }
}

fn log(pid: u32, line: &[u8]) {
    let text = String::from_utf8_lossy(line);
    tracing::debug!(pid, text = text.trim_end_matches('\r'), "codex stderr");
}

impl Drop for StderrTail {
    fn drop(&mut self) {
        self.reader.abort();
    }
}
