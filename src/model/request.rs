//! What a caller asks of one turn, in types that cannot be wrong: checked here once, nowhere else.

use std::time::Duration;

use super::diff::Diff;
use super::model_name::{Model, ReasoningEffort};
use super::options::Options;
use super::prompt_text::Prompt;
use super::sandbox::SandboxChoice;
use super::session_id::SessionId;
use super::working_dir::WorkingDir;

/// One turn to run: a prompt, in a new session or in an old one.
#[derive(Debug, Clone)]
pub struct TurnRequest {
    pub(crate) prompt: Prompt,
    pub(crate) session: Option<SessionId>,
    pub(crate) working_dir: Option<WorkingDir>,
    pub(crate) sandbox: SandboxChoice,
    /// Whether to go on in a copy of the session.
    pub(crate) fork: bool,
    /// Whether to go on in the last session of the directory.
    pub(crate) continue_last: bool,
    /// Whether the session is one that was found so.
    pub(crate) found_last: bool,
    pub(crate) options: Options,
    /// What is reviewed, which git must know.
    pub(crate) diff: Option<Diff>,
    pub(crate) total: Option<Duration>,
    pub(crate) idle: Option<Duration>,
    /// Whether it goes before all others that wait for its session.
    pub(crate) in_front: bool,
}

impl TurnRequest {
    /// A turn in a new session, with everything else as configured.
    pub fn new(prompt: Prompt) -> Self {
        Self {
            prompt,
            session: None,
            working_dir: None,
            sandbox: SandboxChoice::default(),
            fork: false,
            continue_last: false,
            found_last: false,
            options: Options::default(),
            diff: None,
            total: None,
            idle: None,
            in_front: false,
        }
    }

    /// Goes on with this session.
    #[must_use]
    pub fn resume(mut self, session: impl Into<Option<SessionId>>) -> Self {
        self.session = session.into();
        self
    }

    /// Works in this directory, instead of the session's own or the configured one.
    #[must_use]
    pub fn working_dir(mut self, working_dir: impl Into<Option<WorkingDir>>) -> Self {
        self.working_dir = working_dir.into();
        self
    }

    /// Runs in this sandbox.
    #[must_use]
    pub fn sandbox(mut self, sandbox: SandboxChoice) -> Self {
        self.sandbox = sandbox;
        self
    }

    /// Asks this model.
    #[must_use]
    pub fn model(mut self, model: impl Into<Option<Model>>) -> Self {
        self.options.model = model.into();
        self
    }

    /// Thinks this hard.
    #[must_use]
    pub fn reasoning_effort(mut self, effort: impl Into<Option<ReasoningEffort>>) -> Self {
        self.options.reasoning_effort = effort.into();
        self
    }

    /// Goes on in a copy of the session, which stays as it is; it may be busy meanwhile.
    #[must_use]
    pub fn fork(mut self, fork: bool) -> Self {
        self.fork = fork;
        self
    }

    /// Goes on in the last session that a process with the same state folder had in the directory.
    #[must_use]
    pub fn continue_last(mut self, continue_last: bool) -> Self {
        self.continue_last = continue_last;
        self
    }

    /// Runs with these options, in place of all that were set before.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Has git asked whether it knows this, before Codex is.
    pub(crate) fn diff(mut self, diff: Option<Diff>) -> Self {
        self.diff = diff;
        self
    }

    /// The session that the turn is one of from its start. A copy is a new one.
    pub(crate) fn continues(&self) -> Option<SessionId> {
        self.session.filter(|_| !self.fork)
    }

    /// Limits the whole call, instead of the configured limit.
    #[must_use]
    pub fn total_limit(mut self, total: impl Into<Option<Duration>>) -> Self {
        self.total = total.into();
        self
    }

    /// Limits silence, instead of the configured limit.
    #[must_use]
    pub fn idle_limit(mut self, idle: impl Into<Option<Duration>>) -> Self {
        self.idle = idle.into();
        self
    }
}
