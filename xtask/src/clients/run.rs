//! One run of a client: what it did, and what proves it.

use std::path::{Path, PathBuf};

use super::list::Limit;
use super::model::{ASK, REPLY, SLOWLY, Turn};
use super::page::Page;
use super::process::{self, Ran};
use super::stage::{Programs, Stage};
use crate::Failure;

/// The prompt for Codex, also in the programs of the pages.
const PROMPT: &str = "Say hello.";

/// A client that is about to run.
pub struct Run<'a> {
    pub page: &'a Page,
    pub stage: Stage,
    pub seen: Seen,
    /// The tools that this program lists.
    tools: &'a [String],
    /// Whether the client gets too little time, and Codex a prompt that takes long.
    hurry: Option<Limit>,
}

/// What the client was seen to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    pub connects: bool,
    pub lists: bool,
    pub calls: bool,
}

/// What a client is made to do.
pub type Check = fn(&mut Run) -> Result<(), Failure>;

/// Where and with what all runs of a client take place.
pub struct Setting<'a> {
    pub page: &'a Page,
    pub folder: &'a Path,
    pub bin: PathBuf,
    pub programs: &'a Programs,
    pub tools: &'a [String],
}

impl Setting<'_> {
    /// Runs a check on a new stage, and waits until nothing of it is left.
    pub fn run(&self, check: Check) -> (Seen, Result<(), Failure>) {
        let mut run = match self.prepare(None) {
            Ok(run) => run,
            Err(failure) => return (Seen::default(), Err(failure)),
        };
        let outcome = check(&mut run);
        let left = process::none_left(&run.stage.home());
        (run.seen, outcome.and(left))
    }

    /// Runs a check with a shorter time in the line that sets how long the client waits, which shows that the client
    /// takes this line: it must give up.
    ///
    /// # Errors
    /// If it waits on.
    pub fn gives_up(&self, check: Check, limit: Limit) -> Result<(), Failure> {
        let mut run = self.prepare(Some(limit))?;
        let outcome = check(&mut run);
        let was_called = run.stage.model.turns().iter().any(|turn| !turn.delay().is_zero());
        process::none_left(&run.stage.home())?;
        match outcome {
            Ok(()) => Err(format!("with {} it waited longer", limit.short)),
            Err(failure) if was_called && is_of_time(&failure) => Ok(()),
            Err(failure) => Err(format!("with {}: {failure}", limit.short)),
        }
    }

    fn prepare(&self, hurry: Option<Limit>) -> Result<Run<'_>, Failure> {
        let stage = Stage::new(&self.folder.join("run"), &self.bin, self.programs)?;
        Ok(Run { page: self.page, stage, seen: Seen::default(), tools: self.tools, hurry })
    }
}

impl Run<'_> {
    /// Runs the command of the page that starts with these words.
    ///
    /// # Errors
    /// If the page has none, or it fails.
    pub fn shown(&self, start: &str) -> Result<Ran, Failure> {
        self.succeeds(&self.page.command(start)?, &[])
    }

    /// Runs a line in a shell.
    ///
    /// # Errors
    /// If it fails.
    pub fn succeeds(&self, line: &str, variables: &[(&str, &str)]) -> Result<Ran, Failure> {
        let ran = self.stage.line(line, variables)?;
        if ran.succeeded { Ok(ran) } else { Err(format!("`{line}` failed: {}", ran.tail())) }
    }

    /// Checks that an output says so.
    ///
    /// # Errors
    /// If it does not.
    pub fn connects(&mut self, ran: &Ran, word: &str) -> Result<(), Failure> {
        if !ran.output.contains(word) {
            return Err(format!("no {word:?} in: {}", ran.tail()));
        }
        self.seen.connects = true;
        Ok(())
    }

    /// Checks that all tools are in an output.
    ///
    /// # Errors
    /// If one is not.
    pub fn lists(&mut self, output: &str) -> Result<(), Failure> {
        let missing: Vec<_> = self.tools.iter().filter(|tool| !output.contains(*tool)).collect();
        if !missing.is_empty() {
            return Err(format!("{missing:?} are not listed in: {output:.1500}"));
        }
        self.seen.connects = true;
        self.seen.lists = true;
        Ok(())
    }

    /// Checks that an answer of `codex_chat` is in an output.
    ///
    /// # Errors
    /// If it is not.
    pub fn calls(&mut self, output: &str) -> Result<(), Failure> {
        if !self.has_answer(output) {
            return Err(format!("no reply with a session id in: {output:.1500}"));
        }
        self.seen.calls = true;
        Ok(())
    }

    /// Has a client with a model call the tool. The line gets the prompt in the variable `PROMPT`.
    ///
    /// # Errors
    /// If its model was not offered all tools, or did not get the answer, or the client printed no end.
    pub fn asks(&mut self, line: &str, variables: &[(&str, &str)]) -> Result<(), Failure> {
        let prompt = self.adapted(&format!("{ASK}{PROMPT}"));
        let variables: Vec<_> =
            variables.iter().copied().chain([("PROMPT", prompt.as_str())]).collect();
        let ran = self.stage.line(line, &variables)?;
        let mut turns = self.stage.model.turns();
        turns.retain(|turn| turn.asked().is_some());
        let told = |failure| format!("{failure}\n{}", ran.tail());
        let offered: Vec<String> = turns.iter().map(offered).collect();
        self.lists(&offered.join("\n")).map_err(told)?;
        let results: Vec<String> = turns.iter().flat_map(|turn| turn.results.clone()).collect();
        self.calls(&results.join("\n")).map_err(told)?;
        match ran.output.contains(REPLY) {
            true => Ok(()),
            false => Err(format!("its model got the reply, but it printed: {}", ran.tail())),
        }
    }

    /// A text of the page as it is used in this run.
    pub fn adapted(&self, text: &str) -> String {
        let Some(Limit { line, short, .. }) = self.hurry else { return text.to_owned() };
        let slow = format!("{} {SLOWLY}.", PROMPT.trim_end_matches('.'));
        text.replace(line, short).replace(PROMPT, &slow)
    }

    /// Whether a text has the reply and the id of a session that Codex recorded.
    fn has_answer(&self, text: &str) -> bool {
        let is_there = |id: &String| text.contains(id.as_str());
        text.contains(REPLY) && self.stage.sessions().iter().any(is_there)
    }
}

/// Whether a client gave up. The Agents SDK does not say why it has no answer, but this program logs that it cancelled.
fn is_of_time(failure: &str) -> bool {
    failure.to_lowercase().contains("timed out") || failure.contains("kind=\"cancelled\"")
}

/// The names of tools that a model was offered: as tools, or in a text that says what it can search for.
fn offered(turn: &Turn) -> String {
    let texts = turn.tools.iter().chain(&turn.user);
    texts.map(String::as_str).collect::<Vec<_>>().join("\n")
}
