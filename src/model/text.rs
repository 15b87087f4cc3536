//! Texts that are too long for where they go, or that whoever shows them would obey. Pure.
//!
//! What goes to a terminal, into a log, an error, a warning or a progress message goes through
//! [`visible`] here; what is data in JSON stays as it is.

use std::borrow::Cow;
use std::fmt::{Display, Write};

use serde_json::Value;

/// What becomes of line ends and tabs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lines {
    /// They stay: it is a text of several lines.
    Kept,
    /// They are shown as what they are: it must stay one line.
    Escaped,
}

/// A text that commands nothing, also if it is anything that a command wrote or a folder is called:
/// what a terminal would obey, what turns text around, and what ends a line for some readers stands
/// there as `\u{1b}`.
pub(crate) fn visible(text: &str, lines: Lines) -> Cow<'_, str> {
    let harmful = |char| match char {
        '\n' | '\t' => lines == Lines::Escaped,
        _ => is_obeyed(char),
    };
    if !text.contains(harmful) {
        return Cow::Borrowed(text);
    }
    let text = match lines {
        Lines::Kept => Cow::Owned(text.replace("\r\n", "\n")),
        Lines::Escaped => Cow::Borrowed(text),
    };
    let mut shown = String::with_capacity(text.len() + 32);
    for char in text.chars() {
        if harmful(char) {
            write!(shown, "{}", char.escape_unicode()).expect("a string can be written to");
        } else {
            shown.push(char);
        }
    }
    Cow::Owned(shown)
}

/// Controls (C0, DEL, C1), controls of the direction of text, and its separators of lines.
fn is_obeyed(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}')
}

/// The beginning of a text.
pub(crate) fn head(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// The beginning of a text, on one line.
pub(crate) fn line(text: &str, chars: usize) -> String {
    let line = head(&text.split_whitespace().collect::<Vec<_>>().join(" "), chars);
    visible(&line, Lines::Escaped).into_owned()
}

/// The most of a message that is told, in characters. Its end may matter as much as its beginning.
const TOLD: usize = 4_000;

/// A message as it is told: bounded, and with nothing in it that is obeyed.
pub(crate) fn told(message: impl Display, lines: Lines) -> String {
    let message = message.to_string();
    let bounded = shortened(&message, TOLD);
    visible(bounded.as_deref().unwrap_or(&message), lines).into_owned()
}

/// A text without its middle, if it is too long.
pub(crate) fn shortened(text: &str, max_chars: usize) -> Option<String> {
    let Halves { head, tail, left_out } = halves(text, max_chars)?;
    Some(format!("{head}[… {left_out} characters …]{tail}"))
}

/// A text that had to give up its middle.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Halves<'a> {
    pub(crate) head: &'a str,
    pub(crate) tail: &'a str,
    /// How many characters were between them.
    pub(crate) left_out: usize,
}

/// The beginning and the end of a text that is too long; `None` if it is not.
pub(crate) fn halves(text: &str, max_chars: usize) -> Option<Halves<'_>> {
    let length = if text.len() <= max_chars { 0 } else { text.chars().count() };
    if length <= max_chars {
        return None;
    }
    let at = |chars| text.char_indices().nth(chars).map_or(text.len(), |(at, _)| at);
    let tail = max_chars / 4;
    Some(Halves {
        head: &text[..at(max_chars - tail)],
        tail: &text[at(length - tail)..],
        left_out: length - max_chars,
    })
}

/// Cuts the middle out of every text that is too long.
pub(crate) fn cut(value: &mut Value, chars: usize) {
    match value {
        Value::String(text) => {
            if let Some(shortened) = shortened(text, chars) {
                *text = shortened;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| cut(value, chars)),
        Value::Object(fields) => fields.values_mut().for_each(|value| cut(value, chars)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The most of a value from outside that an error shows, in characters.
const SHOWN: usize = 300;

/// As much of a value from outside as an error shows, on one line.
pub(crate) fn shown(value: impl Display) -> String {
    visible(&head(&value.to_string(), SHOWN), Lines::Escaped).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_short_enough_stays_whole() {
        assert_eq!(head("äöü", 3), "äöü");
        assert_eq!(head("äöü", 2), "äö…");
        assert_eq!(line(" one\n two  three", 9), "one two t…");
        assert_eq!(halves("äöü", 3), None);
    }

    #[test]
    fn no_text_commands_who_shows_it() {
        let kept = |text: &str| visible(text, Lines::Kept).into_owned();
        assert_eq!(kept("a\tb\r\nc\x1b[31m\u{9b}1m\n"), "a\tb\nc\\u{1b}[31m\\u{9b}1m\n");
        assert_eq!(kept("\r\x7f\u{85}"), "\\u{d}\\u{7f}\\u{85}");
        assert_eq!(visible("a\nb\tc\r\n", Lines::Escaped), "a\\u{a}b\\u{9}c\\u{d}\\u{a}");
        let bidi = "\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}";
        let marks = "\u{200e}\u{200f}\u{61c}\u{2028}\u{2029}";
        let shown = kept(&format!("{bidi}{marks}"));
        assert!(shown.is_ascii() && shown.matches("\\u{").count() == 14, "{shown}");
        for plain in ["", "äöü 名 👨\u{200d}👩", "a\nb\tc"] {
            assert!(matches!(visible(plain, Lines::Kept), Cow::Borrowed(_)), "{plain}");
        }
        // It can be done twice.
        assert_eq!(kept(&kept("\x1b")), kept("\x1b"));
        assert_eq!(line("one\n two  three\x07\u{202e}", 99), "one two three\\u{7}\\u{202e}");
        assert_eq!(super::shown("/a\nb\x1b"), "/a\\u{a}b\\u{1b}");
        let long = told("\x1b".repeat(5_000), Lines::Kept);
        assert!(long.contains("[… 1000 characters …]") && !long.contains('\x1b'));
    }

    #[test]
    fn a_long_text_keeps_its_head_and_its_tail() {
        let text = format!("{}{}{}", "a".repeat(600), "é".repeat(900), "z".repeat(200));
        let (head, tail) = (&*"a".repeat(600), &*"z".repeat(200));
        assert_eq!(halves(&text, 800), Some(Halves { head, tail, left_out: 900 }));
    }
}
