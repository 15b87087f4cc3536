//! The point of no return of work on a disk that may not answer, for a caller that does not wait
//! forever: the work is either done or abandoned.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const OPEN: u8 = 0;
const STARTED: u8 = 1;
const ABANDONED: u8 = 2;

/// Shared by the worker and the caller that waits for it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Commit(Arc<AtomicU8>);

impl Commit {
    /// Passes the point of no return.
    ///
    /// # Errors
    ///
    /// If the caller has abandoned the work.
    pub(super) fn start(&self) -> io::Result<()> {
        match self.transition(STARTED) {
            OPEN | STARTED => Ok(()),
            _ => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// The caller stops waiting. Returns whether the work will not be done; otherwise it may be.
    pub(crate) fn abandon(&self) -> bool {
        self.transition(ABANDONED) != STARTED
    }

    /// Returns the state before.
    fn transition(&self, to: u8) -> u8 {
        let before = self.0.compare_exchange(OPEN, to, Ordering::AcqRel, Ordering::Acquire);
        before.unwrap_or_else(|before| before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_done_or_abandoned_whichever_comes_first() {
        let commit = Commit::default();
        assert!(commit.abandon());
        assert!(commit.start().is_err() && commit.abandon());
        let commit = Commit::default();
        assert!(commit.start().is_ok());
        assert!(!commit.abandon() && commit.start().is_ok());
    }
}
