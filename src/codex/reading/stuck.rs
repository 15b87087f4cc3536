//! Whether what a file tells of looks stuck. Pure.

use std::time::Duration;

use super::entry::Entry;
use super::runs::{Run, Runs};
use crate::model::outcome::duration;
use crate::model::text::head_on_one_line;

/// After which idle time a turn looks stuck: while the model thinks, and while a command runs.
pub(crate) const MODEL_IDLE: Duration = Duration::from_secs(3 * 60);
pub(crate) const WORK_IDLE: Duration = Duration::from_secs(15 * 60);

/// After which idle time a file that nobody has open for writing was left by its writer. A writer may open the
/// file for each line.
pub(crate) const LEFT_IDLE: Duration = Duration::from_secs(10);

/// How many errors without progress between them look stuck.
const ERRORS: u64 = 3;

/// The longest text quoted in a reason, in characters.
const QUOTED: usize = 160;

/// Whether it looks stuck, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It cannot be judged.
    Unknown(String),
    /// The last turn has ended.
    Ended(String),
    Working(String),
    Stuck(String),
}

/// Judges all turns that have not ended. `idle`: since when nothing was written. `is_open`: whether a process has
/// the file open for writing, if that is known.
pub(crate) fn judge(runs: &Runs, idle: Duration, is_open: Option<bool>) -> Verdict {
    let Some(last) = runs.runs.back() else {
        return Verdict::Unknown("no turn has started".into());
    };
    let mut working = None;
    for run in runs.runs.iter().filter(|run| !run.has_ended() && run.is_end_known()) {
        match stuck(run, idle, is_open) {
            Some(reason) => return Verdict::Stuck(of(run, &reason)),
            None => working = Some(run),
        }
    }
    match working {
        Some(run) => {
            let now = run.open.back().map_or("the model is thinking".into(), |open| {
                head_on_one_line(&open.what, QUOTED)
            });
            Verdict::Working(of(run, &format!("{now}; last event {} ago", duration(idle))))
        }
        None if last.has_ended() => Verdict::Ended(of(last, last.phrase())),
        None => Verdict::Unknown("it does not say when a turn ends".into()),
    }
}

/// Names the request that the reason is about.
fn of(run: &Run, reason: &str) -> String {
    match &run.request {
        Some(request) => {
            let request = Entry::request_name(request);
            format!("request {}: {reason}", head_on_one_line(&request, QUOTED))
        }
        None => reason.to_owned(),
    }
}

fn stuck(run: &Run, idle: Duration, is_open: Option<bool>) -> Option<String> {
    let ago = duration(idle);
    let quoted = |text: &str| head_on_one_line(text, QUOTED);
    let open = run.open.back();
    if is_open == Some(false) && idle >= LEFT_IDLE {
        let error = run.last_error.as_deref().filter(|_| run.errors_in_a_row > 0);
        let error = error.map(|error| format!("; last error: {}", quoted(error)));
        return Some(format!(
            "the process that wrote this is gone: the turn has not ended, no process has the file open for writing, \
             and nothing was written for {ago}{}",
            error.unwrap_or_default()
        ));
    }
    if let Some(phrase) = run.repetition.phrase() {
        return Some(phrase);
    }
    if run.errors_in_a_row >= ERRORS {
        let error = quoted(run.last_error.as_deref().unwrap_or_default());
        return Some(format!("{} errors without progress: {error}", run.errors_in_a_row));
    }
    match open {
        Some(open) if open.is_approval && idle >= MODEL_IDLE => {
            Some(format!("it has waited for an {} for {ago}", quoted(&open.what)))
        }
        Some(open) if idle >= WORK_IDLE => {
            Some(format!("no event for {ago} while {}", quoted(&open.what)))
        }
        None if idle >= MODEL_IDLE => Some(format!("no event from the model for {ago}")),
        _ => None,
    }
}
