//! Codex's home folder, and the commands that users run with it.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use crate::model::session_id::SessionId;
use crate::model::text::{LineBreaks, escape_controls};

/// Codex's home folder: `CODEX_HOME`, or `.codex` in the user's home directory, like Codex itself does.
pub(crate) fn codex_home() -> Option<PathBuf> {
    match std::env::var_os("CODEX_HOME") {
        Some(home) if !home.is_empty() => Some(PathBuf::from(home)),
        _ => std::env::home_dir().map(|home| home.join(".codex")),
    }
}

impl SessionId {
    /// The shell command with which a user can resume the session in a terminal. It sets `CODEX_HOME` if this
    /// process uses another home than the default.
    pub fn resume_command(self) -> String {
        self.resume_command_in(codex_home().as_deref())
    }

    /// The same for a session in the given Codex home.
    pub(crate) fn resume_command_in(self, home: Option<&Path>) -> String {
        command_in_home(home, &format!("codex resume {self}"))
    }
}

/// A command for a user's shell, with `CODEX_HOME` prepended unless it is the default. Windows has no syntax
/// for this that all its shells support.
pub(crate) fn command_in_home(home: Option<&Path>, command: &str) -> String {
    let default = std::env::home_dir().map(|home| home.join(".codex"));
    match home {
        Some(home) if !cfg!(windows) && !default.is_some_and(|default| is_same(home, &default)) => {
            let home = std::path::absolute(home).unwrap_or_else(|_| home.to_owned());
            format!("CODEX_HOME={} {command}", shell_quoted(&home.to_string_lossy()))
        }
        _ => command.to_owned(),
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    one == other
        || one.canonicalize().is_ok_and(|one| other.canonicalize().is_ok_and(|it| it == one))
}

/// Quotes a text for a shell. Text with control characters is written as escaped bytes, in the syntax of bash
/// and zsh.
fn shell_quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if text.chars().all(is_plain) {
        text.to_owned()
    } else if matches!(escape_controls(text, LineBreaks::Escape), Cow::Borrowed(_)) {
        format!("'{}'", text.replace('\'', "'\\''"))
    } else {
        let byte = |byte: &u8| match byte {
            b'\'' | b'\\' => format!("\\{}", char::from(*byte)),
            b' '..=b'~' => char::from(*byte).to_string(),
            _ => format!("\\x{byte:02x}"),
        };
        let bytes: Vec<String> = text.as_bytes().iter().map(byte).collect();
        format!("$'{}'", bytes.concat())
    }
}
