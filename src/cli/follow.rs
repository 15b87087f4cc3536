//! `jobs follow`: draws what a job does as it happens. Interrupting it does not stop the job.
//!
//! As with `chat`, only the replies go to standard output. Everything else goes to standard error.

pub(super) mod session;

use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::advice::{advice, headline};
use super::error::Error;
use super::format::{context_percent, one_line};
use super::output::note_in;
use super::render::{Counts, Renderer, Summary, tilde};
use super::report::{self, note_help, note_labelled, print_reply, relative, summarize};
use super::runtime::{exit_after_signal, listening};
use super::style::{DIM, PLAIN, RED, YELLOW};
use crate::codex::reading::entry::{Entry, What};
use crate::job::reading::of_event;
use crate::job::snapshot::snapshot;
use crate::job::view::Query;
use crate::job::{JobId, Jobs, State, Status, Time};
use crate::system::signals::Signals;
use crate::transport::hung_up;

/// How long a message of Codex is held, because it may be the reply, which is printed differently. A turn ends
/// right after its reply; if it goes on, the user wants to see the message.
pub(super) const HOLD: Duration = Duration::from_secs(1);

/// How often new events are read.
const POLL: Duration = Duration::from_millis(100);

/// How many events are read at a time.
const PAGE: usize = 500;

/// What the help of `jobs follow` and of `chat` says about the exit status.
pub(super) const EXIT_STATUS: &str = "Exits with 0 if it completed, 1 if it failed or was \
     interrupted, 124 if it timed out, 130 if it was cancelled, 2 if the input is invalid.";

/// How long a write may hold up the exit after a signal.
const EXIT_WITHIN: Duration = Duration::from_secs(1);

/// Prints all events from the first to the job's end. Returns the exit status.
pub(super) fn follow(jobs: &Jobs, job: JobId, json: bool) -> Result<u8, Error> {
    interruptible(|signals| follow_until(jobs, job, json, signals))
}

/// Runs `work`, which gets the signals, so that no half-drawn line is left behind by one.
fn interruptible<F: Future<Output = Result<u8, Error>>>(
    work: impl FnOnce(Signals) -> F,
) -> Result<u8, Error> {
    // The terminal may not take what is written to it.
    exit_after_signal(EXIT_WITHIN);
    let mut failure = None;
    let status = listening(|signals| async {
        work(signals).await.unwrap_or_else(|error| {
            failure = Some(error);
            1
        })
    });
    failure.map_or(Ok(status), Err)
}

async fn follow_until(
    jobs: &Jobs,
    job: JobId,
    json: bool,
    mut signals: Signals,
) -> Result<u8, Error> {
    // A job can be idle for long, and only a write fails when the reader is gone.
    let hang_up = hung_up();
    let mut watch = Watch::new(Source::Job);
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
        if !json {
            watch.pass(&state);
        }
        tokio::select! {
            biased;
            signal = signals.next() => {
                watch.renderer.finish();
                if !json {
                    note_in(DIM, &format!("the job goes on: {PROGRAM} jobs follow {job}"));
                }
                return Ok(signal.exit_status);
            }
            () = hang_up.cancelled() => return Ok(0),
            () = tokio::time::sleep(POLL) => {}
        }
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

/// The name of this program.
const PROGRAM: &str = env!("CARGO_PKG_NAME");

/// What the entries come from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    /// The log of a job. It has the tokens at the end of a turn.
    Job,
    /// Codex's record. It has the tokens after each answer of the model.
    Session,
}

/// What was drawn so far, as far as it matters for what is drawn next.
struct Watch {
    source: Source,
    renderer: Renderer,
    /// A message that may turn out to be the reply, and when it was read.
    held: Option<(Entry, Instant)>,
    /// Whether Codex has reported the end of the turn, so that what follows is reported late.
    is_ending: bool,
    /// Whether the error of the last turn, and that the job looks stuck, were printed.
    printed_error: bool,
    printed_stuck: bool,
}

impl Watch {
    fn new(source: Source) -> Self {
        Self {
            source,
            renderer: Renderer::new(None),
            held: None,
            is_ending: false,
            printed_error: false,
            printed_stuck: false,
        }
    }

    /// Draws an event of a page.
    fn event(&mut self, event: &Value) -> io::Result<()> {
        let at = event["at"].as_str().and_then(Time::parse).unwrap_or_default();
        let turn = event["turn"].as_u64().unwrap_or_default();
        of_event(at, turn, &event["event"]).iter().try_for_each(|entry| self.entry(entry))
    }

    fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        match &entry.what {
            What::Message { .. } => {
                self.release();
                self.held = Some((entry.clone(), Instant::now()));
            }
            What::TurnEnded { reply, error, .. } => {
                // A reply is not drawn as a message too.
                if let Some(reply) = reply {
                    self.held = None;
                    self.renderer.finish();
                    print_reply(reply)?;
                }
                self.turn_ended(entry);
                self.printed_error = error.is_some();
                if error.is_none() && self.source == Source::Job {
                    let turn = entry.request.as_deref().unwrap_or_default();
                    self.renderer.say(DIM, &format!("turn {turn} completed"));
                }
            }
            What::TurnAborted { .. } => {
                self.turn_ended(entry);
                self.printed_error = true;
            }
            What::Tokens(_) => {
                self.is_ending = self.source == Source::Job;
                self.renderer.draw(entry);
            }
            What::Session { cwd, .. } => self.session(entry, cwd.as_deref()),
            // Warnings are printed at the end of the job.
            What::Warning { .. } => {}
            _ => {
                // A late event says nothing about whether the message before it is the reply.
                if !self.is_ending {
                    self.release();
                }
                self.renderer.draw(entry);
            }
        }
        Ok(())
    }

    /// Says in which session and where a turn runs.
    fn session(&mut self, entry: &Entry, cwd: Option<&str>) {
        self.release();
        let said = match (cwd, &entry.session) {
            (Some(cwd), _) => {
                let turn = entry.request.as_deref().unwrap_or_default();
                self.renderer.folder(cwd.into());
                format!("turn {turn} · {}", tilde(Path::new(cwd)))
            }
            (None, Some(session)) => format!("session {session}"),
            (None, None) => return,
        };
        self.renderer.say(DIM, &one_line(&said));
    }

    /// Draws the held message, which was not the reply.
    fn release(&mut self) {
        if let Some((message, _)) = self.held.take() {
            self.renderer.draw(&message);
        }
    }

    fn turn_ended(&mut self, end: &Entry) {
        self.release();
        self.is_ending = false;
        self.renderer.draw(end);
    }

    /// Called while nothing new happens.
    fn pass(&mut self, state: &State) {
        self.rest(state.activity.stuck(Time::now()));
    }

    /// The same. `stuck`: why it looks stuck, if it does.
    fn rest(&mut self, stuck: Option<String>) {
        if self.held.as_ref().is_some_and(|(_, since)| since.elapsed() >= HOLD) {
            self.release();
        }
        if let (Some(why), false) = (&stuck, self.printed_stuck) {
            self.renderer.say(YELLOW, &format!("looks stuck: {why}"));
        }
        self.printed_stuck = stuck.is_some();
        self.renderer.tick();
    }

    fn end(&mut self, state: &State) {
        self.release();
        self.renderer.finish();
        if let Some(error) = &state.error {
            // The log has no final event if the disk was full.
            if !self.printed_error {
                note_labelled(RED, "error: ", &headline(&error.kind, &error.message));
            }
            note_labelled(PLAIN, "next: ", &advice(&error.kind, state.session_id));
            note_help(&error.kind);
        }
        for warning in &state.warnings {
            report::warning(warning);
        }
        summarize(&Summary {
            turns: state.turns,
            took: took(state),
            counts: Counts {
                commands: state.activity.commands,
                commands_failed: state.activity.commands_failed,
            },
            ran_with: ran_with(state),
            files: &relative(&state.files_changed, state.cwd.as_deref()),
            usage: state.usage,
            context: context_percent(state),
            session: state.session_id,
            resume: state.resume_command(),
        });
    }
}

/// How long the job ran, or has been running.
fn took(state: &State) -> Duration {
    let began = state.started_at.unwrap_or(state.created_at);
    let until = state.ended_at.unwrap_or_else(Time::now);
    Duration::from_millis(until.0.saturating_sub(began.0))
}

/// The model and the sandbox that were in force.
fn ran_with(state: &State) -> Vec<String> {
    let effective = state.effective.as_ref();
    let text = |name: &str| effective.and_then(|effective| effective[name].as_str());
    [text("model"), text("sandbox")].into_iter().flatten().map(str::to_owned).collect()
}
