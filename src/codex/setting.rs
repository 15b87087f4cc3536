//! A setting of Codex's, as it stands behind `-c`.

use toml::Value;

/// A setting of Codex's, as `-c` takes it.
pub(crate) type Setting = (String, Value);
