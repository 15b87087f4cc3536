//! The only thread that reads and writes the table of the shared queue: the disk with the table may
//! never answer. In that case the servers no longer share their queue, but no call is blocked for
//! longer than [`PATIENCE`](super::table::PATIENCE).

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::calls::{Key, OtherCall, PendingWrites, others_in};
use super::shared_queue::SharedQueue;
use super::table::{Locked, Table, Unavailable};
use super::waiters::{Due, Shared};

/// How long a Codex may outlive its killed server: its watchdog needs at most 1.5 s.
const CODEX_GONE_AFTER: Duration = Duration::from_secs(2);

pub(super) struct TableThread {
    table: Table,
    shared: Arc<Shared>,
    dead: DeadServers,
}

/// Why a sync failed, and whether the table had been read by then.
struct SyncError {
    problem: Unavailable,
    was_read: bool,
}

impl TableThread {
    /// Starts the thread. It ends with the queue.
    pub(super) fn start(table: Table, shared: Arc<Shared>) -> io::Result<()> {
        let mut thread = Self { table, shared, dead: DeadServers::default() };
        let shared = Arc::downgrade(&thread.shared);
        thread.table.on_ring(move || shared.upgrade().iter().for_each(|shared| shared.woken()));
        std::thread::Builder::new().name("queue".into()).spawn(move || thread.run()).map(drop)
    }

    fn run(mut self) {
        loop {
            match self.shared.wait() {
                Due::Sync => self.sync(),
                Due::InFront(key, answer) => {
                    let found = self.in_front(key);
                    drop(answer.send(found));
                }
                Due::Close => self.table.close(),
                Due::End => return,
            }
        }
    }

    /// Publishes what has changed here, and decides which of this server's calls may start now.
    fn sync(&mut self) {
        if !self.queue(|queue| queue.needs_sync()) {
            return self.shared.synced(Vec::new());
        }
        let starts = match self.sync_with_others() {
            Ok(()) => self.queue(SharedQueue::sync_succeeded),
            Err(SyncError { problem, was_read }) => {
                let held = matches!(problem, Unavailable::Held);
                let last_locked = if held { self.table.last_locked() } else { None };
                let (starts, close) =
                    self.queue(|queue| queue.sync_failed(&problem, last_locked, was_read));
                if close {
                    self.table.close();
                }
                starts
            }
        };
        self.shared.synced(starts);
    }

    fn sync_with_others(&mut self) -> Result<(), SyncError> {
        let shared = Arc::clone(&self.shared);
        let unread = |problem| SyncError { problem, was_read: false };
        let table = self.table.lock().map_err(unread)?;
        let (text, others) =
            read(&shared, &table, &mut self.dead).map_err(|error| unread(error.into()))?;
        let written = write(&shared, &table, &text, &others);
        drop(table);
        let next = shared.queue(SharedQueue::take_servers_to_wake);
        next.iter().for_each(|server| self.table.ring(server));
        written.map_err(|error| SyncError { problem: error.into(), was_read: true })
    }

    /// A phrase about what a call waits for.
    fn in_front(&mut self, key: Key) -> String {
        let shared = Arc::clone(&self.shared);
        let Ok(table) = self.table.lock() else {
            return shared.queue(|queue| queue.in_front(key, &[], |_| None));
        };
        let mut others = table.read().map(|text| others_in(&text, &[])).unwrap_or_default();
        others.retain(|seen| seen.entry.server != table.server());
        // Reading who a server is takes a disk access, so first find out which one it is, without
        // the lock on the queue.
        let unknown = std::cell::RefCell::new(None);
        let known = shared.queue(|queue| {
            queue.in_front(key, &others, |server| {
                unknown.replace(Some(server.to_owned()));
                None
            })
        });
        match unknown.take() {
            None => known,
            Some(server) => {
                let who = table.who(&server);
                drop(table);
                shared.queue(|queue| queue.in_front(key, &others, |_| who.clone()))
            }
        }
    }

    fn queue<T>(&self, work: impl FnOnce(&mut SharedQueue) -> T) -> T {
        self.shared.queue(work)
    }
}

/// Reads the table and decides. Returns its text and the calls of others.
fn read(
    shared: &Shared,
    table: &Locked<'_>,
    dead: &mut DeadServers,
) -> io::Result<(Vec<u8>, Vec<OtherCall>)> {
    let stale = shared.queue(|queue| queue.attach(table));
    stale.iter().try_for_each(|slot| table.free(*slot))?;
    shared.queue(|queue| queue.slots_freed(&stale));
    let text = table.read()?;
    let (mut others, check_liveness) = shared.queue(|queue| queue.decide(&text));
    if check_liveness {
        let any_removed = dead.remove_calls(table, &mut others)?;
        shared.queue(|queue| {
            queue.set_next_removal(dead.next_removal());
            if any_removed {
                queue.decide_among(&others);
            }
        });
    }
    Ok((text, others))
}

fn write(shared: &Shared, table: &Locked<'_>, text: &[u8], others: &[OtherCall]) -> io::Result<()> {
    let PendingWrites { shorten, slots } =
        shared.queue(|queue| queue.take_changes(text, others))?;
    let mut count = 0;
    let mut write = || {
        shorten.map_or(Ok(()), |end| table.shorten(end))?;
        slots.iter().try_for_each(|(_, slot, queue)| {
            table.write(*slot, queue)?;
            count += 1;
            Ok(())
        })
    };
    let written = write();
    shared.queue(|queue| queue.written(slots, count));
    written
}

/// Killed servers whose turns may still run, and since when each is known to be dead.
#[derive(Debug, Default)]
struct DeadServers(HashMap<String, Instant>);

impl DeadServers {
    /// Removes the calls of killed servers: waiting ones at once, running ones when their Codex
    /// must be gone too. Returns whether there were any.
    fn remove_calls(
        &mut self,
        table: &Locked<'_>,
        others: &mut Vec<OtherCall>,
    ) -> io::Result<bool> {
        let now = Instant::now();
        let mut servers: Vec<String> =
            others.iter().map(|seen| seen.entry.server.clone()).collect();
        servers.sort_unstable();
        servers.dedup();
        servers.retain(|server| !table.is_alive(server));
        self.0.retain(|server, _| servers.contains(server));
        let is_gone = |seen: &OtherCall| {
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

    /// When the next running call of a dead server can be removed.
    fn next_removal(&self) -> Option<Instant> {
        self.0.values().min().map(|since| *since + CODEX_GONE_AFTER)
    }
}
