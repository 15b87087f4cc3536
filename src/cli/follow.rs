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
use crate::codex::reading::entry::{Entry, File, Step, What, paths};
use crate::job::reading::{FOR_NEXT_PROMPT, of_event};
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

/// The longest command or remark that is shown, in characters.
const LINE: usize = 160;

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
                watch.event(entry)?;
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
    /// Whether Codex has reported the end of the turn, so that what follows is reported late.
    is_ending: bool,
    /// The command whose start was the last thing printed.
    running: Option<String>,
    /// Whether the error of the last turn, and that the job looks stuck, were printed.
    printed_error: bool,
    printed_stuck: bool,
}

impl Watch {
    fn new() -> Self {
        Self {
            held: None,
            is_ending: false,
            running: None,
            printed_error: false,
            printed_stuck: false,
        }
    }

    /// Prints an event of a page.
    fn event(&mut self, event: &Value) -> io::Result<()> {
        let at = event["at"].as_str().and_then(Time::parse).unwrap_or_default();
        let turn = event["turn"].as_u64().unwrap_or_default();
        of_event(at, turn, &event["event"]).iter().try_for_each(|entry| self.entry(entry))
    }

    fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        match &entry.what {
            What::Message { text } => {
                self.release();
                self.held = Some((text.clone(), Instant::now()));
            }
            What::TurnEnded { reply, error, .. } => {
                // A reply is not printed as a message too.
                if let Some(reply) = reply {
                    self.held = None;
                    print_reply(reply)?;
                }
                let turn = entry.request.as_deref().unwrap_or_default();
                self.turn_ended(error.as_deref(), &format!("turn {turn} completed"));
            }
            What::TurnAborted { reason, .. } if reason == FOR_NEXT_PROMPT => {
                self.turn_ended(None, reason);
                self.printed_error = true;
            }
            What::TurnAborted { reason, .. } => self.turn_ended(Some(reason), ""),
            What::Tokens(_) => self.is_ending = true,
            // A late event says nothing about whether the message before it is the reply.
            _ if self.is_ending => self.step(entry),
            _ => {
                self.release();
                self.step(entry);
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

    fn turn_ended(&mut self, error: Option<&str>, how: &str) {
        self.release();
        self.running = None;
        self.is_ending = false;
        self.printed_error = error.is_some();
        match error {
            Some(error) => note_in(RED, &format!("error: {error}")),
            None => note_in(DIM, how),
        }
    }

    fn step(&mut self, entry: &Entry) {
        let before = self.running.take();
        match &entry.what {
            What::CommandBegan { command, .. } => {
                let running = head(&format!("running: {command}"), LINE);
                note_in(CYAN, &running);
                self.running = Some(running);
            }
            What::Queued { text } => note_in(BOLD, &format!("prompt: {}", head(text, 400))),
            What::CommandEnded { command, exit_code, output, .. } => {
                let command = command.as_deref().unwrap_or_default();
                self.command_ended(command, *exit_code, before.as_deref());
                self.output(output);
            }
            What::PatchEnded { files, applied: true, .. } => {
                note(&format!("edited {}", one_line(&list(files))));
            }
            What::PatchEnded { files, output, .. } => {
                note_in(RED, &format!("could not edit {}", one_line(&list(files))));
                self.output(output);
            }
            What::Plan { steps } => {
                let step = |step: &Step| {
                    format!("[{}] {}", if step.is_done { 'x' } else { ' ' }, step.text)
                };
                let steps = steps.iter().map(step).collect::<Vec<_>>().join("\n");
                note(&format!("to do:\n{steps}"));
            }
            What::ToolEnded { tool, .. } => note(&format!("called {}", one_line(tool))),
            What::SearchEnded { query, .. } => note(&format!("searched: {}", one_line(query))),
            What::Error { message } => note_in(RED, &format!("Codex reports: {message}")),
            What::Reasoning { text } => note_in(DIM, text),
            What::Session { cwd: Some(cwd), .. } => {
                let turn = entry.request.as_deref().unwrap_or_default();
                note_in(DIM, &format!("turn {turn} runs in {}", one_line(cwd)));
            }
            What::Session { .. } => {
                let session = entry.session.as_deref().unwrap_or_default();
                note_in(DIM, &format!("session {}", one_line(session)));
            }
            What::Note { text } => note_in(DIM, &head(text, LINE)),
            // The end says how the turn went, and warnings are printed at the end of the job.
            _ => self.running = before,
        }
    }

    /// `before` is the command whose start was printed last. It is not named again if it is this one.
    fn command_ended(&self, command: &str, exit_code: Option<i64>, before: Option<&str>) {
        let is_named = before == Some(&*head(&format!("running: {command}"), LINE));
        let name = if is_named { String::new() } else { format!(": {}", head(command, LINE)) };
        match exit_code {
            Some(0) => note_in(DIM, &format!("done{name}")),
            Some(code) => note_in(RED, &format!("failed with {code}{name}")),
            None => note_in(DIM, &format!("ended{name}")),
        }
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

fn list(files: &[File]) -> String {
    paths(files).collect::<Vec<_>>().join(", ")
}
