//! What the operator allows: the person who configured the server. Its callers are models that may
//! have read hostile text, so nothing that a call says gets around this.
//!
//! What a call may ask for goes by the policy. What Codex would load by itself goes by the turn: one in
//! a sandbox is kept there by [`crate::codex::confinement`], whatever the policy allows other turns.
//! SECURITY.md lists the ways around a sandbox that are known.

use std::fmt;
use std::str::FromStr;

use super::command_line::{COMPACT_PROMPT, WORD};
use super::effective::Effective;
use super::options::{ApprovalPolicy, Argument, Options, Override};
use super::text::shown;
use serde::{Deserialize, Serialize};
use toml::Table;

use super::model_name::Model;
use super::outcome::FailureKind;
use super::request::TurnRequest;
use super::sandbox::{Sandbox, SandboxChoice};
use super::value::InvalidValue;
use super::working_dir::WorkingDir;

/// The variable with the highest sandbox.
pub(crate) const MAX_SANDBOX: &str = "CODEX_PERSISTENT_MCP_MAX_SANDBOX";
/// The variable with the folders that may be worked in.
pub(crate) const ALLOWED_DIRS: &str = "CODEX_PERSISTENT_MCP_ALLOWED_DIRS";
/// The variable with the models that may be asked.
pub(crate) const ALLOWED_MODELS: &str = "CODEX_PERSISTENT_MCP_ALLOWED_MODELS";

/// The variable that allows settings of Codex's.
pub(crate) const ALLOW_CONFIG: &str = "CODEX_PERSISTENT_MCP_ALLOW_CONFIG";
/// The variable that allows further arguments.
pub(crate) const ALLOW_EXTRA_ARGUMENTS: &str = "CODEX_PERSISTENT_MCP_ALLOW_EXTRA_ARGUMENTS";

/// The variable with the depth.
pub(crate) const MAX_DEPTH: &str = "CODEX_PERSISTENT_MCP_MAX_DEPTH";
/// The variable that says what commands get of the environment.
pub(crate) const COMMAND_ENVIRONMENT: &str = "CODEX_PERSISTENT_MCP_COMMAND_ENVIRONMENT";
/// The variable with the MCP servers that Codex starts.
pub(crate) const NESTED_MCP: &str = "CODEX_PERSISTENT_MCP_NESTED_MCP";

/// Settings of Codex's that can neither start a program, nor write a file, nor send anything
/// elsewhere, nor change what commands may do. All others need the highest sandbox to be
/// danger-full-access: `mcp_servers`, `notify`, `hooks` and `model_providers` run programs without any
/// sandbox, and `sandbox_workspace_write` widens it.
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

/// The same of texts for the model. A profile or a project can say them, but no call.
const HARMLESS_TEXTS: &[&str] = &["developer_instructions"];

/// Settings that a call always says itself, so that a profile or a project cannot.
const OVERRULED_SETTINGS: &[&str] =
    &["approval_policy", "approvals_reviewer", "model", "sandbox_mode"];

/// Arguments of `codex exec` of which the same holds. None has a value.
const HARMLESS_ARGUMENTS: &[&str] = &["--ephemeral", "--ignore-rules", "--strict-config"];

/// What calls may ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Policy {
    /// The highest sandbox. Default [`Sandbox::WorkspaceWrite`].
    pub max_sandbox: Sandbox,
    /// The folders that directories and images must lie in, symbolic links resolved, and that sessions
    /// and jobs must never have left. Default: none, which is no limit.
    pub allowed_dirs: Vec<WorkingDir>,
    /// The models that may be asked for. Default: none, which is no limit.
    pub allowed_models: Vec<Model>,
    /// Whether a call may set settings of Codex's. Default yes: those that can do no harm, and all
    /// others too if the highest sandbox is [`Sandbox::DangerFullAccess`].
    pub allow_config: bool,
    /// Whether a call may add arguments for `codex exec`. Default no. The same limit holds.
    pub allow_extra_arguments: bool,
    /// How deep Codexes may start each other by this program. Default 1: one that it started cannot
    /// start another.
    pub max_depth: u32,
    /// Which of its configured MCP servers Codex starts. Default all.
    pub nested_mcp: NestedMcp,
    /// What the commands of a turn in a sandbox get of the environment. Default: what Codex is
    /// configured for. A guard's commands get no more than [`CommandEnvironment::Plain`].
    pub command_environment: CommandEnvironment,
}

/// What the commands of a turn in a sandbox get of this process's environment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CommandEnvironment {
    /// What Codex is configured for by `shell_environment_policy`: everything, if it says nothing.
    #[default]
    Configured,
    /// Plain variables alone, such as `PATH`, `HOME` and `LANG`, and none that may hold a secret.
    Plain,
}

impl CommandEnvironment {
    /// The name in the settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Configured => "configured",
            Self::Plain => "plain",
        }
    }
}

impl FromStr for CommandEnvironment {
    type Err = InvalidValue;

    fn from_str(text: &str) -> std::result::Result<Self, InvalidValue> {
        let all = [Self::Configured, Self::Plain];
        let found = all.into_iter().find(|environment| environment.as_str() == text);
        found.ok_or_else(|| InvalidValue("must be configured or plain".into()))
    }
}

/// Which of the MCP servers that Codex is configured with it starts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum NestedMcp {
    /// All of them.
    #[default]
    Inherit,
    /// None.
    Nobody,
    /// Those with these names.
    Only(Vec<String>),
}

impl NestedMcp {
    /// Whether it starts the server of this name.
    pub(crate) fn starts(&self, name: &str) -> bool {
        match self {
            Self::Inherit => true,
            Self::Nobody => false,
            Self::Only(names) => names.iter().any(|only| only == name),
        }
    }
}

impl fmt::Display for NestedMcp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inherit => formatter.write_str("inherit"),
            Self::Nobody => formatter.write_str("none"),
            Self::Only(names) => formatter.write_str(&names.join(",")),
        }
    }
}

impl From<NestedMcp> for String {
    fn from(nested: NestedMcp) -> Self {
        nested.to_string()
    }
}

impl TryFrom<String> for NestedMcp {
    type Error = InvalidValue;

    fn try_from(text: String) -> std::result::Result<Self, InvalidValue> {
        text.parse()
    }
}

impl FromStr for NestedMcp {
    type Err = InvalidValue;

    fn from_str(text: &str) -> std::result::Result<Self, InvalidValue> {
        let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
        match text.trim() {
            "inherit" => Ok(Self::Inherit),
            "none" => Ok(Self::Nobody),
            _ if names.iter().any(String::is_empty) => Err(InvalidValue(
                "must be inherit, none, or names of MCP servers with commas between".into(),
            )),
            _ => Ok(Self::Only(names)),
        }
    }
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
    /// Whether nothing is kept from callers that Codex itself would do.
    pub(crate) fn is_open(&self) -> bool {
        self.max_sandbox == Sandbox::DangerFullAccess
    }

    /// Refuses every call of a Codex that is as deep as one may be.
    pub(crate) fn check_depth(&self, depth: u32) -> Result<()> {
        if depth < self.max_depth {
            return Ok(());
        }
        let problem = format!(
            "comes from a Codex that this program started, {depth} deep, and agents must not call each \
             other for ever; answer without this tool"
        );
        Err(refused("this call", problem, MAX_DEPTH))
    }

    /// Refuses what a request may not ask for, whatever its session is like.
    pub(crate) fn check(&self, request: &TurnRequest) -> Result<()> {
        if let SandboxChoice::Set(sandbox) | SandboxChoice::Once(sandbox) = request.sandbox
            && sandbox > self.max_sandbox
        {
            let problem = format!(
                "{} is more than this server allows, which is {}",
                sandbox.as_str(),
                self.max_sandbox.as_str()
            );
            return Err(refused("sandbox", problem, MAX_SANDBOX));
        }
        if let Some(model) = &request.options.model {
            self.check_model(model.as_str())?;
        }
        self.check_config(&request.options)?;
        self.check_arguments(&request.options)?;
        request.options.check()
    }

    /// A setting in a profile that could get around the sandbox.
    pub(crate) fn harm<'a>(&self, tables: impl Iterator<Item = &'a Table>) -> Option<&'a str> {
        let harmless = |key: &&str| {
            [HARMLESS_SETTINGS, HARMLESS_TEXTS, OVERRULED_SETTINGS]
                .iter()
                .any(|all| all.contains(key))
        };
        let mut keys = tables.flat_map(Table::keys).map(String::as_str);
        keys.find(|key| !self.is_open() && !harmless(key))
    }

    /// Whether a call asks for settings or arguments that could get around the sandbox, as it may
    /// where full access is allowed.
    pub(crate) fn asks_for_more(options: &Options) -> bool {
        options.config.iter().any(|setting| !HARMLESS_SETTINGS.contains(&setting.key()))
            || options.extra_arguments.iter().any(|argument| !is_harmless(argument))
    }

    fn check_config(&self, options: &Options) -> Result<()> {
        let keys = options.config.iter().map(Override::key);
        let first = keys.chain(options.compact_prompt.as_ref().map(|_| COMPACT_PROMPT)).next();
        let Some(first) = first else { return Ok(()) };
        if !self.allow_config {
            let problem = format!("has {}, and no setting is allowed", shown(first));
            return Err(refused("config", problem, ALLOW_CONFIG));
        }
        let harmless =
            |key: &str| HARMLESS_SETTINGS.contains(&key) || HARMLESS_TEXTS.contains(&key);
        // None of these is anything else, and on a command line nothing else must stand.
        let mut words =
            options.config.iter().filter(|setting| HARMLESS_SETTINGS.contains(&setting.key()));
        if let Some(wrong) = words.find(|setting| !setting.is_word()) {
            let problem = format!("has a value for {} that must be {WORD}", wrong.key());
            let problem = InvalidValue(problem);
            return Err(FailureKind::BadInput { field: "config".into(), problem });
        }
        match options.config.iter().find(|setting| !harmless(setting.key())) {
            Some(setting) if !self.is_open() => {
                let problem = format!(
                    "has {}, which could get around the sandbox; without full access there are {}",
                    shown(setting.key()),
                    HARMLESS_SETTINGS.join(", ")
                );
                Err(refused("config", problem, MAX_SANDBOX))
            }
            _ => Ok(()),
        }
    }

    fn check_arguments(&self, options: &Options) -> Result<()> {
        let Some(first) = options.extra_arguments.first() else { return Ok(()) };
        if !self.allow_extra_arguments {
            let problem =
                format!("has {}, and none is allowed", shown(format!("{:?}", first.as_str())));
            return Err(refused("extra_arguments", problem, ALLOW_EXTRA_ARGUMENTS));
        }
        match options.extra_arguments.iter().find(|argument| !is_harmless(argument)) {
            Some(argument) if !self.is_open() => {
                let problem = format!(
                    "has {}, which could get around the sandbox; without full access there are {}",
                    shown(format!("{:?}", argument.as_str())),
                    HARMLESS_ARGUMENTS.join(", ")
                );
                Err(refused("extra_arguments", problem, MAX_SANDBOX))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn check_model(&self, model: &str) -> Result<()> {
        if self.allowed_models.is_empty()
            || self.allowed_models.iter().any(|allowed| allowed.as_str() == model)
        {
            return Ok(());
        }
        let names: Vec<&str> = self.allowed_models.iter().map(Model::as_str).collect();
        let problem = format!("{model} is none of those that are allowed: {}", names.join(", "));
        Err(refused("model", problem, ALLOWED_MODELS))
    }

    /// The sandbox of a turn whose session or configuration says `wanted`, and whether that is less.
    pub(crate) fn settle(&self, wanted: Sandbox) -> (Sandbox, bool) {
        (wanted.min(self.max_sandbox), wanted > self.max_sandbox)
    }
}

fn is_harmless(argument: &Argument) -> bool {
    HARMLESS_ARGUMENTS.contains(&argument.as_str())
}

/// What was in force in a turn and is more than it was to have, in words: `sandbox` is the one that was
/// named.
pub(crate) fn excess(sandbox: Sandbox, effective: &Effective) -> Option<String> {
    let never = |policy: &String| policy == ApprovalPolicy::Never.as_str();
    if let Some(reviewer) = &effective.approvals_reviewer
        && sandbox < Sandbox::DangerFullAccess
        && !effective.approval_policy.as_ref().is_some_and(never)
    {
        return Some(format!("{reviewer} could let commands out of the sandbox"));
    }
    let got = effective.sandbox.filter(|got| *got > sandbox)?;
    Some(format!("the sandbox was {}, not {}", got.as_str(), sandbox.as_str()))
}

/// Says which setting it is that refuses.
pub(crate) fn refused(field: &str, problem: String, setting: &'static str) -> FailureKind {
    FailureKind::NotAllowed { field: field.into(), problem, setting }
}
