//! Runs git in a folder that a turn may have written to.
//!
//! A turn that can write to a repository can also write its configuration, which may name programs to fetch
//! missing objects, watch files or run as hooks. Git is invoked so that it runs none of them and uses no more
//! memory than a legitimate repository needs. If it hangs nonetheless, for example on a pipe in place of a
//! file, it is killed together with its child processes.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::process::Command;

use super::helper::{self, Output};
use super::watchdog::Watchdog;
use crate::model::settings::HTTP_TOKEN;

/// Timeout for one git command.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum size of one allocation in git. An object of a few kilobytes can unpack to gigabytes; no commit is
/// that long.
const MAX_ALLOCATION: &str = "128m";

/// Settings passed on every command line, where they override the repository's own. A bare repository must be
/// named explicitly, because any folder can be made to look like one.
const OVERRIDES: &[&str] = &[
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "protocol.allow=never",
    "safe.bareRepository=explicit",
];

/// Settings passed as environment variables. Git fetches missing objects from wherever the repository says.
/// Versions before 2.44 cannot turn that off, but can be denied all protocols. The locale is fixed because
/// git's messages are parsed.
const VARIABLES: &[(&str, &str)] = &[
    ("GIT_NO_LAZY_FETCH", "1"),
    ("GIT_ALLOW_PROTOCOL", ""),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_ALLOC_LIMIT", MAX_ALLOCATION),
    ("LC_ALL", "C"),
];

/// A git program, and the watchdog that ends it if this process is killed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Git<'a> {
    /// The absolute path of a program that no turn can modify.
    pub(crate) program: &'a Path,
    pub(crate) watchdog: &'a Watchdog,
}

impl Git<'_> {
    /// Runs git in this folder. Returns its trimmed standard output, or its standard error if it fails.
    /// Dropping the future kills git.
    ///
    /// # Errors
    ///
    /// If git cannot be started, times out, or writes too much output.
    pub(crate) async fn run(
        &self,
        dir: &Path,
        arguments: &[&str],
    ) -> io::Result<Result<String, String>> {
        let command = self.command(dir, arguments);
        let output = helper::run(command, self.watchdog, TIMEOUT).await;
        let Output { status, stdout, stderr } =
            output.map_err(|error| io::Error::new(error.kind(), format!("git: {error}")))?;
        let result = if status.success() { Ok(stdout) } else { Err(stderr) };
        Ok(result.map(trimmed).map_err(trimmed))
    }

    fn command(&self, dir: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.program);
        command.env_remove(HTTP_TOKEN);
        // Inherited from a hook, a terminal or the client's environment, these variables can substitute
        // another repository, other settings and other programs.
        let inherited = std::env::vars_os().map(|(name, _)| name);
        for name in inherited.filter(|name| name.as_encoded_bytes().starts_with(b"GIT_")) {
            command.env_remove(name);
        }
        command.envs(VARIABLES.iter().copied()).arg("-C").arg(dir).arg("--no-pager");
        for setting in OVERRIDES {
            command.args(["-c", setting]);
        }
        command.args(arguments).current_dir("/");
        command
    }
}

fn trimmed(text: String) -> String {
    text.trim().to_owned()
}
