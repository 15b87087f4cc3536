//! The tokens of a call, computed from those that Codex reports. Pure.

use crate::model::usage::Usage;

/// Which count Codex reports at the end of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Count {
    /// The session's, from 0.100 on.
    Session,
    /// The call's own, before.
    Call,
}

/// What a session had used before a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// Nothing: the call started it.
    NewSession,
    /// This many.
    Total(Usage),
    /// It is an older session, and nothing says.
    Unknown,
}

/// The tokens of a call and of its session, or `None` where they cannot be known.
pub(crate) fn split(
    reported: Usage,
    count: Count,
    before: Before,
) -> (Option<Usage>, Option<Usage>) {
    match (before, count) {
        (Before::NewSession, _) => (Some(reported), Some(reported)),
        (_, Count::Call) => (Some(reported), None),
        (Before::Unknown, Count::Session) => (None, Some(reported)),
        (Before::Total(before), Count::Session) => (reported.since(before), Some(reported)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(input_tokens: u64) -> Usage {
        Usage { input_tokens, output_tokens: input_tokens / 10, ..Usage::default() }
    }

    #[test]
    fn a_call_used_the_difference() {
        let split = split(tokens(350), Count::Session, Before::Total(tokens(100)));
        assert_eq!(split, (Some(tokens(250)), Some(tokens(350))));
    }

    #[test]
    fn a_report_of_the_call_alone_is_no_total() {
        let split = split(tokens(350), Count::Call, Before::Total(tokens(100)));
        assert_eq!(split, (Some(tokens(350)), None));
    }

    #[test]
    fn what_is_not_known_is_not_made_up() {
        let unknown = split(tokens(350), Count::Session, Before::Unknown);
        assert_eq!(unknown, (None, Some(tokens(350))));
        let impossible = split(tokens(50), Count::Session, Before::Total(tokens(100)));
        assert_eq!(impossible, (None, Some(tokens(50))));
    }
}
