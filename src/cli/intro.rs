//! What the bare program says in a terminal, where no client waits for a server.

use std::io::{self, IsTerminal, Write};

use super::output::{Stream, columns, stdout};
use super::style::{BOLD, CYAN, styled};

/// The widest line: longer ones are hard to read.
const MAX_COLUMNS: usize = 100;

const ABOUT: &str = "An MCP server: agents hand work to Codex, in sessions that are never lost. A client such as \
                     Claude Code starts it; there is nothing to start by hand.";

const COMMANDS: [(&str, &str); 6] = [
    ("setup", "add it to a client: claude, codex, …"),
    ("demo", "see it work, without an account"),
    ("doctor", "check the installation"),
    ("chat \"…\"", "ask Codex yourself"),
    ("jobs", "what was handed off, and how it goes"),
    ("help", "everything else"),
];

/// Whether a user, and not a client, started the program.
pub(super) fn is_wanted() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Says what the program is and what to type. Returns the exit status.
pub(super) fn run() -> u8 {
    // Nothing can be done if the terminal is gone.
    drop(print());
    0
}

fn print() -> io::Result<()> {
    let mut out = stdout(false);
    let name = env!("CARGO_PKG_NAME");
    writeln!(out, "{} {}", styled(BOLD, name), env!("CARGO_PKG_VERSION"))?;
    writeln!(out, "{}", textwrap::fill(ABOUT, columns(Stream::Out).min(MAX_COLUMNS)))?;
    writeln!(out, "\nType {name} and one of:")?;
    for (command, about) in COMMANDS {
        writeln!(out, "  {}  {about}", styled(CYAN, &format!("{command:<8}")))?;
    }
    out.flush()
}
