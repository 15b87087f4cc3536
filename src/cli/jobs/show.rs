//! A job in full.

use std::io::Write;

use serde_json::Value;

use crate::cli::advice::{advice, headline, help};
use crate::cli::error::Result;
use crate::cli::format::{age, clean, context_percent, head, status_line};
use crate::cli::output::stdout;
use crate::cli::style::{BOLD, of_status, styled};
use crate::job::State;
use crate::job::snapshot::snapshot;
use crate::model::text::{LineBreaks, sanitize};

/// Prints everything about a job.
pub(super) fn show(state: &State, json: bool) -> Result<()> {
    let mut out = stdout(json);
    if json {
        let mut fields = snapshot(state);
        if let Some(percent) = context_percent(state) {
            fields.insert("context_percent".into(), percent.into());
        }
        writeln!(out, "{}", Value::Object(fields))?;
        return Ok(out.flush()?);
    }
    let time = |time: crate::job::Time| format!("{time} ({} ago)", age(time));
    let session = state.session_id;
    let error = state.error.as_ref();
    let fields = [
        ("job", Some(state.job_id.to_string())),
        ("label", state.label.clone()),
        ("status", Some(styled(of_status(state.status), state.status.as_str()))),
        ("session", session.map(|session| session.to_string())),
        ("resume", state.resume_command()),
        ("directory", state.cwd.as_ref().map(|cwd| cwd.display().to_string())),
        ("created", Some(time(state.created_at))),
        ("started", state.started_at.map(time)),
        ("ended", state.ended_at.map(time)),
        ("prompt", Some(head(&state.prompt, 160))),
        ("activity", (!state.status.has_ended()).then(|| head(&state.activity.last_activity, 160))),
        ("error", error.map(|error| headline(&error.kind, &error.message))),
        ("next", error.map(|error| advice(&error.kind, session))),
        ("help", error.and_then(|error| help(&error.kind))),
    ];
    for (name, value) in fields {
        let Some(value) = value else { continue };
        // The status has its colour already, and is a fixed text of this program.
        let value = match name {
            "status" => value,
            "error" => sanitize(value, LineBreaks::Keep),
            _ => sanitize(value, LineBreaks::Escape),
        };
        writeln!(out, "{}{value}", styled(BOLD, &format!("{name:<11}")))?;
    }
    for warning in &state.warnings {
        writeln!(out, "{}{}", styled(BOLD, "warning    "), sanitize(warning, LineBreaks::Escape))?;
    }
    writeln!(out, "{}{}", styled(BOLD, "summary    "), status_line(state))?;
    let partial = error.and_then(|error| error.partial_reply.as_deref());
    // If the last turn failed, the result is that of an earlier one.
    let result = state.result.as_deref().filter(|_| error.is_none());
    let result_name = if state.status.has_ended() { "result" } else { "result so far" };
    let texts = [("partial reply", partial), (result_name, result)];
    for (name, text) in texts {
        let Some(text) = text else { continue };
        writeln!(out, "\n{}\n{}", styled(BOLD, &format!("{name}:")), clean(text))?;
    }
    Ok(out.flush()?)
}
