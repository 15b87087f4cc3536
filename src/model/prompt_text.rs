//! What Codex is asked.

use std::fmt;

use super::value::InvalidValue;

/// The longest prompt that Codex takes, in characters. Measured on 0.171: more is refused there as
/// `input_too_large`.
pub const MAX_PROMPT_CHARS: usize = 1_048_576;

/// The text for Codex: not blank, at most [`MAX_PROMPT_CHARS`] characters. Its `Debug` form does not
/// show it, so that it cannot slip into a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Prompt(String);

impl Prompt {
    /// Checks the length.
    ///
    /// # Errors
    ///
    /// If the text is blank or too long.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidValue> {
        let text = text.into();
        if text.trim().is_empty() {
            return Err(InvalidValue("must not be empty".into()));
        }
        // A text has at most as many characters as bytes, so most are never counted.
        let length = if text.len() <= MAX_PROMPT_CHARS { 0 } else { text.chars().count() };
        if length > MAX_PROMPT_CHARS {
            return Err(InvalidValue(format!(
                "is {length} characters long, and Codex takes {MAX_PROMPT_CHARS} at most; \
                 put the rest into a file and name it"
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
    fn a_prompt_is_measured_in_characters() {
        assert!(Prompt::new("é".repeat(MAX_PROMPT_CHARS)).is_ok());
        assert!(Prompt::new("é".repeat(MAX_PROMPT_CHARS + 1)).is_err());
        assert!(Prompt::new(" \n").is_err());
    }
}
