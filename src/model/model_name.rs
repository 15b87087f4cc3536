//! The names of models and reasoning efforts.

use serde::{Deserialize, Serialize};

use super::value::{InvalidValue, MAX_NAME_CHARS, name, string_conversions};

/// The name of a model. Only its form is checked; which models exist is up to Codex and its provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Model(String);

/// The reasoning effort: `low`, `medium`, `high` and so on. Which values are valid depends on the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReasoningEffort(String);

string_conversions! {
    Model: Model::parse, Model::as_str;
    ReasoningEffort: ReasoningEffort::parse, ReasoningEffort::as_str;
}

impl Model {
    /// Parses a model name. The result can never be mistaken for a command-line flag.
    ///
    /// # Errors
    ///
    /// If `text` is empty, longer than 128 characters, starts with anything but an ASCII letter or digit, or
    /// contains characters other than these and `._:/@+-`.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        name(text, "._:/@+-").map(Self).ok_or_else(|| {
            InvalidValue(format!(
                "must be the name of a model: letters, digits and . _ : / @ + -, starting with a \
                 letter or digit, at most {MAX_NAME_CHARS} characters"
            ))
        })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl ReasoningEffort {
    /// Parses a reasoning effort. The result is a single word that needs no quoting in Codex's settings.
    ///
    /// # Errors
    ///
    /// If `text` is empty, longer than 128 characters, starts with anything but an ASCII letter or digit, or
    /// contains characters other than these and `_-`.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        name(text, "_-").map(Self).ok_or_else(|| {
            InvalidValue(
                "must be a level that the model offers, such as minimal, low, medium, high or xhigh"
                    .into(),
            )
        })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_be_a_flag_or_inject_a_setting() {
        for wrong in ["", "-m", "--help", "a b", "a\"b", "a\nb", "é", &"x".repeat(129)] {
            assert!(Model::parse(wrong).is_err(), "{wrong:?} is no model");
            assert!(ReasoningEffort::parse(wrong).is_err(), "{wrong:?} is no effort");
        }
        assert!(Model::parse("openrouter/gpt-5.1:free").is_ok());
    }
}
