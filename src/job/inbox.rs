//! A prompt on its way to the process that runs the job: a file in the job's inbox.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::process::ProcessId;
use crate::model::options::Options;
use crate::model::outcome::FailureKind;
use crate::model::policy::Policy;
use crate::model::prompt::Prompt;
use crate::model::request::TurnRequest;
use crate::model::sandbox::{Sandbox, SandboxChoice};
use crate::model::session_id::SessionId;
use crate::model::value::InvalidValue;
use crate::model::working_dir::WorkingDir;

/// The request for a turn of a job, in a form that can be stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct QueuedPrompt {
    /// The start of the caller's text, for display.
    pub(crate) text: String,
    /// Whether to interrupt the running turn for this one.
    pub(crate) interrupt: bool,
    pub(crate) session_id: Option<SessionId>,
    prompt: String,
    pub(crate) cwd: Option<PathBuf>,
    sandbox: Option<String>,
    /// Whether to continue in a copy of the session.
    #[serde(default)]
    pub(crate) fork: bool,
    #[serde(rename = "lasting")]
    pub(crate) job_options: JobOptions,
    /// The process that sends the prompt, and which has yet to report that it was accepted.
    #[serde(default, rename = "asker")]
    sender: Option<ProcessId>,
    /// What the sender allows: another process may have started the job.
    policy: Policy,
    /// How deep the sender's caller is, as [`TurnRequest::depth`].
    #[serde(default)]
    depth: u32,
}

/// What applies to all turns of a job, because Codex itself does not remember it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct JobOptions {
    #[serde(flatten)]
    options: Options,
    timeout_ms: Option<u64>,
    idle_timeout_ms: Option<u64>,
}

impl JobOptions {
    /// Whether Codex keeps no record of the session.
    pub(crate) fn is_ephemeral(&self) -> bool {
        self.options.is_ephemeral()
    }

    /// The options for the turns after the first one.
    pub(crate) fn for_later_turns(&self) -> Self {
        Self { options: self.options.for_later_turns(), ..self.clone() }
    }
}

impl QueuedPrompt {
    pub(crate) fn new(text: String, request: &TurnRequest, policy: &Policy) -> Self {
        let millis = |limit: Duration| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        Self {
            text,
            interrupt: false,
            session_id: request.session,
            prompt: request.prompt.as_str().to_owned(),
            cwd: request.working_dir.as_ref().map(|cwd| cwd.as_path().to_owned()),
            sandbox: match request.sandbox {
                SandboxChoice::Inherit => None,
                SandboxChoice::Set(sandbox) | SandboxChoice::Once(sandbox) => {
                    Some(sandbox.as_str().to_owned())
                }
            },
            fork: request.fork,
            sender: Some(ProcessId::this()),
            policy: policy.clone(),
            depth: request.depth,
            job_options: JobOptions {
                options: request.options.clone(),
                timeout_ms: request.total.map(millis),
                idle_timeout_ms: request.idle.map(millis),
            },
        }
    }

    /// Whether the sender can still report that the prompt was accepted.
    pub(crate) fn is_sender_alive(&self) -> bool {
        self.sender.as_ref().is_some_and(ProcessId::is_alive)
    }

    /// The turn to run, and the sender's policy. Checked again: a directory may be gone by now.
    pub(crate) fn into_request(self) -> Result<(TurnRequest, Policy), FailureKind> {
        fn read<T>(
            field: &str,
            text: Option<String>,
            parse: impl FnOnce(&str) -> Result<T, InvalidValue>,
        ) -> Result<Option<T>, FailureKind> {
            text.map(|text| parse(&text))
                .transpose()
                .map_err(|problem| FailureKind::BadInput { field: field.into(), problem })
        }
        let bad = |field: &str, problem| FailureKind::BadInput { field: field.into(), problem };
        let job_options = self.job_options;
        let sandbox = read("sandbox", self.sandbox, str::parse::<Sandbox>)?;
        let cwd = self.cwd.map(WorkingDir::existing).transpose();
        let prompt = Prompt::new(self.prompt).map_err(|problem| bad("prompt", problem))?;
        let mut request = TurnRequest::new(prompt)
            .resume(self.session_id)
            .fork(self.fork)
            .working_dir(cwd.map_err(|problem| bad("cwd", problem))?)
            .sandbox(sandbox.map_or(SandboxChoice::Inherit, SandboxChoice::Set))
            .options(job_options.options)
            .total_limit(job_options.timeout_ms.map(Duration::from_millis))
            .idle_limit(job_options.idle_timeout_ms.map(Duration::from_millis));
        request.depth = self.depth;
        Ok((request, self.policy))
    }
}
