//! Texts for the user: times, numbers, a job in one line.

use std::borrow::Cow;
use std::path::Path;

use unicode_width::UnicodeWidthStr;

use crate::codex::home::codex_home;
use crate::codex::rollout;
use crate::job::{State, Time};
use crate::model::outcome::duration;
pub(super) use crate::model::text::head_on_one_line as head;
use crate::model::text::{LineBreaks, escape_controls};

/// A text of several lines, with terminal escapes made visible.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    escape_controls(text, LineBreaks::Keep)
}

/// A text on one line, with terminal escapes made visible.
pub(super) fn one_line(text: &str) -> Cow<'_, str> {
    escape_controls(text, LineBreaks::Escape)
}

/// The head of a line that fits into this many cells of a terminal, some of which take two.
pub(super) fn fitting(text: &str, width: usize) -> Cow<'_, str> {
    if text.width() <= width {
        return text.into();
    }
    let ends = text.char_indices().map(|(at, _)| &text[..at]);
    let cut = ends.take_while(|head| head.width() < width).last().unwrap_or_default();
    format!("{cut}…").into()
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

/// A number of things: `1 turn`, `2 turns`.
pub(super) fn count(number: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// A number with separators: `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
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

/// How full the context of a job's session is, in percent, by Codex's own record.
pub(super) fn context_percent(state: &State) -> Option<u64> {
    let home = state.codex_home.clone().or_else(codex_home)?;
    context_of(&rollout::find(&home, state.session_id?)?)
}

/// The same of the session with this record.
pub(super) fn context_of(record: &Path) -> Option<u64> {
    Some(rollout::context_fill(record).ok()??.percent())
}

/// What a job did and its status, on one line.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(grouped),
            ["0", "999", "1,000", "1,234,567"].map(str::to_owned)
        );
    }
}
