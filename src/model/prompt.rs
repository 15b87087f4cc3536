//! The text of a prompt.

use std::fmt;

use super::value::InvalidValue;

/// The longest prompt that Codex accepts, in characters. Longer ones fail with `input_too_large` (seen on
/// 0.171).
pub const MAX_PROMPT_CHARS: usize = 1_048_576;

/// The text of a prompt: not blank, at most [`MAX_PROMPT_CHARS`] characters. Its `Debug` output omits the
/// text so that it cannot leak into a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Prompt(String);

impl Prompt {
    /// Creates a prompt from `text`.
    ///
    /// # Errors
    ///
    /// If the text is blank or longer than [`MAX_PROMPT_CHARS`] characters.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidValue> {
        let text = text.into();
        if text.trim().is_empty() {
            return Err(InvalidValue("must not be empty".into()));
        }
        // A text has no more characters than bytes, so most need no counting.
        let length = if text.len() <= MAX_PROMPT_CHARS { 0 } else { text.chars().count() };
        if length > MAX_PROMPT_CHARS {
            return Err(InvalidValue(format!(
                "has {length} characters, but Codex accepts at most {MAX_PROMPT_CHARS}; put the \
                 rest into a file and name it"
            )));
        }
        Ok(Self(text))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Prompt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Prompt({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompt_length_is_counted_in_characters() {
        assert!(Prompt::new("é".repeat(MAX_PROMPT_CHARS)).is_ok());
        assert!(Prompt::new("é".repeat(MAX_PROMPT_CHARS + 1)).is_err());
        assert!(Prompt::new(" \n").is_err());
    }
}
