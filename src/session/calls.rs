//! This server's own calls, each with its slot in the table.

use std::collections::HashMap;
use std::io;
use std::time::Instant;

use super::order::{self, Entry, Start};
use super::table::PATIENCE;
use super::table::{SLOT, Slot, is_name, slot_of};
use super::writable_roots::WritableRoots;
use crate::model::session_id::SessionId;

/// How many free slots may stay at the end of the table.
const SPARE_SLOTS: usize = 64;

/// A call's number in this process.
pub(crate) type Key = u64;

/// The calls that wait or run here. A call with a slot has been written to the table.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    /// In order of arrival.
    own: Vec<OwnCall>,
    /// Slots of calls that have left the queue.
    stale_slots: Vec<usize>,
    /// Which opening of the table the slots belong to.
    opening: u64,
    server: String,
    next_key: Key,
    next_ticket: u64,
    /// Calls of other servers whose turn it is, by slot and ticket, and since when.
    turn_since: HashMap<(usize, u64), Instant>,
    /// Servers whose turn it is and that have not been woken yet.
    to_wake: Vec<String>,
    /// Calls of other servers, as last seen.
    others_running: usize,
    others_waiting: usize,
    /// How many waiting calls of others came before all that wait here.
    in_front: usize,
}

#[derive(Debug)]
struct OwnCall {
    key: Key,
    entry: Entry,
    /// Where its turn wants to write. It may have to do without some of these folders beside other
    /// turns.
    requested: Option<WritableRoots>,
    /// Whether its ticket is known to follow all tickets that existed before it.
    numbered: bool,
    /// Whether its turn has been decided on at least once since it came.
    considered: bool,
    /// Its slot and what is written there.
    slot: Option<(usize, Slot)>,
    changed: bool,
}

/// Changes to write to the table.
#[derive(Debug, Default)]
pub(crate) struct PendingWrites {
    /// The number of slots to keep, if the table should shrink.
    pub(crate) shorten: Option<usize>,
    pub(crate) slots: Vec<(Key, usize, Slot)>,
}

/// A call of another server.
#[derive(Debug)]
pub(crate) struct OtherCall {
    pub(crate) slot: usize,
    pub(crate) entry: Entry,
}

impl Calls {
    pub(crate) fn join(&mut self, session: Option<SessionId>, front: bool, limit: usize) -> Key {
        let (key, ticket) = (self.next_key, self.next_ticket);
        self.next_key += 1;
        self.next_ticket += 1;
        let server = self.server.clone();
        let entry = Entry { ticket, server, running: false, front, session, limit, roots: None };
        let requested = None;
        let (numbered, considered) = (false, false);
        self.own.push(OwnCall {
            key,
            entry,
            requested,
            numbered,
            considered,
            slot: None,
            changed: true,
        });
        key
    }

    /// Makes a running call wait in its place until its turn may write in `roots`. Returns whether
    /// it has to wait: a call that already runs with exactly these roots does not.
    pub(crate) fn wait_for_roots(&mut self, key: Key, roots: Option<&WritableRoots>) -> bool {
        let Some(mine) = self.own.iter_mut().find(|mine| mine.key == key) else { return false };
        if mine.entry.running && mine.requested.as_ref() == roots {
            return false;
        }
        mine.requested = roots.cloned();
        mine.entry.roots = roots.cloned();
        mine.entry.running = false;
        mine.changed = true;
        true
    }

    /// Where a call's turn may write, which can be less than it requested.
    pub(crate) fn roots(&self, key: Key) -> Option<&WritableRoots> {
        self.entry(key)?.roots.as_ref()
    }

    /// Whether a turn that may write is running here.
    pub(crate) fn may_write(&self) -> bool {
        self.entries().any(|call| call.running && call.roots.is_some())
    }

    pub(crate) fn leave(&mut self, key: Key) {
        if let Some(at) = self.own.iter().position(|mine| mine.key == key) {
            self.stale_slots.extend(self.own.remove(at).slot.map(|(slot, _)| slot));
        }
    }

    pub(crate) fn adopt(&mut self, key: Key, session: SessionId) {
        if let Some(mine) = self.own.iter_mut().find(|mine| mine.key == key) {
            mine.entry.session.get_or_insert(session);
            mine.changed = true;
        }
    }

    /// The number of calls that wait here.
    pub(crate) fn waiting(&self) -> usize {
        self.own.iter().filter(|mine| !mine.entry.running).count()
    }

    /// The number of running calls on all servers, as last seen.
    pub(crate) fn running(&self) -> usize {
        self.own.len() - self.waiting() + self.others_running
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.own.iter().map(|mine| &mine.entry)
    }

    pub(crate) fn entry(&self, key: Key) -> Option<&Entry> {
        self.own.iter().find(|mine| mine.key == key).map(|mine| &mine.entry)
    }

    /// How many calls of others wait in front of those that wait here, as last seen.
    pub(crate) fn in_front(&self) -> usize {
        self.in_front
    }

    /// Whether a call waits here while other servers have calls too.
    pub(crate) fn wait_for_others(&self) -> bool {
        self.others_running + self.others_waiting > 0 && self.waiting() > 0
    }

    /// Servers whose turn it is and that have not been woken yet.
    pub(crate) fn take_servers_to_wake(&mut self) -> Vec<String> {
        std::mem::take(&mut self.to_wake)
    }

    /// Whether there is anything to write.
    pub(crate) fn have_changed(&self) -> bool {
        !self.stale_slots.is_empty() || self.own.iter().any(|mine| mine.changed)
    }

    /// Whether no call waits or runs here.
    pub(crate) fn is_empty(&self) -> bool {
        self.own.is_empty()
    }

    /// Whether the table holds nothing of this server, and should not.
    pub(crate) fn are_out_of_table(&self) -> bool {
        self.own.is_empty() && self.stale_slots.is_empty()
    }

    /// The table was abandoned, and with it everything that this server has in it.
    pub(crate) fn detach(&mut self) {
        self.stale_slots.clear();
        self.own.iter_mut().for_each(|mine| mine.changed = true);
    }

    /// Whether a call's turn has been decided on at least once since it came.
    pub(crate) fn is_considered(&self, key: Key) -> bool {
        self.own.iter().any(|mine| mine.key == key && mine.considered)
    }

    /// Forgets the slots if this is not the table that they were in.
    pub(crate) fn attach(&mut self, opening: u64, server: &str) {
        if opening == self.opening {
            return;
        }
        self.opening = opening;
        server.clone_into(&mut self.server);
        self.stale_slots.clear();
        for mine in &mut self.own {
            mine.entry.server.clone_from(&self.server);
            mine.slot = None;
        }
    }

    /// Slots to free.
    pub(crate) fn stale_slots(&self) -> Vec<usize> {
        self.stale_slots.clone()
    }

    /// These slots were freed.
    pub(crate) fn slots_freed(&mut self, slots: &[usize]) {
        self.stale_slots.retain(|slot| !slots.contains(slot));
    }

    /// The calls of other servers in the text of the table. New calls of this server get their
    /// tickets.
    pub(crate) fn read(&mut self, text: &[u8]) -> Vec<OtherCall> {
        let mut own = vec![false; text.len() / SLOT];
        for mine in &mut self.own {
            let there = |slot: &mut (usize, _)| text.get(slot.0 * SLOT..(slot.0 + 1) * SLOT);
            // The table may have been edited by hand.
            mine.slot.take_if(|slot| there(slot) != Some(&slot.1));
            mine.slot.iter().for_each(|(slot, _)| own[*slot] = true);
        }
        let mut others = others_in(text, &own);
        others.retain(|seen| seen.entry.server != self.server);
        let last = others.iter().map(|seen| seen.entry.ticket).max().unwrap_or_default();
        self.next_ticket = self.next_ticket.max(last.saturating_add(1));
        for mine in self.own.iter_mut().filter(|mine| !mine.numbered) {
            mine.entry.ticket = self.next_ticket;
            mine.numbered = true;
            self.next_ticket = self.next_ticket.saturating_add(1);
        }
        others
    }

    /// Starts the calls whose turn it is. If it is the turn of another server, waits for it up to
    /// [`PATIENCE`], and then passes all of its calls.
    ///
    /// Without `all` the calls of others are not known, and no turn that may write starts.
    pub(crate) fn decide(&mut self, others: &[OtherCall], now: Instant, all: bool) -> Vec<Key> {
        let own = self.own.len();
        let mut turn_since: HashMap<(usize, u64), Instant> = HashMap::new();
        let mut late: Vec<&str> = Vec::new();
        let starts = loop {
            let in_line = |seen: &&OtherCall| {
                seen.entry.running || !late.contains(&seen.entry.server.as_str())
            };
            let in_line: Vec<&OtherCall> = others.iter().filter(in_line).collect();
            let calls: Vec<&Entry> =
                self.entries().chain(in_line.iter().map(|seen| &seen.entry)).collect();
            let next = order::next(&calls);
            let late_before = late.len();
            let of_others = next.iter().filter(|start| start.at >= own);
            for seen in of_others.map(|start| in_line[start.at - own]) {
                let id = (seen.slot, seen.entry.ticket);
                let since = self.turn_since.get(&id).copied().unwrap_or(now);
                turn_since.insert(id, since);
                if now.duration_since(since) >= PATIENCE {
                    late.push(&seen.entry.server);
                }
            }
            if late.len() == late_before {
                let may = |start: &Start| start.at < own && (all || start.roots.is_none());
                break next.into_iter().filter(may).collect::<Vec<_>>();
            }
        };
        self.own.iter_mut().for_each(|mine| mine.considered = true);
        let mut keys = Vec::new();
        for Start { at, roots } in starts {
            let mine = &mut self.own[at];
            mine.entry.running = true;
            mine.entry.roots = roots;
            mine.changed = true;
            keys.push(mine.key);
        }
        self.others_running = others.iter().filter(|seen| seen.entry.running).count();
        self.others_waiting = others.len() - self.others_running;
        let first = self.entries().filter(|call| !call.running).map(|call| call.ticket).min();
        let in_front = |seen: &&OtherCall| !seen.entry.running && Some(seen.entry.ticket) < first;
        self.in_front = others.iter().filter(in_front).count();
        let is_new = |seen: &&OtherCall| {
            let id = (seen.slot, seen.entry.ticket);
            turn_since.contains_key(&id) && !self.turn_since.contains_key(&id)
        };
        let new = others.iter().filter(is_new).map(|seen| seen.entry.server.clone());
        self.to_wake.extend(new.collect::<Vec<_>>());
        // If no call waits here, nobody keeps checking, so these times would go stale.
        self.turn_since = if self.waiting() > 0 { turn_since } else { HashMap::new() };
        keys
    }

    /// Reverts the start of turns that may write: other servers do not wait for what they do not
    /// know about. Returns whether there were any.
    pub(crate) fn hold_back(&mut self, starts: &mut Vec<Key>) -> bool {
        let before = starts.len();
        for mine in &mut self.own {
            if mine.entry.roots.is_some() && starts.contains(&mine.key) {
                mine.entry.running = false;
                mine.entry.roots.clone_from(&mine.requested);
                mine.changed = true;
                starts.retain(|key| *key != mine.key);
            }
        }
        starts.len() < before
    }

    /// The changes to write. A call without a slot gets a free one: no other server has written to
    /// the table since `text` was read.
    pub(crate) fn take_changes(
        &mut self,
        text: &[u8],
        others: &[OtherCall],
    ) -> io::Result<PendingWrites> {
        let mut writing = PendingWrites::default();
        let mut taken = vec![false; text.len() / SLOT];
        let own = self.own.iter().filter_map(|mine| mine.slot.as_ref().map(|(slot, _)| *slot));
        let stale_slots = self.stale_slots.iter().copied();
        for slot in own.chain(stale_slots).chain(others.iter().map(|seen| seen.slot)) {
            taken.get_mut(slot).into_iter().for_each(|taken| *taken = true);
        }
        let end = taken.iter().rposition(|taken| *taken).map_or(0, |last| last + 1);
        writing.shorten = (taken.len() > end + SPARE_SLOTS).then_some(end);
        let mut free = (0..).filter(|slot| !taken.get(*slot).is_some_and(|taken| *taken));
        let is_due = |mine: &OwnCall| mine.changed || mine.slot.is_none();
        for mine in self.own.iter().filter(|mine| is_due(mine)) {
            let mut line = slot_of(&serde_json::to_vec(&mine.entry)?);
            if line.is_none() && mine.entry.roots.is_some() {
                let shortened =
                    Entry { roots: Some(WritableRoots::shortened()), ..mine.entry.clone() };
                line = slot_of(&serde_json::to_vec(&shortened)?);
            }
            let line = line.ok_or_else(|| io::Error::other("a call is too long for a slot"))?;
            let slot = mine.slot.as_ref().map(|(slot, _)| *slot).or_else(|| free.next());
            let slot = slot.expect("there is no end to the slots");
            writing.slots.push((mine.key, slot, line));
        }
        for mine in self.own.iter_mut().filter(|mine| is_due(mine)) {
            // A call that came in the meantime has a ticket after all that were read.
            mine.numbered = true;
            mine.changed = false;
        }
        Ok(writing)
    }

    /// The first `count` of these slots were written. A later change is written the next time.
    pub(crate) fn written(&mut self, slots: Vec<(Key, usize, Slot)>, count: usize) {
        for (at, (key, slot, line)) in slots.into_iter().enumerate() {
            let mine = self.own.iter_mut().find(|mine| mine.key == key);
            match mine {
                Some(mine) if at < count => mine.slot = Some((slot, line)),
                Some(mine) => mine.changed = true,
                // It left the queue before its slot was known.
                None if at < count && !self.stale_slots.contains(&slot) => {
                    self.stale_slots.push(slot)
                }
                None => {}
            }
        }
    }
}

/// The calls in the text of a table, without those in the slots marked in `own`. Anything that is
/// not a call is skipped.
pub(crate) fn others_in(text: &[u8], own: &[bool]) -> Vec<OtherCall> {
    let slots = text.chunks_exact(SLOT).enumerate();
    let others = slots.filter(|(slot, _)| !own.get(*slot).is_some_and(|own| *own));
    let read = |(slot, line): (usize, &[u8])| {
        let entry: Entry = line.starts_with(b"{").then(|| serde_json::from_slice(line).ok())??;
        is_name(&entry.server).then_some(OtherCall { slot, entry })
    };
    others.filter_map(read).collect()
}
