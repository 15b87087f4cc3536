//! What the operator, who configured the server, allows callers to request. Callers are models that may have
//! read hostile text, so no argument of a call can override this.
//!
//! The policy limits what a call may request. What Codex would load by itself depends on the turn instead: a
//! sandboxed turn is confined by [`crate::codex::confinement`], whatever the policy allows other turns.
//! SECURITY.md lists the known ways around a sandbox.

mod command_environment;
mod nested_mcp;

use serde::{Deserialize, Serialize};
use toml::Table;

pub use command_environment::CommandEnvironment;
pub use nested_mcp::NestedMcp;

use super::command_line::{COMPACT_PROMPT, PLAIN_VALUE};
use super::effective::Effective;
use super::model_name::Model;
use super::options::{ApprovalPolicy, Argument, Options, Override};
use super::outcome::FailureKind;
use super::request::TurnRequest;
use super::sandbox::{Sandbox, SandboxChoice};
use super::text::excerpt;
use super::value::InvalidValue;
use super::working_dir::WorkingDir;

/// The variable that sets the most permissive sandbox.
pub(crate) const MAX_SANDBOX: &str = "CODEX_PERSISTENT_MCP_MAX_SANDBOX";
/// The variable that lists the allowed folders.
pub(crate) const ALLOWED_DIRS: &str = "CODEX_PERSISTENT_MCP_ALLOWED_DIRS";
/// The variable that lists the allowed models.
pub(crate) const ALLOWED_MODELS: &str = "CODEX_PERSISTENT_MCP_ALLOWED_MODELS";

/// The variable that allows overrides of Codex's settings.
pub(crate) const ALLOW_CONFIG: &str = "CODEX_PERSISTENT_MCP_ALLOW_CONFIG";
/// The variable that allows additional arguments.
pub(crate) const ALLOW_EXTRA_ARGUMENTS: &str = "CODEX_PERSISTENT_MCP_ALLOW_EXTRA_ARGUMENTS";

/// The variable that limits nesting.
pub(crate) const MAX_DEPTH: &str = "CODEX_PERSISTENT_MCP_MAX_DEPTH";
/// The variable that limits the environment of commands.
pub(crate) const COMMAND_ENVIRONMENT: &str = "CODEX_PERSISTENT_MCP_COMMAND_ENVIRONMENT";
/// The variable that lists the MCP servers that Codex may start.
pub(crate) const NESTED_MCP: &str = "CODEX_PERSISTENT_MCP_NESTED_MCP";

/// Codex settings that cannot start a program, write a file, send data anywhere or change what commands may
/// do. All others require `danger-full-access` to be allowed: `mcp_servers`, `notify`, `hooks` and
/// `model_providers` run programs outside any sandbox, and `sandbox_workspace_write` loosens it.
pub(crate) const HARMLESS_SETTINGS: &[&str] = &[
    "compact_prompt",
    "hide_agent_reasoning",
    "model_auto_compact_token_limit",
    "model_context_window",
    "model_reasoning_effort",
    "model_reasoning_summary",
    "model_supports_reasoning_summaries",
    "model_verbosity",
    "personality",
    "plan_mode_reasoning_effort",
    "project_doc_max_bytes",
    "service_tier",
    "show_raw_agent_reasoning",
    "tool_output_token_limit",
    "web_search",
];

/// Equally harmless settings whose value is text for the model. A profile or project may set them, but a call
/// may not.
const HARMLESS_TEXTS: &[&str] = &["developer_instructions"];

/// Settings that every call passes explicitly, so that a profile or project cannot change them.
const OVERRIDDEN_SETTINGS: &[&str] =
    &["approval_policy", "approvals_reviewer", "model", "sandbox_mode"];

/// Arguments of `codex exec` that are just as harmless. None takes a value.
const HARMLESS_ARGUMENTS: &[&str] = &["--ephemeral", "--ignore-rules", "--strict-config"];

/// What calls may request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Policy {
    /// The most permissive sandbox. Default: [`Sandbox::WorkspaceWrite`].
    pub max_sandbox: Sandbox,
    /// The folders that directories and images must be inside of after resolving symbolic links, and that
    /// sessions and jobs must never have left. Default: empty, which means no restriction.
    pub allowed_dirs: Vec<WorkingDir>,
    /// The models that may be requested. Default: empty, which means no restriction.
    pub allowed_models: Vec<Model>,
    /// Whether a call may override Codex's settings. Default: true, for harmless settings only, unless
    /// `max_sandbox` is [`Sandbox::DangerFullAccess`].
    pub allow_config: bool,
    /// Whether a call may add arguments for `codex exec`. Default: false. If true, the same restriction to
    /// harmless ones applies.
    pub allow_extra_arguments: bool,
    /// How many levels deep Codex may start itself through this program. Default: 1, so a Codex that this
    /// program started cannot start another.
    pub max_depth: u32,
    /// Which of its configured MCP servers Codex may start. Default: all.
    pub nested_mcp: NestedMcp,
    /// Which environment variables the commands of a sandboxed turn receive. Default: as configured in Codex.
    /// The commands of a `codex_guard_*` tool never get more than [`CommandEnvironment::Plain`].
    pub command_environment: CommandEnvironment,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_sandbox: Sandbox::WorkspaceWrite,
            allowed_dirs: Vec::new(),
            allowed_models: Vec::new(),
            allow_config: true,
            allow_extra_arguments: false,
            max_depth: 1,
            nested_mcp: NestedMcp::Inherit,
            command_environment: CommandEnvironment::Configured,
        }
    }
}

type Result<T> = std::result::Result<T, FailureKind>;

impl Policy {
    /// Whether calls may request everything that Codex itself can do.
    pub(crate) fn allows_full_access(&self) -> bool {
        self.max_sandbox == Sandbox::DangerFullAccess
    }

    /// Rejects calls from a Codex that is already at the maximum nesting depth.
    pub(crate) fn check_depth(&self, depth: u32) -> Result<()> {
        if depth < self.max_depth {
            return Ok(());
        }
        let problem = format!(
            "comes from a Codex that this program started ({depth} levels deep), and agents must \
             not call each other endlessly"
        );
        Err(not_allowed("this call", problem, MAX_DEPTH))
    }

    /// Rejects requests that exceed the policy, regardless of their session.
    pub(crate) fn check(&self, request: &TurnRequest) -> Result<()> {
        if let SandboxChoice::Set(sandbox) | SandboxChoice::Once(sandbox) = request.sandbox
            && sandbox > self.max_sandbox
        {
            let problem = format!(
                "{} exceeds this server's maximum, {}",
                sandbox.as_str(),
                self.max_sandbox.as_str()
            );
            return Err(not_allowed("sandbox", problem, MAX_SANDBOX));
        }
        if let Some(model) = &request.options.model {
            self.check_model(model.as_str())?;
        }
        self.check_config(&request.options)?;
        self.check_arguments(&request.options)?;
        request.options.check()
    }

    /// The first setting in these tables, such as a profile, that could bypass the sandbox.
    pub(crate) fn first_unsafe_setting<'a>(
        &self,
        tables: impl Iterator<Item = &'a Table>,
    ) -> Option<&'a str> {
        let harmless = |key: &&str| {
            [HARMLESS_SETTINGS, HARMLESS_TEXTS, OVERRIDDEN_SETTINGS]
                .iter()
                .any(|all| all.contains(key))
        };
        let mut keys = tables.flat_map(Table::keys).map(String::as_str);
        keys.find(|key| !self.allows_full_access() && !harmless(key))
    }

    /// Whether a call requests settings or arguments that could bypass the sandbox. It may do so only where
    /// full access is allowed.
    pub(crate) fn could_bypass_sandbox(options: &Options) -> bool {
        options.config.iter().any(|setting| !HARMLESS_SETTINGS.contains(&setting.key()))
            || options.extra_arguments.iter().any(|argument| !is_harmless(argument))
    }

    fn check_config(&self, options: &Options) -> Result<()> {
        let keys = options.config.iter().map(Override::key);
        let first = keys.chain(options.compact_prompt.as_ref().map(|_| COMPACT_PROMPT)).next();
        let Some(first) = first else { return Ok(()) };
        if !self.allow_config {
            let problem = format!("has {}, but no setting is allowed", excerpt(first));
            return Err(not_allowed("config", problem, ALLOW_CONFIG));
        }
        let harmless =
            |key: &str| HARMLESS_SETTINGS.contains(&key) || HARMLESS_TEXTS.contains(&key);
        // These settings never need more than that, and nothing more may appear on a command line.
        let mut plain =
            options.config.iter().filter(|setting| HARMLESS_SETTINGS.contains(&setting.key()));
        if let Some(wrong) = plain.find(|setting| !setting.is_plain_value()) {
            let problem = format!("has a value for {} that must be {PLAIN_VALUE}", wrong.key());
            let problem = InvalidValue(problem);
            return Err(FailureKind::BadInput { field: "config".into(), problem });
        }
        match options.config.iter().find(|setting| !harmless(setting.key())) {
            Some(setting) if !self.allows_full_access() => {
                let problem = format!(
                    "has {}, which could bypass the sandbox; without full access only these are \
                     allowed: {}",
                    excerpt(setting.key()),
                    HARMLESS_SETTINGS.join(", ")
                );
                Err(not_allowed("config", problem, MAX_SANDBOX))
            }
            _ => Ok(()),
        }
    }

    fn check_arguments(&self, options: &Options) -> Result<()> {
        let Some(first) = options.extra_arguments.first() else { return Ok(()) };
        if !self.allow_extra_arguments {
            let problem = format!(
                "has {}, but no argument is allowed",
                excerpt(format!("{:?}", first.as_str()))
            );
            return Err(not_allowed("extra_arguments", problem, ALLOW_EXTRA_ARGUMENTS));
        }
        match options.extra_arguments.iter().find(|argument| !is_harmless(argument)) {
            Some(argument) if !self.allows_full_access() => {
                let problem = format!(
                    "has {}, which could bypass the sandbox; without full access only these are \
                     allowed: {}",
                    excerpt(format!("{:?}", argument.as_str())),
                    HARMLESS_ARGUMENTS.join(", ")
                );
                Err(not_allowed("extra_arguments", problem, MAX_SANDBOX))
            }
            _ => Ok(()),
        }
    }

    /// Rejects a model that is not allowed.
    pub(crate) fn check_model(&self, model: &str) -> Result<()> {
        if self.allowed_models.is_empty()
            || self.allowed_models.iter().any(|allowed| allowed.as_str() == model)
        {
            return Ok(());
        }
        let names: Vec<&str> = self.allowed_models.iter().map(Model::as_str).collect();
        let problem = format!("{model} is not allowed; allowed models: {}", names.join(", "));
        Err(not_allowed("model", problem, ALLOWED_MODELS))
    }

    /// Lowers the sandbox that a session or configuration requests to the allowed maximum. Also returns
    /// whether that changed it.
    pub(crate) fn cap_sandbox(&self, wanted: Sandbox) -> (Sandbox, bool) {
        (wanted.min(self.max_sandbox), wanted > self.max_sandbox)
    }
}

fn is_harmless(argument: &Argument) -> bool {
    HARMLESS_ARGUMENTS.contains(&argument.as_str())
}

/// Describes how a turn ran with looser settings than planned, if it did. `sandbox` is the one that was
/// passed to Codex.
pub(crate) fn excess_permission(sandbox: Sandbox, effective: &Effective) -> Option<String> {
    let never = |policy: &String| policy == ApprovalPolicy::Never.as_str();
    if let Some(reviewer) = &effective.approvals_reviewer
        && sandbox < Sandbox::DangerFullAccess
        && !effective.approval_policy.as_ref().is_some_and(never)
    {
        return Some(format!("{reviewer} could allow commands outside the sandbox"));
    }
    let got = effective.sandbox.filter(|got| *got > sandbox)?;
    Some(format!("the sandbox was {}, not {}", got.as_str(), sandbox.as_str()))
}

/// The failure for a value of `field` that the operator's `setting` does not allow.
pub(crate) fn not_allowed(field: &str, problem: String, setting: &'static str) -> FailureKind {
    FailureKind::NotAllowed { field: field.into(), problem, setting }
}
