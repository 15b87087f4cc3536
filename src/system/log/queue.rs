//! Lines on their way to the log, and the thread that writes them. Only a process that exits waits
//! for them, and not for long.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How many lines may wait to be written.
const LINES_AHEAD: usize = 1_000;

/// The lines for one output. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Queue(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    written: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: VecDeque<Vec<u8>>,
    /// Whether one more is being written.
    is_writing: bool,
}

impl Queue {
    /// Starts the thread that writes to `output`. Lines that cannot be written are dropped.
    pub(super) fn new(output: impl Write + Send + 'static) -> Self {
        let shared = Arc::<Shared>::default();
        let queue = Self(Arc::clone(&shared));
        thread::Builder::new()
            .name("log".into())
            .spawn(move || shared.write_all(output))
            .expect("the system has room for one thread");
        queue
    }

    /// Adds a line, or drops it if too many are waiting.
    pub(super) fn push(&self, line: Vec<u8>) {
        let mut waiting = self.0.lock();
        if waiting.lines.len() < LINES_AHEAD {
            waiting.lines.push_back(line);
            self.0.arrived.notify_one();
        }
    }

    /// Waits up to `within` until all lines are written.
    pub(super) fn flush(&self, within: Duration) {
        let remains = |waiting: &mut Waiting| waiting.is_writing || !waiting.lines.is_empty();
        drop(self.0.written.wait_timeout_while(self.0.lock(), within, remains));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_all(&self, mut output: impl Write) {
        loop {
            let mut waiting = self.lock();
            let line = loop {
                match waiting.lines.pop_front() {
                    Some(line) => break line,
                    None => {
                        waiting.is_writing = false;
                        self.written.notify_all();
                        waiting =
                            self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                    }
                }
            };
            waiting.is_writing = true;
            drop(waiting);
            // There is nobody to report it to.
            drop(output.write_all(&line).and_then(|()| output.flush()));
        }
    }
}
