//! This server's own calls, each with its slot in the table.

use std::collections::HashMap;
use std::io;
use std::time::Instant;

use super::order::{self, Entry, Start};
use super::table::PATIENCE;
use super::table::{SLOT, Slot, is_name, slot_of};
use super::writable_roots::WritableRoots;
use crate::model::session_id::SessionId;

/// So many free slots may be at the table's end.
const SPARE_SLOTS: usize = 64;

/// A call's number in this process.
pub(crate) type Key = u64;

/// The calls that wait or run here. What has a slot has written it.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    /// In the order in which they came.
    mine: Vec<Mine>,
    /// Slots of calls that have left.
    left: Vec<usize>,
    /// The opening of the table in which the slots are.
    opening: u64,
    server: String,
    next_key: Key,
    next_ticket: u64,
    /// Calls of others whose turn it is, by slot and ticket, and since when.
    called: HashMap<(usize, u64), Instant>,
    /// Servers whose turn it is, and who were not called before.
    next: Vec<String>,
    /// Of others, as last seen.
    others_running: usize,
    others_waiting: usize,
    /// How many of those that wait came before all that wait here.
    in_front: usize,
}

#[derive(Debug)]
struct Mine {
    key: Key,
    entry: Entry,
    /// Where its turn is to write, whatever it must give up beside others.
    asked: Option<WritableRoots>,
    /// Whether its ticket is known to come after all that were there before it.
    numbered: bool,
    /// Whether it was looked since it came whether it can start.
    considered: bool,
    /// Where it is written, and what.
    slot: Option<(usize, Slot)>,
    changed: bool,
}

/// What is to be written into the table.
#[derive(Debug, Default)]
pub(crate) struct Writing {
    /// How many slots are left, if that are fewer.
    pub(crate) shorten: Option<usize>,
    pub(crate) slots: Vec<(Key, usize, Slot)>,
}

/// A call of another server.
#[derive(Debug)]
pub(crate) struct Seen {
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
        let asked = None;
        let (numbered, considered) = (false, false);
        self.mine.push(Mine { key, entry, asked, numbered, considered, slot: None, changed: true });
        key
    }

    /// Has a running call wait in its place until its turn may write in `roots`. Says whether it must:
    /// it need not if it runs with just these.
    pub(crate) fn settle(&mut self, key: Key, roots: Option<&WritableRoots>) -> bool {
        let Some(mine) = self.mine.iter_mut().find(|mine| mine.key == key) else { return false };
        if mine.entry.running && mine.asked.as_ref() == roots {
            return false;
        }
        mine.asked = roots.cloned();
        mine.entry.roots = roots.cloned();
        mine.entry.running = false;
        mine.changed = true;
        true
    }

    /// Where a call's turn may write. Some of what was asked for may have been given up.
    pub(crate) fn roots(&self, key: Key) -> Option<&WritableRoots> {
        self.entry(key)?.roots.as_ref()
    }

    /// Whether a turn runs here that may write.
    pub(crate) fn may_write(&self) -> bool {
        self.entries().any(|call| call.running && call.roots.is_some())
    }

    pub(crate) fn leave(&mut self, key: Key) {
        if let Some(at) = self.mine.iter().position(|mine| mine.key == key) {
            self.left.extend(self.mine.remove(at).slot.map(|(slot, _)| slot));
        }
    }

    pub(crate) fn adopt(&mut self, key: Key, session: SessionId) {
        if let Some(mine) = self.mine.iter_mut().find(|mine| mine.key == key) {
            mine.entry.session.get_or_insert(session);
            mine.changed = true;
        }
    }

    /// How many wait here.
    pub(crate) fn waiting(&self) -> usize {
        self.mine.iter().filter(|mine| !mine.entry.running).count()
    }

    /// How many run in all, as far as is known.
    pub(crate) fn running(&self) -> usize {
        self.mine.len() - self.waiting() + self.others_running
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.mine.iter().map(|mine| &mine.entry)
    }

    pub(crate) fn entry(&self, key: Key) -> Option<&Entry> {
        self.mine.iter().find(|mine| mine.key == key).map(|mine| &mine.entry)
    }

    /// How many calls of others wait in front of those that wait here, as last seen.
    pub(crate) fn in_front(&self) -> usize {
        self.in_front
    }

    /// Whether a call waits here while others have calls too.
    pub(crate) fn wait_for_others(&self) -> bool {
        self.others_running + self.others_waiting > 0 && self.waiting() > 0
    }

    /// Servers that have not been told that it is their turn.
    pub(crate) fn take_next(&mut self) -> Vec<String> {
        std::mem::take(&mut self.next)
    }

    /// Whether there is something to be written.
    pub(crate) fn have_changed(&self) -> bool {
        !self.left.is_empty() || self.mine.iter().any(|mine| mine.changed)
    }

    /// Whether nobody waits or runs here.
    pub(crate) fn is_empty(&self) -> bool {
        self.mine.is_empty()
    }

    /// Whether nothing of this server is in the table, nor is to be.
    pub(crate) fn are_out_of_table(&self) -> bool {
        self.mine.is_empty() && self.left.is_empty()
    }

    /// The table was given up, and with it all that this server has in it.
    pub(crate) fn lose_table(&mut self) {
        self.left.clear();
        self.mine.iter_mut().for_each(|mine| mine.changed = true);
    }

    /// Whether it was looked since a call came whether it can start.
    pub(crate) fn is_considered(&self, key: Key) -> bool {
        self.mine.iter().any(|mine| mine.key == key && mine.considered)
    }

    /// Forgets the slots if the table is not the one that they were in.
    pub(crate) fn settle_in(&mut self, opening: u64, server: &str) {
        if opening == self.opening {
            return;
        }
        self.opening = opening;
        server.clone_into(&mut self.server);
        self.left.clear();
        for mine in &mut self.mine {
            mine.entry.server.clone_from(&self.server);
            mine.slot = None;
        }
    }

    /// Slots that are to be made free.
    pub(crate) fn left(&self) -> Vec<usize> {
        self.left.clone()
    }

    /// They are.
    pub(crate) fn freed(&mut self, slots: &[usize]) {
        self.left.retain(|slot| !slots.contains(slot));
    }

    /// The calls of others in the text of the table. New ones of this server get their numbers.
    pub(crate) fn read(&mut self, text: &[u8]) -> Vec<Seen> {
        let mut own = vec![false; text.len() / SLOT];
        for mine in &mut self.mine {
            let there = |slot: &mut (usize, _)| text.get(slot.0 * SLOT..(slot.0 + 1) * SLOT);
            // Somebody may have changed the table by hand.
            mine.slot.take_if(|slot| there(slot) != Some(&slot.1));
            mine.slot.iter().for_each(|(slot, _)| own[*slot] = true);
        }
        let mut others = others_in(text, &own);
        others.retain(|seen| seen.entry.server != self.server);
        let last = others.iter().map(|seen| seen.entry.ticket).max().unwrap_or_default();
        self.next_ticket = self.next_ticket.max(last.saturating_add(1));
        for mine in self.mine.iter_mut().filter(|mine| !mine.numbered) {
            mine.entry.ticket = self.next_ticket;
            mine.numbered = true;
            self.next_ticket = self.next_ticket.saturating_add(1);
        }
        others
    }

    /// Starts those whose turn it is. Where it is another server's, that one is waited for, but not for
    /// ever: one that does not come is passed by with all its calls.
    ///
    /// Without `all` the calls of others are not known, and no turn starts that may write.
    pub(crate) fn decide(&mut self, others: &[Seen], now: Instant, all: bool) -> Vec<Key> {
        let own = self.mine.len();
        let mut called: HashMap<(usize, u64), Instant> = HashMap::new();
        let mut late: Vec<&str> = Vec::new();
        let starts = loop {
            let in_line =
                |seen: &&Seen| seen.entry.running || !late.contains(&seen.entry.server.as_str());
            let in_line: Vec<&Seen> = others.iter().filter(in_line).collect();
            let calls: Vec<&Entry> =
                self.entries().chain(in_line.iter().map(|seen| &seen.entry)).collect();
            let next = order::next(&calls);
            let late_before = late.len();
            let of_others = next.iter().filter(|start| start.at >= own);
            for seen in of_others.map(|start| in_line[start.at - own]) {
                let id = (seen.slot, seen.entry.ticket);
                let since = self.called.get(&id).copied().unwrap_or(now);
                called.insert(id, since);
                if now.duration_since(since) >= PATIENCE {
                    late.push(&seen.entry.server);
                }
            }
            if late.len() == late_before {
                let may = |start: &Start| start.at < own && (all || start.roots.is_none());
                break next.into_iter().filter(may).collect::<Vec<_>>();
            }
        };
        self.mine.iter_mut().for_each(|mine| mine.considered = true);
        let mut keys = Vec::new();
        for Start { at, roots } in starts {
            let mine = &mut self.mine[at];
            mine.entry.running = true;
            mine.entry.roots = roots;
            mine.changed = true;
            keys.push(mine.key);
        }
        self.others_running = others.iter().filter(|seen| seen.entry.running).count();
        self.others_waiting = others.len() - self.others_running;
        let first = self.entries().filter(|call| !call.running).map(|call| call.ticket).min();
        let in_front = |seen: &&Seen| !seen.entry.running && Some(seen.entry.ticket) < first;
        self.in_front = others.iter().filter(in_front).count();
        let is_new = |seen: &&Seen| {
            let id = (seen.slot, seen.entry.ticket);
            called.contains_key(&id) && !self.called.contains_key(&id)
        };
        let new = others.iter().filter(is_new).map(|seen| seen.entry.server.clone());
        self.next.extend(new.collect::<Vec<_>>());
        // If nobody waits here, nobody looks on, and what was called is no longer known.
        self.called = if self.waiting() > 0 { called } else { HashMap::new() };
        keys
    }

    /// Takes back that turns start that may write: what others do not know of, they do not wait for.
    /// Says whether there are any.
    pub(crate) fn hold_back(&mut self, starts: &mut Vec<Key>) -> bool {
        let before = starts.len();
        for mine in &mut self.mine {
            if mine.entry.roots.is_some() && starts.contains(&mine.key) {
                mine.entry.running = false;
                mine.entry.roots.clone_from(&mine.asked);
                mine.changed = true;
                starts.retain(|key| *key != mine.key);
            }
        }
        starts.len() < before
    }

    /// What has changed. What has no slot yet finds one in the text of the table; since that was read
    /// nobody else has written there.
    pub(crate) fn take_changes(&mut self, text: &[u8], others: &[Seen]) -> io::Result<Writing> {
        let mut writing = Writing::default();
        let mut taken = vec![false; text.len() / SLOT];
        let own = self.mine.iter().filter_map(|mine| mine.slot.as_ref().map(|(slot, _)| *slot));
        let left = self.left.iter().copied();
        for slot in own.chain(left).chain(others.iter().map(|seen| seen.slot)) {
            taken.get_mut(slot).into_iter().for_each(|taken| *taken = true);
        }
        let end = taken.iter().rposition(|taken| *taken).map_or(0, |last| last + 1);
        writing.shorten = (taken.len() > end + SPARE_SLOTS).then_some(end);
        let mut free = (0..).filter(|slot| !taken.get(*slot).is_some_and(|taken| *taken));
        let is_due = |mine: &Mine| mine.changed || mine.slot.is_none();
        for mine in self.mine.iter().filter(|mine| is_due(mine)) {
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
        for mine in self.mine.iter_mut().filter(|mine| is_due(mine)) {
            // One that came meanwhile has a ticket after all that were read.
            mine.numbered = true;
            mine.changed = false;
        }
        Ok(writing)
    }

    /// So many of them were written. What has changed meanwhile is written the next time.
    pub(crate) fn written(&mut self, slots: Vec<(Key, usize, Slot)>, count: usize) {
        for (at, (key, slot, line)) in slots.into_iter().enumerate() {
            let mine = self.mine.iter_mut().find(|mine| mine.key == key);
            match mine {
                Some(mine) if at < count => mine.slot = Some((slot, line)),
                Some(mine) => mine.changed = true,
                // It has left, and did not know then of a slot that it has now.
                None if at < count && !self.left.contains(&slot) => self.left.push(slot),
                None => {}
            }
        }
    }
}

/// The calls in the text of a table, but for those in these slots. What is no call is nothing.
pub(crate) fn others_in(text: &[u8], own: &[bool]) -> Vec<Seen> {
    let slots = text.chunks_exact(SLOT).enumerate();
    let others = slots.filter(|(slot, _)| !own.get(*slot).is_some_and(|own| *own));
    let read = |(slot, line): (usize, &[u8])| {
        let entry: Entry = line.starts_with(b"{").then(|| serde_json::from_slice(line).ok())??;
        is_name(&entry.server).then_some(Seen { slot, entry })
    };
    others.filter_map(read).collect()
}
