//! The order of calls: one at a time in a session, so many at a time in all, the rest in line.
//!
//! Calls of one session run in the order in which they came. Calls of different sessions start in
//! order too, but a call whose session is at work is passed by, so that it holds nobody up.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::turn::request::SessionId;

/// The line and those who are at work. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Queue(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    max_running: usize,
    max_waiting: usize,
    running: usize,
    /// Sessions at work.
    busy: HashSet<SessionId>,
    waiting: VecDeque<Waiter>,
    next_ticket: u64,
}

#[derive(Debug)]
struct Waiter {
    ticket: u64,
    session: Option<SessionId>,
    call_in: oneshot::Sender<Place>,
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
    ticket: u64,
    called_in: oneshot::Receiver<Place>,
}

/// The right to run. Dropping it lets the next one in.
#[derive(Debug)]
pub(crate) struct Place {
    queue: Queue,
    session: Option<SessionId>,
}

impl Queue {
    pub(crate) fn new(max_running: usize, max_waiting: usize) -> Self {
        Self(Arc::new(Mutex::new(State {
            max_running,
            max_waiting,
            running: 0,
            busy: HashSet::new(),
            waiting: VecDeque::new(),
            next_ticket: 0,
        })))
    }

    /// Gets in line at once, so that the order of calls is the order of places.
    pub(crate) fn enter(&self, session: Option<SessionId>) -> Result<Waiting, Full> {
        let (call_in, called_in) = oneshot::channel();
        let mut state = self.lock();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.waiting.push_back(Waiter { ticket, session, call_in });
        let calls = state.promote();
        // Whoever can start at once does not count as waiting.
        if state.waiting.len() > state.max_waiting {
            state.waiting.pop_back();
            return Err(Full { running: state.running, waiting: state.waiting.len() });
        }
        drop(state);
        self.call(calls);
        Ok(Waiting { queue: self.clone(), ticket, called_in })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands out places, outside the lock: a place that nobody takes comes back by being dropped.
    fn call(&self, calls: Vec<Waiter>) {
        for Waiter { session, call_in, .. } in calls {
            drop(call_in.send(Place { queue: self.clone(), session }));
        }
    }
}

impl State {
    /// Takes out of the line, from its head, all who can run now.
    fn promote(&mut self) -> Vec<Waiter> {
        let mut calls = Vec::new();
        let mut passed_by = HashSet::new();
        let mut at = 0;
        while self.running < self.max_running && at < self.waiting.len() {
            let session = self.waiting[at].session;
            let must_wait = session.is_some_and(|session| {
                self.busy.contains(&session) || passed_by.contains(&session)
            });
            if must_wait {
                passed_by.extend(session);
                at += 1;
                continue;
            }
            self.running += 1;
            self.busy.extend(session);
            calls.extend(self.waiting.remove(at));
        }
        calls
    }
}

impl Waiting {
    /// Waits for the call's turn. Cancel-safe: dropped, the call leaves the line or gives its place
    /// back.
    pub(crate) async fn place(mut self) -> Place {
        (&mut self.called_in).await.expect("the line keeps every waiter until it is called in")
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let ticket = self.ticket;
        self.queue.lock().waiting.retain(|waiter| waiter.ticket != ticket);
    }
}

impl Place {
    /// Takes note of the session that Codex began for this call, so that calls that already know
    /// its id wait for this one.
    pub(crate) fn adopt(&mut self, session: SessionId) {
        if self.session.is_none() && self.queue.lock().busy.insert(session) {
            self.session = Some(session);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        state.running -= 1;
        if let Some(session) = self.session {
            state.busy.remove(&session);
        }
        let calls = state.promote();
        drop(state);
        self.queue.call(calls);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn session(number: u8) -> Option<SessionId> {
        let id = format!("0199a213-81c0-7800-8aa1-bbab2a0350{number:02}");
        Some(id.parse().expect("a UUID"))
    }

    /// The place of a call that can run now.
    fn now(waiting: Waiting) -> Result<Place, ()> {
        waiting.place().now_or_never().ok_or(())
    }

    #[test]
    fn calls_of_one_session_run_in_order_and_pass_nobody_else() {
        let queue = Queue::new(8, 8);
        let first = now(queue.enter(session(1)).expect("room")).expect("nobody before it");
        let mut second = Box::pin(queue.enter(session(1)).expect("room").place());
        let mut third = Box::pin(queue.enter(session(1)).expect("room").place());
        assert!(now(queue.enter(session(2)).expect("room")).is_ok(), "another session is free");
        assert!((&mut second).now_or_never().is_none());
        drop(first);
        assert!((&mut third).now_or_never().is_none(), "the second is before the third");
        let second = second.now_or_never().expect("its turn");
        drop(second);
        assert!(third.now_or_never().is_some());
    }

    #[test]
    fn the_limit_holds_and_the_line_is_served_in_order() {
        let queue = Queue::new(1, 2);
        let running = now(queue.enter(None).expect("room")).expect("nobody before it");
        let mut second = Box::pin(queue.enter(None).expect("room").place());
        let third = queue.enter(None).expect("room");
        assert_eq!(queue.enter(None).err(), Some(Full { running: 1, waiting: 2 }));
        drop(third);
        assert!(queue.enter(None).is_ok(), "who leaves the line makes room");
        drop(running);
        assert!((&mut second).now_or_never().is_some());
    }

    #[test]
    fn without_a_line_whoever_can_run_runs() {
        let queue = Queue::new(1, 0);
        let running = now(queue.enter(None).expect("room")).expect("nobody before it");
        assert!(queue.enter(None).is_err());
        drop(running);
        assert!(queue.enter(None).is_ok());
    }

    #[test]
    fn a_place_that_is_not_taken_is_given_on() {
        let queue = Queue::new(1, 8);
        let waiting = queue.enter(session(1)).expect("room");
        let next = queue.enter(session(1)).expect("room");
        drop(waiting);
        assert!(now(next).is_ok());
    }

    #[test]
    fn a_session_that_began_here_is_waited_for() {
        let queue = Queue::new(8, 8);
        let mut place = now(queue.enter(None).expect("room")).expect("nobody before it");
        place.adopt(session(1).expect("just made"));
        let mut next = Box::pin(queue.enter(session(1)).expect("room").place());
        assert!((&mut next).now_or_never().is_none());
        drop(place);
        assert!(next.now_or_never().is_some());
    }
}
