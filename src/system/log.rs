//! The log, on standard error and in a file. Standard output belongs to MCP.
//!
//! Logging never blocks: lines go to a thread that writes them, and are dropped if it falls far
//! behind. Each event becomes one line of limited length without terminal escapes. Prompts and
//! replies are only logged at `trace`, which no flag turns on.

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

/// How long to wait for pending lines before exiting.
const FLUSH_WITHIN: Duration = Duration::from_millis(250);

/// The longest line, in characters.
const LINE_CHARS: usize = 8_000;

/// Waits a moment for pending lines when dropped.
#[derive(Debug)]
pub(crate) struct Log {
    queues: Vec<Queue>,
}

impl Drop for Log {
    fn drop(&mut self) {
        let until = Instant::now() + FLUSH_WITHIN;
        for queue in &self.queues {
            queue.flush(until.saturating_duration_since(Instant::now()));
        }
    }
}

/// Starts the log, with this level on standard error. Works once per process.
///
/// # Errors
///
/// If the file cannot be opened, as a message for the user.
pub(crate) fn start(level: LevelFilter, file: Option<&Path>) -> Result<Log, String> {
    let mut queues = Vec::new();
    let mut writer = |output: Box<dyn io::Write + Send>| {
        let queue = Queue::new(output);
        queues.push(queue.clone());
        OneLine(queue)
    };
    let to_stderr = layer()
        .with_writer(writer(Box::new(io::stderr())))
        .with_ansi(false)
        .with_ansi_sanitization(false)
        .with_target(level >= LevelFilter::DEBUG)
        .with_filter(levels(level));
    let to_file = match file {
        Some(path) => {
            let file =
                private_file(path).map_err(|error| format!("must be a writable file: {error}"))?;
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

/// Makes one line of each event, which arrives in one piece.
#[derive(Clone)]
struct OneLine(Queue);

impl Write for OneLine {
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

impl<'a> MakeWriter<'a> for OneLine {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// The levels to log. rmcp logs client notifications at `info`, and tool arguments, hence prompts,
/// at `debug`.
fn levels(own: LevelFilter) -> Targets {
    Targets::new().with_target(env!("CARGO_CRATE_NAME"), own).with_default(LevelFilter::WARN)
}

/// Opens the file so that only its owner can read it, even if it existed with other permissions.
fn private_file(path: &Path) -> io::Result<File> {
    let file = private::open_options().create(true).append(true).open(path)?;
    #[cfg(unix)]
    if file.metadata()?.is_file() {
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    }
    Ok(file)
}

/// Logs a panic. A message that was formatted at run time is left out: it may quote a prompt.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let message = panic.payload().downcast_ref::<&str>().copied().unwrap_or("(not logged)");
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(place, message, "panic");
}
