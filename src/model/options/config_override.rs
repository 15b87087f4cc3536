//! One overridden setting of Codex's configuration.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::bounds::MAX_OPTION_BYTES;
use crate::model::command_line::{check_setting, is_plain_value};
use crate::model::text::excerpt;
use crate::model::value::InvalidValue;

/// One override of a Codex setting, as passed with `-c key=value`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    key: String,
    /// The value in TOML syntax, which is how Codex parses it.
    value: String,
}

impl Override {
    /// Checks that `key` is a dotted key and that `value` can be represented in TOML. A turn whose overrides
    /// contain text for the model is rejected later, because they appear on a command line.
    ///
    /// # Errors
    ///
    /// If `key` is malformed, `value` has no TOML form, or both together exceed [`MAX_OPTION_BYTES`] bytes.
    pub fn new(key: &str, value: &Value) -> Result<Self, InvalidValue> {
        let part = |part: &str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
        };
        // With a leading dash it would be parsed as an option.
        if key.starts_with('-') || !key.split('.').all(part) {
            let key = excerpt(format!("{key:?}"));
            return Err(InvalidValue(format!(
                "has the invalid key {key}; a key has parts of letters, digits, _ and -, \
                 separated by dots, and does not start with -"
            )));
        }
        let value = toml::Value::try_from(value).map_err(|_| {
            InvalidValue(format!(
                "has a value for {} that TOML cannot express, such as null",
                excerpt(key)
            ))
        })?;
        let value = value.to_string();
        if value.len() + key.len() > MAX_OPTION_BYTES {
            return Err(InvalidValue(format!(
                "has a value for {} of more than {MAX_OPTION_BYTES} bytes",
                excerpt(key)
            )));
        }
        Ok(Self { key: key.to_owned(), value })
    }

    /// The key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Checks that the override may appear on a command line.
    pub(super) fn check(&self) -> Result<(), InvalidValue> {
        check_setting(&self.key, &self.value()?)
    }

    /// Whether the value is a single word, a number or a boolean.
    pub(crate) fn is_plain_value(&self) -> bool {
        self.value().is_ok_and(|value| is_plain_value(&value))
    }

    fn value(&self) -> Result<toml::Value, InvalidValue> {
        let table: Option<toml::Table> = format!("value = {}", self.value).parse().ok();
        let value = table.filter(|table| table.len() == 1).and_then(|mut it| it.remove("value"));
        value.ok_or_else(|| {
            InvalidValue(format!("has a value for {} that is not TOML", excerpt(&self.key)))
        })
    }
}

impl fmt::Display for Override {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}={}", self.key, self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_override_is_one_key_with_one_toml_value() {
        let setting = |key: &str, value: Value| Override::new(key, &value).map(|it| it.to_string());
        let hostile = "x\"#y=1'''\"\"\"z\\";
        let table: toml::Table =
            setting("a-c", json!(hostile)).expect("a key").parse().expect("it is TOML");
        assert_eq!(table.get("a-c").and_then(toml::Value::as_str), Some(hostile));
        assert_eq!(table.len(), 1);
        assert_eq!(setting("a", json!({"b": [1, true]})), Ok("a={ b = [1, true] }".into()));
        for key in ["", "a b", "a=b", "a..b", ".a", "\"a\"", "a\n", "é", "-s"] {
            assert!(setting(key, json!(1)).is_err(), "{key:?} is no key");
        }
        assert!(setting("a", Value::Null).is_err());
    }
}
