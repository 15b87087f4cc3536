//! The request for one turn. All values are validated when this is built and not checked again later.

use std::time::Duration;

use super::diff::Diff;
use super::model_name::{Model, ReasoningEffort};
use super::options::Options;
use super::prompt::Prompt;
use super::sandbox::SandboxChoice;
use super::session_id::SessionId;
use super::working_dir::WorkingDir;

/// A request for one turn: a prompt, in a new or an existing session.
#[derive(Debug, Clone)]
pub struct TurnRequest {
    pub(crate) prompt: Prompt,
    pub(crate) session: Option<SessionId>,
    pub(crate) working_dir: Option<WorkingDir>,
    pub(crate) sandbox: SandboxChoice,
    /// Whether to continue in a copy of the session.
    pub(crate) fork: bool,
    /// Whether to continue the last session of the directory.
    pub(crate) continue_last: bool,
    /// Whether `session` was filled in because of `continue_last`.
    pub(crate) session_from_last: bool,
    /// Whether model and reasoning effort are those of the session, as far as `options` names none. Its developer
    /// instructions are, too: those of `options` only replace what a compaction loses.
    pub(crate) keep_model: bool,
    /// Whether the session to continue does not have the developer instructions of `options` yet.
    pub(crate) new_instructions: bool,
    /// Whether the caller cannot choose a sandbox, so that no advice suggests one.
    pub(crate) fixed_sandbox: bool,
    pub(crate) options: Options,
    /// The change under review. It must exist in the git repository.
    pub(crate) diff: Option<Diff>,
    pub(crate) total: Option<Duration>,
    pub(crate) idle: Option<Duration>,
    /// How deep the caller is among Codexes that processes like this one started, as far as it says so itself.
    pub(crate) depth: u32,
}

impl TurnRequest {
    /// Requests a turn in a new session. Everything else is as configured.
    pub fn new(prompt: Prompt) -> Self {
        Self {
            prompt,
            session: None,
            working_dir: None,
            sandbox: SandboxChoice::default(),
            fork: false,
            continue_last: false,
            session_from_last: false,
            keep_model: false,
            new_instructions: false,
            fixed_sandbox: false,
            options: Options::default(),
            diff: None,
            total: None,
            idle: None,
            depth: 0,
        }
    }

    /// Resumes this session; `None` starts a new one.
    #[must_use]
    pub fn resume(mut self, session: impl Into<Option<SessionId>>) -> Self {
        self.session = session.into();
        self
    }

    /// Sets the working directory. `None` uses that of the session, or the configured one for a new session.
    #[must_use]
    pub fn working_dir(mut self, working_dir: impl Into<Option<WorkingDir>>) -> Self {
        self.working_dir = working_dir.into();
        self
    }

    /// Sets the sandbox.
    #[must_use]
    pub fn sandbox(mut self, sandbox: SandboxChoice) -> Self {
        self.sandbox = sandbox;
        self
    }

    /// Sets the model; `None` uses the configured one.
    #[must_use]
    pub fn model(mut self, model: impl Into<Option<Model>>) -> Self {
        self.options.model = model.into();
        self
    }

    /// Sets the reasoning effort; `None` uses the configured one.
    #[must_use]
    pub fn reasoning_effort(mut self, effort: impl Into<Option<ReasoningEffort>>) -> Self {
        self.options.reasoning_effort = effort.into();
        self
    }

    /// Continues in a copy of the session. The original is not changed and may be busy at the same time.
    #[must_use]
    pub fn fork(mut self, fork: bool) -> Self {
        self.fork = fork;
        self
    }

    /// Continues the last session that any process with the same state folder used in the working directory.
    #[must_use]
    pub fn continue_last(mut self, continue_last: bool) -> Self {
        self.continue_last = continue_last;
        self
    }

    /// Sets all options at once, replacing those set before.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Keeps the model and the reasoning effort of the session, which Codex does not do by itself (0.153 to 0.171).
    pub(crate) fn keep_model(mut self) -> Self {
        self.keep_model = true;
        self
    }

    /// Adds the developer instructions of `options` to the session, which does not have them yet.
    pub(crate) fn new_instructions(mut self, new: bool) -> Self {
        self.new_instructions = new;
        self
    }

    /// Says that the caller cannot choose a sandbox.
    pub(crate) fn fixed_sandbox(mut self) -> Self {
        self.fixed_sandbox = true;
        self
    }

    /// Sets the change under review. Git checks that it exists before Codex starts.
    pub(crate) fn diff(mut self, diff: Option<Diff>) -> Self {
        self.diff = diff;
        self
    }

    /// The session that the turn continues from its start: none for a new session or a copy.
    pub(crate) fn continued_session(&self) -> Option<SessionId> {
        self.session.filter(|_| !self.fork)
    }

    /// Sets the total timeout; `None` uses the configured one.
    #[must_use]
    pub fn total_limit(mut self, total: impl Into<Option<Duration>>) -> Self {
        self.total = total.into();
        self
    }

    /// Sets the idle timeout; `None` uses the configured one.
    #[must_use]
    pub fn idle_limit(mut self, idle: impl Into<Option<Duration>>) -> Self {
        self.idle = idle.into();
        self
    }
}
