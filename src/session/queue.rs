//! The order of calls: one at a time in a session, so many at a time in all, the rest in line.
//!
//! Calls of one session run in the order in which they came. Calls of different sessions start in
//! order too, but a call whose session is at work is passed by, so that it holds nobody up. One that
//! has its place may have to wait in it once more, when it is known where its turn is to write. All
//! servers of the user share one [`SharedQueue`](super::shared_queue::SharedQueue); here is who waits in this one, and who wakes them.
//!
//! Nobody here waits for the disk that the line lies on: a thread of its own does, the [`TableThread`].

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

/// The line and those who wait for their turn. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Queue(Arc<Door>);

/// With it the thread ends that looks at the table.
#[derive(Debug)]
struct Door(Arc<Shared>);

/// A call in line. Dropping it leaves the line.
#[derive(Debug)]
pub(crate) struct Waiting {
    queue: Queue,
    key: Key,
    accepted: Option<oneshot::Receiver<Result<(), Full>>>,
    called_in: oneshot::Receiver<()>,
    /// Whether the place is taken, which is given back in its stead.
    placed: bool,
}

/// The right to run. Dropping it lets the next one in.
#[derive(Debug)]
pub(crate) struct Place {
    queue: Queue,
    key: Key,
}

impl Queue {
    /// A queue that shares this table with other servers.
    pub(crate) fn new(max_running: usize, max_waiting: usize, table: Table) -> Self {
        let shared = Shared::new(max_running, max_waiting, table);
        Self(Arc::new(Door(Arc::new(shared))))
    }

    /// Gets in line at once, so that the order of calls is the order of places. `front` is before all
    /// others that wait for the session. Whether there is room to wait, [`Waiting::accepted`] tells.
    pub(crate) fn enter(&self, session: Option<SessionId>, front: bool) -> Waiting {
        let (accept, accepted) = oneshot::channel();
        let mut waiting = self.join(session, front, Some(accept));
        waiting.accepted = Some(accepted);
        waiting
    }

    /// The same, however many wait: for what was accepted before it comes here.
    pub(crate) fn enter_in_any_case(&self, session: Option<SessionId>, front: bool) -> Waiting {
        self.join(session, front, None)
    }

    fn join(
        &self,
        session: Option<SessionId>,
        front: bool,
        accept: Option<oneshot::Sender<Result<(), Full>>>,
    ) -> Waiting {
        let (call_in, called_in) = oneshot::channel();
        let key = self.change(|state| {
            let key = state.line.join(session, front, state.max_running);
            state.waiting.insert(key, Waiter { call_in, accept });
            key
        });
        Waiting { queue: self.clone(), key, accepted: None, called_in, placed: false }
    }

    /// Waits until others know of all that has changed here, and, if nobody is in line any more, need
    /// not count with this server until somebody comes.
    pub(crate) async fn left(&self) {
        let (tell, told) = oneshot::channel();
        {
            let mut state = self.lock();
            if state.table.is_some() {
                // Nobody has come yet.
                return;
            }
            state.leaving.push(tell);
        }
        self.shared().due.notify_one();
        let _whichever = told.await;
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.0.0
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared().lock()
    }

    /// Changes the line, and has it looked who can start then.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let changed = change(&mut state);
        state.changed = true;
        self.look(&mut state);
        changed
    }

    fn look(&self, state: &mut State) {
        if state.table.as_ref().is_some_and(|table| !table.is_possible()) {
            return state.look_alone();
        }
        if let Some(table) = state.table.take()
            && let Err(error) = TableThread::start(table, Arc::clone(self.shared()))
        {
            // It is no worse than a disk that does not answer.
            tracing::warn!(%error, "the line of calls has no thread");
        }
        self.shared().due.notify_one();
        if state.is_overdue() {
            state.go_on_alone();
        }
        let is_watched = state.watch.as_ref().is_some_and(|watch| !watch.is_finished());
        if !is_watched
            && state.is_waited_for()
            && let Ok(runtime) = Handle::try_current()
        {
            state.watch = Some(runtime.spawn(watch(Arc::downgrade(self.shared()))));
        }
    }

    /// A sentence part about what a call waits for, or nothing if it does not wait or that is not known.
    async fn in_front(&self, key: Key) -> String {
        let (answer, answered) = oneshot::channel();
        {
            let mut state = self.lock();
            if !state.waiting.contains_key(&key) {
                return String::new();
            }
            if state.table.is_some() || state.is_overdue() {
                return state.line.in_front(key, &[], |_| None);
            }
            // Nobody waits any more for what was asked long ago.
            state.questions.retain(|(_, answer)| !answer.is_closed());
            state.questions.push((key, answer));
        }
        self.shared().due.notify_one();
        match timeout(IN_FRONT_WITHIN, answered).await {
            Ok(Ok(in_front)) => in_front,
            _ => self.lock().line.in_front(key, &[], |_| None),
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.0.lock().is_over = true;
        self.0.due.notify_one();
    }
}

/// Sees to it, as long as somebody waits, that looks come to an end.
async fn watch(shared: Weak<Shared>) {
    loop {
        sleep(WATCH_EVERY).await;
        let Some(shared) = shared.upgrade() else { return };
        let mut state = shared.lock();
        if !state.is_waited_for() {
            // Under the lock, so that whoever needs another finds that there is none.
            state.watch = None;
            return;
        }
        state.overdue = if state.looks || state.changed { state.overdue + 1 } else { 0 };
        if state.is_overdue() {
            state.go_on_alone();
        }
    }
}

impl Waiting {
    /// Waits until it is known whether there is room to wait. One that can start at once needs none.
    /// Cancel-safe.
    pub(crate) async fn accepted(&mut self) -> Result<(), Full> {
        let Some(accepted) = &mut self.accepted else { return Ok(()) };
        let accepted = accepted.await.expect("the line keeps every waiter until it is accepted");
        self.accepted = None;
        accepted
    }

    /// Waits for the call's turn. Cancel-safe: dropped, the call leaves the line or gives its place
    /// back.
    pub(crate) async fn place(&mut self) -> Place {
        let called_in = (&mut self.called_in).await;
        called_in.expect("the line keeps every waiter until it is called in");
        self.placed = true;
        Place { queue: self.queue.clone(), key: self.key }
    }

    /// A sentence part about what it waits for, or nothing if it does not wait or that is not known.
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
    /// Takes note of the session that Codex began for this call, so that calls that already know
    /// its id wait for this one. Tells when other servers know of it too, or cannot be told.
    pub(crate) fn adopt(&mut self, session: SessionId) -> oneshot::Receiver<()> {
        let (tell, told) = oneshot::channel();
        self.queue.change(|state| {
            state.line.adopt(self.key, session);
            state.untold.push(tell);
        });
        told
    }

    /// Says where the turn is to write, if it may, before Codex starts. It may start at once with just
    /// what it said last; otherwise it waits until none runs with which that would clash, and then what
    /// was found out before may no longer hold.
    pub(crate) fn settle(
        &mut self,
        roots: Option<&WritableRoots>,
    ) -> Option<oneshot::Receiver<()>> {
        self.queue.change(|state| {
            state.line.settle(self.key, roots).then(|| {
                let (call_in, called_in) = oneshot::channel();
                state.waiting.insert(self.key, Waiter { call_in, accept: None });
                called_in
            })
        })
    }

    /// Where the turn may write. Some of what was asked for may have been given up.
    pub(crate) fn roots(&self) -> Option<WritableRoots> {
        self.queue.lock().line.roots(self.key).cloned()
    }

    /// A sentence part about what it waits for, or nothing if it does not wait or that is not known.
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
    use crate::session::table::Who;
    use futures::FutureExt;

    fn session(number: u8) -> Option<SessionId> {
        let id = format!("0199a213-81c0-7800-8aa1-bbab2a0350{number:02}");
        Some(id.parse().expect("a UUID"))
    }

    /// A queue of its own.
    fn queue(max_running: usize, max_waiting: usize) -> Queue {
        let who = Who { pid: 1, origin: "test".into() };
        Queue::new(max_running, max_waiting, Table::new(None, who))
    }

    fn enter(queue: &Queue, session: Option<SessionId>) -> Waiting {
        accepted(queue.enter(session, false)).expect("room")
    }

    /// Without a table it is known at once.
    fn accepted(mut waiting: Waiting) -> Result<Waiting, Full> {
        waiting.accepted().now_or_never().expect("it is known").map(|()| waiting)
    }

    /// The place of a call that can run now.
    fn now(mut waiting: Waiting) -> Result<Place, ()> {
        waiting.place().now_or_never().ok_or(())
    }

    #[test]
    fn calls_of_one_session_run_in_order_and_pass_nobody_else() {
        let queue = queue(8, 8);
        let first = now(enter(&queue, session(1))).expect("nobody before it");
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
    fn the_limit_holds_and_the_line_is_served_in_order() {
        let queue = queue(1, 2);
        let running = now(enter(&queue, None)).expect("nobody before it");
        let mut second = enter(&queue, None);
        let third = enter(&queue, None);
        assert_eq!(accepted(queue.enter(None, false)).err(), Some(Full { running: 1, waiting: 2 }));
        drop(third);
        assert!(accepted(queue.enter(None, false)).is_ok(), "who leaves the line makes room");
        drop(running);
        assert!(second.place().now_or_never().is_some());
    }

    #[test]
    fn whoever_goes_in_front_is_next_in_its_session() {
        let queue = queue(8, 8);
        let running = now(enter(&queue, session(1))).expect("nobody before it");
        let mut second = enter(&queue, session(1));
        let mut front = accepted(queue.enter(session(1), true)).expect("room");
        assert!(front.place().now_or_never().is_none(), "the one that runs is not stopped");
        drop(running);
        assert!(second.place().now_or_never().is_none(), "the other goes before it");
        drop(front.place().now_or_never().expect("its turn"));
        assert!(second.place().now_or_never().is_some());
    }

    #[test]
    fn without_a_line_whoever_can_run_runs() {
        let queue = queue(1, 0);
        let running = now(enter(&queue, None)).expect("nobody before it");
        assert!(accepted(queue.enter(None, false)).is_err());
        drop(running);
        assert!(accepted(queue.enter(None, false)).is_ok());
    }

    #[test]
    fn a_place_that_is_not_taken_is_given_on() {
        let queue = queue(1, 8);
        let waiting = enter(&queue, session(1));
        let next = enter(&queue, session(1));
        drop(waiting);
        assert!(now(next).is_ok());
    }

    #[test]
    fn a_session_that_began_here_is_waited_for() {
        let queue = queue(8, 8);
        let mut place = now(enter(&queue, None)).expect("nobody before it");
        drop(place.adopt(session(1).expect("just made")));
        let mut next = enter(&queue, session(1));
        assert!(next.place().now_or_never().is_none());
        drop(place);
        assert!(next.place().now_or_never().is_some());
    }

    #[test]
    fn a_place_waits_once_more_for_one_that_may_write_around_its_folder() {
        let queue = queue(8, 8);
        let roots = |own: &str| WritableRoots { own: vec![own.into()], ..WritableRoots::default() };
        let [mut outer, mut inner, mut beside] =
            [(); 3].map(|()| now(enter(&queue, None)).expect("there is room"));
        assert!(outer.settle(None).is_none(), "it may not write");
        let settle = |place: &mut Place, own: &str| {
            place.settle(Some(&roots(own))).expect("it was not known").now_or_never().is_some()
        };
        assert!(settle(&mut outer, "/a"));
        assert!(!settle(&mut inner, "/a/b"));
        assert!(settle(&mut beside, "/c"));
        assert!(beside.settle(Some(&roots("/c"))).is_none(), "it runs with just these");
        let in_front = |place: &Place| place.in_front().now_or_never().expect("it is known");
        assert!(in_front(&inner).contains("/a/b"), "{}", in_front(&inner));
        // Other folders than before are asked for anew.
        assert!(settle(&mut inner, "/d"));
        assert!(!settle(&mut inner, "/a/b"));
        drop(outer);
        assert_eq!(in_front(&inner), "");
        assert_eq!(inner.roots(), Some(roots("/a/b")));
    }
}
