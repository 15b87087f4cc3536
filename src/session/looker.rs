//! The thread that looks at the table of the line, and the only one that does: the disk that it lies on
//! may never answer. What it holds up then is the sharing of the line, and no call for longer than
//! [`PATIENCE`](super::line::PATIENCE).

use std::io;
use std::sync::Arc;

use super::calls::{Key, Seen, Writing, others_in};
use super::line::Line;
use super::queue::{Due, Shared};
use super::table::{Locked, Table, Unavailable};

pub(super) struct Looker {
    table: Table,
    shared: Arc<Shared>,
}

/// Why a look found nothing, or could not tell of it, and whether it had read the table.
struct Failed {
    problem: Unavailable,
    was_read: bool,
}

impl Looker {
    /// Starts the thread. It ends with the queue.
    pub(super) fn start(table: Table, shared: Arc<Shared>) -> io::Result<()> {
        let mut looker = Self { table, shared };
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
        let starts = match self.look_together() {
            Ok(()) => self.line(Line::looked),
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
        let Some(to_be_read) = self.line(Line::begin) else { return Ok(()) };
        let shared = Arc::clone(&self.shared);
        let unread = |problem| Failed { problem, was_read: false };
        let table = self.table.lock(to_be_read).map_err(unread)?;
        let read = Self::read(&shared, &table).map_err(|error| unread(error.into()))?;
        let (text, others) = read.unzip();
        let others = others.unwrap_or_default();
        let was_read = text.is_some();
        let written = Self::write(&shared, &table, text.as_deref(), &others);
        drop(table);
        let next = shared.line(Line::take_next);
        next.iter().for_each(|server| self.table.ring(server));
        written.map_err(|error| Failed { problem: error.into(), was_read })
    }

    /// What is in the table, and the calls of others, if it must be read; by these it is then decided.
    fn read(shared: &Shared, table: &Locked<'_>) -> io::Result<Option<(Vec<u8>, Vec<Seen>)>> {
        let (left, to_be_read) = shared.line(|line| line.settle_in(table));
        left.iter().try_for_each(|slot| table.free(*slot))?;
        shared.line(|line| line.freed(&left));
        if !to_be_read {
            return Ok(None);
        }
        let text = table.read()?;
        let (mut others, look_for_dead) = shared.line(|line| line.decide(&text));
        if look_for_dead && bury_the_dead(table, &mut others)? {
            shared.line(|line| line.decide_among(&others));
        }
        Ok(Some((text, others)))
    }

    fn write(
        shared: &Shared,
        table: &Locked<'_>,
        text: Option<&[u8]>,
        others: &[Seen],
    ) -> io::Result<()> {
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

    /// A sentence part about what a call waits for.
    fn in_front(&mut self, key: Key) -> String {
        let shared = Arc::clone(&self.shared);
        let Ok(table) = self.table.lock(true) else {
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

    fn line<T>(&self, work: impl FnOnce(&mut Line) -> T) -> T {
        self.shared.line(work)
    }
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
