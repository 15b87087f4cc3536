//! The queue of calls: one at a time per session, a limited number in total, the rest wait.
//!
//! Calls of one session run in order of arrival. Calls of different sessions start in order too,
//! but a call whose session is busy is passed over, without blocking others. A call with a place
//! may have to wait in it once more, when it is known where its turn writes. All servers of the
//! user share one [`SharedQueue`](super::shared_queue::SharedQueue); this module holds the calls
//! that wait in this server and wakes them.
//!
//! Nothing here waits for the disk with the shared queue: a thread of its own does, the
//! [`TableThread`].

use std::sync::{Arc, MutexGuard, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::calls::Key;
use super::table::Table;
use super::table_thread::TableThread;
pub(crate) use super::waiters::Full;
use super::waiters::{Shared, State, WATCH_EVERY, Waiter};
use super::writable_roots::WritableRoots;
use crate::model::session_id::SessionId;

/// How long it may take to find out what a call waits for.
const IN_FRONT_WITHIN: Duration = Duration::from_secs(2);

/// The queue and the calls that wait in it. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Queue(Arc<QueueHandle>);

/// Ends the table thread when dropped.
#[derive(Debug)]
struct QueueHandle(Arc<Shared>);

/// A call in the queue. Dropping it leaves the queue.
#[derive(Debug)]
pub(crate) struct Waiting {
    queue: Queue,
    key: Key,
    accepted: Option<oneshot::Receiver<Result<(), Full>>>,
    admitted: oneshot::Receiver<()>,
    /// Whether the place was handed out, which then leaves the queue when dropped.
    placed: bool,
}

/// The right to run. Dropping it lets the next call in.
#[derive(Debug)]
pub(crate) struct Place {
    queue: Queue,
    key: Key,
}

impl Queue {
    /// A queue that shares this table with other servers.
    pub(crate) fn new(max_running: usize, max_waiting: usize, table: Table) -> Self {
        let shared = Shared::new(max_running, max_waiting, table);
        Self(Arc::new(QueueHandle(Arc::new(shared))))
    }

    /// Enters the queue at once, so that calls get their places in order of arrival. A `front` call
    /// precedes all others that wait for the session. [`Waiting::accepted`] reports whether there
    /// is room to wait.
    pub(crate) fn enter(&self, session: Option<SessionId>, front: bool) -> Waiting {
        let (accept, accepted) = oneshot::channel();
        let mut waiting = self.join(session, front, Some(accept));
        waiting.accepted = Some(accepted);
        waiting
    }

    /// The same without a limit on waiting calls, for a call that was accepted elsewhere.
    pub(crate) fn enter_unlimited(&self, session: Option<SessionId>, front: bool) -> Waiting {
        self.join(session, front, None)
    }

    fn join(
        &self,
        session: Option<SessionId>,
        front: bool,
        accept: Option<oneshot::Sender<Result<(), Full>>>,
    ) -> Waiting {
        let (admit, admitted) = oneshot::channel();
        let key = self.change(|state| {
            let key = state.queue.join(session, front, state.max_running);
            state.waiting.insert(key, Waiter { admit, accept });
            key
        });
        Waiting { queue: self.clone(), key, accepted: None, admitted, placed: false }
    }

    /// Waits until other servers know about all changes here. If the queue is empty, they also no
    /// longer count this server, until its next call.
    pub(crate) async fn published(&self) {
        let (publish, published) = oneshot::channel();
        {
            let mut state = self.lock();
            if state.table.is_some() {
                // No call has ever entered.
                return;
            }
            state.leaving.push(publish);
        }
        self.shared().due.notify_one();
        let _whichever = published.await;
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.0.0
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared().lock()
    }

    /// Changes the queue, then decides which calls can start.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        self.change_if(|state| Some(change(state))).expect("it has changed")
    }

    /// The same, unless `change` changed nothing and returned `None`.
    fn change_if<T>(&self, change: impl FnOnce(&mut State) -> Option<T>) -> Option<T> {
        let mut state = self.lock();
        let changed = change(&mut state)?;
        state.changed = true;
        self.sync(&mut state);
        drop(state);
        // Without the lock, which the thread needs at once.
        self.shared().due.notify_one();
        Some(changed)
    }

    fn sync(&self, state: &mut State) {
        if state.table.as_ref().is_some_and(|table| !table.is_possible()) {
            return state.start_without_table();
        }
        if let Some(table) = state.table.take()
            && let Err(error) = TableThread::start(table, Arc::clone(self.shared()))
        {
            // The effect is that of a disk that does not answer.
            tracing::warn!(%error, "the thread of the shared queue cannot be started");
        }
        if state.is_overdue() {
            state.continue_without_table();
        }
        let is_watched = state.watch.as_ref().is_some_and(|watch| !watch.is_finished());
        if !is_watched
            && state.has_waiters()
            && let Ok(runtime) = Handle::try_current()
        {
            state.watch = Some(runtime.spawn(watch(Arc::downgrade(self.shared()))));
        }
    }

    /// A phrase about what a call waits for, empty if it does not wait or that is not known.
    async fn in_front(&self, key: Key) -> String {
        let (answer, answered) = oneshot::channel();
        {
            let mut state = self.lock();
            if !state.waiting.contains_key(&key) {
                return String::new();
            }
            if state.table.is_some() || state.is_overdue() {
                return state.queue.in_front(key, &[], |_| None);
            }
            // Drop requests whose sender has stopped waiting.
            state.questions.retain(|(_, answer)| !answer.is_closed());
            state.questions.push((key, answer));
        }
        self.shared().due.notify_one();
        match timeout(IN_FRONT_WITHIN, answered).await {
            Ok(Ok(in_front)) => in_front,
            _ => self.lock().queue.in_front(key, &[], |_| None),
        }
    }
}

impl Drop for QueueHandle {
    fn drop(&mut self) {
        self.0.lock().is_over = true;
        self.0.due.notify_one();
    }
}

/// Makes sure that a sync with the table that hangs is noticed while a call waits.
async fn watch(shared: Weak<Shared>) {
    loop {
        sleep(WATCH_EVERY).await;
        let Some(shared) = shared.upgrade() else { return };
        let mut state = shared.lock();
        if !state.has_waiters() {
            // Under the lock, so that the next caller that needs a watch finds that there is none.
            state.watch = None;
            return;
        }
        state.overdue = if state.syncing || state.changed { state.overdue + 1 } else { 0 };
        if state.is_overdue() {
            state.continue_without_table();
        }
    }
}

impl Waiting {
    /// Waits until it is known whether there is room to wait. A call that can start at once needs
    /// none. Cancel-safe.
    pub(crate) async fn accepted(&mut self) -> Result<(), Full> {
        let Some(accepted) = &mut self.accepted else { return Ok(()) };
        let accepted = accepted.await.expect("the queue keeps every waiter until it is accepted");
        self.accepted = None;
        accepted
    }

    /// Waits for the call's turn. Cancel-safe: if dropped, the call leaves the queue or returns its
    /// place.
    pub(crate) async fn place(&mut self) -> Place {
        let admitted = (&mut self.admitted).await;
        admitted.expect("the queue keeps every waiter until it is admitted");
        self.placed = true;
        Place { queue: self.queue.clone(), key: self.key }
    }

    /// A phrase about what it waits for, empty if it does not wait or that is not known.
    pub(crate) async fn in_front(&self) -> String {
        self.queue.in_front(self.key).await
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.placed {
            self.queue.change(|state| state.leave(self.key));
        }
    }
}

impl Place {
    /// Records the session that Codex started for this call, so that calls that already know its id
    /// wait for this one. The receiver resolves when other servers know about it, or cannot be
    /// informed.
    pub(crate) fn adopt(&mut self, session: SessionId) -> oneshot::Receiver<()> {
        let (publish, published) = oneshot::channel();
        self.queue.change(|state| {
            state.queue.adopt(self.key, session);
            state.unpublished.push(publish);
        });
        published
    }

    /// Declares where the turn writes, before Codex starts. `None` if it may start at once, because
    /// nothing has changed since the last declaration. Otherwise it may start when the receiver
    /// resolves, which means that no running turn clashes with it; earlier findings on the file
    /// system may be outdated by then.
    pub(crate) fn declare_roots(
        &mut self,
        roots: Option<&WritableRoots>,
    ) -> Option<oneshot::Receiver<()>> {
        self.queue.change_if(|state| {
            state.queue.wait_for_roots(self.key, roots).then(|| {
                let (admit, admitted) = oneshot::channel();
                state.waiting.insert(self.key, Waiter { admit, accept: None });
                admitted
            })
        })
    }

    /// Where the turn may write, which can be less than it requested.
    pub(crate) fn roots(&self) -> Option<WritableRoots> {
        self.queue.lock().queue.roots(self.key).cloned()
    }

    /// A phrase about what it waits for, empty if it does not wait or that is not known.
    pub(crate) async fn in_front(&self) -> String {
        self.queue.in_front(self.key).await
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.queue.change(|state| state.leave(self.key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::table::ServerInfo;
    use futures::FutureExt;

    fn session(number: u8) -> Option<SessionId> {
        let id = format!("0199a213-81c0-7800-8aa1-bbab2a0350{number:02}");
        Some(id.parse().expect("a UUID"))
    }

    /// A queue that is not shared.
    fn queue(max_running: usize, max_waiting: usize) -> Queue {
        let who = ServerInfo { pid: 1, origin: "test".into() };
        Queue::new(max_running, max_waiting, Table::new(None, who))
    }

    fn enter(queue: &Queue, session: Option<SessionId>) -> Waiting {
        accepted(queue.enter(session, false)).expect("room")
    }

    /// Without a table the answer is there at once.
    fn accepted(mut waiting: Waiting) -> Result<Waiting, Full> {
        waiting.accepted().now_or_never().expect("it is known").map(|()| waiting)
    }

    /// The place of a call that can run now.
    fn now(mut waiting: Waiting) -> Result<Place, ()> {
        waiting.place().now_or_never().ok_or(())
    }

    #[test]
    fn calls_of_one_session_run_in_order_and_block_no_other_session() {
        let queue = queue(8, 8);
        let first = now(enter(&queue, session(1))).expect("no call before it");
        let mut second = enter(&queue, session(1));
        let mut third = enter(&queue, session(1));
        assert!(now(enter(&queue, session(2))).is_ok(), "another session is free");
        assert!(second.place().now_or_never().is_none());
        drop(first);
        assert!(third.place().now_or_never().is_none(), "the second is before the third");
        let second = second.place().now_or_never().expect("its turn");
        drop(second);
        assert!(third.place().now_or_never().is_some());
    }

    #[test]
    fn the_limit_holds_and_the_queue_is_served_in_order() {
        let queue = queue(1, 2);
        let running = now(enter(&queue, None)).expect("no call before it");
        let mut second = enter(&queue, None);
        let third = enter(&queue, None);
        assert_eq!(accepted(queue.enter(None, false)).err(), Some(Full { running: 1, waiting: 2 }));
        drop(third);
        assert!(
            accepted(queue.enter(None, false)).is_ok(),
            "a call that leaves the queue makes room"
        );
        drop(running);
        assert!(second.place().now_or_never().is_some());
    }

    #[test]
    fn a_front_call_is_next_in_its_session() {
        let queue = queue(8, 8);
        let running = now(enter(&queue, session(1))).expect("no call before it");
        let mut second = enter(&queue, session(1));
        let mut front = accepted(queue.enter(session(1), true)).expect("room");
        assert!(front.place().now_or_never().is_none(), "the running call is not stopped");
        drop(running);
        assert!(second.place().now_or_never().is_none(), "the other goes before it");
        drop(front.place().now_or_never().expect("its turn"));
        assert!(second.place().now_or_never().is_some());
    }

    #[test]
    fn without_room_to_wait_only_calls_that_can_run_are_accepted() {
        let queue = queue(1, 0);
        let running = now(enter(&queue, None)).expect("no call before it");
        assert!(accepted(queue.enter(None, false)).is_err());
        drop(running);
        assert!(accepted(queue.enter(None, false)).is_ok());
    }

    #[test]
    fn a_place_that_is_not_taken_goes_to_the_next_call() {
        let queue = queue(1, 8);
        let waiting = enter(&queue, session(1));
        let next = enter(&queue, session(1));
        drop(waiting);
        assert!(now(next).is_ok());
    }

    #[test]
    fn calls_wait_for_a_session_that_started_here() {
        let queue = queue(8, 8);
        let mut place = now(enter(&queue, None)).expect("no call before it");
        drop(place.adopt(session(1).expect("just made")));
        let mut next = enter(&queue, session(1));
        assert!(next.place().now_or_never().is_none());
        drop(place);
        assert!(next.place().now_or_never().is_some());
    }

    #[test]
    fn a_place_waits_once_more_for_a_turn_that_writes_around_its_folder() {
        let queue = queue(8, 8);
        let roots = |own: &str| WritableRoots { own: vec![own.into()], ..WritableRoots::default() };
        let [mut outer, mut inner, mut beside] =
            [(); 3].map(|()| now(enter(&queue, None)).expect("there is room"));
        assert!(outer.declare_roots(None).is_none(), "it may not write");
        let settle = |place: &mut Place, own: &str| {
            place
                .declare_roots(Some(&roots(own)))
                .expect("it was not known")
                .now_or_never()
                .is_some()
        };
        assert!(settle(&mut outer, "/a"));
        assert!(!settle(&mut inner, "/a/b"));
        assert!(settle(&mut beside, "/c"));
        assert!(beside.declare_roots(Some(&roots("/c"))).is_none(), "it runs with just these");
        let in_front = |place: &Place| place.in_front().now_or_never().expect("it is known");
        assert!(in_front(&inner).contains("/a/b"), "{}", in_front(&inner));
        // Other folders need another declaration.
        assert!(settle(&mut inner, "/d"));
        assert!(!settle(&mut inner, "/a/b"));
        drop(outer);
        assert_eq!(in_front(&inner), "");
        assert_eq!(inner.roots(), Some(roots("/a/b")));
    }
}
