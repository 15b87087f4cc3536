//! Options that are a choice between fixed values.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::value::{InvalidValue, string_conversions};

string_conversions! {
    ApprovalPolicy: str::parse, |policy| policy.as_str();
    WebSearch: str::parse, |search| search.as_str();
}

/// Defines an enum whose variants are fixed words.
macro_rules! choice {
    ($(#[$doc:meta])* $type:ident { $($(#[$about:meta])* $name:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub enum $type { $($(#[$about])* $name,)* }

        impl $type {
            /// All variants.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The value as written in Codex's settings.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }
        }

        impl FromStr for $type {
            type Err = InvalidValue;

            fn from_str(text: &str) -> Result<Self, InvalidValue> {
                Self::ALL.iter().copied().find(|one| one.as_str() == text).ok_or_else(|| {
                    let all: Vec<&str> = Self::ALL.iter().map(|one| one.as_str()).collect();
                    InvalidValue(format!("must be one of {}", all.join(", ")))
                })
            }
        }
    };
}

choice! {
    /// When Codex asks for approval before it runs a command. Nobody answers in `codex exec`, so there a
    /// command that needs approval is rejected.
    ApprovalPolicy {
        /// Never.
        Never = "never",
        /// When the model decides to ask.
        OnRequest = "on-request",
        /// When a command has failed in the sandbox.
        OnFailure = "on-failure",
        /// Before every command that is not known to be harmless. Removed from Codex in 0.153.
        Untrusted = "untrusted",
    }
}

choice! {
    /// Whether and how the model searches the web.
    WebSearch {
        /// No web search.
        Disabled = "disabled",
        /// Only pages that the provider has cached.
        Cached = "cached",
        /// Only pages in the provider's index.
        Indexed = "indexed",
        /// The live web.
        Live = "live",
    }
}
