//! The rows of the report. Pure, but for where the home directory is.

use anstyle::Style;
use textwrap::{Options, WordSeparator, WordSplitter};
use unicode_width::UnicodeWidthStr;

use crate::cli::clients::Client;
use crate::cli::style::{BOLD, styled};

/// The width of the titles: that of `Codex client`.
const TITLE: usize = 12;

/// Below this width the text after the first line is not below the text, but below the title.
const NARROW: usize = 50;

/// The last part of a check's id that says what it is about.
const TOPICS: [&str; 6] = ["timeout", "approval", "variables", "command", "settings", "off"];

/// A mark, a title, and a text that is wrapped beside them. A word is never broken, so that it can be copied.
pub(super) fn row(
    style: Style,
    mark: &str,
    title: &str,
    text: &str,
    width: Option<usize>,
) -> String {
    let padding = " ".repeat(TITLE.saturating_sub(title.width()));
    let prefix = format!("{mark} {title}{padding} ");
    let is_narrow = width.is_some_and(|width| width < NARROW);
    let indent = " ".repeat(if is_narrow { 2 } else { prefix.width() });
    let options = Options::new(width.unwrap_or(usize::MAX))
        .initial_indent(&prefix)
        .subsequent_indent(&indent)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .break_words(false);
    let wrapped = textwrap::wrap(text, options);
    let mut lines = wrapped.iter().map(|line| line.trim_end().to_owned());
    let first = lines.next().unwrap_or_default();
    // Only the mark and the title are coloured.
    let head = format!("{mark} {title}");
    let first = match first.strip_prefix(&head) {
        Some(rest) => format!("{}{rest}", styled(style, &head)),
        None => first,
    };
    [first].into_iter().chain(lines).collect::<Vec<_>>().join("\n")
}

/// The first line of the report, or its first lines.
pub(super) fn heading(text: &str, width: Option<usize>) -> String {
    let options = Options::new(width.unwrap_or(usize::MAX))
        .subsequent_indent("  ")
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .break_words(false);
    let lines = textwrap::wrap(text, options);
    lines.iter().map(|line| styled(BOLD, line)).collect::<Vec<_>>().join("\n")
}

/// The title of a check: its topic, its client, or its group.
pub(super) fn title(id: &str) -> String {
    let first = id.split('.').next().unwrap_or(id);
    let client = Client::ALL.into_iter().find(|client| client.word() == first);
    let is_of_client = client.is_some() || ["codex_client", "plugin"].contains(&first);
    let last = id.rsplit('.').next().filter(|_| id.matches('.').count() > 1);
    match (first, last, client) {
        (_, Some(topic), _) if is_of_client && TOPICS.contains(&topic) => topic.into(),
        // Its own checks are `codex`.
        ("codex", ..) | ("codex_home", ..) => "codex".into(),
        ("codex_client", ..) => "Codex client".into(),
        ("codex_doctor", ..) => "codex doctor".into(),
        ("jobs" | "calls" | "sessions", ..) => "state".into(),
        (_, _, Some(client)) => client.title().into(),
        _ => first.into(),
    }
}

/// The text with `~` for the home directory at the start of each path.
pub(super) fn tilde_in(text: &str) -> String {
    match std::env::home_dir().filter(|home| home.parent().is_some()) {
        Some(home) => with_tilde(text, &home.to_string_lossy()),
        None => text.to_owned(),
    }
}

fn with_tilde(text: &str, home: &str) -> String {
    let home = home.trim_end_matches('/');
    let is_of_path = |char: char| char.is_alphanumeric() || "/._-~".contains(char);
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(home) {
        let (before, after) = (&rest[..at], &rest[at + home.len()..]);
        let starts = !before.chars().next_back().is_some_and(is_of_path);
        let ends = after.starts_with('/') || !after.chars().next().is_some_and(is_of_path);
        shown += before;
        shown += if starts && ends && !home.is_empty() { "~" } else { home };
        rest = after;
        if home.is_empty() {
            break;
        }
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::style::PLAIN;

    #[test]
    fn rows_are_wrapped_below_their_text_and_keep_words_whole() {
        let text =
            "Codex is not logged in, and /a/path/that/is/longer/than/the/line/has/room stays whole";
        for width in [50, 80, 100] {
            let row = row(PLAIN, "✗", "login", text, Some(width));
            let lines: Vec<&str> = row.lines().collect();
            assert!(lines[0].starts_with("✗ login        Codex is not"), "{row}");
            assert!(lines[1..].iter().all(|line| line.starts_with("               ")), "{row}");
            assert!(row.contains("/a/path/that/is/longer/than/the/line/has/room"), "{row}");
            let is_wide = |line: &&&str| line.width() > width && !line.contains("/a/path");
            assert_eq!(lines.iter().filter(is_wide).count(), 0, "{row}");
        }
        assert!(!row(PLAIN, "✗", "login", text, None).contains('\n'));
    }

    #[test]
    fn only_whole_paths_are_abbreviated() {
        let text = "/home/me/a, /home/me, x/home/me/b, /home/mean, CODEX_BIN=/home/me/c";
        let shown = "~/a, ~, x/home/me/b, /home/mean, CODEX_BIN=~/c";
        assert_eq!(with_tilde(text, "/home/me"), shown);
        assert_eq!(with_tilde(text, "/"), text);
    }

    #[test]
    fn titles_are_topics_clients_and_groups() {
        for (id, expected) in [
            ("codex", "codex"),
            ("codex_home", "codex"),
            ("state.rights", "state"),
            ("jobs.stuck", "state"),
            ("settings.value", "settings"),
            ("claude.mine", "Claude Code"),
            ("codex_client.mine", "Codex client"),
            ("codex_client.mine.timeout", "timeout"),
            ("claude.file", "Claude Code"),
            ("codex_doctor.network.timeout", "codex doctor"),
        ] {
            assert_eq!(title(id), expected, "{id}");
        }
    }
}
