//! The flags of `codex` that the command `mcp-server` takes, after its name or before it.

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::error::ErrorKind;
use toml::Value;

use crate::model::model_name::Model;
use crate::model::operator_config::OperatorConfig;
use crate::model::options::{ApprovalPolicy, Profile};
use crate::model::sandbox::Sandbox;
use crate::model::settings::Settings;
use crate::model::value::{InvalidValue, name};
use crate::model::working_dir::WorkingDir;

/// Flags of `codex`.
#[derive(Debug, Default, Clone, PartialEq, Args)]
#[command(next_help_heading = "Settings of Codex")]
pub(super) struct CodexFlags {
    /// Override a setting of Codex for all calls
    #[arg(short, long = "config", value_name = "KEY=VALUE")]
    config: Vec<String>,

    /// Use this profile if a call names none
    #[arg(short, long, value_name = "NAME", value_parser = str::parse::<Profile>)]
    profile: Option<Profile>,

    /// Enable a feature of Codex
    #[arg(long, value_name = "FEATURE")]
    enable: Vec<String>,

    /// Disable a feature of Codex
    #[arg(long, value_name = "FEATURE")]
    disable: Vec<String>,

    /// Fail if Codex does not know a setting
    #[arg(long)]
    strict_config: bool,

    /// Use this model if a call names none
    #[arg(short, long, value_name = "MODEL", value_parser = Model::parse)]
    model: Option<Model>,

    /// Use this sandbox if a call names none
    #[arg(short, long, value_name = "SANDBOX", value_parser = str::parse::<Sandbox>)]
    sandbox: Option<Sandbox>,

    /// Use this policy if a call names none
    #[arg(short, long = "ask-for-approval", value_name = "POLICY", value_parser = str::parse::<ApprovalPolicy>)]
    approval_policy: Option<ApprovalPolicy>,

    /// Where new threads work, as --cwd
    #[arg(short = 'C', long = "cd", value_name = "DIR", value_parser = existing())]
    working_dir: Option<WorkingDir>,
}

/// A flag that cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unusable {
    pub(super) flag: &'static str,
    pub(super) problem: InvalidValue,
}

impl Unusable {
    /// The error of clap for it.
    pub(super) fn to_error(&self, command: &mut clap::Command) -> clap::Error {
        command.error(ErrorKind::ValueValidation, format!("{} {}", self.flag, self.problem))
    }
}

impl CodexFlags {
    /// The ids of the flags in clap.
    pub(super) const IDS: [&str; 9] = [
        "config",
        "profile",
        "enable",
        "disable",
        "strict_config",
        "model",
        "sandbox",
        "approval_policy",
        "working_dir",
    ];

    /// Whether no flag was given.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Sets what the flags say. A flag of its own wins over `-c`, as in Codex.
    pub(super) fn apply(&self, settings: &mut Settings) -> Result<(), Unusable> {
        let config = &mut settings.operator_config;
        for setting in &self.config {
            config.add(setting).map_err(|problem| Unusable { flag: "--config", problem })?;
        }
        for (flag, features, on) in
            [("--enable", &self.enable, true), ("--disable", &self.disable, false)]
        {
            for feature in features {
                set_feature(config, feature, on).map_err(|problem| Unusable { flag, problem })?;
            }
        }
        let words = [
            ("--model", "model", self.model.as_ref().map(Model::as_str)),
            ("--sandbox", "sandbox_mode", self.sandbox.map(Sandbox::as_str)),
            ("--ask-for-approval", "approval_policy", self.approval_policy.map(accepted)),
        ];
        for (flag, key, word) in words {
            let set = word.map_or(Ok(()), |word| config.set(key, Value::from(word)));
            set.map_err(|problem| Unusable { flag, problem })?;
        }
        if let Some(profile) = &self.profile {
            config.profile = Some(profile.clone());
        }
        config.is_strict |= self.strict_config;
        if let Ok(here) = std::env::current_dir() {
            config.resolve_paths(&here);
        }
        if let Some(dir) = &self.working_dir {
            settings.working_dir.clone_from(dir);
        }
        Ok(())
    }
}

fn set_feature(config: &mut OperatorConfig, feature: &str, on: bool) -> Result<(), InvalidValue> {
    let feature = name(feature, "_-").ok_or_else(|| {
        InvalidValue("must be the name of a feature: letters, digits, _ and -".into())
    })?;
    config.set(&format!("features.{feature}"), on.into())
}

/// Reads the path of a directory.
fn existing() -> impl TypedValueParser<Value = WorkingDir> {
    OsStringValueParser::new().try_map(WorkingDir::existing)
}

/// The policy as every Codex accepts it: 0.153 removed the others, which asked more often.
fn accepted(policy: ApprovalPolicy) -> &'static str {
    match policy {
        ApprovalPolicy::Never => ApprovalPolicy::Never.as_str(),
        ApprovalPolicy::OnRequest | ApprovalPolicy::OnFailure | ApprovalPolicy::Untrusted => {
            ApprovalPolicy::OnRequest.as_str()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{Command, FromArgMatches};
    use toml::Table;

    use super::*;

    fn flags(arguments: &[&str]) -> CodexFlags {
        let command = CodexFlags::augment_args(Command::new("test").no_binary_name(true));
        let matches = command.try_get_matches_from(arguments).expect("they can be used");
        CodexFlags::from_arg_matches(&matches).expect("they are flags")
    }

    fn config(flags: &CodexFlags) -> OperatorConfig {
        let mut settings = Settings::default();
        flags.apply(&mut settings).expect("they can be used");
        settings.operator_config
    }

    #[test]
    fn all_flags_of_codex_become_settings() {
        let all = flags(&[
            "-c",
            "model_reasoning_effort=\"high\"",
            "--config=features.a=false",
            "-pfast",
            "--enable",
            "a",
            "--disable=b",
            "--strict-config",
            "-m",
            "gpt-5",
            "-s",
            "read-only",
            "-a",
            "untrusted",
            "-C",
            "/",
        ]);
        let mut settings = Settings::default();
        assert_eq!(all.apply(&mut settings), Ok(()));
        let expected: Table = "model_reasoning_effort = 'high'\nfeatures = {a = true, b = false}\n\
                               model = 'gpt-5'\nsandbox_mode = 'read-only'\napproval_policy = 'on-request'"
            .parse()
            .expect("it is TOML");
        assert_eq!(*settings.operator_config.table(), expected);
        assert_eq!(settings.operator_config.profile.as_ref().map(Profile::as_str), Some("fast"));
        assert!(settings.operator_config.is_strict);
        assert_eq!(settings.working_dir.as_path(), std::path::Path::new("/"));
        assert!(!all.is_empty() && flags(&[]).is_empty());
    }

    #[test]
    fn flags_after_the_command_win_over_those_before_it() {
        let before =
            ["-c", "a=1", "-c", "b=1", "-p", "x", "-m", "m1", "--strict-config", "--disable=f"];
        let after = ["-c", "a=2", "-p", "y", "--enable=f"];
        let mut settings = Settings::default();
        for arguments in [&before[..], &after] {
            flags(arguments).apply(&mut settings).expect("they can be used");
        }
        let both = settings.operator_config;
        let expected = "a = 2\nb = 1\nmodel = 'm1'\nfeatures = {f = true}";
        assert_eq!(*both.table(), expected.parse().expect("it is TOML"));
        assert_eq!(both.profile.as_ref().map(Profile::as_str), Some("y"));
        assert!(both.is_strict);
        let own = config(&flags(&["-m", "m1", "-c", "model=m2"]));
        assert_eq!(own.table()["model"].as_str(), Some("m1"));
    }

    #[test]
    fn a_flag_that_cannot_be_used_is_named_without_its_value() {
        for (arguments, flag) in [
            (["-c", "instructions=xylophone"], "--config"),
            (["-c", "xylophone"], "--config"),
            (["--enable", "xylo phone"], "--enable"),
            (["--disable", "a.b"], "--disable"),
        ] {
            let unusable = flags(&arguments).apply(&mut Settings::default()).expect_err(flag);
            assert_eq!(unusable.flag, flag);
            assert!(!unusable.problem.to_string().contains("xylo"), "{unusable:?}");
        }
    }

    #[test]
    fn the_ids_are_those_of_all_flags() {
        let command = CodexFlags::augment_args(Command::new("test"));
        let ids: Vec<_> =
            command.get_arguments().map(|argument| argument.get_id().as_str()).collect();
        assert_eq!(ids, CodexFlags::IDS);
    }
}
