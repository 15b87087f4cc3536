//! Shortens text for display and escapes control characters that a terminal would interpret. Pure.
//!
//! Everything that is printed to a terminal or ends up in a log line, error, warning or progress message
//! passes through [`escape_controls`]. Data in JSON is left unchanged.

use std::borrow::Cow;
use std::fmt::{Display, Write};
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

/// How to treat line breaks and tabs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineBreaks {
    /// Keep them: the output may span several lines.
    Keep,
    /// Escape them: the output must stay on one line.
    Escape,
}

/// Escapes, as in `\u{1b}`, every control character, bidirectional control and Unicode line separator, so
/// that untrusted text such as a command's output or a folder name cannot affect the terminal.
pub(crate) fn escape_controls(text: &str, line_breaks: LineBreaks) -> Cow<'_, str> {
    let must_escape = |char| match char {
        '\n' | '\t' => line_breaks == LineBreaks::Escape,
        _ => is_control(char),
    };
    if !text.contains(must_escape) {
        return Cow::Borrowed(text);
    }
    let text = match line_breaks {
        LineBreaks::Keep => Cow::Owned(text.replace("\r\n", "\n")),
        LineBreaks::Escape => Cow::Borrowed(text),
    };
    let mut escaped = String::with_capacity(text.len() + 32);
    for char in text.chars() {
        if must_escape(char) {
            write!(escaped, "{}", char.escape_unicode()).expect("a string can be written to");
        } else {
            escaped.push(char);
        }
    }
    Cow::Owned(escaped)
}

/// Control characters (C0, DEL, C1), bidirectional controls, and Unicode line and paragraph separators.
fn is_control(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}')
}

/// The first `chars` characters of a text, followed by `…` if any were cut off.
pub(crate) fn head(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// [`head`] with runs of whitespace collapsed and control characters escaped, so that it fits on one line.
pub(crate) fn head_on_one_line(text: &str, chars: usize) -> String {
    let line = head(&text.split_whitespace().collect::<Vec<_>>().join(" "), chars);
    escape_controls(&line, LineBreaks::Escape).into_owned()
}

/// Maximum length of a displayed message, in characters.
const MAX_MESSAGE_CHARS: usize = 4_000;

/// Prepares an untrusted message for display: shortens its middle and escapes control characters.
pub(crate) fn sanitize(message: impl Display, line_breaks: LineBreaks) -> String {
    let message = message.to_string();
    let bounded = shortened(&message, MAX_MESSAGE_CHARS);
    escape_controls(bounded.as_deref().unwrap_or(&message), line_breaks).into_owned()
}

/// The text with its middle replaced by a note, or `None` if it has at most `max_chars` characters.
pub(crate) fn shortened(text: &str, max_chars: usize) -> Option<String> {
    let HeadTail { head, tail, omitted_chars } = split_head_tail(text, max_chars)?;
    Some(format!("{head}[… {omitted_chars} characters …]{tail}"))
}

/// The start and end of a text whose middle was omitted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct HeadTail<'a> {
    pub(crate) head: &'a str,
    pub(crate) tail: &'a str,
    /// Number of characters omitted between them.
    pub(crate) omitted_chars: usize,
}

/// Splits off the start and end of a text that has more than `max_chars` characters. Three quarters of the
/// budget go to the start. `None` if the text is short enough.
pub(crate) fn split_head_tail(text: &str, max_chars: usize) -> Option<HeadTail<'_>> {
    let length = if text.len() <= max_chars { 0 } else { text.chars().count() };
    if length <= max_chars {
        return None;
    }
    let at = |chars| text.char_indices().nth(chars).map_or(text.len(), |(at, _)| at);
    let tail = max_chars / 4;
    Some(HeadTail {
        head: &text[..at(max_chars - tail)],
        tail: &text[at(length - tail)..],
        omitted_chars: length - max_chars,
    })
}

/// Shortens every string in a JSON value that has more than `chars` characters.
pub(crate) fn shorten_strings(value: &mut Value, chars: usize) {
    match value {
        Value::String(text) => {
            if let Some(shortened) = shortened(text, chars) {
                *text = shortened;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| shorten_strings(value, chars)),
        Value::Object(fields) => {
            fields.values_mut().for_each(|value| shorten_strings(value, chars))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Maximum length of an untrusted value quoted in an error, in characters.
const MAX_EXCERPT_CHARS: usize = 300;

/// A hash that stands for a long text. Builds of another compiler may have other hashes.
pub(crate) fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// An untrusted value as quoted in an error: shortened and on one line.
pub(crate) fn excerpt(value: impl Display) -> String {
    escape_controls(&head(&value.to_string(), MAX_EXCERPT_CHARS), LineBreaks::Escape).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_text_is_unchanged() {
        assert_eq!(head("äöü", 3), "äöü");
        assert_eq!(head("äöü", 2), "äö…");
        assert_eq!(head_on_one_line(" one\n two  three", 9), "one two t…");
        assert_eq!(split_head_tail("äöü", 3), None);
    }

    #[test]
    fn control_characters_are_escaped() {
        let kept = |text: &str| escape_controls(text, LineBreaks::Keep).into_owned();
        assert_eq!(kept("a\tb\r\nc\x1b[31m\u{9b}1m\n"), "a\tb\nc\\u{1b}[31m\\u{9b}1m\n");
        assert_eq!(kept("\r\x7f\u{85}"), "\\u{d}\\u{7f}\\u{85}");
        assert_eq!(
            escape_controls("a\nb\tc\r\n", LineBreaks::Escape),
            "a\\u{a}b\\u{9}c\\u{d}\\u{a}"
        );
        let bidi = "\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}";
        let marks = "\u{200e}\u{200f}\u{61c}\u{2028}\u{2029}";
        let shown = kept(&format!("{bidi}{marks}"));
        assert!(shown.is_ascii() && shown.matches("\\u{").count() == 14, "{shown}");
        for plain in ["", "äöü 名 👨\u{200d}👩", "a\nb\tc"] {
            assert!(
                matches!(escape_controls(plain, LineBreaks::Keep), Cow::Borrowed(_)),
                "{plain}"
            );
        }
        // Escaping is idempotent.
        assert_eq!(kept(&kept("\x1b")), kept("\x1b"));
        assert_eq!(
            head_on_one_line("one\n two  three\x07\u{202e}", 99),
            "one two three\\u{7}\\u{202e}"
        );
        assert_eq!(super::excerpt("/a\nb\x1b"), "/a\\u{a}b\\u{1b}");
        let long = sanitize("\x1b".repeat(5_000), LineBreaks::Keep);
        assert!(long.contains("[… 1000 characters …]") && !long.contains('\x1b'));
    }

    #[test]
    fn a_long_text_keeps_its_head_and_its_tail() {
        let text = format!("{}{}{}", "a".repeat(600), "é".repeat(900), "z".repeat(200));
        let (head, tail) = (&*"a".repeat(600), &*"z".repeat(200));
        assert_eq!(split_head_tail(&text, 800), Some(HeadTail { head, tail, omitted_chars: 900 }));
    }
}
