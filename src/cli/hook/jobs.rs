//! Tells Claude, and its user, which jobs of the project ended since the last time.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use super::memory::Memory;
use super::{Input, answer};
use crate::admission::scope::Scope;
use crate::cli::format::head;
use crate::job::{Jobs, Notification, State};
use crate::model::settings::Settings;

/// How many turns are read; the next time the rest follows.
const MAX_READ: usize = 1_000;

/// How many turns Claude, and how many its user is told of at once.
const MAX_TOLD: usize = 20;
const SHOWN: usize = 3;

/// How old an end may be that is told the first time in a project.
const FIRST_TIME: Duration = Duration::from_hours(24);

/// How much is told of a prompt and of a result, in characters.
const WHAT: usize = 100;
const RESULT: usize = 300;

/// Tells of them, once.
pub(super) fn run(input: &Input, settings: &Settings) {
    let project = settings.working_dir.as_path();
    let Some(memory) = Memory::of(settings, "jobs", project) else { return };
    let jobs = Jobs::new(settings, Scope::unrestricted());
    let Ok(last) = jobs.last_notification() else { return };
    // A new state folder starts again at 1.
    let told = memory.read::<u64>().filter(|told| *told <= last);
    let cursor = told.unwrap_or(0);
    // A job whose process was killed has no notification until somebody looks at it, which reads all jobs. That is for
    // the start; a prompt must not wait.
    let is_start = input.hook_event_name == "SessionStart";
    let mut ended = Vec::new();
    let mut next = cursor;
    if last > cursor || is_start {
        let folders = [Some(project.to_owned()), project.canonicalize().ok()];
        let is_here = |state: &State| is_within(state, &folders);
        match jobs.notifications(cursor, &[], Some(&is_here), MAX_READ) {
            Ok((found, cursor)) => {
                next = cursor;
                let found = found.into_iter().map(|(_, notification)| notification);
                ended.extend(found.filter(|it| told.is_some() || it.at.elapsed() < FIRST_TIME));
            }
            Err(error) => tracing::warn!(%error, "the jobs that ended cannot be read"),
        }
    }
    if told != Some(next) {
        memory.write(&next);
    }
    if !ended.is_empty() {
        tell(&input.hook_event_name, &ended);
    }
}

fn is_within(state: &State, folders: &[Option<PathBuf>]) -> bool {
    let cwd = state.cwd.as_deref();
    cwd.is_some_and(|cwd| folders.iter().flatten().any(|folder| cwd.starts_with(folder)))
}

fn tell(event: &str, ended: &[Notification]) {
    let mut lines: Vec<String> = ended.iter().rev().take(MAX_TOLD).map(line).collect();
    if ended.len() > lines.len() {
        lines.push(format!("- and {} more", ended.len() - lines.len()));
    }
    let context = format!(
        "Codex jobs of this project that ended since this was last said, newest first:\n{}\n\
         codex_job_wait returns the whole result of a job_id. Mention to the user what is new to you.",
        lines.join("\n")
    );
    let short: Vec<String> = ended.iter().rev().take(SHOWN).map(short).collect();
    answer(&json!({
        "systemMessage": format!("Codex jobs of this project ended: {}", short.join(", ")),
        "hookSpecificOutput": { "hookEventName": event, "additionalContext": context },
    }));
}

fn what(told: &Notification) -> String {
    head(told.label.as_deref().or(told.prompt.as_deref()).unwrap_or_default(), WHAT)
}

/// A turn for the user.
fn short(told: &Notification) -> String {
    format!("{:?} ({})", what(told), told.status.as_str())
}

/// A turn for Claude.
fn line(told: &Notification) -> String {
    let outcome = match (&told.error, &told.result) {
        (Some(error), _) => &error.message,
        (None, result) => result.as_deref().unwrap_or_default(),
    };
    let (status, outcome) = (told.status.as_str(), head(outcome, RESULT));
    format!("- job_id {}, {status}, asked: {:?}, answer: {outcome:?}", told.job_id, what(told))
}
