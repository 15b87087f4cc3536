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
        Self { place: Place::Found(record), position, read: 0, decoder }
    }

    /// The record of a session that the turn has started.
    pub(crate) fn of_new(home: PathBuf, session: SessionId) -> Self {
        let place = Place::Sought { home, session };
        Self { place, position: 0, read: 0, decoder: Decoder::default() }
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
        let mut events = Vec::new();
        while let Ok(Some(line)) = lines.next_line(&|| false) {
            if line.is_whole {
                events.extend(self.decoder.feed(line.bytes).into_iter().map(CoreEvent::shortened));
            }
            self.position = line.end;
            if self.position - start > MAX_AT_ONCE {
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

    /// Whether so much was read that the rest is left.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.read > MAX_BYTES
    }
}
