//! Reads what Codex adds to the record of a turn, as events of its core.

use std::path::PathBuf;

use super::CoreEvent;
use super::from_record::Decoder;
use crate::codex::rollout;
use crate::codex::sessions::lines::Lines;
use crate::model::session_id::SessionId;
use crate::system::bounded::open_file;

/// How much of a turn's record is read, in bytes. What Codex prints is used for the rest.
const MAX_BYTES: u64 = 64 << 20;

/// How much of it is read at once, in bytes.
const MAX_AT_ONCE: u64 = 4 << 20;

/// The end of a record that Codex is still writing.
#[derive(Debug)]
pub(crate) struct Tail {
    place: Place,
    /// Where the next line starts.
    position: u64,
    /// How much was read.
    read: u64,
    has_more: bool,
    decoder: Decoder,
}

#[derive(Debug)]
enum Place {
    /// The file.
    Found(PathBuf),
    /// Codex has not made the file yet.
    Sought { home: PathBuf, session: SessionId },
}

impl Tail {
    /// The record of a session that the turn continues, from this byte on. `announced` is the session, if the
    /// events say that first.
    pub(crate) fn of_known(record: PathBuf, position: u64, announced: Option<SessionId>) -> Self {
        let decoder = Decoder::new(Some(record.clone())).announcing(announced);
        Self { place: Place::Found(record), position, read: 0, has_more: false, decoder }
    }

    /// The record of a session that the turn has started.
    pub(crate) fn of_new(home: PathBuf, session: SessionId) -> Self {
        let place = Place::Sought { home, session };
        Self { place, position: 0, read: 0, has_more: false, decoder: Decoder::default() }
    }

    /// The events of the lines that were added since it was last read, at most [`MAX_AT_ONCE`] bytes of them.
    /// Blocks on files. A record that cannot be read has none.
    pub(crate) fn read(&mut self) -> Vec<CoreEvent> {
        if let Place::Sought { home, session } = &self.place
            && let Some(record) = rollout::find(home, *session)
        {
            self.decoder = Decoder::new(Some(record.clone()));
            self.place = Place::Found(record);
        }
        let Place::Found(record) = &self.place else { return Vec::new() };
        let Ok(mut lines) = open_file(record).and_then(|file| Lines::new(file, self.position))
        else {
            return Vec::new();
        };
        let start = self.position;
        self.has_more = false;
        let mut events = Vec::new();
        while let Ok(Some(line)) = lines.next_line(&|| false) {
            if line.is_whole {
                events.extend(self.decoder.feed(line.bytes).into_iter().map(CoreEvent::shortened));
            }
            self.position = line.end;
            self.has_more = self.position - start > MAX_AT_ONCE;
            if self.has_more {
                break;
            }
        }
        self.read += self.position - start;
        events
    }

    /// The events that wait for what the record may never say.
    pub(crate) fn release(&mut self) -> Vec<CoreEvent> {
        self.decoder.release()
    }

    /// Whether the record has all steps of the turn.
    pub(crate) fn has_items(&self) -> bool {
        self.decoder.has_items()
    }

    /// Whether there may be more than was read at once.
    pub(crate) fn has_more(&self) -> bool {
        self.has_more
    }

    /// Whether so much was read that the rest is left.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.read > MAX_BYTES
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    const MESSAGE: &str =
        r#"{"ordinal":1,"type":"event_msg","payload":{"type":"agent_message","message":"hi"}}"#;

    /// An empty record, to which this appends.
    fn record(name: &str) -> (PathBuf, impl FnMut(&str)) {
        let path = crate::testing::scratch().join(format!("{name}-{}", uuid::Uuid::new_v4()));
        let mut file = fs::File::create_new(&path).expect("a fresh name");
        (path, move |text: &str| file.write_all(text.as_bytes()).expect("there is room"))
    }

    #[test]
    fn what_is_added_after_the_position_is_read_line_by_line() {
        let (path, mut append) = record("tail");
        append(&format!("{MESSAGE}\n"));
        let length = fs::metadata(&path).expect("just made").len();
        let mut tail = Tail::of_known(path.clone(), length, None);
        assert_eq!(tail.read(), [], "it is of an earlier turn");
        append(&MESSAGE[..9]);
        assert_eq!(tail.read(), [], "the line has no end yet");
        append(&format!("{}\n", &MESSAGE[9..]));
        assert_eq!((tail.read().len(), tail.read().len(), tail.has_items()), (1, 0, true));
        fs::remove_file(&path).expect("just made");
        assert_eq!(tail.read(), []);
    }

    #[test]
    fn what_is_read_is_bounded_at_once_and_in_sum() {
        let (path, mut append) = record("tail-bounds");
        let filler = format!("{{\"x\":\"{}\"}}\n", "x".repeat(1 << 20));
        let lines = usize::try_from(MAX_BYTES >> 20).expect("a small number") + 8;
        for _ in 0..lines {
            append(&filler);
        }
        let mut tail = Tail::of_known(path.clone(), 0, None);
        tail.read();
        assert!(tail.has_more());
        assert!(tail.position <= MAX_AT_ONCE + (2 << 20), "{}", tail.position);
        let mut reads = 1;
        while !tail.is_exhausted() {
            tail.read();
            reads += 1;
        }
        assert!(reads > 10 && tail.position < (lines as u64) << 20);
        fs::remove_file(&path).expect("just made");
    }
}
