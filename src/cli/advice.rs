//! Errors as the commands show them: what happened, what to do, and where to read more.

use crate::model::advice::{Cause, Reader, advice_for, advice_for_code};
use crate::model::error_code::ErrorCode;
pub(super) use crate::model::error_code::headline;
use crate::model::outcome::Failure;
use crate::model::session_id::SessionId;

/// Advice about a turn that ran in this process.
pub(super) fn of_failure(failure: &Failure) -> String {
    advice_for(Cause::Failure(&failure.kind), Reader::User { session: failure.session_id })
}

/// Advice about an error that a job recorded, by its code. `session` is the one to continue.
pub(super) fn advice(code: &str, session: Option<SessionId>) -> String {
    advice_for_code(ErrorCode::parse(code), session)
}

/// Where to read more about an error, by its code. `None` is a code that this version does not know.
pub(super) fn help(code: &str) -> Option<String> {
    ErrorCode::parse(code).map(ErrorCode::help)
}
