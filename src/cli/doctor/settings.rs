//! The settings in force, and where each comes from. Made from the command line's own definition, so
//! that no setting can be forgotten.

use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};
use serde_json::json;

use super::check::{Check, listed};

/// All variables that begin so are meant for this program.
const PREFIX: &str = "CODEX_PERSISTENT_MCP_";

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Setting {
    flag: String,
    pub(super) variable: String,
    value: String,
    source: &'static str,
}

impl Setting {
    /// Whether its variable decides.
    pub(super) fn is_from_variable(&self) -> bool {
        self.source == "variable"
    }
}

/// All settings of a command that was built.
pub(in crate::cli) fn in_force(command: &Command, matches: &ArgMatches) -> Vec<Setting> {
    let settings = command.get_arguments().filter_map(|argument| {
        let variable = argument.get_env()?.to_string_lossy().into_owned();
        let id = argument.get_id().as_str();
        let values = matches.get_raw(id).map(|values| {
            let values: Vec<_> = values.map(|value| value.to_string_lossy()).collect();
            values.join(",")
        });
        let source = match matches.value_source(id) {
            Some(ValueSource::CommandLine) => "flag",
            Some(ValueSource::EnvVariable) => "variable",
            _ => "default",
        };
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        Some(Setting {
            flag: format!("--{}", argument.get_long()?),
            variable,
            value: values.unwrap_or_else(|| unset(&help)),
            source,
        })
    });
    settings.collect()
}

/// What holds if nothing is set, as the help says.
fn unset(help: &str) -> String {
    let said = help.split_once("[default: ").and_then(|(_, rest)| rest.split_once(']'));
    said.map_or("none", |(default, _)| default).to_owned()
}

/// What is in force, and what was meant to be and is not.
pub(super) fn examine(settings: &[Setting]) -> Vec<Check> {
    let changed = settings.iter().filter(|setting| setting.source != "default").count();
    let summary = match changed {
        0 => "all as by default".to_owned(),
        changed => format!("{changed} of {} are set", settings.len()),
    };
    let mut check = Check::ok("settings", summary);
    for setting in settings {
        let Setting { flag, variable, value, source } = setting;
        let detail = json!({"value": value, "source": source, "variable": variable});
        check = check.with(flag, detail);
    }
    let unknown = unknown(settings, std::env::vars_os().map(|(name, _)| name));
    let unknown = (!unknown.is_empty()).then(|| {
        let names = listed(&unknown);
        let fix = format!(
            "correct the name, or unset it: `{} --help` has all variables",
            env!("CARGO_PKG_NAME")
        );
        let summary = format!("set, and no variable of this program: {names}");
        Check::warning("settings.unknown", summary, fix)
    });
    [check].into_iter().chain(unknown).collect()
}

fn unknown(settings: &[Setting], names: impl Iterator<Item = OsString>) -> Vec<String> {
    let is_known = |name: &String| settings.iter().any(|setting| setting.variable == *name);
    names
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name.starts_with(PREFIX) && !is_known(name))
        .collect()
}
