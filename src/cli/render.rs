//! Draws what Codex does, for a user: in `chat`, `jobs follow`, `sessions follow` and the demo.
//!
//! Each thing that happened is a line, or a few. On a terminal a last line shows what runs now; it is drawn
//! again in place, and goes before anything else is printed.

mod clock;
mod live;
mod reply;
mod steps;
mod summary;

use std::path::PathBuf;
use std::time::{Duration, Instant};

pub(super) use clock::short;
pub(super) use reply::wrapped;
pub(super) use steps::tilde;
pub(super) use summary::Summary;

use live::Live;
pub(super) use steps::Line;

use super::format::{head, one_line};
use super::output::{note_raw, wrap_columns};
use super::style::DIM;
use crate::codex::reading::entry::{Entry, What};
use crate::model::time::Time;

/// What was drawn so far, as far as it matters for what is drawn next.
pub(super) struct Renderer {
    live: Live,
    /// The last line, and how often it came in a row.
    last: Option<(Line, u64)>,
    /// The commands and tool calls that are running.
    running: Vec<Running>,
    folder: Option<PathBuf>,
    pub(super) counts: Counts,
}

/// How much was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) commands: u64,
    pub(super) commands_failed: u64,
}

/// A command or tool call that is running.
struct Running {
    call: String,
    name: String,
    began: Instant,
    /// When it began by what was recorded, which may be long ago.
    at: Option<Time>,
    /// Whether a line says so.
    is_said: bool,
}

/// After this time a line says what is running, where there is no live line for that.
const SAY_AFTER: Duration = Duration::from_secs(1);

/// The most commands and tool calls that are known to be running.
const MAX_RUNNING: usize = 64;

impl Renderer {
    /// Paths in this folder are shown relative to it.
    pub(super) fn new(folder: Option<PathBuf>) -> Self {
        Self {
            live: Live::new(),
            last: None,
            running: Vec::new(),
            folder,
            counts: Counts::default(),
        }
    }

    /// Shows paths relative to this folder from now on.
    pub(super) fn folder(&mut self, folder: PathBuf) {
        self.folder = Some(folder);
    }

    /// Draws something that was recorded.
    pub(super) fn draw(&mut self, entry: &Entry) {
        self.draw_at(&entry.what, entry.at);
    }

    /// Draws something that happens now.
    pub(super) fn draw_now(&mut self, what: &What) {
        self.draw_at(what, None);
    }

    fn draw_at(&mut self, what: &What, at: Option<Time>) {
        let took = self.note(what, at);
        let lines = steps::lines(what, took, self.folder.as_deref());
        // Lines of one text are not merged: it is shown as it is.
        let is_alone = lines.len() == 1;
        for line in lines {
            if !is_alone {
                self.flush();
            }
            self.print(line);
        }
        if !is_alone {
            self.flush();
        }
        self.live.says(self.now(what));
    }

    /// Draws a line of another kind.
    pub(super) fn print(&mut self, line: Line) {
        if let Some((last, count)) = &mut self.last
            && last.is_like(&line)
            && !line.text.is_empty()
        {
            *count += 1;
            return;
        }
        self.flush();
        self.live.erase();
        self.last = Some((line.clone(), 1));
        note_raw(&line.drawn(wrap_columns()));
    }

    /// Draws a line of text in this style.
    pub(super) fn say(&mut self, style: anstyle::Style, text: &str) {
        for line in text.lines() {
            self.print(Line::new(style, line));
        }
    }

    /// Says what runs now.
    pub(super) fn working(&mut self, what: &str) {
        self.live.says(Some(what.to_owned()));
    }

    /// Says how many tokens were used so far.
    pub(super) fn tokens(&self, used: u64) {
        self.live.tokens(used);
    }

    /// Whether there is a line that shows what runs.
    pub(super) fn is_live(&self) -> bool {
        self.live.is_wanted()
    }

    /// Whether no command or tool is running.
    pub(super) fn is_thinking(&self) -> bool {
        self.running.is_empty()
    }

    /// Draws the last line again, if it is time for that. Without one, says what has been running for a while.
    pub(super) fn tick(&mut self) {
        self.live.tick();
        if self.live.is_wanted() {
            return;
        }
        let long = self.running.iter_mut().filter(|running| !running.is_said);
        let long = long.filter(|running| running.began.elapsed() >= SAY_AFTER);
        let names: Vec<String> = long
            .map(|running| {
                running.is_said = true;
                format!("running: {}", one_line(&running.name))
            })
            .collect();
        for name in names {
            self.print(Line::new(DIM, &head(&name, steps::LINE)));
        }
    }

    /// Ends what was begun, so that others can print.
    pub(super) fn finish(&mut self) {
        self.flush();
        self.last = None;
        self.live.erase();
        self.live.stop();
    }

    /// Says how often the last line came.
    fn flush(&mut self) {
        if let Some((_, count @ 2..)) = self.last.take() {
            self.live.erase();
            note_raw(&Line::new(DIM, &format!("  ×{count}")).drawn(wrap_columns()));
        }
    }

    /// Remembers what runs. Returns how long it took, if that is known.
    fn note(&mut self, what: &What, at: Option<Time>) -> Option<Duration> {
        let now = Instant::now();
        let began = match what {
            What::CommandBegan { call, command } => Some((call, command.clone())),
            What::ToolBegan { call, tool } => Some((call, tool.clone())),
            What::SearchBegan { call } => Some((call, "searching".into())),
            _ => None,
        };
        if let Some((call, name)) = began {
            if self.running.len() < MAX_RUNNING {
                let call = call.clone();
                self.running.push(Running { call, name, began: now, at, is_said: false });
            }
            return None;
        }
        let (call, reported) = match what {
            What::CommandEnded { call, duration, exit_code, .. } => {
                self.counts.commands += 1;
                self.counts.commands_failed += u64::from(exit_code.is_some_and(|code| code != 0));
                (call, *duration)
            }
            What::ToolEnded { call, duration, .. } => (call, *duration),
            What::SearchEnded { call, .. } => (call, None),
            What::TurnEnded { .. } | What::TurnAborted { .. } => {
                self.running.clear();
                return None;
            }
            _ => return None,
        };
        let place = self.running.iter().position(|running| running.call == *call);
        let began = place.map(|place| self.running.remove(place));
        let took = began.map(|began| match (began.at, at) {
            (Some(began), Some(ended)) => Duration::from_millis(ended.0.saturating_sub(began.0)),
            _ => now - began.began,
        });
        reported.or(took)
    }

    /// What the last line says.
    fn now(&self, what: &What) -> Option<String> {
        if let Some(running) = self.running.last() {
            return Some(format!("running {}", running.name));
        }
        match what {
            What::Tokens(tokens) => {
                self.live.tokens(tokens.used());
                None
            }
            What::TurnEnded { .. } | What::TurnAborted { .. } => Some(String::new()),
            _ => Some("thinking".into()),
        }
    }
}
