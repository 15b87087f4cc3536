//! Texts that are too long for where they go. Pure.

use serde_json::Value;

/// The beginning of a text.
pub(crate) fn head(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// The beginning of a text, on one line.
pub(crate) fn line(text: &str, chars: usize) -> String {
    head(&text.split_whitespace().collect::<Vec<_>>().join(" "), chars)
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
            if let Some(Halves { head, tail, left_out }) = halves(text, chars) {
                *text = format!("{head}[… {left_out} characters …]{tail}");
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| cut(value, chars)),
        Value::Object(fields) => fields.values_mut().for_each(|value| cut(value, chars)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The most of a caller's value that an error shows, in characters.
const SHOWN: usize = 300;

/// As much of a caller's value as an error shows.
pub(crate) fn shown(value: impl std::fmt::Display) -> String {
    head(&value.to_string(), SHOWN)
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
    fn a_long_text_keeps_its_head_and_its_tail() {
        let text = format!("{}{}{}", "a".repeat(600), "é".repeat(900), "z".repeat(200));
        let (head, tail) = (&*"a".repeat(600), &*"z".repeat(200));
        assert_eq!(halves(&text, 800), Some(Halves { head, tail, left_out: 900 }));
    }
}
