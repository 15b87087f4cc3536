//! Settings, checked. What sets them is in [`crate::settings`].

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::limits::Limits;
use super::policy::Policy;
use super::value::InvalidValue;
use super::working_dir::WorkingDir;

/// The longest origin, in characters.
const MAX_ORIGIN_CHARS: usize = 100;

/// How Codex is run. [`Settings::default`] is what the server uses without any flag or variable.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// The program: a name on the PATH, or a path. Default `codex`.
    pub codex_bin: OsString,
    /// Where a new session works, if the call does not say. Default: the current directory.
    pub working_dir: WorkingDir,
    /// Who Codex is told the prompts come from.
    pub origin: Origin,
    /// The limits of a call that sets none of its own.
    pub limits: Limits,
    /// The limits of a job's turn that sets none of its own. They count from when it runs. Default 4
    /// hours in all and 15 minutes of silence.
    pub job_limits: Limits,
    /// How long ended jobs are kept.
    pub retention: Retention,
    /// How long to wait for a session that a person has open. Default 30 s.
    pub busy_wait: Duration,
    /// How many calls run at a time, in all processes with the same `state_dir`. Default 8.
    pub max_concurrent: usize,
    /// How many calls wait beyond that, in this process. Default 64.
    pub max_queued: usize,
    /// Where jobs and the line of calls are kept, in common with all servers of the user that have
    /// the same. Default: `codex-persistent-mcp` in the user's state folder. Without one each process
    /// is for itself, and has no jobs.
    pub state_dir: Option<PathBuf>,
    /// Whether a call of `codex_chat` is answered with a task to a client that takes one (MCP's tasks
    /// extension). Default yes.
    pub tasks: bool,
    /// Whether sessions that turns begin are put into the list of plain `codex resume`, by a change of
    /// one word in Codex's record of them. Default no: there they are with
    /// `--include-non-interactive`.
    pub list_sessions: bool,
    /// What calls may ask for.
    pub policy: Policy,
    /// What is logged where by a process that this one starts to run a job.
    pub(crate) logging: Logging,
}

/// What is logged where.
#[derive(Debug, Clone, Default)]
pub(crate) struct Logging {
    pub(crate) debug: bool,
    pub(crate) file: Option<PathBuf>,
}

/// How long, and how many, ended jobs are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// How long after its end.
    pub age: Duration,
    /// How large all of them together may be, in bytes.
    pub bytes: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self { age: Duration::from_secs(14 * 24 * 60 * 60), bytes: 1 << 30 }
    }
}

/// Who the prompts come from, in one short line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// Checks that `text` fits into the header of a prompt.
    ///
    /// # Errors
    ///
    /// If it is empty, too long, or has characters that would break the header's line.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let breaks = |char: char| char.is_control() || matches!(char, '|' | '[' | ']');
        let text = text.trim();
        if text.is_empty() || text.chars().count() > MAX_ORIGIN_CHARS || text.contains(breaks) {
            return Err(InvalidValue(format!(
                "must be a name of 1 to {MAX_ORIGIN_CHARS} characters on one line, without | [ ]"
            )));
        }
        Ok(Self(text.to_owned()))
    }
}

impl Default for Origin {
    fn default() -> Self {
        Self(env!("CARGO_PKG_NAME").into())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
