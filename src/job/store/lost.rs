//! Jobs whose process is gone: how they ended is written down by whoever finds that out.

use std::fs;
use std::io;

use super::Store;
use crate::job::folder::Folder;
use crate::job::inbox::QueuedPrompt;
use crate::job::notifications::LOCK_WITHIN;
use crate::job::process::ProcessId;
use crate::job::record::{JobEvent, Line};
use crate::job::state::{Prompted, State};
use crate::job::status::{JobError, Status};
use crate::job::writer::{Dismissed, Writer};
use crate::model::event::{Event, Item, Phase};
use crate::model::time::Time;
use crate::system::private::read_whole;
use crate::system::reverse_lines::ReverseLines;

/// Why the turns of a job ended whose process is not there.
const GONE: &str =
    "the process that ran the job is gone: it was killed, or the machine was started anew";

impl Store {
    /// Finds out how a job ended whose process is gone.
    pub(super) fn bury(&self, folder: &Folder, seen: State) -> io::Result<State> {
        let Some(lock) = self.try_lock(folder)? else {
            // Somebody is at it.
            return Ok(seen);
        };
        let state = self.recover(folder, seen.job_id)?;
        if state.runner.as_ref().is_some_and(ProcessId::is_alive) {
            return Ok(state);
        }
        // The watchdog usually has. But it may have been killed together with the job's process.
        if let Some(codex) = &state.codex {
            codex.stop_group();
        }
        let complaint = if state.starting { folder.last_complaint() } else { None };
        let why = complaint.map_or_else(
            || GONE.to_owned(),
            |complaint| format!("the process that was to run the job could not begin: {complaint}"),
        );
        let error = JobError {
            partial_reply: last_message(folder, state.turns).unwrap_or_default(),
            ..JobError::interrupted(&why)
        };
        let mut gone = state.clone();
        let written = self
            .writer(folder, state, lock)
            .and_then(|mut writer| end_all(folder, &mut writer, &error, &why).map(|()| writer))
            .map(|writer| writer.state().clone());
        written.or_else(|problem| {
            // Then the next one who looks finds the same.
            tracing::warn!(job = %seen.job_id, error = %problem, "the job's end cannot be written");
            if !gone.status.has_ended() {
                gone.take(gone.cursor, Time::now(), &JobEvent::Interrupted { error });
            }
            Ok(gone)
        })
    }
}

/// Writes down and tells how everything ended that a job's process, which is gone, was to do: the turn
/// that ran, and each prompt that waited.
fn end_all(folder: &Folder, writer: &mut Writer, error: &JobError, why: &str) -> io::Result<()> {
    if writer.state().is_unannounced() {
        writer.announce(true, LOCK_WITHIN)?;
    }
    let mut asks = folder.asks()?;
    let state = writer.state();
    let is_idle = state.waiting.is_empty() && asks.is_empty();
    if state.status == Status::Running || (is_idle && !state.status.has_ended()) {
        tracing::info!(job = %state.job_id, "the job's process is gone");
        let turn = state.turns;
        writer.end(turn, JobEvent::Interrupted { error: error.clone() })?;
    }
    asks.retain(|(id, path)| {
        // It was taken, and the process was killed before it could remove the file.
        let is_taken = writer.state().has_taken(*id);
        if is_taken {
            drop(fs::remove_file(path));
        }
        !is_taken
    });
    let mut left = writer.state().waiting.len() + asks.len();
    let mut dismiss = |writer: &mut Writer, id, text| {
        left -= 1;
        let error = JobError::not_begun(why);
        writer.dismiss(Dismissed { id, text, status: Status::Interrupted, error }, left > 0)
    };
    for Prompted { id, text } in writer.state().waiting.clone() {
        dismiss(writer, id, text)?;
    }
    for (id, path) in asks {
        let text = read_whole::<QueuedPrompt>(&path).map(|ask| ask.text).unwrap_or_default();
        dismiss(writer, id, text)?;
        drop(fs::remove_file(path));
    }
    if writer.state().starting { writer.take_back() } else { Ok(()) }
}

/// What Codex said last in a turn, from the job's log.
fn last_message(folder: &Folder, turn: u64) -> io::Result<Option<String>> {
    let mut lines = ReverseLines::new(fs::File::open(folder.log())?)?;
    while let Some(line) = lines.next_line()? {
        let Ok(line) = serde_json::from_slice::<Line<'_>>(line) else { continue };
        if line.turn != turn {
            break;
        }
        let event = line.codex.and_then(|raw| Event::decode(raw.get().as_bytes()));
        if let Some(Event::Item {
            phase: Phase::Completed,
            item: Item::AgentMessage { text },
            ..
        }) = event
        {
            return Ok(Some(text));
        }
    }
    Ok(None)
}
