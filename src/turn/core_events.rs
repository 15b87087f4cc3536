//! A tap that passes on what Codex prints, as events of its core.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;

use super::tap::{RecordPlace, Tap};
use crate::codex::core_event::CoreEvent;
use crate::codex::core_event::from_exec::Decoder;
use crate::codex::event_stream::Skipped;
use crate::codex::turn_record::is_from_record;
use crate::model::event::Event;

/// How many notices may wait for their reader, each with the events of one line. Further ones are dropped: a turn
/// does not wait.
const MAX_WAITING: usize = 256;

/// What happened in a turn.
#[derive(Debug)]
pub(crate) enum Seen {
    /// Codex is about to start in this directory, and to record the turn there. Again, if it is started again.
    Starting { working_dir: PathBuf, record: RecordPlace },
    /// It has printed these. Perhaps none: then the record may have something new.
    Printed(Vec<CoreEvent>),
    /// The stream omitted these, and the record has them.
    Omitted(Vec<CoreEvent>),
}

/// The tap.
#[derive(Debug)]
pub(crate) struct CoreEventTap {
    decoder: Decoder,
    record: RecordPlace,
    seen: mpsc::Sender<Seen>,
    dropped: Arc<AtomicU64>,
}

/// Where the events come out. It ends with the turn.
#[derive(Debug)]
pub(crate) struct CoreEvents {
    seen: mpsc::Receiver<Seen>,
    dropped: Arc<AtomicU64>,
}

/// A tap, and what comes out of it.
pub(crate) fn core_events() -> (CoreEventTap, CoreEvents) {
    let (sender, seen) = mpsc::channel(MAX_WAITING);
    let dropped = Arc::<AtomicU64>::default();
    let tap = CoreEventTap {
        decoder: Decoder::default(),
        record: RecordPlace::Unknown,
        seen: sender,
        dropped: Arc::clone(&dropped),
    };
    (tap, CoreEvents { seen, dropped })
}

impl CoreEvents {
    /// What was seen next; `None` at the end of the turn, when its process is gone. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Option<Seen> {
        self.seen.recv().await
    }

    /// The same, if it is there already.
    pub(crate) fn try_next(&mut self) -> Option<Seen> {
        self.seen.try_recv().ok()
    }

    /// How many events were dropped since this was last called.
    pub(crate) fn take_dropped(&self) -> u64 {
        self.dropped.swap(0, Ordering::Relaxed)
    }
}

impl CoreEventTap {
    fn pass_on(&self, seen: Seen) {
        let count = match &seen {
            Seen::Starting { .. } => 0,
            Seen::Printed(events) | Seen::Omitted(events) => events.len(),
        };
        if self.seen.try_send(seen).is_err() {
            self.dropped.fetch_add(count as u64, Ordering::Relaxed);
        }
    }
}

impl Tap for CoreEventTap {
    fn recorded_in(&mut self, place: &RecordPlace) {
        self.record = place.clone();
    }

    fn starting(&mut self, working_dir: &Path) -> io::Result<()> {
        self.decoder = Decoder::default();
        let record = self.record.clone();
        self.pass_on(Seen::Starting { working_dir: working_dir.to_owned(), record });
        Ok(())
    }

    fn launched(&mut self, _: u32) -> io::Result<()> {
        Ok(())
    }

    fn event(&mut self, _: &Event, line: &[u8]) -> io::Result<()> {
        let events = self.decoder.feed(line).into_iter().map(CoreEvent::shortened).collect();
        self.pass_on(if is_from_record(line) {
            Seen::Omitted(events)
        } else {
            Seen::Printed(events)
        });
        Ok(())
    }

    fn skipped(&mut self, _: Skipped) -> io::Result<()> {
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::event;

    #[test]
    fn a_turn_does_not_wait_for_the_reader_of_its_events() {
        let (mut tap, mut events) = core_events();
        let line = r#"{"type":"error","message":"no"}"#;
        for _ in 0..MAX_WAITING + 5 {
            tap.event(&event(line), line.as_bytes()).expect("it never fails");
        }
        let waiting = std::iter::from_fn(|| events.try_next()).count();
        assert_eq!((waiting, events.take_dropped(), events.take_dropped()), (MAX_WAITING, 5, 0));
    }
}
