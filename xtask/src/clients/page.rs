//! A page of `docs/clients/`: the commands and configurations that it shows, and which of them were used.

use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::{Failure, repository};

/// The fences of blocks whose lines are commands.
const SHELL: &str = "sh";

const OWN: &str = "codex-persistent-mcp";

/// Commands that bring something from the repository's address, where nothing has been released yet. `.ci/packages`
/// checks what they bring.
const ELSEWHERE: &[&str] = &["gemini extensions install "];

/// A page.
#[derive(Debug)]
pub struct Page {
    name: String,
    shown: Vec<Shown>,
    used: RefCell<BTreeSet<String>>,
}

/// Something that a reader may copy.
#[derive(Debug, PartialEq)]
struct Shown {
    /// The word after the fence, or [`SHELL`] for a command.
    kind: String,
    text: String,
}

impl Page {
    /// Reads a page of `docs/clients/`.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(name: &str) -> Result<Self, Failure> {
        let name = format!("docs/clients/{name}");
        let text = repository::read(&name)?;
        Ok(Self { name, shown: shown(&text), used: RefCell::default() })
    }

    /// The one block of this kind that has this text, for each kind but shell commands.
    ///
    /// # Errors
    /// If there is none, or more than one.
    pub fn block(&self, kind: &str, with: &str) -> Result<String, Failure> {
        self.one(kind, with, |text| text.contains(with))
    }

    /// The one command that starts with these words.
    ///
    /// # Errors
    /// If there is none, or more than one.
    pub fn command(&self, start: &str) -> Result<String, Failure> {
        self.one(SHELL, start, |text| {
            text.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        })
    }

    /// What the page shows and nobody asked for: the blocks, and the commands of this program and of these.
    pub fn unused(&self, programs: &[&str]) -> Vec<String> {
        let used = self.used.borrow();
        let is_of_these = |shown: &&Shown| {
            let program = shown.text.split(' ').next().unwrap_or_default();
            shown.kind != SHELL || program == OWN || programs.contains(&program)
        };
        let shown = self.shown.iter().filter(is_of_these).map(|shown| shown.text.clone());
        let is_elsewhere = |text: &String| ELSEWHERE.iter().any(|start| text.starts_with(start));
        shown.filter(|text| !used.contains(text) && !is_elsewhere(text)).collect()
    }

    fn one(&self, kind: &str, what: &str, is_it: impl Fn(&str) -> bool) -> Result<String, Failure> {
        let found = self.shown.iter().filter(|shown| shown.kind == kind && is_it(&shown.text));
        let found: BTreeSet<&str> = found.map(|shown| shown.text.as_str()).collect();
        let mut found = found.into_iter();
        match (found.next(), found.next()) {
            (Some(text), None) => {
                self.used.borrow_mut().insert(text.to_owned());
                Ok(text.to_owned())
            }
            (None, _) => Err(format!("{} does not show {what:?} as {kind}", self.name)),
            (Some(_), Some(_)) => {
                Err(format!("{} shows {what:?} as {kind} more than once", self.name))
            }
        }
    }
}

/// What a page shows: its blocks, each line of those with commands, and the commands in backticks, which have at least
/// three words.
fn shown(page: &str) -> Vec<Shown> {
    let command =
        |text: &str| Shown { kind: SHELL.to_owned(), text: text.trim_end().replace('\n', " ") };
    let mut found = Vec::new();
    for (at, part) in page.split("\n```").enumerate() {
        let (kind, text) = part.split_once('\n').unwrap_or(("", part));
        match (at % 2 == 1, kind) {
            (true, SHELL) => {
                let lines = text.lines().map(|line| line.split(" #").next().unwrap_or(line));
                found.extend(lines.map(command));
            }
            (true, kind) => {
                found.push(Shown { kind: kind.to_owned(), text: format!("{text}\n") });
            }
            (false, _) => {
                let quoted = part.split('`').skip(1).step_by(2);
                found.extend(quoted.filter(|it| it.split_whitespace().count() > 2).map(command));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Client\n\n```sh\ncodex-persistent-mcp setup client  # as root\n```\n\nwrites\n\n```json\n{}\n```\n\n\
        `client mcp add x` does the same, `client -p` not.\n\n```ts\ncall();\n```\n";

    fn page() -> Page {
        Page { name: "page".to_owned(), shown: shown(PAGE), used: RefCell::default() }
    }

    #[test]
    fn blocks_and_commands_are_found() {
        let page = page();
        assert_eq!(page.command("client mcp").as_deref(), Ok("client mcp add x"));
        assert_eq!(
            page.command("codex-persistent-mcp").as_deref(),
            Ok("codex-persistent-mcp setup client")
        );
        assert_eq!(page.block("json", "").as_deref(), Ok("{}\n"));
        assert!(page.command("client mcp a").is_err(), "a word is taken whole");
        assert!(page.block("toml", "").is_err());
    }

    #[test]
    fn what_was_not_used_is_told() {
        let page = page();
        page.block("json", "").expect("the page has it");
        let commands = ["codex-persistent-mcp setup client", "client mcp add x", "call();\n"];
        assert_eq!(page.unused(&["client"]), commands);
        assert_eq!(page.unused(&[]), [commands[0], commands[2]]);
    }
}
