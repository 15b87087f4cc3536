//! The id of a session.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::value::InvalidValue;

/// The id of a Codex session, which Codex calls a thread. Always a UUID, because Codex starts a new session
/// if `resume` gets an unknown name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(Uuid);

impl FromStr for SessionId {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        Uuid::try_parse(text.trim()).map(Self).map_err(|_| {
            InvalidValue(
                "must be the session id (a UUID) of an earlier call, such as \
                 0199a213-81c0-7800-8aa1-bbab2a035a53; omit it to start a new session"
                    .into(),
            )
        })
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_id_must_be_a_uuid() {
        let id: SessionId =
            "0199A213-81C0-7800-8AA1-BBAB2A035A53".parse().expect("upper case is the same id");
        assert_eq!(id.to_string(), "0199a213-81c0-7800-8aa1-bbab2a035a53");
        for invalid in ["", "--last", "my-session", "0199a213-81c0-7800-8aa1"] {
            assert!(invalid.parse::<SessionId>().is_err(), "{invalid:?} is not a session id");
        }
    }
}
