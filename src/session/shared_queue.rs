//! The queue that all servers of the user share, as this server sees it: what to conclude from the
//! table that the [`TableThread`](super::table_thread) reads, and what to write there. Nothing here
//! waits for a disk.
//!
//! Each sync merges the table with what is known here, so that nothing is lost when the table is
//! unavailable for a moment or was deleted. Without a table the server has a queue of its own.

use std::time::{Duration, Instant, SystemTime};

use super::calls::{Calls, Key, OtherCall, PendingWrites};
use super::order::{self, Entry, InFront};
use super::table::{Locked, PATIENCE, ServerInfo, Slot, Unavailable};
use super::writable_roots::{Clash, WritableRoots};
use crate::model::session_id::SessionId;

/// How often to check whether another server has made room: for the first waiting call, and at
/// least for any. The further back a call waits, the less often, so that many waiting calls neither
/// keep each other from the table nor load the machine. A server that makes room rings for those
/// whose turn it is then, but a dead one does not.
const WITH_BELL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));
const WITHOUT_BELL: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// How often a server whose calls all run checks that its entries are still in the table, which
/// may have been deleted.
const CHECK_EVERY: Duration = Duration::from_secs(5);

/// How many places further back add one step to the delay.
const PLACES_PER_STEP: usize = 2;

/// The pause between liveness checks: one rest for each `OTHERS_PER_REST` calls of others, times a
/// factor that grows with the place in the queue.
const OTHERS_PER_REST: usize = 4;
const REST: Duration = Duration::from_millis(50);
const MAX_FACTOR: usize = 5;

/// The calls of this server among all others.
#[derive(Debug, Default)]
pub(crate) struct SharedQueue {
    calls: Calls,
    /// Calls whose turn it is, and that start as soon as that is published.
    starts: Vec<Key>,
    /// Since when the same lock on the table has blocked this server, and when it was taken.
    blocked: Option<(Instant, Option<SystemTime>)>,
    /// When the liveness of the other servers was last checked.
    liveness_checked: Option<Instant>,
    /// When the next running call of a dead server can be removed.
    next_removal: Option<Instant>,
    /// Whether a turn cannot start because others cannot be informed.
    unpublished: bool,
    /// Whether others can wake this server when it is its turn.
    has_bell: bool,
    /// Whether the disk with the table does not answer.
    disk_hangs: bool,
    warned: bool,
}

impl SharedQueue {
    /// Puts a call at the end of the queue. The next sync decides whether it can start.
    pub(crate) fn join(&mut self, session: Option<SessionId>, front: bool, limit: usize) -> Key {
        self.calls.join(session, front, limit)
    }

    /// Makes a running call wait in its place until its turn may write in `roots`. Returns whether
    /// it has to wait; the next sync decides whether it can start.
    pub(crate) fn wait_for_roots(&mut self, key: Key, roots: Option<&WritableRoots>) -> bool {
        self.calls.wait_for_roots(key, roots)
    }

    /// Where a running call's turn may write, which can be less than it requested.
    pub(crate) fn roots(&self, key: Key) -> Option<&WritableRoots> {
        self.calls.roots(key)
    }

    /// Removes a call, waiting or running. The next sync publishes that.
    pub(crate) fn leave(&mut self, key: Key) {
        self.calls.leave(key);
    }

    /// Records the session that a running call has started. The next sync publishes it.
    pub(crate) fn adopt(&mut self, key: Key, session: SessionId) {
        self.calls.adopt(key, session);
    }

    /// The number of running calls on all servers, as last seen.
    pub(crate) fn running(&self) -> usize {
        self.calls.running()
    }

    /// Whether a call's turn has been decided on at least once since it came.
    pub(crate) fn is_considered(&self, key: Key) -> bool {
        self.calls.is_considered(key)
    }

    /// Whether no call waits or runs here.
    pub(crate) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Whether another sync may change anything even if nothing happens here.
    pub(crate) fn needs_sync(&self) -> bool {
        !self.calls.are_out_of_table()
    }

    /// The delay before that sync.
    pub(crate) fn next_sync_after(&self) -> Duration {
        if !(self.unpublished || self.calls.wait_for_others() || self.calls.have_changed()) {
            return CHECK_EVERY;
        }
        let (first, last) = if self.has_bell { WITH_BELL } else { WITHOUT_BELL };
        let after = times(first, 1 + self.calls.in_front() / PLACES_PER_STEP).min(last);
        match self.next_removal.filter(|_| self.calls.wait_for_others()) {
            Some(at) => at.saturating_duration_since(Instant::now()).clamp(REST, after.max(REST)),
            None => after,
        }
    }

    /// Whether another process held the table's lock at the last sync.
    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked.is_some()
    }

    /// Records which table is locked. Returns the slots to free there.
    pub(crate) fn attach(&mut self, table: &Locked<'_>) -> Vec<usize> {
        self.has_bell = table.has_bell();
        self.calls.attach(table.opening, table.server());
        self.calls.stale_slots()
    }

    /// These slots were freed.
    pub(crate) fn slots_freed(&mut self, slots: &[usize]) {
        self.calls.slots_freed(slots);
    }

    /// Decides by what was read which calls start. Returns the calls of others, and whether it is
    /// time to check their liveness.
    pub(crate) fn decide(&mut self, text: &[u8]) -> (Vec<OtherCall>, bool) {
        let others = self.calls.read(text);
        self.decide_among(&others);
        let now = Instant::now();
        let factor = 1 + self.calls.in_front() / PLACES_PER_STEP;
        let rest = times(REST, others.len() / OTHERS_PER_REST * factor.min(MAX_FACTOR));
        let rested = self
            .liveness_checked
            .is_none_or(|liveness_checked| now.duration_since(liveness_checked) >= rest);
        let is_time = self.calls.waiting() > 0 && rested && !others.is_empty();
        if is_time {
            self.liveness_checked = Some(now);
        }
        (others, is_time)
    }

    /// Records when the next running call of a dead server can be removed.
    pub(crate) fn set_next_removal(&mut self, at: Option<Instant>) {
        self.next_removal = at;
    }

    /// Decides again, after calls of dead servers were removed.
    pub(crate) fn decide_among(&mut self, others: &[OtherCall]) {
        let starts = self.calls.decide(others, Instant::now(), true);
        self.starts.extend(starts);
    }

    /// Servers whose turn it is and that have not been woken yet.
    pub(crate) fn take_servers_to_wake(&mut self) -> Vec<String> {
        self.calls.take_servers_to_wake()
    }

    /// The changes to write, given the calls of the others.
    pub(crate) fn take_changes(
        &mut self,
        text: &[u8],
        others: &[OtherCall],
    ) -> std::io::Result<PendingWrites> {
        self.calls.take_changes(text, others)
    }

    /// The first `count` of these slots were written.
    pub(crate) fn written(&mut self, slots: Vec<(Key, usize, Slot)>, count: usize) {
        self.calls.written(slots, count);
    }

    /// Ends a successful sync. Returns the calls that start.
    pub(crate) fn sync_succeeded(&mut self) -> Vec<Key> {
        self.blocked = None;
        self.unpublished = false;
        self.disk_hangs = false;
        std::mem::take(&mut self.starts)
    }

    /// Ends a sync that could not read or not write the table. Returns the calls that start all the
    /// same, and whether to close the table until the next sync: to other servers this one is gone
    /// then, and they ignore what they may still read of it. While a turn that may write runs here,
    /// the table stays open so that it keeps counting.
    pub(crate) fn sync_failed(
        &mut self,
        problem: &Unavailable,
        last_locked: Option<SystemTime>,
        was_read: bool,
    ) -> (Vec<Key>, bool) {
        let now = Instant::now();
        self.disk_hangs = false;
        if matches!(problem, Unavailable::Held) {
            let blocked = self.blocked.filter(|(_, before)| *before == last_locked);
            let (since, _) = *self.blocked.insert(blocked.unwrap_or((now, last_locked)));
            if now.duration_since(since) < PATIENCE {
                return (Vec::new(), false);
            }
            self.warn(problem);
            return (self.start_alone(false), false);
        }
        self.blocked = None;
        self.warn(problem);
        let starts = if was_read {
            // These calls may start whatever happens, except for turns that may write.
            let mut starts = std::mem::take(&mut self.starts);
            self.unpublished = self.calls.hold_back(&mut starts);
            starts
        } else {
            self.start_alone(problem.is_permanent())
        };
        let close = !self.calls.may_write();
        if close {
            self.calls.detach();
        }
        (starts, close)
    }

    /// Proceeds without the table while a sync takes too long.
    pub(crate) fn disk_timed_out(&mut self) -> Vec<Key> {
        self.disk_hangs = true;
        self.blocked = None;
        self.warn(&"its disk does not respond");
        self.start_alone(false)
    }

    /// Decides without the calls of others. Turns that may write wait, unless the cause is
    /// permanent: others may be running with which they clash.
    pub(crate) fn start_alone(&mut self, permanent: bool) -> Vec<Key> {
        // Calls whose turn it was when the table could still be read.
        let mut starts = std::mem::take(&mut self.starts);
        if !permanent {
            self.calls.hold_back(&mut starts);
        }
        starts.extend(self.calls.decide(&[], Instant::now(), permanent));
        self.unpublished = !permanent && self.calls.waiting() > 0;
        starts
    }

    /// A phrase about what a call waits for, empty if that is not known. `others` are the calls of
    /// other servers; `who` says who a server is.
    pub(crate) fn in_front(
        &self,
        key: Key,
        others: &[OtherCall],
        who: impl Fn(&str) -> Option<ServerInfo>,
    ) -> String {
        let Some(waits) = self.calls.entry(key) else { return String::new() };
        let calls: Vec<&Entry> =
            self.calls.entries().chain(others.iter().map(|seen| &seen.entry)).collect();
        let (call, clash) = match order::in_front(&calls, waits) {
            Some(InFront::Call(call)) => (call, None),
            Some(InFront::Folder(call, clash)) => (call, Some(clash)),
            Some(InFront::Limit(running)) => {
                return format!("{running} calls are running, which is the limit");
            }
            None if self.disk_hangs => {
                return "the disk with the shared queue does not respond".into();
            }
            None if waits.roots.is_some() && self.blocked.is_some() => {
                return "another process holds the lock of the shared queue".into();
            }
            None if self.unpublished => return "the shared queue cannot be written".into(),
            None => return String::new(),
        };
        let is_other = others.iter().any(|other| std::ptr::eq(&other.entry, call));
        let whose = match is_other.then(|| who(&call.server)) {
            None => "this server".into(),
            Some(None) => "another server".into(),
            Some(Some(who)) => format!("another server ({}, process {})", who.origin, who.pid),
        };
        let what = if call.running { "is running" } else { "is waiting to run" };
        match clash {
            None => format!("{whose} {what} a call in this session"),
            Some(Clash { theirs, mine }) if theirs.is_empty() || mine.is_empty() => {
                format!("{whose} {what} a call that may write to many folders")
            }
            Some(Clash { theirs, mine }) => format!(
                "{whose} {what} a call that may write to {theirs}, and this call may write to {mine}, so \
                 one could replace the folder of the other"
            ),
        }
    }

    fn warn(&mut self, problem: &dyn std::fmt::Display) {
        if !std::mem::replace(&mut self.warned, true) {
            tracing::warn!(%problem, "the queue is not shared with other servers");
        }
    }
}

fn times(duration: Duration, times: usize) -> Duration {
    duration.saturating_mul(u32::try_from(times).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    fn writes_in(folder: &str) -> WritableRoots {
        WritableRoots { own: vec![folder.into()], ..WritableRoots::default() }
    }

    #[test]
    fn a_turn_that_was_held_back_while_the_disk_hung_starts_once_it_answers() {
        let mut queue = SharedQueue::default();
        let key = queue.join(None, false, 1);
        assert!(queue.wait_for_roots(key, Some(&writes_in("/a"))));
        queue.decide_among(&[]);
        let writing = queue.take_changes(&[], &[]).expect("it fits");
        // The disk hangs while that is written.
        assert!(queue.disk_timed_out().is_empty());
        queue.written(writing.slots, 1);
        assert!(queue.sync_succeeded().is_empty());
        assert!(queue.needs_sync() && queue.next_sync_after() < CHECK_EVERY);
        queue.decide_among(&[]);
        assert_eq!(queue.sync_succeeded(), [key]);
    }

    #[test]
    fn running_calls_are_written_again_once_a_full_disk_has_room() {
        let mut queue = SharedQueue::default();
        let [published, unpublished] = [(); 2].map(|()| {
            let key = queue.join(None, false, 2);
            queue.decide_among(&[]);
            let writing = queue.take_changes(&[], &[]).expect("it fits");
            queue.written(writing.slots, usize::from(key == 0));
            key
        });
        let full = || Unavailable::Broken(io::ErrorKind::StorageFull.into());
        assert_eq!(
            queue.sync_failed(&full(), None, true),
            (vec![published, unpublished], true),
            "they do not write"
        );
        assert_eq!(queue.take_changes(&[], &[]).expect("it fits").slots.len(), 2);
        // Nor is a call whose entry was lost together with the table.
        assert!(queue.sync_failed(&full(), None, false).1);
        assert!(queue.needs_sync() && queue.next_sync_after() < CHECK_EVERY);
    }

    #[test]
    fn a_server_without_calls_does_not_sync() {
        let mut queue = SharedQueue::default();
        assert!(!queue.needs_sync());
        let key = queue.join(None, false, 1);
        queue.decide_among(&[]);
        let writing = queue.take_changes(&[], &[]).expect("it fits");
        queue.written(writing.slots, 1);
        queue.leave(key);
        assert!(queue.needs_sync(), "others find it in the table");
        queue.slots_freed(&[0]);
        assert!(!queue.needs_sync());
    }
}
