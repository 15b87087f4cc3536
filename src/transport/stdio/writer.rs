//! The thread that writes lines.

use std::io::{self, Write};
use std::sync::mpsc;

/// Writes lines in order, in a thread of its own. The caller bounds how many wait.
pub(super) struct Writer(mpsc::Sender<Job>);

struct Job {
    line: Vec<u8>,
    written: Box<dyn FnOnce(io::Result<()>) + Send>,
}

impl Writer {
    /// Starts the thread that writes to `output`. It ends with this handle.
    pub(super) fn start(mut output: impl Write + Send + 'static) -> Self {
        let (sender, jobs) = mpsc::channel::<Job>();
        let run = move || {
            for Job { line, written } in jobs {
                written(output.write_all(&line).and_then(|()| output.flush()));
            }
        };
        std::thread::Builder::new()
            .name("stdout".into())
            .spawn(run)
            .expect("the system has room for one thread");
        Self(sender)
    }

    /// Has a line written, and then `written` called with the result. Does not wait.
    pub(super) fn write(
        &self,
        line: Vec<u8>,
        written: impl FnOnce(io::Result<()>) + Send + 'static,
    ) {
        let job = Job { line, written: Box::new(written) };
        self.0.send(job).expect("the thread runs for as long as there is a sender");
    }
}
