//! A setting of Codex as passed with `-c`.

use toml::Value;

/// The dotted key of a Codex setting and its value.
pub(crate) type Setting = (String, Value);
