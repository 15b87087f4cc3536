//! What Codex writes on standard error: the end of it kept, each line of it in the detailed log.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::task::JoinHandle;

/// How much of standard error is kept, in bytes: its end, where the reason for an exit stands.
const KEPT: usize = 64 << 10;

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
            let mut chunk = vec![0; 4096];
            while let Ok(length @ 1..) = source.read(&mut chunk).await {
                let text = &chunk[..length];
                for line in String::from_utf8_lossy(text).lines() {
                    tracing::debug!(pid, text = line, "codex stderr");
                }
                let mut tail = shared.lock().unwrap_or_else(PoisonError::into_inner);
                tail.extend(text);
                let excess = tail.len().saturating_sub(KEPT);
                tail.drain(..excess);
            }
        });
        Self { tail, reader }
    }

    /// Waits for the end of the stream. Cancel-safe. A grandchild may hold it open for ever.
    pub(crate) async fn ended(&mut self) {
        if !self.reader.is_finished() {
            drop((&mut self.reader).await);
        }
    }

    /// What is kept so far.
    pub(crate) fn text(&self) -> String {
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(tail.make_contiguous()).into_owned()
    }
}

impl Drop for StderrTail {
    fn drop(&mut self) {
        self.reader.abort();
    }
}
