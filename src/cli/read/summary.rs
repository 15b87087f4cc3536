//! What happened in short: each request in a line, the last message, the tokens.

use std::io::{self, Write};
use std::time::Duration;

use super::text::{Printer, phrase};
use crate::cli::format::{count, grouped, head};
use crate::codex::reading::entry::Entry;
use crate::codex::reading::reader::Skipped;
use crate::codex::reading::runs::{Run, RunStatus, Runs};
use crate::codex::reading::stuck::Verdict;
use crate::model::outcome::duration;
use crate::model::text::shortened;

/// How many requests are shown.
const REQUESTS: usize = 20;

/// The longest last message that is shown, and the longest error, in characters.
const MESSAGE: usize = 2_000;
const ERROR: usize = 400;

/// What is said if the file is not the one that the cursor is of.
pub(super) const REPLACED: &str =
    "the file was replaced or truncated since that cursor, so this is all of it";

/// The same while it is followed.
pub(super) const REPLACED_NOW: &str = "the file was replaced or truncated; this is the new one";

/// Prints the requests. `only_new`: only those that have something new.
pub(super) fn print(
    printer: &mut Printer<impl Write>,
    runs: &Runs,
    idle: Duration,
    only_new: bool,
) -> io::Result<()> {
    let wanted: Vec<&Run> = runs.runs.iter().filter(|run| run.is_new || !only_new).collect();
    let shown = &wanted[wanted.len().saturating_sub(REQUESTS)..];
    let left_out = (wanted.len() - shown.len()) as u64 + if only_new { 0 } else { runs.forgotten };
    if left_out > 0 {
        printer.line(&format!("… {} before", count(left_out, "request")))?;
    }
    if shown.is_empty() {
        return printer.line(if only_new { "nothing new" } else { "no turn has started" });
    }
    let mut session = None;
    for run in shown {
        // Ids are long.
        let is_other = run.session.is_some() && run.session != session;
        session = run.session.clone().or(session);
        printer.line(&line(run, is_other, idle))?;
        let error = run
            .last_error
            .as_deref()
            .filter(|_| run.status == RunStatus::Failed || run.errors_in_a_row > 0);
        if let Some(error) = error {
            printer.line(&format!("  error: {}", head(error, ERROR)))?;
        }
    }
    let last = shown.last().and_then(|run| run.last_message.as_deref());
    if let Some(message) = last.filter(|message| !message.is_empty()) {
        let shortened = shortened(message, MESSAGE);
        printer.line("last message:")?;
        printer.text(shortened.as_deref().unwrap_or(message))?;
    }
    // Those of the last session.
    match runs.tokens.back() {
        Some((_, tokens)) => printer.line(&format!("tokens: {}", phrase(tokens))),
        None => Ok(()),
    }
}

fn line(run: &Run, names_session: bool, idle: Duration) -> String {
    let mut parts = Vec::new();
    let request = run.request.as_deref().map(Entry::request_name);
    parts.extend(request.map(|request| format!("request {}", head(&request, 80))));
    let session = run.session.as_deref().filter(|_| names_session);
    parts.extend(session.map(|session| format!("session {}", head(session, 80))));
    parts.push(match run.duration {
        Some(took) => format!("{} in {}", run.phrase(), duration(took)),
        None => run.phrase().to_owned(),
    });
    if run.commands > 0 {
        let failed = match run.commands_failed {
            0 => String::new(),
            failed => format!(" ({failed} failed)"),
        };
        parts.push(count(run.commands, "command") + &failed);
    }
    let counts = [
        (run.files_changed() as u64, "file"),
        (run.tools, "tool call"),
        (run.searches, "search"),
        (run.errors, "error"),
    ];
    parts.extend(counts.into_iter().filter(|(number, _)| *number > 0).map(|(number, what)| {
        match what {
            "file" => count(number, what) + " changed",
            "search" if number > 1 => format!("{number} searches"),
            what => count(number, what),
        }
    }));
    if !run.has_ended() {
        if let Some((done, steps, next)) = &run.plan {
            let next = next.as_deref().map(|next| format!(": {}", head(next, 80)));
            parts.push(format!("plan {done}/{steps}{}", next.unwrap_or_default()));
        }
        if let Some(open) = run.open.back() {
            parts.push(head(&open.what, 120));
        }
        if run.is_end_known() {
            parts.push(format!("last event {} ago", duration(idle)));
        }
    }
    parts.join(" · ")
}

/// Prints the tokens of each session.
pub(super) fn print_tokens(printer: &mut Printer<impl Write>, runs: &Runs) -> io::Result<()> {
    if runs.tokens.is_empty() {
        return printer.line("tokens: not reported yet");
    }
    for (session, tokens) in &runs.tokens {
        let session = session.as_deref().filter(|_| runs.tokens.len() > 1);
        let session = session.map(|session| format!(" of session {}", head(session, 80)));
        printer.line(&format!("tokens{}: {}", session.unwrap_or_default(), phrase(tokens)))?;
    }
    Ok(())
}

/// The verdict in a line.
pub(super) fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Stuck(reason) => format!("looks stuck: {reason}"),
        Verdict::Working(reason) => format!("not stuck: {reason}"),
        Verdict::Ended(how) => format!("not stuck: {how}"),
        Verdict::Unknown(reason) => format!("unknown: {reason}"),
    }
}

/// What was not read, in a line.
pub(super) fn skipped(skipped: Skipped) -> Option<String> {
    let name = |name| match name {
        "not_json" => "torn or not JSON",
        "too_long" => "over 4 MiB",
        "unknown" => "of an unknown form",
        other => other,
    };
    let counts: Vec<String> = skipped
        .counts()
        .map(|(kind, count)| format!("{} {}", grouped(count), name(kind)))
        .collect();
    let incomplete = (skipped.incomplete > 0).then(|| {
        format!("the last line is incomplete ({} bytes)", grouped(skipped.incomplete as u64))
    });
    match (counts.is_empty(), incomplete) {
        (true, incomplete) => incomplete,
        (false, incomplete) => {
            let incomplete = incomplete.map(|text| format!("; {text}")).unwrap_or_default();
            Some(format!("skipped lines: {}{incomplete}", counts.join(", ")))
        }
    }
}
