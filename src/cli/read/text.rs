//! Entries as text, one line each where possible.

use std::io::{self, Write};
use std::time::Duration;

use anstyle::Style;

use super::{Arguments, json};
use crate::cli::format::{clean, grouped, head, one_line};
use crate::cli::style::{BOLD, DIM, PLAIN, RED, YELLOW, styled};
use crate::codex::reading::entry::{Change, Entry, File, Tokens, What};
use crate::job::Time;
use crate::model::outcome::duration;
use crate::model::text;

/// The longest text on a line, in characters.
const LINE: usize = 200;

/// How many lines of the end of a failed command's output are printed.
const OUTPUT_LINES: usize = 5;

/// Prints entries, in the form that was asked for.
pub(super) struct Printer<W> {
    out: W,
    json: bool,
    /// Whether each entry has one line.
    brief: bool,
    /// The request and the session that the last printed entry belongs to.
    of: Option<(Option<String>, Option<String>)>,
    /// Hashes of the last message and of the last error. The end of a turn and the answer repeat them.
    message: Option<u64>,
    error: Option<u64>,
    /// How many characters of a text are printed at most.
    pub(super) limit: Option<usize>,
}

impl<W: Write> Printer<W> {
    /// `is_brief` is that of the entries if all are printed.
    pub(super) fn new(out: W, arguments: &Arguments, is_brief: bool) -> Self {
        let Arguments { messages, reasoning, commands, errors, timeline, json, .. } = *arguments;
        let all = timeline || !(messages || reasoning || commands || errors);
        Self {
            out,
            json,
            brief: all && is_brief,
            of: None,
            message: None,
            error: None,
            limit: None,
        }
    }

    /// Prints a line as it is, with terminal escapes made visible.
    pub(super) fn line(&mut self, line: &str) -> io::Result<()> {
        if self.json {
            writeln!(self.out, "{line}")
        } else {
            writeln!(self.out, "{}", one_line(line))
        }
    }

    /// Prints a remark of this program.
    pub(super) fn note(&mut self, text: &str) -> io::Result<()> {
        if self.json {
            return self.line(&serde_json::json!({"type": "note", "text": text}).to_string());
        }
        // What follows is of another file.
        self.of = None;
        self.line(&format!("note: {text}"))
    }

    /// Prints a text of several lines.
    pub(super) fn text(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{}", clean(text.trim_end()))
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// How many characters the entry takes.
    pub(super) fn chars(&self, entry: &Entry) -> usize {
        if self.json {
            return json::entry(entry).to_string().chars().count();
        }
        self.lines(entry).iter().map(|(_, line)| line.chars().count() + 1).sum()
    }

    pub(super) fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        if self.json {
            return self.line(&json::entry(entry).to_string());
        }
        let lines = self.lines(entry);
        match &entry.what {
            What::Message { text } => self.message = Some(hash(text)),
            What::Error { message } => self.error = Some(hash(message)),
            _ => {}
        }
        if lines.is_empty() {
            return Ok(());
        }
        self.header(entry)?;
        for (style, line) in lines {
            let line = match self.limit {
                Some(limit) => head(&line, limit),
                None => line,
            };
            writeln!(self.out, "{}", styled(style, &line))?;
        }
        Ok(())
    }

    /// Names the request and the session if they are not those of the entry before.
    fn header(&mut self, entry: &Entry) -> io::Result<()> {
        let (before, session) = match &self.of {
            Some((request, session)) => (Some(request), session.as_ref()),
            None => (None, None),
        };
        let is_same_request = before == Some(&entry.request);
        let now = entry.session.as_ref().or(session.filter(|_| is_same_request));
        let request =
            entry.request.as_deref().filter(|_| !is_same_request).map(Entry::request_name);
        let parts =
            [("request", request), ("session", now.filter(|now| Some(*now) != session).cloned())];
        let known =
            parts.into_iter().filter_map(|(name, id)| Some(format!("{name} {}", head(&id?, LINE))));
        let header = known.collect::<Vec<_>>().join(" · ");
        self.of = Some((entry.request.clone(), now.or(session).cloned()));
        if header.is_empty() {
            return Ok(());
        }
        writeln!(self.out, "{}", styled(BOLD, &format!("== {header}")))
    }

    /// The lines of an entry.
    fn lines(&self, entry: &Entry) -> Vec<(Style, String)> {
        let at = entry.at.map(clock).unwrap_or_default();
        let what = &entry.what;
        let short = |word: &str, text: &str| format!("{at}{word} {}", head(text, LINE));
        let style = match what {
            What::Warning { .. } | What::Approval { .. } => YELLOW,
            what if what.is_failure() => RED,
            What::Session { .. } | What::TurnStarted { .. } | What::Note { .. } => DIM,
            _ => PLAIN,
        };
        let line = match what {
            What::Session { model, cwd, .. } => {
                let cwd = cwd.as_ref().map(|cwd| format!("in {cwd}"));
                let known: Vec<String> = model.iter().cloned().chain(cwd).collect();
                if known.is_empty() {
                    return Vec::new();
                }
                short("session", &known.join(" "))
            }
            What::Called { tool, prompt } => {
                short("call", &format!("{tool}: {}", prompt.as_deref().unwrap_or_default()))
            }
            What::Cancelled => format!("{at}cancelled by the client"),
            What::TurnStarted { .. } => format!("{at}turn started"),
            What::Prompt { text } => short("prompt", text),
            What::Queued { text } => short("prompt", &format!("(queued) {text}")),
            What::Message { text } => return self.whole(style, &at, "message", text),
            What::Reasoning { text } => return self.whole(style, &at, "reasoning", text),
            What::CommandBegan { command, .. } => short("running", command),
            What::CommandEnded { command, output, .. } => {
                let command = head(command.as_deref().unwrap_or("?"), LINE);
                let mut lines = vec![(style, format!("{at}command {command} → {}", outcome(what)))];
                if what.is_failure() && !self.brief {
                    lines.extend(end_of(output));
                }
                return lines;
            }
            What::PatchBegan { files, .. } => short("editing", &names(files)),
            What::PatchEnded { files, applied: true, .. } => short("edit", &names(files)),
            What::PatchEnded { files, output, .. } => {
                let failed = short("edit", &format!("{} → failed", names(files)));
                let mut lines = vec![(style, failed)];
                if !self.brief {
                    lines.extend(end_of(output));
                }
                return lines;
            }
            What::ToolBegan { tool, .. } => short("calling", tool),
            What::ToolEnded { tool, duration, error, .. } => {
                let how = match error {
                    Some(error) => format!("failed: {error}"),
                    None => "ok".into(),
                };
                short("tool", &format!("{tool} → {}{how}", took(*duration)))
            }
            What::SearchBegan { .. } => format!("{at}searching"),
            What::SearchEnded { query, .. } => short("search", query),
            What::Plan { steps } => {
                let done = steps.iter().filter(|step| step.is_done).count();
                let next = steps.iter().find(|step| !step.is_done);
                let next = next.map(|step| format!(": {}", step.text)).unwrap_or_default();
                short("plan", &format!("{done}/{}{next}", steps.len()))
            }
            What::Tokens(tokens) => short("tokens", &phrase(tokens)),
            What::Error { message } => short("error", message),
            What::Warning { message } => short("warning", message),
            What::Approval { of, .. } => short("approval", &format!("wanted for {of}")),
            What::Note { text } => short("note", text),
            What::TurnEnded { duration, error: None, .. } => {
                format!("{at}turn completed{}", after(*duration))
            }
            What::TurnEnded { duration, error: Some(error), .. }
                if Some(hash(error)) == self.error =>
            {
                format!("{at}turn failed{}", after(*duration))
            }
            What::TurnEnded { duration, error: Some(error), .. } => {
                short("turn", &format!("failed{}: {error}", after(*duration)))
            }
            What::TurnAborted { reason, duration } if reason == "interrupted" => {
                format!("{at}turn interrupted{}", after(*duration))
            }
            What::TurnAborted { reason, duration } => {
                short("turn", &format!("interrupted{}: {reason}", after(*duration)))
            }
            What::Answer { text, is_error: true } if Some(hash(text)) == self.error => {
                format!("{at}answer: the error")
            }
            What::Answer { text, is_error: true } => {
                return self.whole(style, &at, "answer with an error:", text);
            }
            What::Answer { text, .. } if Some(hash(text)) == self.message => {
                // Among messages it says nothing new.
                if !self.brief {
                    return Vec::new();
                }
                format!("{at}answer: the last message")
            }
            What::Answer { text, .. } => return self.whole(style, &at, "answer", text),
        };
        vec![(style, line)]
    }

    /// A text on a line, or all of it.
    fn whole(&self, style: Style, at: &str, word: &str, text: &str) -> Vec<(Style, String)> {
        let text = if self.brief { head(text, LINE) } else { text.trim().to_owned() };
        vec![(style, format!("{at}{word} {text}"))]
    }
}

/// Token counts in a line.
pub(super) fn phrase(tokens: &Tokens) -> String {
    let total = tokens.total;
    let mut phrase = format!(
        "{} used ({} in, {} of them cached, {} out)",
        grouped(tokens.used()),
        grouped(total.input_tokens),
        grouped(total.cached_input_tokens),
        grouped(total.output_tokens)
    );
    if let (Some(context), Some(window), Some(left)) =
        (tokens.context, tokens.window, tokens.left())
    {
        let percent = left.saturating_mul(100) / window;
        phrase += &format!(
            " · context {} of {}, {} left ({percent} %)",
            grouped(context),
            grouped(window),
            grouped(left)
        );
    }
    phrase
}

/// The time of day, in UTC.
fn clock(at: Time) -> String {
    let text = at.to_string();
    text.get(11..19).map(|clock| format!("{clock} ")).unwrap_or_default()
}

fn took(took: Option<Duration>) -> String {
    took.map(|took| format!("{}, ", duration(took))).unwrap_or_default()
}

fn after(took: Option<Duration>) -> String {
    took.map(|took| format!(" after {}", duration(took))).unwrap_or_default()
}

/// How a command ended.
fn outcome(what: &What) -> String {
    let What::CommandEnded { exit_code, duration: took, declined, .. } = what else {
        return String::new();
    };
    let how = match (declined, exit_code) {
        (true, _) => "declined".to_owned(),
        (false, Some(code)) => code.to_string(),
        (false, None) => "ended".to_owned(),
    };
    how + &took.map(|took| format!(" in {}", duration(took))).unwrap_or_default()
}

/// The last lines of an output.
fn end_of(output: &str) -> Vec<(Style, String)> {
    let lines: Vec<&str> = output.trim_end().lines().collect();
    let shown = lines[lines.len().saturating_sub(OUTPUT_LINES)..].iter();
    shown.map(|line| (DIM, format!("  {}", head(line, LINE)))).collect()
}

/// The files of a patch: `+new`, `~changed`, `-deleted`.
fn names(files: &[File]) -> String {
    let name = |file: &File| {
        let mark = match file.change {
            Change::Add => '+',
            Change::Update => '~',
            Change::Delete => '-',
        };
        format!("{mark}{}", file.path)
    };
    files.iter().map(name).collect::<Vec<_>>().join(" ")
}

/// Spaces around a text do not matter.
fn hash(text: &str) -> u64 {
    text::hash(text.trim())
}
