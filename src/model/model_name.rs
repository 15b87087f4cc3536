//! Which model is asked, and how hard it thinks.

use super::value::{InvalidValue, MAX_NAME_CHARS, name};
use serde::{Deserialize, Serialize};

/// The name of a model. Which names there are only Codex and its provider know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Model(String);

/// How hard the model thinks: `low`, `medium`, `high` and the like. Which words there are depends on
/// the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReasoningEffort(String);

impl Model {
    /// Checks that `text` can be the name of a model and can never be read as a flag.
    ///
    /// # Errors
    ///
    /// If it is empty, too long, or has characters that no model's name has.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        name(text, "._:/@+-").map(Self).ok_or_else(|| {
            InvalidValue(format!(
                "must be the name of a model: letters, digits and . _ : / @ + - after the first \
                 letter or digit, {MAX_NAME_CHARS} characters at most"
            ))
        })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl ReasoningEffort {
    /// Checks that `text` is one plain word, which needs no quoting in Codex's settings.
    ///
    /// # Errors
    ///
    /// If it is anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        name(text, "_-").map(Self).ok_or_else(|| {
            InvalidValue(
                "must be a word such as minimal, low, medium, high or xhigh, as the model offers"
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
    fn no_name_can_be_a_flag_or_a_second_setting() {
        for wrong in ["", "-m", "--help", "a b", "a\"b", "a\nb", "é", &"x".repeat(129)] {
            assert!(Model::parse(wrong).is_err(), "{wrong:?} is no model");
            assert!(ReasoningEffort::parse(wrong).is_err(), "{wrong:?} is no effort");
        }
        assert!(Model::parse("openrouter/gpt-5.1:free").is_ok());
    }
}
