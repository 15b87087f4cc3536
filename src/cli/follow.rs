//! `jobs follow`: prints what a job does as it happens. Interrupting it does not stop the job.
//!
//! As with `chat`, only the replies go to standard output. Everything else goes to standard error.

use std::io::{self, Write};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::advice::{advice, headline};
use super::error::Error;
use super::format::{head, one_line, status_line};
use super::output::{note, note_in, print_reply};
use super::style::{BOLD, CYAN, DIM, RED, YELLOW};
use crate::job::display::{Description, describe};
use crate::job::snapshot::snapshot;
use crate::job::view::Query;
use crate::job::{JobId, Jobs, State, Status, Time};
use crate::model::error_code::ErrorCode;
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

/// What the help of `jobs follow` and of `chat` says about the exit status.
pub(super) const EXIT_STATUS: &str = "Exits with 0 if it completed, 1 if it failed or was \
     interrupted, 124 if it timed out, 130 if it was cancelled, 2 if the input is invalid.";

/// Prints all events from the first to the job's end. Returns the exit status.
pub(super) fn follow(jobs: &Jobs, job: JobId, json: bool) -> Result<u8, Error> {
    // A job can be idle for long, and only a write fails when the reader is gone.
    let hang_up = hung_up();
    let mut watch = Watch::new();
    let mut query =
        Query { cursor: 0, limit: PAGE, types: Vec::new(), truncate: usize::MAX, raw: true };
    let state = loop {
        // The state was read before the page, so the page has all events of a job that has ended.
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
        if hang_up.is_cancelled() {
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

/// The exit status for a job of this status.
pub(super) fn exit_status(status: Status) -> u8 {
    match status {
        Status::Completed => 0,
        Status::TimedOut => 124,
        Status::Cancelled => 130,
        // The first two are never final.
        Status::Queued | Status::Running | Status::Failed | Status::Interrupted => 1,
    }
}

/// What was printed so far, as far as it matters for what is printed next.
struct Watch {
    /// A message that may turn out to be the reply, and when it was read.
    held: Option<(String, Instant)>,
    /// The command whose start was the last thing printed.
    running: Option<String>,
    /// Whether the error of the last turn, and that the job looks stuck, were printed.
    printed_error: bool,
    printed_stuck: bool,
}

impl Watch {
    fn new() -> Self {
        Self { held: None, running: None, printed_error: false, printed_stuck: false }
    }

    fn entry(&mut self, entry: &Value) -> io::Result<()> {
        let Some(description) = describe(entry) else { return Ok(()) };
        match description.kind.as_str() {
            "agent_message" => {
                self.release();
                self.held = Some((description.text, Instant::now()));
            }
            "turn.ended" => self.turn_ended(&entry["event"], &description)?,
            // A late event says nothing about whether the message before it is the reply.
            _ if description.is_from_record => self.step(&description),
            _ => {
                self.release();
                self.step(&description);
            }
        }
        Ok(())
    }

    /// Prints the held message, which was not the reply.
    fn release(&mut self) {
        if let Some((message, _)) = self.held.take() {
            self.running = None;
            note(&message);
        }
    }

    fn turn_ended(&mut self, event: &Value, description: &Description) -> io::Result<()> {
        let reply = event["result"].as_str().filter(|_| event["error"].is_null());
        if let Some(reply) = reply {
            self.held = None;
            print_reply(reply)?;
        }
        self.release();
        self.running = None;
        self.printed_error = !event["error"].is_null();
        let text = &description.text;
        if event["told"] == false {
            note_in(DIM, "stopped for the next prompt");
        } else if self.printed_error {
            note_in(RED, &format!("error: {text}"));
        } else {
            note_in(DIM, text);
        }
        Ok(())
    }

    fn step(&mut self, description: &Description) {
        let text = &description.text;
        let before = self.running.take();
        match description.kind.as_str() {
            "running" => {
                note_in(CYAN, text);
                self.running = Some(description.text.clone());
            }
            "job.prompt" => note_in(BOLD, &format!("prompt: {}", head(&description.text, 400))),
            "command_execution" => self.command_ended(description, before.as_deref()),
            "file_change" if description.is_failed => {
                note_in(RED, &format!("could not edit {}", one_line(&text.replace('\n', ", "))));
                self.output(&description.output);
            }
            "file_change" => note(&format!("edited {}", one_line(&text.replace('\n', ", ")))),
            "todo_list" => note(&format!("to do:\n{text}")),
            "mcp_tool_call" | "collab_tool_call" => note(&format!("called {}", one_line(text))),
            "web_search" => note(&format!("searched: {}", one_line(text))),
            "error" => note_in(RED, &format!("Codex reports: {text}")),
            "job.interrupted" => {
                self.printed_error = true;
                note_in(
                    RED,
                    &format!("error: {}", headline(ErrorCode::Interrupted.as_str(), text)),
                );
            }
            "job.skipped" => note_in(DIM, &format!("skipped: {}", one_line(text))),
            "reasoning" | "thread.started" | "turn.running" => note_in(DIM, text),
            kind => note_in(DIM, &head(&format!("{kind} {text}"), 160)),
        }
    }

    /// `before` is the command whose start was printed last. It is not named again if it is this one.
    fn command_ended(&self, description: &Description, before: Option<&str>) {
        let command = head(&description.text, 160);
        let is_named = before == Some(&format!("running: {command}"));
        let name = if is_named { String::new() } else { format!(": {command}") };
        match description.exit_code {
            Some(0) => note_in(DIM, &format!("done{name}")),
            Some(code) => note_in(RED, &format!("failed with {code}{name}")),
            None => note_in(DIM, &format!("ended{name}")),
        }
        self.output(&description.output);
    }

    /// Prints the last lines of a command's output, where its outcome is.
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

    /// Called while nothing new happens.
    fn pass(&mut self, state: &State) {
        if self.held.as_ref().is_some_and(|(_, since)| since.elapsed() >= HOLD) {
            self.release();
        }
        let stuck = state.activity.stuck(Time::now());
        if let (Some(why), false) = (&stuck, self.printed_stuck) {
            self.running = None;
            note_in(YELLOW, &format!("looks stuck: {why}"));
        }
        self.printed_stuck = stuck.is_some();
    }

    fn end(&mut self, state: &State) {
        self.release();
        if let Some(error) = &state.error {
            // The log has no final event if the disk was full.
            if !self.printed_error {
                note_in(RED, &format!("error: {}", headline(&error.kind, &error.message)));
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
