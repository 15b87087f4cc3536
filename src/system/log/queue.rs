//! Lines on their way to the log, and the thread that writes them. Only a process that exits waits
//! for them, and not for long.

use std::collections::VecDeque;
use std::fmt;
use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How many lines may wait to be written.
const LINES_AHEAD: usize = 1_000;

/// The lines for one output. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Queue(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    written: Condvar,
}

type Output = Box<dyn Write + Send>;

struct Waiting {
    lines: VecDeque<Vec<u8>>,
    /// Whether one more is being written.
    is_writing: bool,
    /// Until the first line comes, and with it the thread.
    output: Option<Output>,
}

impl fmt::Debug for Waiting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Waiting").field("lines", &self.lines.len()).finish_non_exhaustive()
    }
}

impl Queue {
    /// The first line starts the thread that writes to `output`. Lines that cannot be written are
    /// dropped.
    pub(super) fn new(output: Output) -> Self {
        let waiting = Waiting { lines: VecDeque::new(), is_writing: false, output: Some(output) };
        Self(Arc::new(Shared {
            waiting: Mutex::new(waiting),
            arrived: Condvar::new(),
            written: Condvar::new(),
        }))
    }

    /// Adds a line, or drops it if too many are waiting.
    pub(super) fn push(&self, line: Vec<u8>) {
        let mut waiting = self.0.lock();
        if waiting.lines.len() < LINES_AHEAD {
            waiting.lines.push_back(line);
            self.0.arrived.notify_one();
        }
        let Some(output) = waiting.output.take() else { return };
        drop(waiting);
        let shared = Arc::clone(&self.0);
        let thread = thread::Builder::new().name("log".into());
        if thread.spawn(move || shared.write_all(output)).is_err() {
            // Nobody writes the line, so nobody must wait for it.
            self.0.lock().lines.clear();
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

    fn write_all(&self, mut output: Output) {
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
