//! The settings in force, and where each comes from.

use std::ffi::OsString;

use serde_json::json;

use super::check::{Check, listed};
use crate::cli::flags::{By, Flags, WrongSetting};
use crate::model::settings::Settings;
use crate::settings;

/// Every variable with this prefix is meant for this program.
const PREFIX: &str = "CODEX_PERSISTENT_MCP_";

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Setting {
    flag: String,
    /// The variable that sets it, or could.
    pub(super) variable: &'static str,
    value: String,
    source: &'static str,
}

impl Setting {
    /// Whether it comes from its variable.
    pub(super) fn is_from_variable(&self) -> bool {
        self.source == "variable"
    }
}

/// All settings, as the flags and variables set them.
pub(in crate::cli) fn in_force(settings: &Settings, flags: &Flags) -> Vec<Setting> {
    let defaults = Settings::default();
    let row = |setting: &settings::Setting| {
        let (value, source, variable) = match flags.given_by(setting) {
            None => (setting.default_text(&defaults), "default", setting.variable),
            Some(By::Flag) => (setting.value(settings), "flag", setting.variable),
            Some(By::Variable(variable)) => (setting.value(settings), "variable", variable),
        };
        Setting { flag: format!("--{}", setting.flag), variable, value, source }
    };
    settings::all().map(row).collect()
}

/// A problem for each setting that cannot be used.
pub(super) fn judge_wrong(wrong: &[WrongSetting]) -> Vec<Check> {
    let check = |wrong: &WrongSetting| {
        let fix = match wrong.name.starts_with("--") {
            true => format!("correct {}", wrong.name),
            false => format!("correct {}, or unset it", wrong.name),
        };
        Check::problem("settings.value", wrong.problem.as_str(), fix)
            .with("setting", wrong.name.as_str())
    };
    wrong.iter().map(check).collect()
}

/// The settings in force, and variables that are no settings.
pub(super) fn examine(settings: &[Setting]) -> Vec<Check> {
    let changed = settings.iter().filter(|setting| setting.source != "default").count();
    let summary = match changed {
        0 => "all have their default values".to_owned(),
        changed => format!("{changed} of {} are set", settings.len()),
    };
    let mut check = Check::ok("settings", summary);
    for setting in settings {
        let Setting { flag, variable, value, source } = setting;
        let detail = json!({"value": value, "source": source, "variable": variable});
        check = check.with(flag, detail);
    }
    let unknown = unknown(std::env::vars_os().map(|(name, _)| name));
    let unknown = (!unknown.is_empty()).then(|| {
        let names = listed(&unknown);
        let fix = format!(
            "correct the name, or unset it: `{} --help` lists all variables",
            env!("CARGO_PKG_NAME")
        );
        let summary = format!("set, but unknown to this program: {names}");
        Check::warning("settings.unknown", summary, fix)
    });
    [check].into_iter().chain(unknown).collect()
}

fn unknown(names: impl Iterator<Item = OsString>) -> Vec<String> {
    let is_known = |name: &str| {
        settings::all().any(|setting| {
            let former = setting.former.as_ref().map(|former| former.variable);
            setting.variable == name || former == Some(name)
        })
    };
    names
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name.starts_with(PREFIX) && !is_known(name))
        .collect()
}
