//! The line that all servers of the user share, as this one sees it.
//!
//! Each [`Line::look`] brings the [`Table`] and what is known here together, so that nothing is lost
//! when the table cannot be had for a moment, or is deleted. Without a table the server is for itself.

use std::io;
use std::time::{Duration, Instant, SystemTime};

use super::calls::{Calls, Key, Seen, others_in};
use super::order::{self, Entry, InFront};
use super::roots::{Clash, Roots};
use super::table::{Locked, Table, Unavailable};
use crate::turn::request::SessionId;

/// How long another process is waited for that has the table locked, or whose turn it is: one that
/// was stopped (by Ctrl-Z, say) is alive and does nothing.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// How often it is looked whether another server has made room: by the first of those who wait, and at
/// least by all of them. The further back, the rarer, so that many who wait do not keep each other
/// from the table, nor the machine from its work.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_secs(1);

/// So many places further back, looks are rarer by once more the time.
const PLACES: usize = 2;

/// After so many others, it is looked again at the next look whether they are alive; after more, less
/// often.
const OTHERS: usize = 4;

/// The calls of this server among all others.
#[derive(Debug)]
pub(crate) struct Line {
    table: Table,
    calls: Calls,
    /// Since when one other has the table locked, and when it did that.
    held_up: Option<(Instant, Option<SystemTime>)>,
    /// When it was looked whether the others are alive.
    buried: Option<Instant>,
    /// Whether a turn does not start because others cannot be told of it.
    untold: bool,
    warned: bool,
}

impl Line {
    pub(crate) fn new(table: Table) -> Self {
        Self {
            table,
            calls: Calls::default(),
            held_up: None,
            buried: None,
            untold: false,
            warned: false,
        }
    }

    /// Puts a call at the end of the line. The next look tells whether it can start.
    pub(crate) fn join(&mut self, session: Option<SessionId>, front: bool, limit: usize) -> Key {
        self.calls.join(session, front, limit)
    }

    /// Has a running call wait in its place until its turn may write in `roots`. Says whether it must;
    /// the next look tells whether it can start.
    pub(crate) fn settle(&mut self, key: Key, roots: Option<&Roots>) -> bool {
        self.calls.settle(key, roots)
    }

    /// Where a running call's turn may write. Some of what was asked for may have been given up.
    pub(crate) fn roots(&self, key: Key) -> Option<&Roots> {
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

    /// Whether a later look may find more without anything happening here.
    pub(crate) fn must_look_again(&self) -> bool {
        self.is_held_up() || self.untold || self.calls.wait_for_others()
    }

    /// When it is time for that look.
    pub(crate) fn look_again_after(&self) -> Duration {
        times(LOOK_EVERY, 1 + self.calls.in_front() / PLACES).min(LOOK_AT_LEAST_EVERY)
    }

    /// Whether somebody else had the table locked at the last look.
    pub(crate) fn is_held_up(&self) -> bool {
        self.held_up.is_some()
    }

    /// Tells the others what has changed here, and who of this server's calls may start now.
    pub(crate) fn look(&mut self) -> Vec<Key> {
        let now = Instant::now();
        match self.look_together(now) {
            Ok(starts) => {
                self.held_up = None;
                starts
            }
            Err(problem @ Unavailable::Held) => {
                let locked = self.table.last_locked();
                let held_up = self.held_up.filter(|(_, before)| *before == locked);
                let (since, _) = *self.held_up.insert(held_up.unwrap_or((now, locked)));
                if now.duration_since(since) < PATIENCE {
                    return Vec::new();
                }
                self.warn(&problem);
                self.alone(false, now)
            }
            Err(problem) => {
                self.give_up(&problem);
                self.alone(problem.is_lasting(), now)
            }
        }
    }

    /// Decides without the others. A turn that may write waits, unless that will not change: others may
    /// be there with which it clashes.
    fn alone(&mut self, lasting: bool, now: Instant) -> Vec<Key> {
        self.untold = !lasting && self.calls.waiting() > 0;
        self.calls.decide(&[], now, lasting)
    }

    /// A sentence part about what a call waits for, or nothing if that is not known.
    pub(crate) fn in_front(&mut self, key: Key) -> String {
        let Some(waits) = self.calls.entry(key) else { return String::new() };
        let table = self.table.lock(true).ok();
        let seen = table.as_ref().and_then(|table| Some(others_in(&table.read().ok()?, &[])));
        let server = table.as_ref().map(|table| table.server().to_owned()).unwrap_or_default();
        let mut others = seen.unwrap_or_default();
        others.retain(|seen| seen.entry.server != server);
        let calls: Vec<&Entry> =
            self.calls.entries().chain(others.iter().map(|seen| &seen.entry)).collect();
        let (call, clash) = match order::in_front(&calls, waits) {
            Some(InFront::Call(call)) => (call, None),
            Some(InFront::Folder(call, clash)) => (call, Some(clash)),
            Some(InFront::Limit(running)) => {
                return format!("{running} calls are running, which is the limit");
            }
            None if waits.roots.is_some() && self.held_up.is_some() => {
                return "another process keeps the line of calls locked".into();
            }
            None if self.untold => return "the line of calls cannot be written".into(),
            None => return String::new(),
        };
        let is_other = others.iter().any(|other| std::ptr::eq(&other.entry, call));
        let whose = match table.filter(|_| is_other).map(|table| table.who(&call.server)) {
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

    fn look_together(&mut self, now: Instant) -> Result<Vec<Key>, Unavailable> {
        self.untold = false;
        let to_be_read = self.calls.must_read();
        if !to_be_read && !self.calls.have_changed() {
            return Ok(Vec::new());
        }
        let table = self.table.lock(to_be_read)?;
        self.calls.settle_in(&table);
        self.calls.free_what_was_left(&table)?;
        if !to_be_read {
            self.calls.write(&table, &[], &[])?;
            return Ok(Vec::new());
        }
        let text = table.read()?;
        let mut others = self.calls.read(&text);
        let mut starts = self.calls.decide(&others, now, true);
        let rest = times(LOOK_EVERY, others.len() / OTHERS);
        let rested = self.buried.is_none_or(|buried| now.duration_since(buried) >= rest);
        if self.calls.waiting() > 0 && rested {
            self.buried = Some(now);
            if bury_the_dead(&table, &mut others)? {
                starts.extend(self.calls.decide(&others, now, true));
            }
        }
        // Who may start does so whatever becomes of this, but for turns that may write.
        let written = self.calls.write(&table, &text, &others);
        drop(table);
        self.untold = written.is_err() && self.calls.hold_back(&mut starts);
        if let Err(problem) = written {
            self.give_up(&problem.into());
        }
        Ok(starts)
    }

    /// Goes on alone, until the next look. For the others this server is gone, and what they may
    /// still read of it counts no more. A turn that writes here must go on to count.
    fn give_up(&mut self, problem: &Unavailable) {
        if !self.calls.may_write() {
            self.table.close();
        }
        self.held_up = None;
        self.warn(problem);
    }

    fn warn(&mut self, problem: &Unavailable) {
        if !std::mem::replace(&mut self.warned, true) {
            tracing::warn!(%problem, "the line of calls is not shared with other servers");
        }
    }
}

fn times(duration: Duration, times: usize) -> Duration {
    duration.saturating_mul(u32::try_from(times).unwrap_or(u32::MAX))
}

/// Takes out the calls of servers that were killed. Says whether there were any.
fn bury_the_dead(table: &Locked<'_>, others: &mut Vec<Seen>) -> io::Result<bool> {
    let mut servers: Vec<String> = others.iter().map(|seen| seen.entry.server.clone()).collect();
    servers.sort_unstable();
    servers.dedup();
    servers.retain(|server| !table.is_alive(server));
    for dead in others.iter().filter(|seen| servers.contains(&seen.entry.server)) {
        table.free(dead.slot)?;
    }
    others.retain(|seen| !servers.contains(&seen.entry.server));
    Ok(!servers.is_empty())
}
