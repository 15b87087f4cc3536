//! The environment of programs under test: the same wherever the tests run, without anything of the
//! user's own. Slow shell files, a locale, settings of git or of a proxy would change how a server, Codex
//! and its commands behave. And the one variable by which a user adapts the tests to a slow machine.
//!
//! This file needs only the standard library, so that any program can include it.

use std::env;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// By how much bounds that depend on the speed of the machine are multiplied: a number, 1 by default.
const PATIENCE: &str = "CODEX_MCP_TEST_PATIENCE";

/// A bound that depends on the speed of the machine, multiplied by `CODEX_MCP_TEST_PATIENCE`.
///
/// # Panics
/// When the variable is not a positive number.
pub fn patient(bound: Duration) -> Duration {
    let Ok(factor) = env::var(PATIENCE) else { return bound };
    match factor.parse() {
        Ok(factor) if factor > 0.0 => bound.mul_f64(factor),
        _ => panic!("{PATIENCE} must be a positive number, and is {factor:?}"),
    }
}

/// Gives a command an environment of its own: the user's PATH, since programs are elsewhere on each
/// machine, and this folder as home directory. There is no TMPDIR: a test that has files there sets one.
pub fn clean<'a>(command: &'a mut Command, user: &Path) -> &'a mut Command {
    command
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .env("HOME", user)
        .env("LANG", "C.UTF-8")
        .env("SHELL", "/bin/sh");
    // Without these, Windows starts hardly any program.
    for name in ["SystemRoot", "ComSpec", "PATHEXT"] {
        if let Some(value) = env::var_os(name).filter(|_| cfg!(windows)) {
            command.env(name, value);
        }
    }
    command
}
