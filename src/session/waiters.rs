//! The calls that wait in this process, and the work queue of the table thread.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::calls::Key;
use super::shared_queue::SharedQueue;
use super::table::{PATIENCE, Table};

/// The delay before retrying a table that another server has locked: the first one, and the
/// longest.
const TRY_AGAIN: Duration = Duration::from_millis(1);
const TRY_AT_LEAST_EVERY: Duration = Duration::from_millis(50);

/// How often to check that a sync with the table comes to an end, and after how many checks it is
/// overdue. Checks are counted instead of measuring time, so that a pause of this process does not
/// count against the disk.
pub(super) const WATCH_EVERY: Duration = Duration::from_secs(1);
const OVERDUE: u64 = PATIENCE.as_secs() / WATCH_EVERY.as_secs();

/// What the queue shares with the table thread.
#[derive(Debug)]
pub(super) struct Shared {
    /// Never held across anything that blocks.
    pub(super) state: Mutex<State>,
    /// Wakes the table thread.
    pub(super) due: Condvar,
}

/// What the table thread should do next.
pub(super) enum Due {
    Sync,
    InFront(Key, oneshot::Sender<String>),
    /// The queue is empty: other servers need not count this one.
    Close,
    End,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) queue: SharedQueue,
    pub(super) max_running: usize,
    pub(super) max_waiting: usize,
    pub(super) waiting: HashMap<Key, Waiter>,
    /// Taken by the table thread when it starts.
    pub(super) table: Option<Table>,
    /// Whether anything has changed since the last sync started.
    pub(super) changed: bool,
    /// Whether a sync is in progress.
    pub(super) syncing: bool,
    /// How many checks in a row have found the sync unfinished.
    pub(super) overdue: u64,
    /// When to sync even if nothing has changed here, and the current delay before retrying the
    /// table.
    pub(super) next_sync: Option<Instant>,
    pub(super) pause: Duration,
    /// Calls whose reason to wait was requested.
    pub(super) questions: Vec<(Key, oneshot::Sender<String>)>,
    /// Dropped when other servers know about the changes: after the next sync, and after the
    /// present one.
    pub(super) unpublished: Vec<oneshot::Sender<()>>,
    pub(super) publishing: Vec<oneshot::Sender<()>>,
    /// Dropped, in the same way, when this server has left the shared queue.
    pub(super) leaving: Vec<oneshot::Sender<()>>,
    /// The server has left it, and no call has come since.
    pub(super) closed: bool,
    pub(super) is_over: bool,
    pub(super) watch: Option<JoinHandle<()>>,
}

/// A call that waits for its turn.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) admit: oneshot::Sender<()>,
    /// Reports whether the call may wait, where the number of waiting calls is limited.
    pub(super) accept: Option<oneshot::Sender<Result<(), Full>>>,
}

/// The queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full {
    pub(crate) running: usize,
    pub(crate) waiting: usize,
}

impl Shared {
    pub(super) fn new(max_running: usize, max_waiting: usize, table: Table) -> Self {
        let state = State {
            queue: SharedQueue::default(),
            max_running,
            max_waiting,
            waiting: HashMap::new(),
            table: Some(table),
            changed: false,
            syncing: false,
            overdue: 0,
            next_sync: None,
            pause: TRY_AGAIN,
            questions: Vec::new(),
            unpublished: Vec::new(),
            publishing: Vec::new(),
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

    /// Accesses the shared queue.
    pub(super) fn queue<T>(&self, work: impl FnOnce(&mut SharedQueue) -> T) -> T {
        work(&mut self.lock().queue)
    }

    /// Waits until the table thread has something to do.
    pub(super) fn wait(&self) -> Due {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            if state.changed || state.next_sync.is_some_and(|at| at <= now) {
                state.changed = false;
                state.syncing = true;
                state.publishing = std::mem::take(&mut state.unpublished);
                return Due::Sync;
            }
            if let Some((key, answer)) = state.questions.pop() {
                return Due::InFront(key, answer);
            }
            if state.is_over {
                return Due::End;
            }
            if !state.leaving.is_empty() && state.queue.is_empty() && !state.closed {
                state.closed = true;
                return Due::Close;
            }
            state.leaving.clear();
            state.closed = false;
            state = match state.next_sync {
                None => self.due.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(at) => {
                    let waited = self.due.wait_timeout(state, at.saturating_duration_since(now));
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Other servers have made room.
    pub(super) fn woken(&self) {
        let mut state = self.lock();
        if !state.waiting.is_empty() {
            state.changed = true;
            self.due.notify_one();
        }
    }

    /// A sync has ended, and these calls start.
    pub(super) fn synced(&self, starts: Vec<Key>) {
        let mut state = self.lock();
        state.syncing = false;
        state.overdue = 0;
        state.pause = match state.queue.is_blocked() {
            true => (state.pause * 2).min(TRY_AT_LEAST_EVERY),
            false => TRY_AGAIN,
        };
        let pause = match state.queue.is_blocked() {
            true => state.pause,
            false => state.queue.next_sync_after(),
        };
        state.next_sync = state.queue.needs_sync().then(|| Instant::now() + pause);
        state.admit(starts);
        state.publishing.clear();
    }
}

impl State {
    pub(super) fn has_waiters(&self) -> bool {
        !(self.waiting.is_empty() && self.unpublished.is_empty() && self.publishing.is_empty())
    }

    /// Whether a sync takes longer than any call should wait for it.
    pub(super) fn is_overdue(&self) -> bool {
        self.overdue > OVERDUE
    }

    /// Decides without a table, where there never will be one.
    pub(super) fn start_without_table(&mut self) {
        self.changed = false;
        let starts = self.queue.start_alone(true);
        self.admit(starts);
        self.unpublished.clear();
    }

    /// Proceeds without the table until the present sync ends.
    pub(super) fn continue_without_table(&mut self) {
        let starts = self.queue.disk_timed_out();
        self.admit(starts);
        self.unpublished.clear();
        self.publishing.clear();
    }

    /// Starts these calls. A call whose waiter is gone leaves the queue by itself. The others may
    /// wait, unless too many do already.
    pub(super) fn admit(&mut self, starts: Vec<Key>) {
        for key in starts {
            let Some(waiter) = self.waiting.remove(&key) else { continue };
            let _accepted = waiter.accept.map(|accept| accept.send(Ok(())));
            let _left = waiter.admit.send(());
        }
        let new = self.waiting.iter().filter(|(_, waiter)| waiter.accept.is_some());
        let mut new: Vec<Key> =
            new.map(|(key, _)| *key).filter(|key| self.queue.is_considered(*key)).collect();
        new.sort_unstable();
        for key in new {
            let waiting = self.waiting.keys().filter(|other| **other < key).count();
            let accept = self.waiting.get_mut(&key).and_then(|waiter| waiter.accept.take());
            let Some(accept) = accept else { continue };
            let is_full = waiting >= self.max_waiting;
            let full = Full { running: self.queue.running(), waiting };
            let _accepted = accept.send(if is_full { Err(full) } else { Ok(()) });
            if is_full {
                self.leave(key);
                self.changed = true;
            }
        }
    }

    pub(super) fn leave(&mut self, key: Key) {
        self.waiting.remove(&key);
        self.queue.leave(key);
    }
}
