//! Why a command failed, and its exit status.

use std::io;

use super::output::{is_broken_pipe, note};
use crate::codex::reading::reader::Unreadable;
use crate::job::Problem;
use crate::model::outcome::Class;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("{0}")]
    BadInput(String),
    #[error(transparent)]
    Jobs(#[from] Problem),
    #[error("the file cannot be read: {0}")]
    Unreadable(#[from] Unreadable),
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
}

pub(super) type Result<T, E = Error> = std::result::Result<T, E>;

/// The exit status of a command. Its error is printed.
pub(super) fn finish(done: Result<u8>) -> u8 {
    let error = match done {
        Ok(status) => return status,
        // A reader such as `head` has what it wanted.
        Err(Error::Output(error)) if is_broken_pipe(&error) => return 0,
        Err(error) => error,
    };
    note(&format!("error: {error}"));
    match error {
        Error::Jobs(Problem::Refused(kind)) if kind.class() != Class::Refused => 1,
        Error::BadInput(_)
        | Error::Jobs(Problem::NotFound(_) | Problem::Refused(_) | Problem::NoStateDir) => 2,
        Error::Jobs(_) | Error::Unreadable(_) | Error::Output(_) => 1,
    }
}
