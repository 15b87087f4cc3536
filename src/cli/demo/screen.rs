//! What the demonstration prints, drawn as `chat` draws it.

use std::io::{self, IsTerminal, Write};

use crate::cli::output::{Stream, columns, stdout};
use crate::cli::render::{Line, Renderer};
use crate::cli::style::{BOLD, CYAN, DIM, GREEN, PLAIN, YELLOW};

pub(super) struct Screen {
    renderer: Renderer,
}

impl Screen {
    pub(super) fn new() -> Self {
        Self { renderer: Renderer::new(None) }
    }

    pub(super) fn title(&self, text: &str) {
        line(&Line::new(BOLD, text));
    }

    pub(super) fn heading(&self, text: &str) {
        line(&Line::new(PLAIN, ""));
        line(&Line::marked(CYAN, "== ", text));
    }

    pub(super) fn say(&self, text: &str) {
        line(&Line::marked(DIM, "  ", text));
    }

    pub(super) fn done(&self, text: &str) {
        line(&Line::marked(GREEN, "✓ ", text));
    }

    pub(super) fn ask(&self, text: &str) {
        text.lines().for_each(|text| line(&Line::marked(BOLD, "> ", text)));
    }

    pub(super) fn reply(&self, text: &str) {
        text.lines().for_each(|text| line(&Line::marked(PLAIN, "  │ ", text)));
    }

    pub(super) fn warning(&self, text: &str) {
        line(&Line::marked(YELLOW, "  ", format!("warning: {text}")));
    }

    /// A name and its value.
    pub(super) fn field(&self, name: &str, value: &str) {
        line(&Line::marked(PLAIN, "  ", format!("{name:<9} {value}")));
    }

    /// A step of a call, as the server reports it.
    pub(super) fn progress(&mut self, message: &str) {
        let (style, mark, text) = match message.strip_prefix("running: ") {
            Some(command) => (CYAN, "  $ ", command),
            None => (DIM, "  · ", message),
        };
        // A heartbeat says nothing new.
        if !message.starts_with("still ") {
            self.renderer.print(Line::marked(style, mark, text));
        }
        self.renderer.working(message);
    }

    pub(super) fn tick(&mut self) {
        self.renderer.tick();
    }

    pub(super) fn end_progress(&mut self) {
        self.renderer.finish();
    }
}

/// Prints a line. A closed output must not prevent that what was made is removed.
fn line(line: &Line) {
    let width = io::stdout().is_terminal().then(|| columns(Stream::Out));
    drop(writeln!(stdout(false), "{}", line.drawn(width)));
}
