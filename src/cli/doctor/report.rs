//! How checks are printed: what needs the user first, then all that is fine in a line for each group.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use anstyle::Style;
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use super::check::{Check, PAGE, Status, count, worst};
use super::layout::{heading, row, tilde_in, title};
use super::repair::{Repair, Repaired};
use crate::cli::output::{Stream, columns, note_in, stdout};
use crate::cli::render::tilde;
use crate::cli::style::{BOLD, DIM, GREEN, RED, YELLOW, styled};
use crate::model::help;
use crate::model::text::{LineBreaks, sanitize};

const PROGRAM: &str = env!("CARGO_PKG_NAME");
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How to print the checks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    pub(super) json: bool,
    /// Every check with its details, and not only what is not fine.
    pub(super) all: bool,
}

pub(super) struct Report {
    form: Form,
    checks: Vec<Check>,
    repaired: Vec<Repaired>,
}

impl Report {
    pub(super) fn new(form: Form) -> Self {
        Self { form, checks: Vec::new(), repaired: Vec::new() }
    }

    pub(super) fn add(&mut self, checks: impl IntoIterator<Item = Check>) {
        self.checks.extend(checks);
    }

    /// What can be fixed.
    pub(super) fn repairs(&self) -> Vec<Repair> {
        self.checks.iter().filter_map(|check| check.repair.clone()).collect()
    }

    /// Forgets all checks, because their problems may be gone.
    pub(super) fn restart(&mut self, repaired: Vec<Repaired>) {
        self.checks.clear();
        self.repaired = repaired;
    }

    /// Says what takes a while now.
    pub(super) fn announce(&self, what: &str) {
        if !self.form.json {
            note_in(DIM, what);
        }
    }

    /// Prints everything, and returns the exit status.
    pub(super) fn end(&self) -> io::Result<u8> {
        let status = worst(&self.checks);
        let mut out = stdout(self.form.json);
        if self.form.json {
            writeln!(out, "{}", self.json(status))?;
        } else {
            let asked = std::env::var_os("COLUMNS").is_some() || io::stdout().is_terminal();
            let width = asked.then(|| columns(Stream::Out));
            for line in self.lines(width) {
                writeln!(out, "{line}")?;
            }
        }
        out.flush()?;
        Ok(u8::from(status == Status::Problem))
    }

    fn json(&self, status: Status) -> Value {
        let mut report = json!({"status": status, "version": VERSION, "checks": self.checks});
        let texts = |wanted: bool| -> Vec<&str> {
            let texts = self.repaired.iter().filter_map(|repaired| match repaired {
                Repaired::Done(text) => wanted.then_some(text.as_str()),
                Repaired::Failed(text) => (!wanted).then_some(text.as_str()),
            });
            texts.collect()
        };
        if !self.repaired.is_empty() {
            report["fixed"] = texts(true).into();
            report["not_fixed"] = texts(false).into();
        }
        report
    }

    fn lines(&self, width: Option<usize>) -> Vec<String> {
        let mut lines = vec![self.head(width), String::new()];
        for repaired in &self.repaired {
            lines.push(match repaired {
                Repaired::Done(text) => row(GREEN, "+", "fixed", &tilde_in(text), width),
                Repaired::Failed(text) => row(RED, "✗", "not fixed", &tilde_in(text), width),
            });
        }
        if !self.repaired.is_empty() {
            lines.push(String::new());
        }
        let with = |status| self.checks.iter().filter(move |check| check.status == status);
        let wrong: Vec<&Check> = with(Status::Problem).chain(with(Status::Warning)).collect();
        for check in &wrong {
            lines.extend(self.check(check, width));
            let fix = check.fix.as_deref().map(|fix| sanitize(fix, LineBreaks::Escape));
            // A path that is copied into a file must be whole.
            let is_for_file = check.id.ends_with(".command");
            let fix = fix.map(|fix| if is_for_file { fix } else { tilde_in(&fix) });
            lines.extend(fix.map(|fix| row(DIM, " ", "fix", &fix, width)));
        }
        let can_fix = wrong.iter().filter(|check| check.repair.is_some()).count();
        if can_fix > 0 {
            let text = format!("{can_fix} of these: {PROGRAM} doctor --fix");
            lines.push(row(DIM, " ", "fix", &text, width));
        }
        if !wrong.is_empty() {
            lines.push(String::new());
        }
        if self.form.all {
            lines.extend(with(Status::Ok).flat_map(|check| self.check(check, width)));
        } else {
            lines.extend(self.groups(width));
        }
        let problems = count(with(Status::Problem).count(), "problem");
        let warnings = count(with(Status::Warning).count(), "warning");
        lines.push(String::new());
        let end = format!("{problems}, {warnings}");
        // The page has a section for each of them. The report is not made longer for it.
        let page = format!(" · {}", help::address(PAGE));
        let fits = width.is_none_or(|width| end.width() + page.width() <= width);
        let page = if wrong.is_empty() || !fits { String::new() } else { styled(DIM, &page) };
        lines.push(styled(BOLD, &end) + &page);
        lines
    }

    /// What runs here, with its version and the folder.
    fn head(&self, width: Option<usize>) -> String {
        let codex = self.checks.iter().find(|check| check.id == "codex");
        let version = codex.and_then(|check| check.details.get("version")?.as_str());
        let codex =
            version.map_or_else(|| "no Codex".to_owned(), |number| format!("Codex {number}"));
        let folder = std::env::current_dir().map(|dir| tilde(Path::new(&dir))).unwrap_or_default();
        heading(&format!("{PROGRAM} doctor {VERSION} · {codex} · {folder}"), width)
    }

    /// One check, with its details unless it is fine and they were not asked for.
    fn check(&self, check: &Check, width: Option<usize>) -> Vec<String> {
        let (mark, style) = mark(check.status);
        let summary = tilde_in(&sanitize(&check.summary, LineBreaks::Escape));
        let mut lines = vec![row(style, mark, &title(&check.id), &summary, width)];
        for (name, value) in &check.details {
            let value = shown(value);
            // A value that the summary has is in the details for programs alone.
            if check.summary.contains(&value) {
                continue;
            }
            let line = sanitize(format_args!("{name}: {value}"), LineBreaks::Escape);
            lines.push(row(DIM, " ", "", &tilde_in(&line), width));
        }
        lines.extend(note(check, width));
        lines
    }

    /// What is fine, in a line for each group.
    fn groups(&self, width: Option<usize>) -> Vec<String> {
        let mut groups: Vec<(String, Vec<String>)> = Vec::new();
        for check in self.checks.iter().filter(|check| check.status == Status::Ok) {
            let title = title(&check.id);
            let mut text = tilde_in(&sanitize(&check.summary, LineBreaks::Escape));
            if check.id == "settings" {
                text += " (--all lists them)";
            }
            match groups.iter_mut().find(|(known, _)| *known == title) {
                Some((_, texts)) => texts.push(text),
                None => groups.push((title, vec![text])),
            }
        }
        let (mark, style) = mark(Status::Ok);
        let of = |wanted: &String| {
            let fine = self.checks.iter().filter(|check| check.status == Status::Ok);
            let notes = fine.filter(|check| title(&check.id) == *wanted);
            notes.filter_map(|check| note(check, width)).collect::<Vec<_>>()
        };
        let lines = groups.iter().flat_map(|(title, texts)| {
            let line = row(style, mark, title, &texts.join(" · "), width);
            [line].into_iter().chain(of(title))
        });
        lines.collect()
    }
}

/// The line with the note of a check.
fn note(check: &Check, width: Option<usize>) -> Option<String> {
    let text = tilde_in(&sanitize(check.note.as_ref()?, LineBreaks::Escape));
    Some(row(DIM, " ", "note", &text, width))
}

fn mark(status: Status) -> (&'static str, Style) {
    match status {
        Status::Ok => ("✓", GREEN),
        Status::Warning => ("!", YELLOW),
        Status::Problem => ("✗", RED),
    }
}

/// A detail on one line. A setting is followed by its source.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(shown).collect::<Vec<_>>().join(", "),
        Value::Object(setting) => {
            let of = |name| setting.get(name).map(shown).unwrap_or_default();
            match setting.get("source").and_then(Value::as_str) {
                Some("variable") => format!("{} (variable {})", of("value"), of("variable")),
                _ => format!("{} ({})", of("value"), of("source")),
            }
        }
        other => other.to_string(),
    }
}
