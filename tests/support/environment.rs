//! What programs under test get of the environment: the same wherever the tests run, and nothing of the
//! person's own. Shell files that are slow, a locale, settings of git's or of a proxy would change what
//! a server, Codex and its commands do.
//!
//! This file needs nothing but the standard library, so that any program can include it.

use std::env;
use std::path::Path;
use std::process::Command;

/// Gives a command an environment of its own: the person's PATH, since programs lie elsewhere on each
/// machine, and an empty folder for a home directory. There is no TMPDIR: a test that has files there
/// sets one.
pub fn clean<'a>(command: &'a mut Command, user: &Path) -> &'a mut Command {
    command
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .env("HOME", user)
        .env("LANG", "C.UTF-8")
        .env("SHELL", "/bin/sh");
    // Without these Windows starts next to nothing.
    for name in ["SystemRoot", "ComSpec", "PATHEXT"] {
        if let Some(value) = env::var_os(name).filter(|_| cfg!(windows)) {
            command.env(name, value);
        }
    }
    command
}
