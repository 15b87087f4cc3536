//! `sessions follow`: draws a turn of a session as it happens, by Codex's own record of it, so that it does not
//! matter which client runs it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{HOLD, POLL, Source, Watch, interruptible};
use crate::cli::error::Error;
use crate::cli::format::{context_of, one_line};
use crate::cli::render::{Summary, tilde};
use crate::cli::report::{note_labelled, relative, summarize};
use crate::cli::style::{DIM, RED};
use crate::codex::reading::entry::{Entry, What, paths};
use crate::codex::reading::reader::{Reader, Unreadable};
use crate::codex::reading::stuck::{LEFT_IDLE, MODEL_IDLE};
use crate::codex::rollout;
use crate::codex::sessions::Store;
use crate::job::Time;
use crate::model::changed_files::Collector;
use crate::model::outcome::duration;
use crate::model::session_id::SessionId;
use crate::model::usage::Usage;
use crate::session::holder::is_written;
use crate::system::signals::Signals;
use crate::transport::hung_up;

pub(in crate::cli) const AFTER_HELP: &str = "\
Shows the turn that runs now, else the last one. Watching does not disturb it, and an interrupt ends only the watching.
As JSON: read ID --follow --json

Exit status: 0 the turn completed · 1 it failed, or was interrupted · 2 wrong input";

/// Draws the turn that runs now, or the last one, until it has ended, or with `keep` all that follow too. Returns the
/// exit status.
pub(in crate::cli) fn follow(
    store: &Store,
    session: SessionId,
    record: PathBuf,
    keep: bool,
) -> Result<u8, Error> {
    let mut reader = Reader::open(&record, |_| None)?;
    let before = last_turn(&mut reader)?;
    let turn = Turn { usage: before, ..Turn::default() };
    let watch = Watch::new(Source::Session);
    let (head, checked) = (String::new(), Instant::now());
    let following = Following { store, session, record, watch, turn, head, ended: None, checked };
    interruptible(|signals| following.run(reader, keep, signals))
}

/// A session that is followed.
struct Following<'a> {
    store: &'a Store,
    session: SessionId,
    record: PathBuf,
    watch: Watch,
    turn: Turn,
    /// What the last head said.
    head: String,
    /// The exit status, once a turn has ended.
    ended: Option<u8>,
    /// When it was last checked whether a process has the session open.
    checked: Instant,
}

/// What is known of a turn.
#[derive(Default)]
struct Turn {
    is_running: bool,
    began: Option<Time>,
    /// The tokens of the session before it, and now.
    before: Usage,
    usage: Option<Usage>,
    files: Collector,
}

/// Goes to the start of the last turn. Returns the tokens that the session had used before it.
fn last_turn(reader: &mut Reader) -> Result<Option<Usage>, Unreadable> {
    let is_start = |entry: &Entry| matches!(entry.what, What::TurnStarted { .. });
    // Codex before 0.100 does not record it, and then all turns are shown.
    let start = reader.find_backwards(0, &mut |entry| is_start(entry))?;
    let mut is_before = false;
    let mut before = None;
    reader.find_backwards(0, &mut |entry| {
        match &entry.what {
            What::Tokens(tokens) if is_before => before = Some(tokens.total),
            _ => is_before |= is_start(entry),
        }
        before.is_some()
    })?;
    reader.seek(start)?;
    Ok(before)
}

impl Following<'_> {
    async fn run(
        mut self,
        mut reader: Reader,
        keep: bool,
        mut signals: Signals,
    ) -> Result<u8, Error> {
        let hang_up = hung_up();
        self.say_head();
        loop {
            self.read(&mut reader)?;
            if let Some(status) = self.ended.filter(|_| !keep && !self.turn.is_running) {
                self.watch.renderer.finish();
                return Ok(status);
            }
            if self.turn.is_running || self.ended.is_none() {
                let idle = idle(&reader)?;
                if self.is_left(idle) {
                    // What was written between the last look and the end of its process.
                    self.read(&mut reader)?;
                    if self.turn.is_running || self.ended.is_none() {
                        self.left(idle);
                        return Ok(1);
                    }
                    continue;
                }
                let is_silent = idle >= MODEL_IDLE && self.watch.renderer.is_thinking();
                let stuck = format!("no event from the model for {}", MODEL_IDLE.as_secs() / 60);
                self.watch.rest(is_silent.then(|| stuck + " min"));
            } else {
                self.watch.renderer.working("waiting for the next turn");
                self.watch.rest(None);
            }
            tokio::select! {
                biased;
                signal = signals.next() => {
                    self.watch.renderer.finish();
                    return Ok(signal.exit_status);
                }
                () = hang_up.cancelled() => return Ok(0),
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// Draws what is new.
    fn read(&mut self, reader: &mut Reader) -> Result<(), Error> {
        reader.read(&mut |entry, _| self.entry(&entry))
    }

    fn entry(&mut self, entry: &Entry) -> Result<(), Error> {
        match &entry.what {
            // The head says it.
            What::Session { .. } => return Ok(()),
            What::TurnStarted { .. } => self.begin(entry.at),
            What::Prompt { .. } => {
                if !self.turn.is_running {
                    self.begin(entry.at);
                }
                self.say_head();
            }
            What::Tokens(tokens) => self.turn.usage = Some(tokens.total),
            What::PatchEnded { files, applied: true, .. } => {
                paths(files).for_each(|path| self.turn.files.add(path));
            }
            _ => {}
        }
        self.watch.entry(entry)?;
        match &entry.what {
            What::TurnEnded { duration, error, .. } => {
                self.end(entry.at, *duration, u8::from(error.is_some()));
            }
            What::TurnAborted { duration, .. } => self.end(entry.at, *duration, 1),
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, at: Option<Time>) {
        self.watch.renderer.counts = Default::default();
        let before = self.turn.usage.unwrap_or_default();
        self.turn = Turn { is_running: true, began: at, before, ..Turn::default() };
    }

    /// Says how the turn went.
    fn end(&mut self, at: Option<Time>, took: Option<Duration>, status: u8) {
        self.ended = Some(status);
        self.turn.is_running = false;
        let between = |began: Time, at: Time| Duration::from_millis(at.0.saturating_sub(began.0));
        let took = took.or_else(|| Some(between(self.turn.began?, at?)));
        self.summarize(took.unwrap_or_default());
    }

    fn summarize(&mut self, took: Duration) {
        self.watch.renderer.finish();
        let effective = rollout::effective(&self.record, 0).ok().flatten().unwrap_or_default();
        let sandbox = effective.sandbox.map(|sandbox| sandbox.as_str().to_owned());
        let files = std::mem::take(&mut self.turn.files).finish();
        summarize(&Summary {
            turns: 1,
            took,
            counts: self.watch.renderer.counts,
            ran_with: effective.model.into_iter().chain(sandbox).collect(),
            files: &relative(&files, effective.cwd.as_deref()),
            usage: self.turn.usage.and_then(|usage| usage.since(self.turn.before)),
            context: context_of(&self.record),
            session: Some(self.session),
            resume: Some(self.store.resume_command(self.session, &self.record)),
        });
    }

    /// Says what runs with what, unless that was said before.
    fn say_head(&mut self) {
        let effective = rollout::effective(&self.record, 0).ok().flatten().unwrap_or_default();
        let mut head = vec![format!("session {}", self.session)];
        head.extend(effective.model);
        head.extend(effective.sandbox.map(|sandbox| sandbox.as_str().to_owned()));
        if let Some(cwd) = effective.cwd {
            head.push(tilde(&cwd));
            self.watch.renderer.folder(cwd);
        }
        let head = head.join(" · ");
        if head != self.head {
            self.watch.renderer.say(DIM, &one_line(&head));
            self.head = head;
        }
    }

    /// Whether no process has the session open any more, as far as that is known.
    fn is_left(&mut self, idle: Duration) -> bool {
        if idle < LEFT_IDLE || self.checked.elapsed() < HOLD {
            return false;
        }
        self.checked = Instant::now();
        self.store.home().is_some_and(|home| is_written(home, self.session) == Some(false))
    }

    fn left(&mut self, idle: Duration) {
        self.watch.release();
        let took = self.turn.began.map(Time::elapsed).unwrap_or_default();
        self.watch.renderer.finish();
        let problem = format!(
            "the turn has not ended, but its Codex is gone: no process has the session open, and nothing was \
             recorded for {}",
            duration(idle)
        );
        note_labelled(RED, "error: ", &problem);
        self.summarize(took.saturating_sub(idle));
    }
}

/// How long nothing was written.
fn idle(reader: &Reader) -> Result<Duration, Unreadable> {
    Ok(reader.written_at()?.elapsed().unwrap_or_default())
}
