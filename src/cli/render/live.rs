//! The last line of a terminal: a spinner, what runs, for how long, and the tokens so far.

use std::cell::Cell;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use unicode_width::UnicodeWidthStr;

use super::clock::short;
use crate::cli::format::{fitting, grouped, one_line};
use crate::cli::output::{Stream, columns};
use crate::cli::style::{DIM, styled};

const FRAMES: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// How often it is drawn.
const EVERY: Duration = Duration::from_millis(100);

/// Goes to the start of the line, and erases it.
const ERASE: &[u8] = b"\r\x1b[2K";

/// How much of a command is shown at most, in cells.
const WHAT: usize = 60;

pub(super) struct Live {
    /// Whether there is such a line at all.
    is_wanted: bool,
    is_drawn: bool,
    what: String,
    began: Instant,
    tokens: Cell<u64>,
    drawn_at: Option<Instant>,
    frame: usize,
}

impl Live {
    pub(super) fn new() -> Self {
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self {
            is_wanted: io::stderr().is_terminal() && !is_dumb,
            is_drawn: false,
            what: String::new(),
            began: Instant::now(),
            tokens: Cell::new(0),
            drawn_at: None,
            frame: 0,
        }
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    /// What runs now. An empty text stops the line; `None` leaves it as it is.
    pub(super) fn says(&mut self, what: Option<String>) {
        if let Some(what) = what {
            if self.what.is_empty() {
                self.began = Instant::now();
            }
            self.what = what;
        }
    }

    pub(super) fn tokens(&self, used: u64) {
        self.tokens.set(used);
    }

    pub(super) fn tick(&mut self) {
        let is_due = self.drawn_at.is_none_or(|at| at.elapsed() >= EVERY);
        if !self.is_wanted || self.what.is_empty() || !is_due {
            return;
        }
        self.drawn_at = Some(Instant::now());
        self.frame += 1;
        let frame = FRAMES[self.frame % FRAMES.len()];
        // Not the last column, where some terminals begin a new line.
        let width = columns(Stream::Error) - 1;
        let line = text(&self.what, self.began.elapsed(), self.tokens.get(), width - 2);
        let line = format!("{frame} {line}");
        // Without colours a line is erased too.
        drop(io::stderr().write_all(ERASE));
        let mut terminal = anstream::stderr();
        // Nothing can be done if standard error cannot be written.
        drop(write!(terminal, "{}", styled(DIM, &line)));
        drop(terminal.flush());
        self.is_drawn = true;
    }

    pub(super) fn erase(&mut self) {
        if std::mem::take(&mut self.is_drawn) {
            let mut terminal = io::stderr();
            drop(terminal.write_all(ERASE));
            drop(terminal.flush());
        }
    }

    pub(super) fn stop(&mut self) {
        self.what.clear();
    }
}

/// The line without its spinner, at most this wide.
fn text(what: &str, elapsed: Duration, tokens: u64, width: usize) -> String {
    let tokens = match tokens {
        0 => String::new(),
        tokens => format!(" · {} tokens", grouped(tokens)),
    };
    let end = format!(" · {}{tokens}", short(elapsed));
    // The end matters, so what runs gives way.
    let what = one_line(what);
    let what = fitting(&what, width.saturating_sub(end.width()).min(WHAT));
    let line = format!("{what}{end}");
    fitting(&line, width).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_what_runs_for_how_long() {
        let long = Duration::from_secs(190);
        assert_eq!(text("running make", long, 21_605, 78), "running make · 3m 10s · 21,605 tokens");
        assert_eq!(text("running make", long, 21_605, 36), "running ma… · 3m 10s · 21,605 tokens");
        assert_eq!(text("running 名前の表示", long, 0, 20), "running 名… · 3m 10s");
        assert!(text("running make", long, 21_605, 20).width() <= 20);
        assert_eq!(text("thinking", Duration::ZERO, 0, 78), "thinking · 0.0s");
        let escaped = text("running a\x1b[2J\nb", Duration::ZERO, 0, 78);
        assert!(!escaped.contains(['\x1b', '\n']), "{escaped:?}");
    }
}
