//! How a turn waits, by who requested it.

use tokio::sync::oneshot;

use crate::model::session_id::SessionId;
use crate::session::queue::{Queue, Waiting};

/// How a turn waits for its place in the queue, from when its limits count, and until when it holds its
/// place.
#[derive(Debug)]
pub(crate) enum Scheduling {
    /// Somebody waits for the answer. A full queue refuses the turn, its limits count from the request,
    /// and it holds its place until Codex is gone.
    Call,
    /// A prompt of a job, for which there was room when it was accepted. It waits as long as it takes,
    /// also beyond the limit of the queue, and its limits count from when it may start.
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
            Self::Job { in_front, .. } => queue.enter_in_any_case(session, *in_front),
        }
    }

    /// Whether time spent waiting counts for the limits of the turn.
    pub(super) fn counts_waiting(&self) -> bool {
        match self {
            Self::Call => true,
            Self::Job { .. } => false,
        }
    }

    /// Waits until the place may be given back, once Codex is gone.
    pub(super) async fn end_recorded(self) {
        match self {
            Self::Call => {}
            Self::Job { end_recorded, .. } => drop(end_recorded.await),
        }
    }
}
