//! The lines for each thing that Codex does. Pure.

use std::path::Path;
use std::time::Duration;

use anstyle::Style;
use textwrap::{Options, WordSplitter};

use super::clock::short;
use crate::cli::format::{clean, head, one_line};
use crate::cli::style::{BOLD, CYAN, DIM, PLAIN, RED, YELLOW, styled};
use crate::codex::progress_text::heading;
use crate::codex::reading::entry::{What, paths};
use crate::job::reading::FOR_NEXT_PROMPT;
use crate::model::text::shortened;

/// The longest command or remark that is shown, in characters.
pub(super) const LINE: usize = 400;

/// How many lines of a failed command's output are shown.
const OUTPUT_LINES: usize = 10;

/// How far lines after the first one are indented at least.
const MIN_INDENT: usize = 2;

/// The longest message that is shown whole, in lines and in characters: it is in the session.
const MESSAGE_LINES: usize = 40;
const MESSAGE_CHARS: usize = 8_000;

/// A line before it is wrapped: a mark, a text, and what must stay beside its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Line {
    pub(super) style: Style,
    mark: &'static str,
    pub(super) text: String,
    end: Option<(Style, String)>,
    /// How long it took, at the very end.
    time: String,
    /// Whether it is not wrapped: a command that the user copies.
    is_whole: bool,
}

impl Line {
    pub(in crate::cli) fn new(style: Style, text: &str) -> Self {
        Self {
            style,
            mark: "",
            text: text.to_owned(),
            end: None,
            time: String::new(),
            is_whole: false,
        }
    }

    pub(in crate::cli) fn marked(style: Style, mark: &'static str, text: impl AsRef<str>) -> Self {
        Self { mark, ..Self::new(style, text.as_ref()) }
    }

    /// The same, not wrapped.
    pub(in crate::cli) fn whole(self) -> Self {
        Self { is_whole: true, ..self }
    }

    /// `status` and `time` come at its end, if they are known.
    fn ending(mut self, style: Style, status: &str, time: &str) -> Self {
        let end = [status, time].into_iter().filter(|part| !part.is_empty());
        let end = end.collect::<Vec<_>>().join(" ");
        self.end = Some((style, end)).filter(|(_, end)| !end.is_empty());
        self.time = time.to_owned();
        self
    }

    /// Whether it says the same as another line, whatever time that took.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let status = |line: &Self| {
            line.end
                .as_ref()
                .map(|(_, end)| end.strip_suffix(&*line.time).unwrap_or(end).to_owned())
        };
        (self.style, self.mark, &self.text, status(self))
            == (other.style, other.mark, &other.text, status(other))
    }

    /// The line, wrapped at words if there is a width, with what follows the first one indented as the text after
    /// the mark.
    pub(in crate::cli) fn drawn(&self, columns: Option<usize>) -> String {
        // What follows the first line never starts at the left edge, where it could pass for a line of its own.
        // A bar beside a text goes on.
        let indent = match self.mark.contains('│') {
            true => self.mark.to_owned(),
            false => " ".repeat(textwrap::core::display_width(self.mark).max(MIN_INDENT)),
        };
        let options = Options::new(columns.filter(|_| !self.is_whole).unwrap_or(usize::MAX))
            .initial_indent(self.mark)
            .subsequent_indent(&indent)
            .word_splitter(WordSplitter::NoHyphenation);
        let end = self.end.as_ref().map(|(_, end)| format!(" {end}")).unwrap_or_default();
        // Escapes that are made visible count as they are shown.
        let text = format!("{}{}", clean(&self.text), clean(&end));
        let mut lines: Vec<String> =
            textwrap::wrap(&text, options).iter().map(|line| line.trim_end().to_owned()).collect();
        if lines.is_empty() {
            lines.push(String::new());
        }
        let last = lines.len() - 1;
        let drawn = lines.iter().enumerate().map(|(number, line)| match &self.end {
            // A part of the end that was wrapped has the style of the text.
            Some((style, end)) if number == last && line.ends_with(&*clean(end)) => {
                let (text, end) = line.split_at(line.len() - clean(end).len());
                format!("{}{}", styled(self.style, text), styled(*style, end))
            }
            _ => styled(self.style, line),
        });
        drawn.collect::<Vec<_>>().join("\n")
    }
}

/// The lines for this. `took` is how long it took, if that is known.
pub(super) fn lines(what: &What, took: Option<Duration>, folder: Option<&Path>) -> Vec<Line> {
    let time = took.map(short).unwrap_or_default();
    let short_line = |text: &str| head(text, LINE);
    match what {
        What::Session { model, cwd, .. } => {
            let cwd = cwd.as_deref().map(|cwd| tilde(Path::new(cwd)));
            let known: Vec<String> = model.iter().cloned().chain(cwd).collect();
            if known.is_empty() { Vec::new() } else { vec![Line::new(DIM, &known.join(" · "))] }
        }
        What::Queued { text } | What::Prompt { text } => {
            vec![Line::marked(BOLD, "> ", short_line(text))]
        }
        What::Called { tool, prompt } => {
            let prompt = prompt.as_deref().unwrap_or_default();
            vec![Line::marked(BOLD, "> ", short_line(&format!("{tool}: {prompt}")))]
        }
        What::Message { text } => message(text),
        What::Reasoning { text } => {
            heading(text).map(|heading| Line::marked(DIM, "· ", heading)).into_iter().collect()
        }
        What::CommandEnded { command, exit_code, output, declined, .. } => {
            let command = command.as_deref().filter(|command| !command.trim().is_empty());
            let command = short_line(command.unwrap_or("(a command)"));
            let line = Line::marked(CYAN, "$ ", command);
            let failed = match (exit_code, declined) {
                (_, true) => "not run: not approved".to_owned(),
                (Some(0), _) | (None, _) => return vec![line.ending(DIM, "", &time)],
                (Some(code), _) => format!("exit {code}"),
            };
            let mut lines = vec![line.ending(RED, &failed, &time)];
            lines.extend(end_of(output));
            lines
        }
        What::PatchEnded { files, applied: true, .. } => {
            let names: Vec<String> = paths(files).map(|path| relative(path, folder)).collect();
            vec![Line::new(PLAIN, &one_line(&format!("edited {}", names.join(", "))))]
        }
        What::PatchEnded { files, output, .. } => {
            let names: Vec<String> = paths(files).map(|path| relative(path, folder)).collect();
            let names = names.join(", ");
            let what = match output.contains("sandbox") {
                true => "edit refused by the sandbox:",
                false => "could not edit",
            };
            let mut lines = vec![Line::marked(RED, "✗ ", one_line(&format!("{what} {names}")))];
            lines.extend(end_of(output));
            lines
        }
        What::ToolEnded { tool, error: None, .. } => {
            vec![Line::marked(CYAN, "→ ", one_line(tool)).ending(DIM, "", &time)]
        }
        What::ToolEnded { tool, error: Some(error), .. } => {
            vec![Line::marked(RED, "✗ ", short_line(&format!("{tool}: {error}")))]
        }
        What::SearchEnded { query, .. } => {
            vec![
                Line::marked(CYAN, "? ", short_line(&format!("searched: {query}")))
                    .ending(DIM, "", &time),
            ]
        }
        What::Plan { steps } => {
            let done = steps.iter().filter(|step| step.is_done).count();
            let next = steps.iter().find(|step| !step.is_done);
            let next = next.map_or("all done", |step| &step.text);
            vec![Line::marked(PLAIN, "☐ ", short_line(&format!("{done}/{} {next}", steps.len())))]
        }
        What::Error { message } => {
            vec![Line::marked(RED, "✗ ", short_line(&format!("Codex reports: {message}")))]
        }
        What::Warning { message } => vec![Line::new(YELLOW, &format!("warning: {message}"))],
        What::Approval { of, .. } => {
            vec![Line::new(YELLOW, &short_line(&format!("approval wanted for {of}")))]
        }
        What::Note { text } => vec![Line::new(DIM, &short_line(text))],
        What::TurnEnded { error: Some(error), .. } => {
            vec![Line::new(RED, &short_line(&format!("error: {error}")))]
        }
        What::TurnAborted { reason, .. } if reason == FOR_NEXT_PROMPT => {
            vec![Line::new(DIM, reason)]
        }
        What::TurnAborted { reason, .. } => {
            vec![Line::new(RED, &short_line(&format!("error: {reason}")))]
        }
        What::Cancelled => vec![Line::new(YELLOW, "cancelled by the client")],
        What::TurnEnded { .. }
        | What::TurnStarted { .. }
        | What::CommandBegan { .. }
        | What::PatchBegan { .. }
        | What::ToolBegan { .. }
        | What::SearchBegan { .. }
        | What::Tokens(_)
        | What::Answer { .. } => Vec::new(),
    }
}

/// A message that is not the reply.
fn message(text: &str) -> Vec<Line> {
    let shortened = shortened(text.trim(), MESSAGE_CHARS);
    let text = shortened.as_deref().unwrap_or(text.trim());
    let count = text.lines().count();
    let shown = text.lines().take(MESSAGE_LINES);
    let mut lines: Vec<Line> = shown.map(|line| Line::marked(PLAIN, "  ", line)).collect();
    if count > MESSAGE_LINES {
        lines.push(Line::marked(DIM, "  ", format!("… {} more lines", count - MESSAGE_LINES)));
    }
    lines
}

/// The last lines of an output.
fn end_of(output: &str) -> Vec<Line> {
    let lines: Vec<&str> = output.trim_end().lines().collect();
    let left_out = lines.len().saturating_sub(OUTPUT_LINES);
    let dots = (left_out > 0).then(|| Line::marked(DIM, "  ", format!("… {left_out} lines")));
    let shown = lines[left_out..].iter().map(|line| Line::marked(DIM, "  ", head(line, LINE)));
    dots.into_iter().chain(shown).collect()
}

/// A path in `~` if it is in the user's home.
pub(in crate::cli) fn tilde(path: &Path) -> String {
    let home = std::env::home_dir().filter(|home| home.parent().is_some());
    match home.and_then(|home| path.strip_prefix(home).ok().map(Path::to_owned)) {
        Some(inside) if inside == Path::new("") => "~".into(),
        Some(inside) => format!("~/{}", inside.display()),
        None => path.display().to_string(),
    }
}

fn relative(path: &str, folder: Option<&Path>) -> String {
    let inside = folder.and_then(|folder| Path::new(path).strip_prefix(folder).ok());
    match inside {
        Some(inside) if inside != Path::new("") => inside.display().to_string(),
        _ => tilde(Path::new(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(what: &What, columns: usize) -> String {
        let took = Some(Duration::from_millis(1_200));
        let lines = lines(what, took, Some(Path::new("/work")));
        let drawn: Vec<String> = lines.iter().map(|line| line.drawn(Some(columns))).collect();
        anstream::adapter::strip_str(&drawn.join("\n")).to_string()
    }

    fn command(command: &str, exit_code: i64, output: &str) -> What {
        What::CommandEnded {
            call: "1".into(),
            command: Some(command.into()),
            exit_code: Some(exit_code),
            duration: None,
            output: output.into(),
            declined: false,
        }
    }

    #[test]
    fn a_command_has_its_status_and_time() {
        assert_eq!(plain(&command("cat a", 0, "text"), 80), "$ cat a 1.2s");
        assert_eq!(plain(&command("./lint.sh", 3, "no\n"), 80), "$ ./lint.sh exit 3 1.2s\n  no");
    }

    #[test]
    fn long_lines_wrap_at_words_below_their_text() {
        let long = command("cargo test --workspace --all-features", 0, "");
        assert_eq!(plain(&long, 24), "$ cargo test --workspace\n  --all-features 1.2s");
        // Characters of two cells.
        let wide = What::Message { text: "名前の表示 名前の表示".into() };
        assert_eq!(plain(&wide, 20), "  名前の表示\n  名前の表示");
    }

    #[test]
    fn lines_are_alike_whatever_time_they_took() {
        let line = |what: &What, millis| {
            lines(what, Some(Duration::from_millis(millis)), None).swap_remove(0)
        };
        let make = command("make", 2, "");
        assert!(line(&make, 100).is_like(&line(&make, 1_300)));
        assert!(!line(&make, 100).is_like(&line(&command("make", 3, ""), 100)));
        assert!(!line(&make, 100).is_like(&line(&command("make a", 2, ""), 100)));
    }

    #[test]
    fn lines_fit_50_80_and_140_columns() {
        let words = "名前の表示を確認します 🚀 and more words ".repeat(9);
        for what in [command(&words, 3, &words), What::Message { text: words.clone() }] {
            for columns in [50, 80, 140] {
                let drawn = plain(&what, columns);
                let mut widths = drawn.lines().map(textwrap::core::display_width);
                assert!(widths.all(|width| width <= columns), "{columns}: {drawn}");
                let (first, rest) = drawn.split_once('\n').expect("several lines");
                assert!(rest.lines().all(|line| line.starts_with("  ")), "{first}\n{rest}");
            }
        }
        let copied = Line::new(DIM, &words).whole().drawn(Some(50));
        assert_eq!(copied.lines().count(), 1);
    }

    #[test]
    fn nothing_from_outside_reaches_the_terminal_as_an_escape() {
        for what in [
            command("a\x1b[2Jb", 1, "c\x1b]0;d\x07"),
            What::Message { text: "e\x1b[2J\rf".into() },
            What::Error { message: "g\u{9b}2J".into() },
        ] {
            let text = plain(&what, 40);
            assert!(!text.contains(['\x1b', '\r', '\x07', '\u{9b}']), "{text:?}");
        }
    }
}
