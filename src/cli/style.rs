//! Colours. A styled text must go through an [`output`](super::output) stream, which drops its colours where
//! they are not wanted.

use anstyle::{AnsiColor, Style};

use super::format::clean;
use crate::job::Status;

pub(super) const PLAIN: Style = Style::new();
pub(super) const DIM: Style = Style::new().dimmed();
pub(super) const BOLD: Style = Style::new().bold();
pub(super) const RED: Style = AnsiColor::Red.on_default();
pub(super) const GREEN: Style = AnsiColor::Green.on_default();
pub(super) const YELLOW: Style = AnsiColor::Yellow.on_default();
pub(super) const CYAN: Style = AnsiColor::Cyan.on_default();

/// A text in this style, with every other terminal escape in it made visible.
pub(super) fn styled(style: Style, text: &str) -> String {
    format!("{style}{}{style:#}", clean(text))
}

/// The style of a job's status.
pub(super) fn of_status(status: Status) -> Style {
    match status {
        Status::Completed => GREEN,
        Status::Queued | Status::Running => CYAN,
        Status::Failed | Status::Cancelled | Status::TimedOut | Status::Interrupted => RED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_style_is_the_only_escape_in_a_styled_text() {
        assert_eq!(styled(RED, "a\x1b[2J"), "\x1b[31ma\\u{1b}[2J\x1b[0m");
        assert_eq!(styled(PLAIN, "a\x1b[2J\n"), "a\\u{1b}[2J\n");
    }
}
