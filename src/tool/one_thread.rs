//! The thread that all calls of `codex` share, if the operator wants one thread for the process.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::model::outcome::{CancelledBy, FailureKind, Limit};
use crate::model::session_id::SessionId;

/// The thread, once a call has started it. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct OneThread(Arc<Mutex<Option<SessionId>>>);

/// A call's turn to use the thread. Until it is dropped, the other calls wait, in the order in which they came.
#[derive(Debug)]
pub(super) struct Place(OwnedMutexGuard<Option<SessionId>>);

impl OneThread {
    /// Waits until the call that starts the thread has done so, or has failed without one.
    ///
    /// # Errors
    ///
    /// If that takes longer than `limit`, or the caller cancels the call.
    pub(super) async fn enter(
        &self,
        limit: Duration,
        cancelled: &CancellationToken,
    ) -> Result<Place, FailureKind> {
        tokio::select! {
            biased;
            () = cancelled.cancelled() => Err(FailureKind::Cancelled { by: CancelledBy::Caller }),
            place = timeout(limit, Arc::clone(&self.0).lock_owned()) => {
                place.map(Place).map_err(|_| FailureKind::TimedOut {
                    limit: Limit::Total(limit),
                    started: false,
                    ahead: "the call that starts the thread has no thread yet".into(),
                })
            }
        }
    }

    /// Records that the thread does not exist, so that the next call starts another.
    pub(super) async fn forget(&self, thread: SessionId) {
        self.0.lock().await.take_if(|known| *known == thread);
    }
}

impl Place {
    /// The thread to continue. `None` if the call is to start it.
    pub(super) fn thread(&self) -> Option<SessionId> {
        *self.0
    }

    /// Records that the call has started the thread.
    pub(super) fn started(mut self, thread: SessionId) {
        *self.0 = Some(thread);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    fn thread() -> SessionId {
        "00000000-0000-7000-8000-000000000001".parse().expect("a UUID")
    }

    #[tokio::test(flavor = "current_thread")]
    async fn calls_wait_for_the_one_that_starts_the_thread_and_then_continue_it() {
        let (slot, never) = (OneThread::default(), CancellationToken::new());
        let first = slot.enter(LONG, &never).await.expect("nobody is ahead");
        assert_eq!(first.thread(), None);
        let mut second = Box::pin(slot.enter(LONG, &never));
        let mut third = Box::pin(slot.enter(LONG, &never));
        assert!(second.as_mut().now_or_never().is_none());
        assert!(third.as_mut().now_or_never().is_none());
        first.started(thread());
        let second = second.await.expect("there is a thread");
        assert_eq!(second.thread(), Some(thread()));
        assert!(third.as_mut().now_or_never().is_none(), "in the order of the calls");
        drop(second);
        assert_eq!(third.await.expect("there is a thread").thread(), Some(thread()));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn the_next_call_starts_the_thread_if_there_is_none() {
        let (slot, never) = (OneThread::default(), CancellationToken::new());
        drop(slot.enter(LONG, &never).await);
        let second = slot.enter(LONG, &never).await.expect("nobody is ahead");
        assert_eq!(second.thread(), None);
        second.started(thread());
        slot.forget("00000000-0000-7000-8000-000000000002".parse().expect("a UUID")).await;
        assert_eq!(slot.enter(LONG, &never).await.expect("it exists").thread(), Some(thread()));
        slot.forget(thread()).await;
        assert_eq!(slot.enter(LONG, &never).await.expect("nobody is ahead").thread(), None);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn the_wait_is_bounded_and_can_be_cancelled() {
        let (slot, cancelled) = (OneThread::default(), CancellationToken::new());
        let _first = slot.enter(LONG, &cancelled).await.expect("nobody is ahead");
        let late = slot.enter(Duration::from_millis(1), &cancelled).await;
        let message = late.expect_err("the first one has no thread").to_string();
        assert!(message.contains("no thread yet"), "{message}");
        cancelled.cancel();
        let gone = slot.enter(LONG, &cancelled).await;
        assert!(matches!(gone, Err(FailureKind::Cancelled { .. })));
    }
}
