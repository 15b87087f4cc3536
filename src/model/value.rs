//! What all caller-supplied values share: the error type and the rules for names.

use super::text::{LineBreaks, sanitize};

/// Maximum length of a model, profile or reasoning effort name, in characters.
pub const MAX_NAME_CHARS: usize = 128;

/// Why a value was rejected. The message is a fragment that follows the field's name and says what would
/// be valid. It is at most 4,000 characters long and has control characters escaped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", sanitize(.0, LineBreaks::Escape))]
pub struct InvalidValue(pub(crate) String);

/// `text` as a name: ASCII letters, digits and the characters in `also`, starting with a letter or digit,
/// at most [`MAX_NAME_CHARS`] long.
pub(crate) fn name(text: &str, also: &str) -> Option<String> {
    let starts_well = text.starts_with(|first: char| first.is_ascii_alphanumeric());
    let fits = text.len() <= MAX_NAME_CHARS
        && text.chars().all(|char| char.is_ascii_alphanumeric() || also.contains(char));
    (starts_well && fits).then(|| text.to_owned())
}

/// Implements the conversions that serde needs to store a type as a checked string. `InvalidValue` must be in
/// scope.
macro_rules! string_conversions {
    ($($type:ident: $parse:expr, $show:expr;)*) => {$(
        impl TryFrom<String> for $type {
            type Error = InvalidValue;

            fn try_from(text: String) -> Result<Self, InvalidValue> {
                let parse: fn(&str) -> Result<$type, InvalidValue> = $parse;
                parse(&text)
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                let show: fn(&$type) -> &str = $show;
                show(&value).to_owned()
            }
        }
    )*};
}

pub(crate) use string_conversions;
