//! How a turn waits, depending on who requested it.

use tokio::sync::oneshot;

use crate::model::session_id::SessionId;
use crate::session::queue::{Queue, Waiting};

/// How a turn waits for its place in the queue, when its timeouts start, and how long it holds its place.
#[derive(Debug)]
pub(crate) enum Scheduling {
    /// A caller waits for the answer. A full queue refuses the turn, its timeouts start with the request,
    /// and it holds its place until Codex is gone.
    Call,
    /// A prompt of a job, for which there was room when it was accepted. It waits as long as it takes,
    /// also beyond the limit of the queue, and its timeouts start when it may start.
    Job {
        /// Whether it goes before all others that wait for its session.
        in_front: bool,
        /// Resolves when the end of the turn was recorded, or never will be. The turn holds its place
        /// until then.
        end_recorded: oneshot::Receiver<()>,
    },
}

impl Scheduling {
    /// Enters the queue, with the session that the turn continues.
    pub(super) fn enter(&self, queue: &Queue, session: Option<SessionId>) -> Waiting {
        match self {
            Self::Call => queue.enter(session, false),
            Self::Job { in_front, .. } => queue.enter_unlimited(session, *in_front),
        }
    }

    /// Whether time spent waiting counts towards the timeouts of the turn.
    pub(super) fn counts_waiting(&self) -> bool {
        match self {
            Self::Call => true,
            Self::Job { .. } => false,
        }
    }

    /// Waits until the place may be released, once Codex is gone.
    pub(super) async fn end_recorded(self) {
        match self {
            Self::Call => {}
            Self::Job { end_recorded, .. } => drop(end_recorded.await),
        }
    }
}
