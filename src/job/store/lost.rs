//! Jobs whose process is gone: whichever process notices that records how they ended.

use std::fs;
use std::io;

use super::Store;
use crate::job::folder::Folder;
use crate::job::inbox::QueuedPrompt;
use crate::job::notifications::LOCK_WITHIN;
use crate::job::process::ProcessId;
use crate::job::record::{JobEvent, Line};
use crate::job::state::{State, TakenPrompt};
use crate::job::status::{JobError, Status};
use crate::job::writer::{Dismissed, Writer};
use crate::model::event::{Event, Item, Phase};
use crate::model::time::Time;
use crate::system::private::read_whole;
use crate::system::reverse_lines::ReverseLines;

/// Why the turns of a job ended whose process is gone.
const GONE: &str = "the job's process is gone: it was killed, or the machine was restarted";

impl Store {
    /// Records how a job ended whose process is gone.
    pub(super) fn record_lost(&self, folder: &Folder, seen: State) -> io::Result<State> {
        let Some(lock) = self.try_lock(folder)? else {
            // Another process holds the lock.
            return Ok(seen);
        };
        let state = self.recover(folder, seen.job_id)?;
        if state.runner.as_ref().is_some_and(ProcessId::is_alive) {
            return Ok(state);
        }
        // Usually the watchdog has stopped it, unless it was killed together with the job's
        // process.
        if let Some(codex) = &state.codex {
            codex.stop_group();
        }
        let error = if state.starting { folder.startup_error() } else { None };
        let why = error.map_or_else(
            || GONE.to_owned(),
            |error| format!("the job's process could not start: {error}"),
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
            // The next reader will find the same.
            tracing::warn!(job = %seen.job_id, error = %problem, "the job's end cannot be written");
            if !gone.status.has_ended() {
                gone.apply(gone.cursor, Time::now(), &JobEvent::Interrupted { error });
            }
            Ok(gone)
        })
    }
}

/// Records, with notifications, how everything ended that a lost process had to do: the running
/// turn, and each waiting prompt.
fn end_all(folder: &Folder, writer: &mut Writer, error: &JobError, why: &str) -> io::Result<()> {
    if writer.state().has_pending_notifications() {
        writer.notify(true, LOCK_WITHIN)?;
    }
    let mut queued_prompts = folder.queued_prompts()?;
    let state = writer.state();
    let is_idle = state.waiting.is_empty() && queued_prompts.is_empty();
    if state.status == Status::Running || (is_idle && !state.status.has_ended()) {
        tracing::info!(job = %state.job_id, "the job's process is gone");
        let turn = state.turns;
        writer.record_end(turn, JobEvent::Interrupted { error: error.clone() })?;
    }
    queued_prompts.retain(|(id, path)| {
        // It was taken, and the process was killed before it could remove the file.
        let is_taken = writer.state().has_taken(*id);
        if is_taken {
            drop(fs::remove_file(path));
        }
        !is_taken
    });
    let mut left = writer.state().waiting.len() + queued_prompts.len();
    let mut dismiss = |writer: &mut Writer, id, text| {
        left -= 1;
        let error = JobError::not_started(why);
        writer.dismiss(Dismissed { id, text, status: Status::Interrupted, error }, left > 0)
    };
    for TakenPrompt { id, text } in writer.state().waiting.clone() {
        dismiss(writer, id, text)?;
    }
    for (id, path) in queued_prompts {
        let text = read_whole::<QueuedPrompt>(&path).map(|prompt| prompt.text).unwrap_or_default();
        dismiss(writer, id, text)?;
        drop(fs::remove_file(path));
    }
    if writer.state().starting { writer.clear_starting() } else { Ok(()) }
}

/// Codex's last message in a turn, from the job's log.
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
