//! How checks are printed: as text each as soon as it is done, as JSON all at the end.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::check::{Check, Status, count, worst};
use crate::cli::output::{note_in, stdout};
use crate::cli::style::{BOLD, DIM, GREEN, RED, YELLOW, styled};
use crate::model::text::{LineBreaks, sanitize};

/// The width of the longest status.
const MARK: usize = 7;

pub(super) struct Report {
    json: bool,
    checks: Vec<Check>,
}

impl Report {
    pub(super) fn new(json: bool) -> Self {
        Self { json, checks: Vec::new() }
    }

    pub(super) fn add(&mut self, checks: impl IntoIterator<Item = Check>) -> io::Result<()> {
        for check in checks {
            if !self.json {
                self.print(&check)?;
            }
            self.checks.push(check);
        }
        Ok(())
    }

    /// Says what takes a while now.
    pub(super) fn announce(&self, what: &str) {
        if !self.json {
            note_in(DIM, what);
        }
    }

    /// Prints the summary, and returns the exit status.
    pub(super) fn end(&self) -> io::Result<u8> {
        let status = worst(&self.checks);
        let mut out = stdout(self.json);
        if self.json {
            writeln!(out, "{}", json!({"status": status, "checks": self.checks}))?;
        } else {
            let number = |status| self.checks.iter().filter(|check| check.status == status).count();
            let problems = count(number(Status::Problem), "problem");
            let warnings = count(number(Status::Warning), "warning");
            writeln!(out, "{}", styled(BOLD, &format!("{problems}, {warnings}")))?;
        }
        out.flush()?;
        Ok(u8::from(status == Status::Problem))
    }

    fn print(&self, check: &Check) -> io::Result<()> {
        let (word, style) = match check.status {
            Status::Ok => ("ok", GREEN),
            Status::Warning => ("warning", YELLOW),
            Status::Problem => ("problem", RED),
        };
        let mark = styled(style, word) + &" ".repeat(MARK - word.len());
        let mut out = stdout(false);
        let Check { id, summary, .. } = check;
        writeln!(out, "{mark}  {}", sanitize(format_args!("{id}: {summary}"), LineBreaks::Escape))?;
        for (name, value) in &check.details {
            let value = shown(value);
            // A value that the summary has is in the details for programs alone.
            if check.summary.contains(&value) {
                continue;
            }
            let line = format!("{name}: {value}");
            writeln!(out, "{:MARK$}    {}", "", styled(DIM, &sanitize(line, LineBreaks::Escape)))?;
        }
        if let Some(fix) = &check.fix {
            writeln!(out, "{:MARK$}    fix: {}", "", sanitize(fix, LineBreaks::Escape))?;
        }
        out.flush()
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
