//! Settings, checked. What sets them is in [`crate::settings`].

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::limits::Limits;
use super::operator_config::OperatorConfig;
use super::policy::Policy;
use super::surface::Surface;
use super::tool_list::ToolList;
use super::value::InvalidValue;
use super::working_dir::WorkingDir;

/// The longest origin, in characters.
const MAX_ORIGIN_CHARS: usize = 100;

/// The variable that may hold the bearer token of the server over HTTP. Processes that this one starts do not
/// get it.
pub(crate) const HTTP_TOKEN: &str = "CODEX_PERSISTENT_MCP_HTTP_TOKEN";

/// How Codex is run. [`Settings::default`] is what the server uses without flags and variables.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// The program: a name on the PATH, or a path. Default `codex`.
    pub codex_bin: OsString,
    /// Where a new session works if the call names no directory. Default: the current directory.
    pub working_dir: WorkingDir,
    /// The sender that the header of each prompt names.
    pub origin: Origin,
    /// The timeouts of a call that sets none of its own. Default: 30 minutes, and 10 minutes idle.
    pub limits: Limits,
    /// The timeouts of a job's turn that sets none of its own, from the start of the turn. Default: 4 hours, and
    /// 15 minutes idle.
    pub job_limits: Limits,
    /// Which ended jobs are kept. Default: those of 14 days, up to 1 GiB.
    pub retention: Retention,
    /// How long to wait for a session that the user has open. Default 30 s.
    pub busy_wait: Duration,
    /// How many calls run at a time, in all processes with the same `state_dir`. Default 8.
    pub max_concurrent: usize,
    /// How many calls wait beyond that, in this process. Default 64.
    pub max_queued: usize,
    /// The folder for jobs and for the queue, which all processes of the user with the same folder share.
    /// Default: `codex-persistent-mcp` in the user's state folder. Without a folder each process has a queue
    /// of its own, and no jobs.
    pub state_dir: Option<PathBuf>,
    /// Whether `codex_chat` answers with a task if the client supports tasks (MCP's tasks extension). Default yes.
    pub tasks: bool,
    /// Whether new sessions are in the list of plain `codex resume`, by changing one word in Codex's record of
    /// them. Default no: only `codex resume --include-non-interactive` lists them.
    pub list_sessions: bool,
    /// What calls may request.
    pub policy: Policy,
    /// Which tools the server lists.
    pub(crate) surface: Surface,
    /// Which of its own tools it lists.
    pub(crate) tools: ToolList,
    /// Whether clients get a `codex/event` for everything that happens in a turn of `codex` and `codex-reply`.
    pub(crate) codex_events: bool,
    /// Whether prompts of `codex` and `codex-reply` get this program's header. Those of its own tools always do.
    pub(crate) prompt_header: bool,
    /// Whether all calls of `codex` continue the thread of the first one in this process.
    pub(crate) one_thread: bool,
    /// What the operator sets for Codex itself.
    pub(crate) operator_config: OperatorConfig,
    /// How MCP is served over HTTP.
    #[cfg(feature = "http")]
    pub(crate) http: super::http::Http,
    /// The log of the processes that run jobs.
    pub(crate) logging: Logging,
}

/// What is logged where.
#[derive(Debug, Clone, Default)]
pub(crate) struct Logging {
    pub(crate) debug: bool,
    pub(crate) file: Option<PathBuf>,
}

/// Which ended jobs are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// For how long after its end a job is kept.
    pub age: Duration,
    /// The size of all ended jobs together, in bytes. If they are larger, the oldest are removed.
    pub bytes: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self { age: Duration::from_secs(14 * 24 * 60 * 60), bytes: 1 << 30 }
    }
}

/// The sender of prompts, on one short line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// Checks that `text` fits in the header of a prompt.
    ///
    /// # Errors
    ///
    /// If it is empty, longer than 100 characters, or has characters that would break the header's line.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let breaks = |char: char| char.is_control() || matches!(char, '|' | '[' | ']');
        let text = text.trim();
        if text.is_empty() || text.chars().count() > MAX_ORIGIN_CHARS || text.contains(breaks) {
            return Err(InvalidValue(format!(
                "must be a name of 1 to {MAX_ORIGIN_CHARS} characters on one line, without |, [ and ]"
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
