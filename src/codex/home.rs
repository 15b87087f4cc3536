//! Where Codex keeps its things.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use crate::model::session_id::SessionId;
use crate::model::text::{LineBreaks, escape_controls};

/// `CODEX_HOME`, or `.codex` in the user's home directory, as Codex itself finds it.
pub(crate) fn codex_home() -> Option<PathBuf> {
    match std::env::var_os("CODEX_HOME") {
        Some(home) if !home.is_empty() => Some(PathBuf::from(home)),
        _ => std::env::home_dir().map(|home| home.join(".codex")),
    }
}

impl SessionId {
    /// The command with which a person takes the session over, in a shell that knows nothing of this
    /// process.
    pub fn resume_command(self) -> String {
        self.resume_command_in(codex_home().as_deref())
    }

    /// The same for a session in this Codex home.
    pub(crate) fn resume_command_in(self, home: Option<&Path>) -> String {
        in_home(home, &format!("codex resume {self}"))
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

/// A text as a word for a shell. One that a terminal would obey is written by its bytes, as bash and zsh
/// take it.
fn quoted(text: &str) -> String {
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
