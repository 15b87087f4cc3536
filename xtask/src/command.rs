//! Other programs that a task runs.

use std::path::Path;
use std::process::Command;

use crate::Failure;

/// npm, which is a script on Windows.
pub fn npm() -> Command {
    Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" })
}

/// Runs a command to its end, and returns what it prints.
///
/// # Errors
/// If it does not start, or fails.
pub fn run(command: &mut Command) -> Result<String, Failure> {
    let name = Path::new(command.get_program()).display().to_string();
    let output = command.output().map_err(|error| format!("{name} did not start: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    Err(format!("{name} failed with {}: {}", output.status, text(&output.stderr).trim()))
}
