//! Where Codex keeps its things.

use std::path::{Path, PathBuf};

/// `CODEX_HOME`, or `.codex` in the user's home directory, as Codex itself finds it.
pub(crate) fn codex_home() -> Option<PathBuf> {
    match std::env::var_os("CODEX_HOME") {
        Some(home) if !home.is_empty() => Some(PathBuf::from(home)),
        _ => std::env::home_dir().map(|home| home.join(".codex")),
    }
}

/// A command for a person's shell that knows nothing of this process: where this is not the home that
/// Codex would take there, it is said. Windows has no such form that all its shells know.
pub(crate) fn in_home(home: Option<&Path>, command: &str) -> String {
    let usual = std::env::home_dir().map(|home| home.join(".codex"));
    match home {
        Some(home) if !cfg!(windows) && !usual.is_some_and(|usual| is_same(home, &usual)) => {
            let home = std::path::absolute(home).unwrap_or_else(|_| home.to_owned());
            format!("CODEX_HOME={} {command}", quoted(&home.to_string_lossy()))
        }
        _ => command.to_owned(),
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    one == other
        || one.canonicalize().is_ok_and(|one| other.canonicalize().is_ok_and(|it| it == one))
}

/// A text as a word for a shell.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}
