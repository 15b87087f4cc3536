//! Standard output and standard error, with colours only where the user wants them: `NO_COLOR`, `CLICOLOR`,
//! `CLICOLOR_FORCE` and `TERM` count, and whether it is a terminal.

use std::io::{self, IsTerminal, StdoutLock, Write};

use anstream::AutoStream;
use anstyle::Style;
use terminal_size::{Width, terminal_size_of};

use super::style::{PLAIN, styled};
use crate::model::text::shortened;

/// The longest message on standard error, in characters.
pub(super) const MAX_MESSAGE: usize = 10_000;

/// Standard output. JSON goes through it unchanged.
pub(super) fn stdout(json: bool) -> AutoStream<StdoutLock<'static>> {
    let stdout = io::stdout().lock();
    if json { AutoStream::always_ansi(stdout) } else { AutoStream::auto(stdout) }
}

/// Prints a message on standard error.
pub(super) fn note(message: &str) {
    note_in(PLAIN, message);
}

/// Prints a message on standard error in this style. Nothing can be done if standard error cannot be written.
pub(super) fn note_in(style: Style, message: &str) {
    let shortened = shortened(message, MAX_MESSAGE);
    let message = styled(style, shortened.as_deref().unwrap_or(message));
    drop(writeln!(anstream::stderr(), "{message}"));
}

/// The width of a terminal that does not report it, and the least and the most that is used: longer lines are hard
/// to read.
const DEFAULT_COLUMNS: usize = 80;
const MIN_COLUMNS: usize = 20;
const MAX_COLUMNS: usize = 240;

/// A stream that the program writes to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stream {
    Out,
    Error,
}

/// The width that the user wants (`COLUMNS`), else that of the terminal of this stream.
pub(super) fn columns(stream: Stream) -> usize {
    let variable = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let size = || match stream {
        Stream::Out => terminal_size_of(io::stdout()),
        Stream::Error => terminal_size_of(io::stderr()),
    };
    let terminal = || size().map(|(Width(columns), _)| columns.into());
    let columns = variable.filter(|columns: &usize| *columns > 0).or_else(terminal);
    columns.unwrap_or(DEFAULT_COLUMNS).clamp(MIN_COLUMNS, MAX_COLUMNS)
}

/// The width that lines on standard error are wrapped to: none where it is no terminal.
pub(super) fn wrap_columns() -> Option<usize> {
    io::stderr().is_terminal().then(|| columns(Stream::Error))
}

/// Prints a styled line on standard error.
pub(super) fn note_raw(line: &str) {
    drop(writeln!(anstream::stderr(), "{line}"));
}

/// Whether the reader of the output has gone, which is no error of this program.
pub(super) fn is_broken_pipe(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}
