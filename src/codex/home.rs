//! Where Codex keeps its things.

use std::path::PathBuf;

/// `CODEX_HOME`, or `.codex` in the user's home directory, as Codex itself finds it.
pub(crate) fn codex_home() -> Option<PathBuf> {
    match std::env::var_os("CODEX_HOME") {
        Some(home) if !home.is_empty() => Some(PathBuf::from(home)),
        _ => std::env::home_dir().map(|home| home.join(".codex")),
    }
}
