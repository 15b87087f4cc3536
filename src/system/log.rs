//! The log, on standard error and in a file. Standard output belongs to MCP.
//!
//! What is logged never waits for whoever should read it: lines go to a thread that writes them, and
//! are lost when that one is far behind. Whatever is in an event, it is one line, of a bounded length,
//! and commands no terminal. Prompts and replies are not logged at all below `trace`,
//! which no flag turns on.

mod queue;

use std::fs::File;
use std::io::{self, Write};
use std::panic::PanicHookInfo;
use std::path::Path;
use std::time::{Duration, Instant};

use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::{MakeWriter, layer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, registry};

use tracing::level_filters::LevelFilter;

use super::private;
use crate::model::text::{LineBreaks, escape_controls, shortened};
use queue::Queue;

/// How long whoever leaves waits for what was logged to be written.
const WRITTEN_WITHIN: Duration = Duration::from_millis(250);

/// The longest line, in characters.
const LINE_CHARS: usize = 8_000;

/// Waits a moment, when it is dropped, for what was logged to be written.
#[derive(Debug)]
pub(crate) struct Log {
    queues: Vec<Queue>,
}

impl Drop for Log {
    fn drop(&mut self) {
        let until = Instant::now() + WRITTEN_WITHIN;
        for queue in &self.queues {
            queue.flush(until.saturating_duration_since(Instant::now()));
        }
    }
}

/// Starts the log, with what is at least of this level on standard error. Can be done once in a
/// process.
pub(crate) fn start(level: LevelFilter, file: Option<&Path>) -> Result<Log, String> {
    let mut queues = Vec::new();
    let mut writer = |output: Box<dyn io::Write + Send>| {
        let queue = Queue::new(output);
        queues.push(queue.clone());
        Tame(queue)
    };
    let to_stderr = layer()
        .with_writer(writer(Box::new(io::stderr())))
        .with_ansi(false)
        .with_ansi_sanitization(false)
        .with_target(level >= LevelFilter::DEBUG)
        .with_filter(levels(level));
    let to_file = match file {
        Some(path) => {
            let file = private_file(path)
                .map_err(|error| format!("must be a file that can be written: {error}"))?;
            Some(
                layer()
                    .with_writer(writer(Box::new(file)))
                    .with_ansi(false)
                    .with_ansi_sanitization(false)
                    .with_filter(levels(LevelFilter::DEBUG)),
            )
        }
        None => None,
    };
    registry().with(to_stderr).with(to_file).init();
    std::panic::set_hook(Box::new(log_panic));
    Ok(Log { queues })
}

/// Makes a line of each event that it is given, which comes whole.
#[derive(Clone)]
struct Tame(Queue);

impl Write for Tame {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let shortened = shortened(text, LINE_CHARS);
        let line = escape_controls(shortened.as_deref().unwrap_or(text), LineBreaks::Escape);
        self.0.push(format!("{line}\n").into_bytes());
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Tame {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// What is logged of whom. rmcp logs what clients notify of at `info`, and the arguments of tools, and
/// so prompts, at `debug`.
fn levels(own: LevelFilter) -> Targets {
    Targets::new().with_target(env!("CARGO_CRATE_NAME"), own).with_default(LevelFilter::WARN)
}

/// Opens the file so that only its owner can read it, also if it was there and others could.
fn private_file(path: &Path) -> io::Result<File> {
    let file = private::open_options().create(true).append(true).open(path)?;
    #[cfg(unix)]
    if file.metadata()?.is_file() {
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    }
    Ok(file)
}

/// Logs a panic. A message that was put together at run time is left out: it may quote a prompt.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let message = panic.payload().downcast_ref::<&str>().copied().unwrap_or("(not logged)");
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(place, message, "panic");
}
