//! Which environment variables commands receive.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::value::InvalidValue;

/// Which of this process's environment variables the commands of a sandboxed turn receive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CommandEnvironment {
    /// As configured by Codex's `shell_environment_policy`; all variables if it is not set.
    #[default]
    Configured,
    /// Only basic variables such as `PATH`, `HOME` and `LANG`, and none that may hold a secret.
    Plain,
}

impl CommandEnvironment {
    /// The name used in this program's settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Configured => "configured",
            Self::Plain => "plain",
        }
    }
}

impl FromStr for CommandEnvironment {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let all = [Self::Configured, Self::Plain];
        let found = all.into_iter().find(|environment| environment.as_str() == text);
        found.ok_or_else(|| InvalidValue("must be configured or plain".into()))
    }
}
