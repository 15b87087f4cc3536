//! The program `codex-persistent-mcp`. All of it is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    codex_persistent_mcp::cli::run()
}
