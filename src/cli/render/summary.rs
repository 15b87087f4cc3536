//! What is said at the end: how much was done, and how to go on with this program. Pure.

use std::time::Duration;

use super::Counts;
use super::clock::short;
use super::steps::Line;
use crate::cli::format::{count, grouped, one_line};
use crate::cli::style::{DIM, PLAIN};
use crate::model::changed_files::ChangedFiles;
use crate::model::session_id::SessionId;
use crate::model::usage::Usage;

/// How many changed files are named.
const MAX_FILES: usize = 8;

/// The end of a turn, or of all turns of a job.
#[derive(Debug)]
pub(in crate::cli) struct Summary<'a> {
    pub(in crate::cli) turns: u64,
    pub(in crate::cli) took: Duration,
    pub(in crate::cli) counts: Counts,
    /// With what it ran: model and sandbox, as far as that is known.
    pub(in crate::cli) ran_with: Vec<String>,
    /// The changed files, relative to where Codex worked.
    pub(in crate::cli) files: &'a ChangedFiles,
    pub(in crate::cli) usage: Option<Usage>,
    /// How full the context is, in percent.
    pub(in crate::cli) context: Option<u64>,
    pub(in crate::cli) session: Option<SessionId>,
    /// The command with which a user takes the session over, if Codex keeps it.
    pub(in crate::cli) resume: Option<String>,
}

impl Summary<'_> {
    /// The lines, ready to be drawn.
    pub(in crate::cli) fn lines(&self) -> Vec<Line> {
        let mut lines = vec![Line::new(DIM, &self.figures())];
        if !self.files.is_empty() {
            lines.push(Line::new(PLAIN, &self.changed()));
        }
        if let (Some(session), Some(resume)) = (self.session, &self.resume) {
            let program = env!("CARGO_PKG_NAME");
            let session = session.to_string();
            lines.push(Line::new(DIM, &format!("session: {session}")));
            let go_on = format!("go on: {program} chat --session {session} \"…\"");
            lines.push(Line::new(DIM, &go_on).whole());
            lines.push(Line::new(DIM, &format!("take over: {resume}")).whole());
        }
        lines
    }

    fn figures(&self) -> String {
        let Counts { commands, commands_failed } = self.counts;
        let mut parts = vec![count(self.turns, "turn"), short(self.took)];
        parts.extend(self.ran_with.iter().map(|with| one_line(with).into_owned()));
        parts.push(match commands_failed {
            0 => count(commands, "command"),
            failed => format!("{} ({failed} failed)", count(commands, "command")),
        });
        let files = self.files.paths.len() + self.files.omitted;
        parts.push(format!("{} changed", count(files as u64, "file")));
        if let Some(usage) = self.usage {
            let (sent, received) = (grouped(usage.input_tokens), grouped(usage.output_tokens));
            parts.push(format!("{sent} tokens in, {received} out"));
        }
        parts.extend(self.context.map(|percent| format!("context {percent} % full")));
        parts.join(" · ")
    }

    fn changed(&self) -> String {
        let paths = &self.files.paths;
        let named: Vec<_> = paths.iter().take(MAX_FILES).map(|path| one_line(path)).collect();
        let more = paths.len().saturating_sub(MAX_FILES) + self.files.omitted;
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        format!("changed: {}{more}", named.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_says_how_much_was_done_and_how_to_go_on() {
        let paths = (0..10).map(|number| format!("{number}.rs")).collect();
        let files = ChangedFiles { paths, ..ChangedFiles::default() };
        let session: SessionId = "0199a213-81c0-7800-8aa1-bbab2a035a53".parse().expect("a UUID");
        let summary = Summary {
            turns: 1,
            took: Duration::from_secs(12),
            counts: Counts { commands: 3, commands_failed: 1 },
            ran_with: vec!["gpt-5.5".into(), "read-only".into()],
            files: &files,
            usage: Some(Usage { input_tokens: 21_605, output_tokens: 935, ..Usage::default() }),
            context: None,
            session: Some(session),
            resume: Some(session.resume_command()),
        };
        let lines = summary.lines();
        let texts: Vec<&str> = lines.iter().map(|line| &*line.text).collect();
        assert_eq!(
            texts[0],
            "1 turn · 12s · gpt-5.5 · read-only · 3 commands (1 failed) · 10 files changed · 21,605 tokens in, 935 out"
        );
        assert!(texts[1].starts_with("changed: 0.rs, 1.rs") && texts[1].ends_with("and 2 more"));
        assert!(texts[3].contains(" chat --session 0199a213-"));
    }
}
