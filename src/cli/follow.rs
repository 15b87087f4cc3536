//! `jobs follow`: what a job does, as it happens. Ending this does nothing to the job.

use std::io::{self, Write};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use super::jobs::Error;
use super::words::{BOLD, CYAN, DIM, Paint, RED, clean, head, status_line};
use crate::job::snapshot::snapshot;
use crate::job::telling::{Told, told};
use crate::job::view::Query;
use crate::job::{JobId, Jobs, State, Status};

/// How often it is looked for more.
const POLL: Duration = Duration::from_millis(100);

/// How many events are read at a time.
const PAGE: usize = 500;

/// How many lines of a command's output are shown.
const OUTPUT_LINES: usize = 10;

/// What the help says of the exit status, which is that of `chat` too.
pub(super) const EXIT_STATUS: &str = "Exits with 0 if it was completed, 1 if it failed or was \
     interrupted, 124 if a limit was reached, 130 if it was cancelled, 2 if the input was wrong.";

/// Prints all events from the first to the job's end, and then the result. Returns the exit status.
pub(super) fn follow(jobs: &Jobs, job: JobId, json: bool) -> Result<u8, Error> {
    let mut out = io::stdout().lock();
    let paint = Paint::for_stdout();
    let mut query = Query { cursor: 0, limit: PAGE, types: Vec::new(), truncate: 0, raw: true };
    let state = loop {
        // The state is older than the page, so nothing of an ended job is missing.
        let (page, state) = jobs.events(job, &query)?;
        query.cursor = page.cursor;
        for entry in &page.events {
            if json {
                writeln!(out, "{entry}")?;
            } else if let Some(told) = told(entry) {
                print(&mut out, paint, &told)?;
            }
        }
        out.flush()?;
        if page.more {
            continue;
        }
        if state.status.has_ended() {
            break state;
        }
        sleep(POLL);
    };
    if json {
        writeln!(out, "{}", Value::Object(snapshot(&state)))?;
    } else {
        print_end(&mut out, paint, &state)?;
    }
    out.flush()?;
    Ok(exit_status(state.status))
}

fn exit_status(status: Status) -> u8 {
    match status {
        Status::Completed => 0,
        Status::TimedOut => 124,
        Status::Cancelled => 130,
        // The first two are never the end.
        Status::Queued | Status::Running | Status::Failed | Status::Interrupted => 1,
    }
}

fn print(out: &mut impl Write, paint: Paint, told: &Told) -> io::Result<()> {
    let text = clean(&told.text);
    let line = match told.kind.as_str() {
        "running" => paint.paint(CYAN, &text),
        "agent_message" => text.into_owned(),
        "job.prompt" => paint.paint(BOLD, &format!("prompt: {}", head(&told.text, 400))),
        "reasoning" => paint.paint(DIM, &text),
        "command_execution" => {
            let failed = told.exit_code.is_some_and(|code| code != 0);
            let how = match told.exit_code {
                Some(code) if failed => format!("failed with {code}: "),
                Some(_) => "done: ".to_owned(),
                None => "ended: ".to_owned(),
            };
            paint.paint(if failed { RED } else { DIM }, &format!("{how}{}", head(&told.text, 160)))
        }
        "file_change" => format!("edited {}", text.replace('\n', ", ")),
        "todo_list" => format!("to do:\n{text}"),
        "mcp_tool_call" | "collab_tool_call" => format!("called {text}"),
        "web_search" => format!("searched: {text}"),
        "error" | "job.interrupted" => paint.paint(RED, &format!("error: {text}")),
        "job.skipped" => paint.paint(DIM, &format!("skipped: {text}")),
        "thread.started" | "turn.running" | "turn.ended" => paint.paint(DIM, &text),
        kind => paint.paint(DIM, &head(&format!("{kind} {text}"), 160)),
    };
    writeln!(out, "{line}")?;
    print_output(out, paint, &told.output)
}

/// The last lines of what a command wrote: there the outcome is.
fn print_output(out: &mut impl Write, paint: Paint, output: &str) -> io::Result<()> {
    let output = clean(output.trim_end());
    let count = output.lines().count();
    let left_out = count.saturating_sub(OUTPUT_LINES);
    if left_out > 0 {
        writeln!(out, "  {}", paint.paint(DIM, &format!("… {left_out} lines")))?;
    }
    for line in output.lines().skip(left_out) {
        writeln!(out, "  {}", paint.paint(DIM, line))?;
    }
    Ok(())
}

fn print_end(out: &mut impl Write, paint: Paint, state: &State) -> io::Result<()> {
    if let Some(error) = &state.error {
        let message = format!("{}: {}", error.kind, clean(&error.message));
        writeln!(out, "\n{}", paint.paint(RED, &message))?;
    } else if let Some(result) = &state.result {
        writeln!(out, "\n{}\n{}", paint.paint(BOLD, "result:"), clean(result))?;
    }
    for warning in &state.warnings {
        writeln!(out, "warning: {}", clean(warning))?;
    }
    if let Some(session) = state.session_id {
        writeln!(out, "\n{}", paint.paint(DIM, &session.resume_command()))?;
    }
    writeln!(out, "{}", paint.paint(DIM, &status_line(state)))
}
