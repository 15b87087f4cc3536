//! Something that is done on a disk that may not answer, for somebody who does not wait for ever: it is
//! either done or given up.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const OPEN: u8 = 0;
const BEGUN: u8 = 1;
const GIVEN_UP: u8 = 2;

/// Shared by who does it and who waits for it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Commit(Arc<AtomicU8>);

impl Commit {
    /// From here on it cannot be taken back.
    ///
    /// # Errors
    ///
    /// If it was given up.
    pub(super) fn begin(&self) -> io::Result<()> {
        match self.settle(BEGUN) {
            OPEN | BEGUN => Ok(()),
            _ => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Nobody waits for it any more. Says whether it is not done then; otherwise it may be.
    pub(crate) fn give_up(&self) -> bool {
        self.settle(GIVEN_UP) != BEGUN
    }

    /// What it was before.
    fn settle(&self, to: u8) -> u8 {
        let before = self.0.compare_exchange(OPEN, to, Ordering::AcqRel, Ordering::Acquire);
        before.unwrap_or_else(|before| before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_done_or_given_up_whichever_comes_first() {
        let commit = Commit::default();
        assert!(commit.give_up());
        assert!(commit.begin().is_err() && commit.give_up());
        let commit = Commit::default();
        assert!(commit.begin().is_ok());
        assert!(!commit.give_up() && commit.begin().is_ok());
    }
}
