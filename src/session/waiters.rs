//! Those who wait in the queue of this process, and what the thread has to do that looks at the table.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::calls::Key;
use super::shared_queue::SharedQueue;
use super::table::{PATIENCE, Table};

/// How soon a table is tried again that another server had locked, at first and at last.
const TRY_AGAIN: Duration = Duration::from_millis(1);
const TRY_AT_LEAST_EVERY: Duration = Duration::from_millis(50);

/// How often it is seen to that looks come to an end, and after how many times one does not. Counted,
/// so that time in which this process stood still is not the disk's.
pub(super) const WATCH_EVERY: Duration = Duration::from_secs(1);
const OVERDUE: u64 = PATIENCE.as_secs() / WATCH_EVERY.as_secs();

/// What the queue shares with the thread that looks at the table.
#[derive(Debug)]
pub(super) struct Shared {
    /// Never held while anything is waited for.
    pub(super) state: Mutex<State>,
    /// Wakes that thread.
    pub(super) due: Condvar,
}

/// What that thread has to do.
pub(super) enum Due {
    Look,
    InFront(Key, oneshot::Sender<String>),
    /// Nobody is in the line any more: others need not count with this server.
    Close,
    End,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) line: SharedQueue,
    pub(super) max_running: usize,
    pub(super) max_waiting: usize,
    pub(super) waiting: HashMap<Key, Waiter>,
    /// Until a thread looks at it.
    pub(super) table: Option<Table>,
    /// Something has changed here since the last look began.
    pub(super) changed: bool,
    /// A look is under way.
    pub(super) looks: bool,
    /// How often a look was found not to have ended.
    pub(super) overdue: u64,
    /// When it is looked although nothing has changed here, and how soon a table is tried again.
    pub(super) next_look: Option<Instant>,
    pub(super) pause: Duration,
    /// Calls of which it is asked what they wait for.
    pub(super) questions: Vec<(Key, oneshot::Sender<String>)>,
    /// Those who wait until others know what has changed, until these are dropped: after the next look,
    /// and after the present one.
    pub(super) untold: Vec<oneshot::Sender<()>>,
    pub(super) being_told: Vec<oneshot::Sender<()>>,
    /// Those who wait until this server has left the line, in the same way.
    pub(super) leaving: Vec<oneshot::Sender<()>>,
    /// It has, and nobody has come since.
    pub(super) closed: bool,
    pub(super) is_over: bool,
    pub(super) watch: Option<JoinHandle<()>>,
}

/// Who waits for a call's turn.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) call_in: oneshot::Sender<()>,
    /// Is told whether the call may wait, if there may be too many.
    pub(super) accept: Option<oneshot::Sender<Result<(), Full>>>,
}

/// The line is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full {
    pub(crate) running: usize,
    pub(crate) waiting: usize,
}

impl Shared {
    pub(super) fn new(max_running: usize, max_waiting: usize, table: Table) -> Self {
        let state = State {
            line: SharedQueue::default(),
            max_running,
            max_waiting,
            waiting: HashMap::new(),
            table: Some(table),
            changed: false,
            looks: false,
            overdue: 0,
            next_look: None,
            pause: TRY_AGAIN,
            questions: Vec::new(),
            untold: Vec::new(),
            being_told: Vec::new(),
            leaving: Vec::new(),
            closed: false,
            is_over: false,
            watch: None,
        };
        Self { state: Mutex::new(state), due: Condvar::new() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works with the line.
    pub(super) fn line<T>(&self, work: impl FnOnce(&mut SharedQueue) -> T) -> T {
        work(&mut self.lock().line)
    }

    /// Waits until the thread that looks at the table has something to do.
    pub(super) fn wait(&self) -> Due {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            if state.changed || state.next_look.is_some_and(|at| at <= now) {
                state.changed = false;
                state.looks = true;
                state.being_told = std::mem::take(&mut state.untold);
                return Due::Look;
            }
            if let Some((key, answer)) = state.questions.pop() {
                return Due::InFront(key, answer);
            }
            if state.is_over {
                return Due::End;
            }
            if !state.leaving.is_empty() && state.line.is_empty() && !state.closed {
                state.closed = true;
                return Due::Close;
            }
            state.leaving.clear();
            state.closed = false;
            state = match state.next_look {
                None => self.due.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(at) => {
                    let waited = self.due.wait_timeout(state, at.saturating_duration_since(now));
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Others have made room.
    pub(super) fn rung(&self) {
        let mut state = self.lock();
        if !state.waiting.is_empty() {
            state.changed = true;
            self.due.notify_one();
        }
    }

    /// A look has come to its end, and these start.
    pub(super) fn looked(&self, starts: Vec<Key>) {
        let mut state = self.lock();
        state.looks = false;
        state.overdue = 0;
        state.pause = match state.line.is_held_up() {
            true => (state.pause * 2).min(TRY_AT_LEAST_EVERY),
            false => TRY_AGAIN,
        };
        let pause = match state.line.is_held_up() {
            true => state.pause,
            false => state.line.look_again_after(),
        };
        state.next_look = state.line.must_look_again().then(|| Instant::now() + pause);
        state.call_in(starts);
        state.being_told.clear();
    }
}

impl State {
    pub(super) fn is_waited_for(&self) -> bool {
        !(self.waiting.is_empty() && self.untold.is_empty() && self.being_told.is_empty())
    }

    /// Whether a look takes longer than anybody waits for it.
    pub(super) fn is_overdue(&self) -> bool {
        self.overdue > OVERDUE
    }

    /// Looks without a table, which there never will be.
    pub(super) fn look_alone(&mut self) {
        self.changed = false;
        let starts = self.line.alone(true);
        self.call_in(starts);
        self.untold.clear();
    }

    /// Goes on without the table until the present look ends.
    pub(super) fn go_on_alone(&mut self) {
        let starts = self.line.unanswered();
        self.call_in(starts);
        self.untold.clear();
        self.being_told.clear();
    }

    /// Calls in all who can run now. Who does not come to that any more leaves the line by itself.
    /// Those who cannot may wait, unless too many do already.
    pub(super) fn call_in(&mut self, starts: Vec<Key>) {
        for key in starts {
            let Some(waiter) = self.waiting.remove(&key) else { continue };
            let _accepted = waiter.accept.map(|accept| accept.send(Ok(())));
            let _left = waiter.call_in.send(());
        }
        let new = self.waiting.iter().filter(|(_, waiter)| waiter.accept.is_some());
        let mut new: Vec<Key> =
            new.map(|(key, _)| *key).filter(|key| self.line.is_considered(*key)).collect();
        new.sort_unstable();
        for key in new {
            let waiting = self.waiting.keys().filter(|other| **other < key).count();
            let accept = self.waiting.get_mut(&key).and_then(|waiter| waiter.accept.take());
            let Some(accept) = accept else { continue };
            let is_full = waiting >= self.max_waiting;
            let full = Full { running: self.line.running(), waiting };
            let _accepted = accept.send(if is_full { Err(full) } else { Ok(()) });
            if is_full {
                self.leave(key);
                self.changed = true;
            }
        }
    }

    pub(super) fn leave(&mut self, key: Key) {
        self.waiting.remove(&key);
        self.line.leave(key);
    }
}
