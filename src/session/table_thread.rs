//! The thread that looks at the table of the line, and the only one that does: the disk that it lies on
//! may never answer. What it holds up then is the sharing of the line, and no call for longer than
//! [`PATIENCE`](super::shared_queue::PATIENCE).

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::calls::{Key, Seen, Writing, others_in};
use super::shared_queue::SharedQueue;
use super::table::{Locked, Table, Unavailable};
use super::waiters::{Due, Shared};

/// How long a Codex may live whose server was killed: its watchdog needs 1.5 s at most.
const CODEX_GONE_AFTER: Duration = Duration::from_secs(2);

pub(super) struct TableThread {
    table: Table,
    shared: Arc<Shared>,
    dead: Dead,
}

/// Why a look found nothing, or could not tell of it, and whether it had read the table.
struct Failed {
    problem: Unavailable,
    was_read: bool,
}

impl TableThread {
    /// Starts the thread. It ends with the queue.
    pub(super) fn start(table: Table, shared: Arc<Shared>) -> io::Result<()> {
        let mut looker = Self { table, shared, dead: Dead::default() };
        let shared = Arc::downgrade(&looker.shared);
        looker.table.on_ring(move || shared.upgrade().iter().for_each(|shared| shared.rung()));
        std::thread::Builder::new().name("line".into()).spawn(move || looker.run()).map(drop)
    }

    fn run(mut self) {
        loop {
            match self.shared.wait() {
                Due::Look => self.look(),
                Due::InFront(key, answer) => {
                    let found = self.in_front(key);
                    drop(answer.send(found));
                }
                Due::Close => self.table.close(),
                Due::End => return,
            }
        }
    }

    /// Tells the others what has changed here, and finds out who of this server's calls may start now.
    fn look(&mut self) {
        if !self.line(|line| line.must_look_again()) {
            return self.shared.looked(Vec::new());
        }
        let starts = match self.look_together() {
            Ok(()) => self.line(SharedQueue::looked),
            Err(Failed { problem, was_read }) => {
                let held = matches!(problem, Unavailable::Held);
                let last_locked = if held { self.table.last_locked() } else { None };
                let (starts, close) =
                    self.line(|line| line.failed(&problem, last_locked, was_read));
                if close {
                    self.table.close();
                }
                starts
            }
        };
        self.shared.looked(starts);
    }

    fn look_together(&mut self) -> Result<(), Failed> {
        let shared = Arc::clone(&self.shared);
        let unread = |problem| Failed { problem, was_read: false };
        let table = self.table.lock().map_err(unread)?;
        let (text, others) =
            read(&shared, &table, &mut self.dead).map_err(|error| unread(error.into()))?;
        let written = write(&shared, &table, &text, &others);
        drop(table);
        let next = shared.line(SharedQueue::take_next);
        next.iter().for_each(|server| self.table.ring(server));
        written.map_err(|error| Failed { problem: error.into(), was_read: true })
    }

    /// A sentence part about what a call waits for.
    fn in_front(&mut self, key: Key) -> String {
        let shared = Arc::clone(&self.shared);
        let Ok(table) = self.table.lock() else {
            return shared.line(|line| line.in_front(key, &[], |_| None));
        };
        let mut others = table.read().map(|text| others_in(&text, &[])).unwrap_or_default();
        others.retain(|seen| seen.entry.server != table.server());
        // Who that is takes a look at the disk, so it is found out which one it is first.
        let asked = std::cell::RefCell::new(None);
        let known = shared.line(|line| {
            line.in_front(key, &others, |server| {
                asked.replace(Some(server.to_owned()));
                None
            })
        });
        match asked.take() {
            None => known,
            Some(server) => {
                let who = table.who(&server);
                drop(table);
                shared.line(|line| line.in_front(key, &others, |_| who.clone()))
            }
        }
    }

    fn line<T>(&self, work: impl FnOnce(&mut SharedQueue) -> T) -> T {
        self.shared.line(work)
    }
}

/// What is in the table, and the calls of others; by these it is then decided.
fn read(shared: &Shared, table: &Locked<'_>, dead: &mut Dead) -> io::Result<(Vec<u8>, Vec<Seen>)> {
    let left = shared.line(|line| line.settle_in(table));
    left.iter().try_for_each(|slot| table.free(*slot))?;
    shared.line(|line| line.freed(&left));
    let text = table.read()?;
    let (mut others, look_for_dead) = shared.line(|line| line.decide(&text));
    if look_for_dead {
        let are_buried = dead.bury(table, &mut others)?;
        shared.line(|line| {
            line.bury_at(dead.bury_at());
            if are_buried {
                line.decide_among(&others);
            }
        });
    }
    Ok((text, others))
}

fn write(shared: &Shared, table: &Locked<'_>, text: &[u8], others: &[Seen]) -> io::Result<()> {
    let Writing { shorten, slots } = shared.line(|line| line.take_changes(text, others))?;
    let mut count = 0;
    let mut write = || {
        shorten.map_or(Ok(()), |end| table.shorten(end))?;
        slots.iter().try_for_each(|(_, slot, line)| {
            table.write(*slot, line)?;
            count += 1;
            Ok(())
        })
    };
    let written = write();
    shared.line(|line| line.written(slots, count));
    written
}

/// Servers that were killed and whose turns may still run, and since when that is known.
#[derive(Debug, Default)]
struct Dead(HashMap<String, Instant>);

impl Dead {
    /// Takes out the calls of servers that were killed: at once those that wait, and those that run when
    /// their Codex is gone too. Says whether there were any.
    fn bury(&mut self, table: &Locked<'_>, others: &mut Vec<Seen>) -> io::Result<bool> {
        let now = Instant::now();
        let mut servers: Vec<String> =
            others.iter().map(|seen| seen.entry.server.clone()).collect();
        servers.sort_unstable();
        servers.dedup();
        servers.retain(|server| !table.is_alive(server));
        self.0.retain(|server, _| servers.contains(server));
        let is_gone = |seen: &Seen| {
            let server = &seen.entry.server;
            let since = self.0.get(server).copied().unwrap_or(now);
            servers.contains(server)
                && (!seen.entry.running || now.duration_since(since) >= CODEX_GONE_AFTER)
        };
        let before = others.len();
        for gone in others.iter().filter(|seen| is_gone(seen)) {
            table.free(gone.slot)?;
        }
        others.retain(|seen| !is_gone(seen));
        for server in servers {
            if others.iter().any(|seen| seen.entry.server == server) {
                self.0.entry(server).or_insert(now);
            }
        }
        Ok(others.len() < before)
    }

    /// When the next of them gives up its places.
    fn bury_at(&self) -> Option<Instant> {
        self.0.values().min().map(|since| *since + CODEX_GONE_AFTER)
    }
}
