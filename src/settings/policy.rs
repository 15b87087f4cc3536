//! What calls may request.

use super::{Group, Kind, Setting, change, utf8};
use crate::model::model_name::Model;
use crate::model::policy::{self, CommandEnvironment, NestedMcp};
use crate::model::sandbox::Sandbox;
use crate::model::working_dir::WorkingDir;

pub(super) const GROUP: Group = Group { heading: "Policy", settings: &SETTINGS };

const SETTINGS: [Setting; 8] = [
    Setting {
        flag: "max-sandbox",
        variable: policy::MAX_SANDBOX,
        value_name: "SANDBOX",
        kind: Kind::Text {
            read: |sandbox| {
                let sandbox: Sandbox = utf8(sandbox)?.parse()?;
                change(move |settings| settings.policy.max_sandbox = sandbox)
            },
            write: |settings| Some(settings.policy.max_sandbox.as_str().into()),
        },
        default: None,
        help: "The highest sandbox of any turn: read-only, workspace-write or danger-full-access",
        docs: "It holds whatever a call, its session, a profile or Codex's configuration says. Below \
               `danger-full-access` a call can set only harmless settings of Codex.",
        inherited: true,
        former: None,
    },
    Setting {
        flag: "allowed-dirs",
        variable: policy::ALLOWED_DIRS,
        value_name: "DIRS",
        kind: Kind::Text {
            read: |dirs| {
                let dirs = std::env::split_paths(dirs).filter(|dir| !dir.as_os_str().is_empty());
                let dirs: Vec<WorkingDir> =
                    dirs.map(WorkingDir::existing).collect::<Result<_, _>>()?;
                change(move |settings| settings.policy.allowed_dirs.clone_from(&dirs))
            },
            write: |settings| {
                let dirs = settings.policy.allowed_dirs.iter().map(WorkingDir::as_path);
                // A name with the separator in it cannot be written. Then nothing must be allowed, not
                // everything.
                let nowhere = |_| "/dev/null/no-such-directory".into();
                Some(std::env::join_paths(dirs).unwrap_or_else(nowhere))
            },
        },
        default: Some("no limit"),
        help: "The folders that calls may name, separated as in PATH; their sessions and jobs must lie there too",
        docs: "`cwd`, `add_dirs` and `images` must lie in one of them, symbolic links resolved. A session or job \
               that was ever anywhere else is neither listed nor read nor resumed. The folders must exist.",
        inherited: true,
        former: None,
    },
    Setting {
        flag: "allowed-models",
        variable: policy::ALLOWED_MODELS,
        value_name: "MODELS",
        kind: Kind::List {
            read: |model| {
                let model = Model::parse(utf8(model)?)?;
                change(move |settings| settings.policy.allowed_models.push(model.clone()))
            },
            write: |settings| {
                let models = settings.policy.allowed_models.iter();
                models.map(|model| model.as_str().into()).collect()
            },
        },
        default: Some("all"),
        help: "The models that calls may request, separated by commas",
        docs: "A call that names no model is refused if Codex is configured for another one.",
        inherited: true,
        former: None,
    },
    Setting {
        flag: "allow-config",
        variable: policy::ALLOW_CONFIG,
        value_name: "BOOL",
        kind: Kind::Switch {
            get: |settings| settings.policy.allow_config,
            set: |settings, on| settings.policy.allow_config = on,
        },
        default: None,
        help: "Let calls change settings of Codex that cannot weaken the sandbox",
        docs: "With `--max-sandbox danger-full-access` a call can change all of them.",
        inherited: true,
        former: None,
    },
    Setting {
        flag: "allow-extra-arguments",
        variable: policy::ALLOW_EXTRA_ARGUMENTS,
        value_name: "BOOL",
        kind: Kind::Switch {
            get: |settings| settings.policy.allow_extra_arguments,
            set: |settings, on| settings.policy.allow_extra_arguments = on,
        },
        default: None,
        help: "Let calls add arguments of codex exec that cannot weaken the sandbox",
        docs: "These are `--ephemeral`, `--ignore-rules` and `--strict-config`. With `--max-sandbox \
               danger-full-access` a call can add any.",
        inherited: true,
        former: None,
    },
    Setting {
        flag: "max-depth",
        variable: policy::MAX_DEPTH,
        value_name: "N",
        kind: Kind::Count {
            range: 0..=u32::MAX,
            get: |settings| settings.policy.max_depth,
            set: |settings, depth| settings.policy.max_depth = depth,
        },
        default: None,
        help: "How many levels of Codex may start each other through this program",
        docs: "With 1, a Codex that this program started cannot start another one. Over HTTP each \
               Codex says its depth in a header, and a caller that says nothing counts as a user. On Windows the \
               depth is not known.",
        inherited: true,
        former: None,
    },
    Setting {
        flag: "nested-mcp",
        variable: policy::NESTED_MCP,
        value_name: "NAMES",
        kind: Kind::Text {
            read: |names| {
                let nested: NestedMcp = utf8(names)?.parse()?;
                change(move |settings| settings.policy.nested_mcp.clone_from(&nested))
            },
            write: |settings| Some(settings.policy.nested_mcp.to_string().into()),
        },
        default: None,
        help: "Which of its configured MCP servers Codex starts: inherit, none, or names separated by commas",
        docs: "Unless it is `inherit`, plugins and connectors are off too.",
        inherited: true,
        former: None,
    },
    Setting {
        flag: "command-environment",
        variable: policy::COMMAND_ENVIRONMENT,
        value_name: "WHICH",
        kind: Kind::Text {
            read: |which| {
                let which: CommandEnvironment = utf8(which)?.parse()?;
                change(move |settings| settings.policy.command_environment = which)
            },
            write: |settings| Some(settings.policy.command_environment.as_str().into()),
        },
        default: None,
        help: "The environment of commands in a sandbox: configured (as Codex says) or plain (no secrets)",
        docs: "`configured` is what Codex's `shell_environment_policy` says, which is everything by default. \
               `plain` is PATH, HOME, LANG and the like. The commands of a guard always get `plain`.",
        inherited: true,
        former: None,
    },
];
