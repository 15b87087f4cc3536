//! The line that all servers of the user share, as this one sees it: what it makes of what its
//! [`TableThread`](super::table_thread) finds in the table, and tells there. Nothing here waits for a disk.
//!
//! Each look brings the table and what is known here together, so that nothing is lost when the table
//! cannot be had for a moment, or is deleted. Without a table the server is for itself.

use std::time::{Duration, Instant, SystemTime};

use super::calls::{Calls, Key, Seen, Writing};
use super::order::{self, Entry, InFront};
use super::table::{Locked, PATIENCE, Slot, Unavailable, Who};
use super::writable_roots::{Clash, WritableRoots};
use crate::model::session_id::SessionId;

/// How often it is looked whether another server has made room: by the first of those who wait, and at
/// least by all of them. The further back, the rarer, so that many who wait do not keep each other
/// from the table, nor the machine from its work. Whoever makes room rings for those whose turn it is then; the dead
/// ring for nobody.
const WITH_BELL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));
const WITHOUT_BELL: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// How often a server whose calls all run sees to it that others still find them in the table: somebody may
/// have deleted it.
const CHECK_EVERY: Duration = Duration::from_secs(5);

/// So many places further back, looks are rarer by once more the time.
const PLACES: usize = 2;

/// For so many others it takes a rest of that length until it is looked again whether they are alive, and
/// up to so many times that for those further back.
const OTHERS: usize = 4;
const REST: Duration = Duration::from_millis(50);
const MOST_LOOKS: usize = 5;

/// The calls of this server among all others.
#[derive(Debug, Default)]
pub(crate) struct SharedQueue {
    calls: Calls,
    /// Those whose turn it is, and who are called in when the others were told.
    starts: Vec<Key>,
    /// Since when one other has the table locked, and when it did that.
    held_up: Option<(Instant, Option<SystemTime>)>,
    /// When it was looked whether the others are alive.
    buried: Option<Instant>,
    /// When the next of those who are not give up the places of their turns.
    bury_at: Option<Instant>,
    /// Whether a turn does not start because others cannot be told of it.
    untold: bool,
    /// Whether others wake this server when it is its turn.
    has_bell: bool,
    /// Whether the disk with the table does not answer.
    unanswered: bool,
    warned: bool,
}

impl SharedQueue {
    /// Puts a call at the end of the line. The next look tells whether it can start.
    pub(crate) fn join(&mut self, session: Option<SessionId>, front: bool, limit: usize) -> Key {
        self.calls.join(session, front, limit)
    }

    /// Has a running call wait in its place until its turn may write in `roots`. Says whether it must;
    /// the next look tells whether it can start.
    pub(crate) fn settle(&mut self, key: Key, roots: Option<&WritableRoots>) -> bool {
        self.calls.settle(key, roots)
    }

    /// Where a running call's turn may write. Some of what was asked for may have been given up.
    pub(crate) fn roots(&self, key: Key) -> Option<&WritableRoots> {
        self.calls.roots(key)
    }

    /// Takes a call out, whether it waits or runs. The next look tells the others.
    pub(crate) fn leave(&mut self, key: Key) {
        self.calls.leave(key);
    }

    /// Takes note of the session that a running call has begun. The next look tells the others.
    pub(crate) fn adopt(&mut self, key: Key, session: SessionId) {
        self.calls.adopt(key, session);
    }

    /// How many run in all, as far as is known.
    pub(crate) fn running(&self) -> usize {
        self.calls.running()
    }

    /// Whether it was looked since a call came whether it can start.
    pub(crate) fn is_considered(&self, key: Key) -> bool {
        self.calls.is_considered(key)
    }

    /// Whether nobody waits or runs here.
    pub(crate) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Whether a later look may find more without anything happening here.
    pub(crate) fn must_look_again(&self) -> bool {
        !self.calls.are_out_of_table()
    }

    /// When it is time for that look.
    pub(crate) fn look_again_after(&self) -> Duration {
        if !(self.untold || self.calls.wait_for_others() || self.calls.have_changed()) {
            return CHECK_EVERY;
        }
        let (first, last) = if self.has_bell { WITH_BELL } else { WITHOUT_BELL };
        let after = times(first, 1 + self.calls.in_front() / PLACES).min(last);
        match self.bury_at.filter(|_| self.calls.wait_for_others()) {
            Some(at) => at.saturating_duration_since(Instant::now()).clamp(REST, after.max(REST)),
            None => after,
        }
    }

    /// Whether somebody else had the table locked at the last look.
    pub(crate) fn is_held_up(&self) -> bool {
        self.held_up.is_some()
    }

    /// Takes note of which table is locked. Says which slots are to be made free there.
    pub(crate) fn settle_in(&mut self, table: &Locked<'_>) -> Vec<usize> {
        self.has_bell = table.has_bell();
        self.calls.settle_in(table.opening, table.server());
        self.calls.left()
    }

    /// These slots are free.
    pub(crate) fn freed(&mut self, slots: &[usize]) {
        self.calls.freed(slots);
    }

    /// Decides, by what was read, who starts. Also says whether it is time to look whether the others
    /// are alive.
    pub(crate) fn decide(&mut self, text: &[u8]) -> (Vec<Seen>, bool) {
        let others = self.calls.read(text);
        self.decide_among(&others);
        let now = Instant::now();
        let looks = 1 + self.calls.in_front() / PLACES;
        let rest = times(REST, others.len() / OTHERS * looks.min(MOST_LOOKS));
        let rested = self.buried.is_none_or(|buried| now.duration_since(buried) >= rest);
        let is_time = self.calls.waiting() > 0 && rested && !others.is_empty();
        if is_time {
            self.buried = Some(now);
        }
        (others, is_time)
    }

    /// Takes note of when the next of the dead give up their places.
    pub(crate) fn bury_at(&mut self, at: Option<Instant>) {
        self.bury_at = at;
    }

    /// The same, once some of the others are known to be dead.
    pub(crate) fn decide_among(&mut self, others: &[Seen]) {
        let starts = self.calls.decide(others, Instant::now(), true);
        self.starts.extend(starts);
    }

    /// Servers that have not been told that it is their turn.
    pub(crate) fn take_next(&mut self) -> Vec<String> {
        self.calls.take_next()
    }

    /// What is to be written, beside the calls of the others.
    pub(crate) fn take_changes(
        &mut self,
        text: &[u8],
        others: &[Seen],
    ) -> std::io::Result<Writing> {
        self.calls.take_changes(text, others)
    }

    /// So many of these slots were written.
    pub(crate) fn written(&mut self, slots: Vec<(Key, usize, Slot)>, count: usize) {
        self.calls.written(slots, count);
    }

    /// Ends a look in which all went well: who starts now.
    pub(crate) fn looked(&mut self) -> Vec<Key> {
        self.held_up = None;
        self.untold = false;
        self.unanswered = false;
        std::mem::take(&mut self.starts)
    }

    /// Ends one that could not read the table, or not write it: who starts all the same, and whether
    /// the table is given up until the next look. For the others this server is then gone, and what
    /// they may still read of it counts no more. A turn that writes here must go on to count.
    pub(crate) fn failed(
        &mut self,
        problem: &Unavailable,
        last_locked: Option<SystemTime>,
        was_read: bool,
    ) -> (Vec<Key>, bool) {
        let now = Instant::now();
        self.unanswered = false;
        if matches!(problem, Unavailable::Held) {
            let held_up = self.held_up.filter(|(_, before)| *before == last_locked);
            let (since, _) = *self.held_up.insert(held_up.unwrap_or((now, last_locked)));
            if now.duration_since(since) < PATIENCE {
                return (Vec::new(), false);
            }
            self.warn(problem);
            return (self.alone(false), false);
        }
        self.held_up = None;
        self.warn(problem);
        let starts = if was_read {
            // Who may start does so whatever becomes of this, but for turns that may write.
            let mut starts = std::mem::take(&mut self.starts);
            self.untold = self.calls.hold_back(&mut starts);
            starts
        } else {
            self.alone(problem.is_lasting())
        };
        let close = !self.calls.may_write();
        if close {
            self.calls.lose_table();
        }
        (starts, close)
    }

    /// Goes on without the table while a look at it takes too long.
    pub(crate) fn unanswered(&mut self) -> Vec<Key> {
        self.unanswered = true;
        self.held_up = None;
        self.warn(&"the disk that it lies on does not answer");
        self.alone(false)
    }

    /// Decides without the others. A turn that may write waits, unless that will not change: others may
    /// be there with which it clashes.
    pub(crate) fn alone(&mut self, lasting: bool) -> Vec<Key> {
        // Those whose turn it was when the table could still be read.
        let mut starts = std::mem::take(&mut self.starts);
        if !lasting {
            self.calls.hold_back(&mut starts);
        }
        starts.extend(self.calls.decide(&[], Instant::now(), lasting));
        self.untold = !lasting && self.calls.waiting() > 0;
        starts
    }

    /// A sentence part about what a call waits for, or nothing if that is not known: by the calls of
    /// others, and by who these are.
    pub(crate) fn in_front(
        &self,
        key: Key,
        others: &[Seen],
        who: impl Fn(&str) -> Option<Who>,
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
            None if self.unanswered => {
                return "the disk that the line of calls lies on does not answer".into();
            }
            None if waits.roots.is_some() && self.held_up.is_some() => {
                return "another process keeps the line of calls locked".into();
            }
            None if self.untold => return "the line of calls cannot be written".into(),
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
            None => format!("{whose} {what} a call in the session"),
            Some(Clash { theirs, mine }) if theirs.is_empty() || mine.is_empty() => {
                format!("{whose} {what} a call that may write in many folders")
            }
            Some(Clash { theirs, mine }) => format!(
                "{whose} {what} a call that may write in {theirs}, and this one in {mine}: the one could \
                 exchange the folder of the other"
            ),
        }
    }

    fn warn(&mut self, problem: &dyn std::fmt::Display) {
        if !std::mem::replace(&mut self.warned, true) {
            tracing::warn!(%problem, "the line of calls is not shared with other servers");
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
    fn a_turn_that_was_held_back_while_a_disk_hung_starts_once_it_answers() {
        let mut line = SharedQueue::default();
        let key = line.join(None, false, 1);
        assert!(line.settle(key, Some(&writes_in("/a"))));
        line.decide_among(&[]);
        let writing = line.take_changes(&[], &[]).expect("it fits");
        // The disk hangs while that is written.
        assert!(line.unanswered().is_empty());
        line.written(writing.slots, 1);
        assert!(line.looked().is_empty());
        assert!(line.must_look_again() && line.look_again_after() < CHECK_EVERY);
        line.decide_among(&[]);
        assert_eq!(line.looked(), [key]);
    }

    #[test]
    fn what_runs_is_entered_again_once_a_full_disk_has_room() {
        let mut line = SharedQueue::default();
        let [told, untold] = [(); 2].map(|()| {
            let key = line.join(None, false, 2);
            line.decide_among(&[]);
            let writing = line.take_changes(&[], &[]).expect("it fits");
            line.written(writing.slots, usize::from(key == 0));
            key
        });
        let full = || Unavailable::Broken(io::ErrorKind::StorageFull.into());
        assert_eq!(line.failed(&full(), None, true), (vec![told, untold], true), "they only read");
        assert_eq!(line.take_changes(&[], &[]).expect("it fits").slots.len(), 2);
        // Nor is one whose entry was lost together with the table.
        assert!(line.failed(&full(), None, false).1);
        assert!(line.must_look_again() && line.look_again_after() < CHECK_EVERY);
    }

    #[test]
    fn nobody_looks_for_a_server_without_calls() {
        let mut line = SharedQueue::default();
        assert!(!line.must_look_again());
        let key = line.join(None, false, 1);
        line.decide_among(&[]);
        let writing = line.take_changes(&[], &[]).expect("it fits");
        line.written(writing.slots, 1);
        line.leave(key);
        assert!(line.must_look_again(), "others find it in the table");
        line.freed(&[0]);
        assert!(!line.must_look_again());
    }
}
