//! What the bare program says in a terminal, where no client waits for a server.

use std::io::{self, IsTerminal, Write};

use super::output::stdout;
use super::style::{BOLD, CYAN, styled};

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
    writeln!(out, "An MCP server: agents delegate work to Codex, in sessions that last.")?;
    writeln!(out, "A client such as Claude Code starts it; there is nothing to start by hand.\n")?;
    for (command, about) in [
        ("setup", "add it to a client: claude, codex, cursor, vscode, …"),
        ("demo", "see it work, without an account"),
        ("doctor", "check the installation"),
        ("chat \"…\"", "ask Codex yourself"),
        ("jobs", "what was handed off, and how it goes"),
        ("help", "everything else"),
    ] {
        writeln!(out, "  {}  {about}", styled(CYAN, &format!("{name} {command:<8}")))?;
    }
    out.flush()
}
