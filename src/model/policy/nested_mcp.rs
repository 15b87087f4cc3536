//! Which MCP servers Codex may start.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::value::InvalidValue;

/// Which of its configured MCP servers Codex may start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum NestedMcp {
    /// All of them.
    #[default]
    Inherit,
    /// None.
    Disabled,
    /// Only the servers with these names.
    Only(Vec<String>),
}

impl NestedMcp {
    /// Whether Codex may start the server with this name.
    pub(crate) fn allows(&self, name: &str) -> bool {
        match self {
            Self::Inherit => true,
            Self::Disabled => false,
            Self::Only(names) => names.iter().any(|only| only == name),
        }
    }
}

impl fmt::Display for NestedMcp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inherit => formatter.write_str("inherit"),
            Self::Disabled => formatter.write_str("none"),
            Self::Only(names) => formatter.write_str(&names.join(",")),
        }
    }
}

impl From<NestedMcp> for String {
    fn from(nested: NestedMcp) -> Self {
        nested.to_string()
    }
}

impl TryFrom<String> for NestedMcp {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        text.parse()
    }
}

impl FromStr for NestedMcp {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
        match text.trim() {
            "inherit" => Ok(Self::Inherit),
            "none" => Ok(Self::Disabled),
            _ if names.iter().any(String::is_empty) => Err(InvalidValue(
                "must be inherit, none, or names of MCP servers separated by commas".into(),
            )),
            _ => Ok(Self::Only(names)),
        }
    }
}
