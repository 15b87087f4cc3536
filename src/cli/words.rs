//! How things look to a person: colours, times, a job in one line.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use crate::codex::home::codex_home;
use crate::codex::rollout;
use crate::job::{State, Status, Time};
use crate::model::outcome::duration;
pub(super) use crate::model::text::head_on_one_line as head;
use crate::model::text::{LineBreaks, escape_controls, shortened};

pub(super) const DIM: &str = "\x1b[2m";
pub(super) const BOLD: &str = "\x1b[1m";
pub(super) const RED: &str = "\x1b[31m";
pub(super) const GREEN: &str = "\x1b[32m";
pub(super) const YELLOW: &str = "\x1b[33m";
pub(super) const CYAN: &str = "\x1b[36m";
const RESET: &str = "\x1b[0m";

/// How long a message of Codex's is kept back, which may be the reply and then is told apart. A turn
/// ends at once after its reply; if it goes on, a person wants to see what was said.
pub(super) const HOLD: Duration = Duration::from_secs(1);

/// Puts colours on a terminal, and none elsewhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint(bool);

impl Paint {
    pub(super) fn for_stdout() -> Self {
        Self::on(&io::stdout())
    }

    pub(super) fn for_stderr() -> Self {
        Self::on(&io::stderr())
    }

    /// `NO_COLOR`, if it is set to anything, turns colours off, and so does a terminal without any.
    fn on(output: &impl IsTerminal) -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let unable = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        Self(!unwanted && !unable && output.is_terminal())
    }

    /// A text in this style. Nothing else in it commands the terminal.
    pub(super) fn paint(self, style: &str, text: &str) -> String {
        let text = clean(text);
        if self.0 && !style.is_empty() {
            format!("{style}{text}{RESET}")
        } else {
            text.into_owned()
        }
    }

    pub(super) fn status(self, status: Status) -> String {
        self.status_cell(status, status.as_str())
    }

    /// The same for a text that has more than the status.
    pub(super) fn status_cell(self, status: Status, cell: &str) -> String {
        let style = match status {
            Status::Completed => GREEN,
            Status::Queued | Status::Running => CYAN,
            Status::Failed | Status::Cancelled | Status::TimedOut | Status::Interrupted => RED,
        };
        self.paint(style, cell)
    }
}

/// A text of several lines, without what a terminal would obey.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    escape_controls(text, LineBreaks::Keep)
}

/// A text that must stay one line, without what a terminal would obey.
pub(super) fn one_line(text: &str) -> Cow<'_, str> {
    escape_controls(text, LineBreaks::Escape)
}

/// How long ago something was, in short: `12s`, `5m`, `3h`, `2d`.
pub(super) fn age(time: Time) -> String {
    let seconds = time.elapsed().as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

pub(super) fn count(number: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// A number as people read it: `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// How full the context of a job's session is, in percent, as Codex's own record has it.
pub(super) fn context_percent(state: &State) -> Option<u64> {
    let home = state.codex_home.clone().or_else(codex_home)?;
    let record = rollout::find(&home, state.session_id?)?;
    Some(rollout::context_fill(&record).ok()??.percent())
}

/// What a job did and how it stands, in one line.
pub(super) fn status_line(state: &State) -> String {
    let activity = &state.activity;
    let mut parts = vec![state.status.as_str().to_owned(), count(state.turns, "turn")];
    parts.push(match activity.commands_failed {
        0 => count(activity.commands, "command"),
        failed => format!("{} ({failed} failed)", count(activity.commands, "command")),
    });
    parts.push(format!("{} changed", count(activity.files_changed, "file")));
    if let Some(usage) = state.usage {
        parts.push(format!(
            "{} tokens in, {} out",
            grouped(usage.input_tokens),
            grouped(usage.output_tokens)
        ));
    }
    parts.extend(context_percent(state).map(|percent| format!("context {percent} % full")));
    parts.push(format!("last event {} ago", duration(activity.last_activity_at.elapsed())));
    let stuck = activity.stuck(Time::now());
    parts.extend(stuck.map(|why| format!("looks stuck: {}", head(&why, 200))));
    parts.join(" · ")
}

/// Prints what Codex replied: to a terminal without what that would obey, elsewhere as it is.
pub(super) fn print_reply(reply: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if out.is_terminal() {
        writeln!(out, "{}", clean(reply))?;
    } else {
        writeln!(out, "{reply}")?;
    }
    out.flush()
}

/// The most of one message on standard error, in characters.
const TOLD: usize = 10_000;

/// Tells a person what is wrong. Nothing can be done about a standard error that cannot be written.
pub(super) fn complain(message: &str) {
    tell("", message);
}

/// Tells a person something beside the output, in this style.
pub(super) fn tell(style: &str, message: &str) {
    let shortened = shortened(message, TOLD);
    let message = Paint::for_stderr().paint(style, shortened.as_deref().unwrap_or(message));
    drop(writeln!(io::stderr(), "{message}"));
}

/// Whether the writer is told that nobody reads any more, which is no error of this program.
pub(super) fn nobody_reads(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_style_is_the_only_command_to_the_terminal() {
        assert_eq!(Paint(true).paint(RED, "a\x1b[2J"), "\x1b[31ma\\u{1b}[2J\x1b[0m");
        assert_eq!(Paint(false).paint(RED, "a\x1b[2J\n"), "a\\u{1b}[2J\n");
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(grouped),
            ["0", "999", "1,000", "1,234,567"].map(str::to_owned)
        );
    }
}
