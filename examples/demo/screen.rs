//! Formats the output, with color if the terminal supports it.

use std::env;
use std::io::{IsTerminal, Write};
use std::time::Duration;

const WIDTH: usize = 80;

#[derive(Clone, Copy)]
enum Style {
    Plain,
    Bold,
    Dim,
    Green,
    Cyan,
    Red,
}

/// Standard output.
pub struct Screen {
    colour: bool,
}

impl Screen {
    /// Uses color only on a terminal whose user has not disabled it.
    pub fn new() -> Self {
        let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { colour: std::io::stdout().is_terminal() && !unwanted }
    }

    pub fn title(&self, text: &str) {
        self.line(&self.styled(Style::Bold, text));
    }

    pub fn heading(&self, text: &str) {
        self.line("");
        self.line(&self.styled(Style::Cyan, &format!("== {text}")));
    }

    /// Explanatory text.
    pub fn say(&self, text: &str) {
        self.block("  ", "  ", Style::Plain, text);
    }

    /// A completed step.
    pub fn done(&self, text: &str) {
        self.block(&format!("  {} ", self.styled(Style::Green, "ok")), "     ", Style::Plain, text);
    }

    /// A question for Codex.
    pub fn ask(&self, text: &str) {
        self.block("  > ", "    ", Style::Bold, text);
    }

    /// A line of progress, with the time since the start of the call.
    pub fn progress(&self, elapsed: Duration, text: &str) {
        let line = format!("  {:5.1} s  {text}", elapsed.as_secs_f64());
        let mut cut: String = line.chars().take(WIDTH - 3).collect();
        if cut.len() < line.len() {
            cut += "...";
        }
        self.line(&self.styled(Style::Dim, &cut));
    }

    /// A reply from Codex.
    pub fn reply(&self, text: &str) {
        let bar = self.styled(Style::Green, if self.colour { "  ┃ " } else { "  | " });
        self.block(&bar, &bar, Style::Plain, text);
    }

    /// A name and its value. The value is never wrapped, so that it can be copied.
    pub fn field(&self, name: &str, value: &str) {
        self.line(&format!("  {} {value}", self.styled(Style::Dim, &format!("{name:<9}"))));
    }

    /// An error.
    pub fn failure(&self, text: &str) {
        let text = format!("\n{} {text}", self.styled(Style::Red, "The demonstration failed:"));
        eprintln!("{text}");
    }

    fn block(&self, first: &str, others: &str, style: Style, text: &str) {
        let mut start = first;
        for line in wrapped(text, WIDTH - 5) {
            self.line(&format!("{start}{}", self.styled(style, &line)));
            start = others;
        }
    }

    fn styled(&self, style: Style, text: &str) -> String {
        let code = match style {
            Style::Bold => "1",
            Style::Dim => "2",
            Style::Green => "32",
            Style::Cyan => "1;36",
            Style::Red => "1;31",
            Style::Plain => return text.to_owned(),
        };
        if self.colour && !text.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    /// Ignores write errors, so that a closed output does not prevent the cleanup.
    fn line(&self, text: &str) {
        drop(writeln!(std::io::stdout(), "{}", text.trim_end()));
    }
}

/// Wraps a text at word boundaries. Continuation lines of list items are indented like the item.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let content = paragraph.trim_start();
        let marker = match content.split_once(' ') {
            Some((marker, _)) if marker == "-" || marker.ends_with('.') && marker.len() < 4 => {
                marker.len() + 1
            }
            _ => 0,
        };
        let indent = paragraph.len() - content.len();
        let mut line = " ".repeat(indent);
        let mut is_empty = true;
        for word in content.split_whitespace() {
            if !is_empty && line.chars().count() + 1 + word.chars().count() > width {
                lines.push(std::mem::replace(&mut line, " ".repeat(indent + marker)));
                is_empty = true;
            }
            if !is_empty {
                line.push(' ');
            }
            line.push_str(word);
            is_empty = false;
        }
        lines.push(line);
    }
    lines
}
