//! `jobs follow`: what a job does, as it happens. Ending this does nothing to the job.
//!
//! As with `chat`, standard output has the replies alone, and standard error the way there.

use std::io::{self, Write};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::advice::advice;
use super::error::Error;
use super::format::{head, one_line, status_line};
use super::output::{note, note_in, print_reply};
use super::style::{BOLD, CYAN, DIM, RED, YELLOW};
use crate::job::display::{Description, describe};
use crate::job::snapshot::snapshot;
use crate::job::view::Query;
use crate::job::{JobId, Jobs, State, Status, Time};
use crate::transport::hung_up;

/// How long a message of Codex is held, because it may be the reply, which is printed differently. A turn ends
/// right after its reply; if it goes on, the user wants to see the message.
pub(super) const HOLD: Duration = Duration::from_secs(1);

/// How often new events are read.
const POLL: Duration = Duration::from_millis(100);

/// How many events are read at a time.
const PAGE: usize = 500;

/// How many lines of a command's output are shown.
const OUTPUT_LINES: usize = 10;

/// What the help says of the exit status, which is that of `chat` too.
pub(super) const EXIT_STATUS: &str = "Exits with 0 if it was completed, 1 if it failed or was \
     interrupted, 124 if a limit was reached, 130 if it was cancelled, 2 if the input was wrong.";

/// Prints all events from the first to the job's end. Returns the exit status.
pub(super) fn follow(jobs: &Jobs, job: JobId, json: bool) -> Result<u8, Error> {
    // A job can be silent for long, and only who writes is told otherwise that nobody reads.
    let unread = hung_up();
    let mut watch = Watch::new();
    let mut query =
        Query { cursor: 0, limit: PAGE, types: Vec::new(), truncate: usize::MAX, raw: true };
    let state = loop {
        // The state is older than the page, so nothing of an ended job is missing.
        let (page, state) = jobs.events(job, &query)?;
        query.cursor = page.cursor;
        for entry in &page.events {
            if json {
                writeln!(io::stdout(), "{entry}")?;
            } else {
                watch.entry(entry)?;
            }
        }
        if page.more {
            continue;
        }
        if state.status.has_ended() {
            break state;
        }
        if unread.is_cancelled() {
            return Ok(0);
        }
        if !json {
            watch.pass(&state);
        }
        sleep(POLL);
    };
    if json {
        writeln!(io::stdout(), "{}", Value::Object(snapshot(&state)))?;
    } else {
        watch.end(&state);
    }
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

/// What was told so far, as far as it matters for what is told next.
struct Watch {
    /// A message that may turn out to be the reply, and when it was read.
    held: Option<(String, Instant)>,
    /// The command that was told last, if nothing was told since.
    running: Option<String>,
    /// Whether it was told why the last turn failed, and that the job looks stuck.
    told_error: bool,
    told_stuck: bool,
}

impl Watch {
    fn new() -> Self {
        Self { held: None, running: None, told_error: false, told_stuck: false }
    }

    fn entry(&mut self, entry: &Value) -> io::Result<()> {
        let Some(told) = describe(entry) else { return Ok(()) };
        match told.kind.as_str() {
            "agent_message" => {
                self.release();
                self.held = Some((told.text, Instant::now()));
            }
            "turn.ended" => self.turn_ended(&entry["event"], &told)?,
            // The message before it may be the reply all the same.
            _ if told.is_late => self.step(&told),
            _ => {
                self.release();
                self.step(&told);
            }
        }
        Ok(())
    }

    /// Tells a message that was no reply.
    fn release(&mut self) {
        if let Some((message, _)) = self.held.take() {
            self.running = None;
            note(&message);
        }
    }

    fn turn_ended(&mut self, event: &Value, told: &Description) -> io::Result<()> {
        let reply = event["result"].as_str().filter(|_| event["error"].is_null());
        if let Some(reply) = reply {
            self.held = None;
            print_reply(reply)?;
        }
        self.release();
        self.running = None;
        self.told_error = !event["error"].is_null();
        let text = &told.text;
        if event["told"] == false {
            note_in(DIM, "stopped for the next prompt");
        } else if self.told_error {
            note_in(RED, &format!("error: {text}"));
        } else {
            note_in(DIM, text);
        }
        Ok(())
    }

    fn step(&mut self, told: &Description) {
        let text = &told.text;
        let before = self.running.take();
        match told.kind.as_str() {
            "running" => {
                note_in(CYAN, text);
                self.running = Some(told.text.clone());
            }
            "job.prompt" => note_in(BOLD, &format!("prompt: {}", head(&told.text, 400))),
            "command_execution" => self.command_ended(told, before.as_deref()),
            "file_change" if told.is_failed => {
                note_in(RED, &format!("could not edit {}", one_line(&text.replace('\n', ", "))));
                self.output(&told.output);
            }
            "file_change" => note(&format!("edited {}", one_line(&text.replace('\n', ", ")))),
            "todo_list" => note(&format!("to do:\n{text}")),
            "mcp_tool_call" | "collab_tool_call" => note(&format!("called {}", one_line(text))),
            "web_search" => note(&format!("searched: {}", one_line(text))),
            "error" => note_in(RED, &format!("Codex reports: {text}")),
            "job.interrupted" => {
                self.told_error = true;
                note_in(RED, &format!("error: interrupted: {text}"));
            }
            "job.skipped" => note_in(DIM, &format!("skipped: {}", one_line(text))),
            "reasoning" | "thread.started" | "turn.running" => note_in(DIM, text),
            kind => note_in(DIM, &head(&format!("{kind} {text}"), 160)),
        }
    }

    /// `before` is what was told last, if that was the beginning of a command: it need not be
    /// repeated if it is this one's.
    fn command_ended(&self, told: &Description, before: Option<&str>) {
        let command = head(&told.text, 160);
        let is_named = before == Some(&format!("running: {command}"));
        let name = if is_named { String::new() } else { format!(": {command}") };
        match told.exit_code {
            Some(0) => note_in(DIM, &format!("done{name}")),
            Some(code) => note_in(RED, &format!("failed with {code}{name}")),
            None => note_in(DIM, &format!("ended{name}")),
        }
        self.output(&told.output);
    }

    /// The last lines of what a command wrote: there the outcome is.
    fn output(&self, output: &str) {
        let output = output.trim_end();
        let count = output.lines().count();
        let left_out = count.saturating_sub(OUTPUT_LINES);
        if left_out > 0 {
            note_in(DIM, &format!("  … {left_out} lines"));
        }
        for line in output.lines().skip(left_out) {
            note_in(DIM, &format!("  {line}"));
        }
    }

    /// Nothing happened for a moment.
    fn pass(&mut self, state: &State) {
        if self.held.as_ref().is_some_and(|(_, since)| since.elapsed() >= HOLD) {
            self.release();
        }
        let stuck = state.activity.stuck(Time::now());
        if let (Some(why), false) = (&stuck, self.told_stuck) {
            self.running = None;
            note_in(YELLOW, &format!("looks stuck: {why}"));
        }
        self.told_stuck = stuck.is_some();
    }

    fn end(&mut self, state: &State) {
        self.release();
        if let Some(error) = &state.error {
            // The log has no end if there was no room for it.
            if !self.told_error {
                note_in(RED, &format!("error: {}: {}", error.kind, error.message));
            }
            note(&format!("next: {}", advice(&error.kind, state.session_id)));
        }
        for warning in &state.warnings {
            note_in(YELLOW, &format!("warning: {warning}"));
        }
        if let (Some(session), Some(resume)) = (state.session_id, state.resume_command()) {
            note(&format!("session: {session}\nresume: {resume}"));
        }
        note_in(DIM, &status_line(state));
    }
}
