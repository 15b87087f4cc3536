//! The outcome of a `chat` turn: the reply on standard output, everything else on standard error.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use anstyle::Style;
use serde_json::{Map, Value, json};

use super::advice::{headline, help, of_failure};
use super::format::clean;
use super::output::{MAX_MESSAGE, Stream, columns, is_broken_pipe, note, note_raw, wrap_columns};
use super::render::{Counts, Line, Summary, wrapped};
use super::style::{PLAIN, RED, YELLOW};
use crate::model::changed_files::ChangedFiles;
use crate::model::outcome::{Answer, Class, Failure, FailureKind};
use crate::model::session_id::SessionId;
use crate::model::text::shortened;
use crate::system::signals::Signal;

/// What is known of a turn beyond its outcome.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Done {
    pub(super) took: Duration,
    pub(super) counts: Counts,
}

/// Prints the reply, and returns the exit status.
pub(super) fn answer(answer: &Answer, done: Done, json: bool) -> u8 {
    let session = answer.session_id;
    let printed = if json {
        let mut object = about(Some(session), Some(&answer.working_dir));
        object.insert("reply".into(), answer.reply.as_str().into());
        if let Some(usage) = answer.usage {
            object.insert("usage".into(), json!(usage));
        }
        if let Some(usage) = answer.session_usage {
            object.insert("session_usage".into(), json!(usage));
        }
        if let Some(effective) = &answer.effective {
            object.insert("effective".into(), json!(effective));
        }
        object.insert(
            "files_changed".into(),
            answer.files_changed.relative_to(&answer.working_dir).into(),
        );
        if !answer.warnings.is_empty() {
            object.insert("warnings".into(), json!(answer.warnings));
        }
        print(&Value::Object(object))
    } else {
        print_reply(&answer.reply)
    };
    if !json {
        for warning in &answer.warnings {
            self::warning(warning);
        }
        let effective = answer.effective.as_ref();
        let model = effective.and_then(|effective| effective.model.clone());
        let sandbox = effective.and_then(|effective| effective.sandbox);
        let files = relative(&answer.files_changed, Some(&answer.working_dir));
        summarize(&Summary {
            turns: 1,
            took: done.took,
            counts: done.counts,
            ran_with: model.into_iter().chain(sandbox.map(|it| it.as_str().to_owned())).collect(),
            files: &files,
            usage: answer.usage,
            context: None,
            session: Some(session),
            resume: answer.is_recorded.then(|| session.resume_command()),
        });
    }
    match printed {
        Err(error) if !is_broken_pipe(&error) => {
            note(&format!("error: the reply cannot be written: {error}"));
            1
        }
        Ok(()) | Err(_) => 0,
    }
}

/// Prints why the turn was not completed, and returns the exit status. `signal` is the one that stopped it.
pub(super) fn failure(failure: &Failure, done: Done, signal: Option<&Signal>, json: bool) -> u8 {
    let Failure { kind, session_id, partial_reply, working_dir, files_changed, warnings, .. } =
        failure;
    let cancelled = matches!(kind, FailureKind::Cancelled { .. });
    let signal = signal.filter(|_| cancelled);
    let message = match signal {
        Some(signal) => format!("stopped by {}", signal.name),
        None => kind.to_string(),
    };
    if json {
        let mut error = json!({
            "kind": kind.code(),
            "message": message,
            "next": of_failure(failure),
            "help": kind.error_code().help(),
        });
        if let Some(partial) = partial_reply {
            error["partial_reply"] = partial.as_str().into();
        }
        let mut object = about(*session_id, working_dir.as_deref());
        object.insert("error".into(), error);
        if !warnings.is_empty() {
            object.insert("warnings".into(), json!(warnings));
        }
        // The exit status reports the failure even if this cannot be written.
        drop(print(&Value::Object(object)));
    } else {
        if let Some(partial) = partial_reply {
            note(&format!("partial reply: {partial}"));
        }
        for warning in warnings {
            self::warning(warning);
        }
        note_labelled(RED, "error: ", &headline(kind.code(), message));
        note_labelled(PLAIN, "next: ", &of_failure(failure));
        // A user who stopped it knows why.
        if signal.is_none() {
            note_help(kind.code());
        }
        if let Some(session) = session_id {
            summarize(&Summary {
                turns: 1,
                took: done.took,
                counts: done.counts,
                ran_with: Vec::new(),
                files: &relative(files_changed, working_dir.as_deref()),
                usage: None,
                context: None,
                session: Some(*session),
                resume: Some(session.resume_command()),
            });
        }
    }
    match kind.class() {
        Class::Refused => 2,
        Class::TimedOut => 124,
        Class::Cancelled(_) => signal.map_or(130, |signal| signal.exit_status),
        Class::Failed => 1,
    }
}

/// Prints a warning. What it suggests is said as an option of this program.
pub(super) fn warning(warning: &str) {
    let warning = warning.replace("sandbox: \"workspace-write\"", "--sandbox workspace-write");
    note_labelled(YELLOW, "warning: ", &warning);
}

/// Prints how much was done, and how to go on.
pub(super) fn summarize(summary: &Summary<'_>) {
    for line in summary.lines() {
        note_raw(&line.drawn(wrap_columns()));
    }
}

/// The files, relative to where Codex worked.
pub(super) fn relative(files: &ChangedFiles, working_dir: Option<&Path>) -> ChangedFiles {
    let mut files = files.clone();
    if let Some(dir) = working_dir {
        files.paths = files.relative_to(dir);
    }
    files
}

/// Prints what Codex replied: on a terminal wrapped, set off from the steps, and with escapes made visible, elsewhere
/// unchanged.
pub(super) fn print_reply(reply: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if out.is_terminal() {
        let gap = if io::stderr().is_terminal() { "\n" } else { "" };
        writeln!(out, "{gap}{}{gap}", wrapped(&clean(reply), columns(Stream::Out)))?;
    } else {
        writeln!(out, "{reply}")?;
    }
    out.flush()
}

/// Prints a message on standard error after a label, such as `error: `, wrapped on a terminal.
pub(super) fn note_labelled(style: Style, label: &'static str, message: &str) {
    let shortened = shortened(message, MAX_MESSAGE);
    let message = shortened.as_deref().unwrap_or(message);
    note_raw(&Line::marked(style, label, message).drawn(wrap_columns()));
}

/// Prints where to read more about an error with this code.
pub(super) fn note_help(code: &str) {
    if let Some(help) = help(code) {
        note_raw(&Line::marked(PLAIN, "help: ", help).whole().drawn(None));
    }
}

fn print(value: &Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{value}")?;
    out.flush()
}

fn about(session: Option<SessionId>, working_dir: Option<&Path>) -> Map<String, Value> {
    let mut object = Map::new();
    if let Some(session) = session {
        object.insert("session_id".into(), session.to_string().into());
        object.insert("resume_command".into(), session.resume_command().into());
    }
    if let Some(working_dir) = working_dir {
        object.insert("cwd".into(), working_dir.to_string_lossy().into());
    }
    object
}
