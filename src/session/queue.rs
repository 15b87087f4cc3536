//! The order of calls: one at a time in a session, so many at a time in all, the rest in line.
//!
//! Calls of one session run in the order in which they came. Calls of different sessions start in
//! order too, but a call whose session is at work is passed by, so that it holds nobody up. One that
//! has its place may have to wait in it once more, when it is known where its turn is to write. All
//! servers of the user share one [`Line`]; here is who waits in this one, and who wakes them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::calls::Key;
use super::line::Line;
use super::roots::Roots;
use super::table::Table;
use crate::turn::request::SessionId;

/// How soon a table is tried again that another server had locked, at first and at last.
const TRY_AGAIN: Duration = Duration::from_millis(1);
const TRY_AT_LEAST_EVERY: Duration = Duration::from_millis(50);

/// The line and those who wait for their turn. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Queue(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    line: Line,
    max_running: usize,
    max_waiting: usize,
    waiting: HashMap<Key, oneshot::Sender<()>>,
    /// Looks at what other servers do, while somebody waits for that.
    lookout: Option<JoinHandle<()>>,
}

/// The line is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full {
    pub(crate) running: usize,
    pub(crate) waiting: usize,
}

/// A call in line. Dropping it leaves the line.
#[derive(Debug)]
pub(crate) struct Waiting {
    queue: Queue,
    key: Key,
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
        Self(Arc::new(Mutex::new(State {
            line: Line::new(table),
            max_running,
            max_waiting,
            waiting: HashMap::new(),
            lookout: None,
        })))
    }

    /// Gets in line at once, so that the order of calls is the order of places. `front` is before all
    /// others that wait for the session.
    pub(crate) fn enter(&self, session: Option<SessionId>, front: bool) -> Result<Waiting, Full> {
        let waiting = self.enter_in_any_case(session, front);
        let full = self.lock().is_full_before(waiting.key);
        full.map_or(Ok(waiting), Err)
    }

    /// The same, however many wait: for what was accepted before it comes here.
    pub(crate) fn enter_in_any_case(&self, session: Option<SessionId>, front: bool) -> Waiting {
        let (call_in, called_in) = oneshot::channel();
        let mut key = 0;
        self.change(|state| {
            key = state.line.join(session, front, state.max_running);
            state.waiting.insert(key, call_in);
        });
        Waiting { queue: self.clone(), key, called_in, placed: false }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the line, and calls in whoever can start then.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        state.look();
        self.look_out(&mut state);
    }

    /// Sees to it that other servers are looked at if somebody waits for them.
    fn look_out(&self, state: &mut State) {
        let looks = state.lookout.as_ref().is_some_and(|lookout| !lookout.is_finished());
        if !looks
            && state.line.must_look_again()
            && let Ok(runtime) = Handle::try_current()
        {
            state.lookout = Some(runtime.spawn(look_out(Arc::downgrade(&self.0))));
        }
    }
}

/// Looks again and again, as long as there is something that only looking tells.
async fn look_out(state: Weak<Mutex<State>>) {
    let mut pause = TRY_AGAIN;
    loop {
        sleep(pause).await;
        let Some(queue) = state.upgrade().map(Queue) else { return };
        let mut state = queue.lock();
        state.look();
        pause = if state.line.is_held_up() {
            (pause * 2).min(TRY_AT_LEAST_EVERY)
        } else {
            state.line.look_again_after()
        };
        let done = !state.line.must_look_again();
        if done {
            // Under the lock, so that whoever needs another finds that there is none.
            state.lookout = None;
        }
        drop(state);
        if done {
            return;
        }
    }
}

impl State {
    /// Whether there is no room to wait for this call. One that can start at once does not count as
    /// waiting; whether it can is not known while another server has the table.
    fn is_full_before(&self, key: Key) -> Option<Full> {
        let waiting = self.waiting.keys().filter(|other| **other < key).count();
        let waits = self.waiting.contains_key(&key) && !self.line.is_held_up();
        let full = Full { running: self.line.running(), waiting };
        (waits && waiting >= self.max_waiting).then_some(full)
    }

    /// Calls in all who can run now. Who does not come to that any more leaves the line by itself.
    fn look(&mut self) {
        for key in self.line.look() {
            let _left = self.waiting.remove(&key).map(|call_in| call_in.send(()));
        }
    }

    /// A sentence part about what a call waits for, or nothing if it does not wait or that is not
    /// known.
    fn in_front(&mut self, key: Key) -> String {
        if self.waiting.contains_key(&key) { self.line.in_front(key) } else { String::new() }
    }

    fn leave(&mut self, key: Key) {
        self.waiting.remove(&key);
        self.line.leave(key);
    }
}

impl Waiting {
    /// Waits for the call's turn. Cancel-safe: dropped, the call leaves the line or gives its place
    /// back.
    pub(crate) async fn place(&mut self) -> Place {
        let called_in = (&mut self.called_in).await;
        called_in.expect("the line keeps every waiter until it is called in");
        self.placed = true;
        Place { queue: self.queue.clone(), key: self.key }
    }

    /// A sentence part about what it waits for, or nothing if it does not wait or that is not known.
    pub(crate) fn in_front(&self) -> String {
        self.queue.lock().in_front(self.key)
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
    /// its id wait for this one.
    pub(crate) fn adopt(&mut self, session: SessionId) {
        self.queue.change(|state| state.line.adopt(self.key, session));
    }

    /// Says where the turn is to write, if it may, before Codex starts. It may start at once with just
    /// what it said last; otherwise it waits until none runs with which that would clash, and then what
    /// was found out before may no longer hold.
    pub(crate) fn settle(&mut self, roots: Option<&Roots>) -> Option<oneshot::Receiver<()>> {
        let mut called_in = None;
        self.queue.change(|state| {
            if state.line.settle(self.key, roots) {
                let (call_in, receiver) = oneshot::channel();
                state.waiting.insert(self.key, call_in);
                called_in = Some(receiver);
            }
        });
        called_in
    }

    /// Where the turn may write. Some of what was asked for may have been given up.
    pub(crate) fn roots(&self) -> Option<Roots> {
        self.queue.lock().line.roots(self.key).cloned()
    }

    /// A sentence part about what it waits for, or nothing if it does not wait or that is not known.
    pub(crate) fn in_front(&self) -> String {
        self.queue.lock().in_front(self.key)
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
        queue.enter(session, false).expect("room")
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
        assert_eq!(queue.enter(None, false).err(), Some(Full { running: 1, waiting: 2 }));
        drop(third);
        assert!(queue.enter(None, false).is_ok(), "who leaves the line makes room");
        drop(running);
        assert!(second.place().now_or_never().is_some());
    }

    #[test]
    fn whoever_goes_in_front_is_next_in_its_session() {
        let queue = queue(8, 8);
        let running = now(enter(&queue, session(1))).expect("nobody before it");
        let mut second = enter(&queue, session(1));
        let mut front = queue.enter(session(1), true).expect("room");
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
        assert!(queue.enter(None, false).is_err());
        drop(running);
        assert!(queue.enter(None, false).is_ok());
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
        place.adopt(session(1).expect("just made"));
        let mut next = enter(&queue, session(1));
        assert!(next.place().now_or_never().is_none());
        drop(place);
        assert!(next.place().now_or_never().is_some());
    }

    #[test]
    fn a_place_waits_once_more_for_one_that_may_write_around_its_folder() {
        let queue = queue(8, 8);
        let roots = |own: &str| Roots { own: vec![own.into()], ..Roots::default() };
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
        assert!(inner.in_front().contains("/a/b"), "{}", inner.in_front());
        // Other folders than before are asked for anew.
        assert!(settle(&mut inner, "/d"));
        assert!(!settle(&mut inner, "/a/b"));
        drop(outer);
        assert_eq!(inner.in_front(), "");
        assert_eq!(inner.roots(), Some(roots("/a/b")));
    }
}
