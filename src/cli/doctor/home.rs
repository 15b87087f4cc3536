//! Codex's home and its configuration.

use std::path::{Path, PathBuf};

use toml::Table;

use super::check::Check;
use super::file;
use super::login::Refused;
use crate::codex::home::codex_home;

const ID: &str = "codex_home";

/// Codex's home, with its configuration as far as that can be read.
#[derive(Debug, Default)]
pub(super) struct Home {
    pub(super) path: Option<PathBuf>,
    pub(super) config: Table,
}

impl Home {
    /// The file with the configuration.
    pub(super) fn config_file(&self) -> Option<PathBuf> {
        self.path.as_ref().map(|path| path.join("config.toml"))
    }
}

pub(super) fn examine() -> (Check, Home) {
    let Some(path) = codex_home() else {
        let fix = "set HOME or CODEX_HOME to a directory that you own";
        return (Check::problem(ID, "there is no home directory", fix), Home::default());
    };
    let config = file::toml(&path.join("config.toml"));
    let is_set = std::env::var_os("CODEX_HOME").is_some_and(|home| !home.is_empty());
    let check = judge(&path, path.is_dir(), is_set, config.as_ref());
    (check, Home { path: Some(path), config: config.ok().flatten().unwrap_or_default() })
}

/// The check for a configuration with which Codex does not start.
pub(super) fn refused(Refused(said): Refused) -> Check {
    // It begins with the place, `FILE:LINE:COLUMN: `.
    let (place, why) = said.split_once(": ").unwrap_or(("config.toml", &said));
    let summary = format!("Codex does not start with {place}: {why}");
    Check::problem(ID, summary, format!("correct {place}"))
}

fn judge(
    path: &Path,
    is_dir: bool,
    is_set: bool,
    config: Result<&Option<Table>, &String>,
) -> Check {
    let place = path.display();
    if !is_dir && (is_set || path.exists()) {
        // Measured on 0.171: Codex creates ~/.codex, but not a directory that CODEX_HOME names.
        let fix = format!("create the directory (mkdir -p {place}), or correct CODEX_HOME");
        return Check::problem(ID, format!("Codex's home {place} is not a directory"), fix);
    }
    let check = match config {
        Err(problem) => {
            let fix = "correct the file; Codex does not start with it";
            return Check::problem(ID, problem, fix);
        }
        Ok(_) if !is_dir => Check::ok(ID, format!("{place}, which Codex will create")),
        Ok(None) => Check::ok(ID, format!("{place}, without a config.toml")),
        Ok(Some(_)) => Check::ok(ID, format!("{place}, with a readable config.toml")),
    };
    check.with("path", path.to_string_lossy())
}
