//! What is common to values that callers give.

use super::text::{Lines, told};

/// The longest name of a model or a reasoning effort, in characters.
pub const MAX_NAME_CHARS: usize = 128;

/// Why a value cannot be used. The message says what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", told(.0, Lines::Escaped))]
pub struct InvalidValue(pub(crate) String);

pub(crate) fn name(text: &str, also: &str) -> Option<String> {
    let starts_well = text.starts_with(|first: char| first.is_ascii_alphanumeric());
    let fits = text.len() <= MAX_NAME_CHARS
        && text.chars().all(|char| char.is_ascii_alphanumeric() || also.contains(char));
    (starts_well && fits).then(|| text.to_owned())
}
