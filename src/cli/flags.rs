//! Flags and variables as they were given. [`Flags::settings`] makes the settings of them.

mod argument;
mod error;
mod list;
#[cfg(test)]
mod page;

use std::ffi::OsString;

use clap::builder::TypedValueParser;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, FromArgMatches};

pub(super) use error::{WrongSetting, escaped, print, unusable};
pub(super) use list::text as list;

use argument::Reader;

use crate::model::settings::Settings;
use crate::settings::{self, Change, Setting};

/// The settings that were given, each checked by itself.
#[derive(Clone, Default)]
pub(super) struct Flags(Vec<Given>);

/// A setting that was given.
#[derive(Clone)]
struct Given {
    setting: &'static Setting,
    by: By,
    changes: Vec<Change>,
}

/// How a setting was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Flag,
    /// By the variable of this name, which may be the former one.
    Variable(&'static str),
}

/// Which settings are on the command line, where they apply to the command itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct OnCommandLine {
    pub(super) cwd: bool,
    pub(super) timeout: bool,
    pub(super) idle_timeout: bool,
}

impl Flags {
    /// Reads the variables alone, which takes a fraction of the time of clap. `variable` returns the value
    /// of one. `None`, if a value cannot be used: clap writes the message.
    pub(super) fn from_variables(
        variable: impl Fn(&'static str) -> Option<OsString>,
    ) -> Option<Self> {
        // Only messages, which are dropped, would show the name.
        let command = clap::Command::new("");
        let read = |name, reader: Reader| -> Option<Option<(By, Vec<Change>)>> {
            let Some(value) = variable(name) else { return Some(None) };
            let values = reader.split(&value)?.into_iter();
            let changes = values.map(|value| reader.parse_ref(&command, None, &value).ok());
            Some(Some((By::Variable(name), changes.collect::<Option<_>>()?)))
        };
        let mut flags = Self::default();
        for setting in settings::all() {
            let present = read(setting.variable, Reader::new(setting))?;
            let former = match &setting.former {
                Some(former) => read(former.variable, Reader::of_former(setting, former))?,
                None => None,
            };
            let given = present.or(former);
            flags.0.extend(given.map(|(by, changes)| Given { setting, by, changes }));
        }
        Some(flags)
    }

    /// The settings in force.
    pub(super) fn settings(&self) -> Settings {
        let mut settings = Settings::default();
        for change in self.0.iter().flat_map(|given| &given.changes) {
            change.apply(&mut settings);
        }
        settings
    }

    /// How this setting was given, if it was.
    pub(super) fn given_by(&self, setting: &Setting) -> Option<By> {
        self.0.iter().find(|given| given.setting.flag == setting.flag).map(|given| given.by)
    }

    /// Whether the setting with this flag was given in any way.
    pub(super) fn is_given(&self, flag: &str) -> bool {
        self.0.iter().any(|given| given.setting.flag == flag)
    }

    pub(super) fn on_command_line(&self) -> OnCommandLine {
        let is_flag =
            |flag| self.0.iter().any(|given| given.setting.flag == flag && given.by == By::Flag);
        OnCommandLine {
            cwd: is_flag("cwd"),
            timeout: is_flag("timeout"),
            idle_timeout: is_flag("idle-timeout"),
        }
    }
}

impl Given {
    /// Flags win over variables, and among these the present name over the former one.
    fn of(setting: &'static Setting, matches: &ArgMatches) -> Option<Self> {
        let names = [Some((setting.flag, setting.variable))]
            .into_iter()
            .chain([setting.former.as_ref().map(|former| (former.flag, former.variable))])
            .flatten();
        let found = |source| {
            let mut names = names.clone();
            names.find(|(flag, _)| matches.value_source(flag) == Some(source))
        };
        let (by, flag) = match (found(ValueSource::CommandLine), found(ValueSource::EnvVariable)) {
            (Some((flag, _)), _) => (By::Flag, flag),
            (None, Some((flag, variable))) => (By::Variable(variable), flag),
            (None, None) => return None,
        };
        let changes = matches.get_many(flag).into_iter().flatten().cloned().collect();
        Some(Self { setting, by, changes })
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self(settings::all().filter_map(|setting| Given::of(setting, matches)).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Flags {
    fn augment_args(command: clap::Command) -> clap::Command {
        command.args(argument::all())
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(arguments: &[&str]) -> Flags {
        let command = Flags::augment_args(clap::Command::new("test").no_binary_name(true));
        let matches = command.try_get_matches_from(arguments).expect("they can be used");
        Flags::from_arg_matches(&matches).expect("they are flags")
    }

    #[test]
    fn the_former_name_of_a_duration_is_valid_and_the_present_one_wins() {
        let millis = |arguments: &[&str]| flags(arguments).settings().limits.total.as_millis();
        assert_eq!(millis(&["--timeout-ms", "1500"]), 1_500);
        assert_eq!(millis(&["--timeout", "2s"]), 2_000);
        assert_eq!(millis(&["--timeout-ms", "1500", "--timeout", "2s"]), 2_000);
        assert_eq!(millis(&["--timeout", "2s", "--timeout-ms", "1500"]), 2_000);
        let hours = flags(&["--job-keep-hours", "48"]).settings().retention.age.as_secs() / 3_600;
        assert_eq!(hours, 48);
    }

    #[test]
    fn variables_without_arguments_are_read_as_clap_reads_them() {
        let values = [
            ("CODEX_BIN", "c"),
            ("CODEX_PERSISTENT_MCP_TIMEOUT_MS", "1500"),
            ("CODEX_PERSISTENT_MCP_IDLE_TIMEOUT", "2s"),
            ("CODEX_PERSISTENT_MCP_IDLE_TIMEOUT_MS", "1500"),
            ("CODEX_PERSISTENT_MCP_MAX_CONCURRENT", "3"),
            ("CODEX_PERSISTENT_MCP_ALLOWED_MODELS", "a,b"),
            ("CODEX_PERSISTENT_MCP_ALLOW_CONFIG", "Off"),
        ];
        let read = |changed: Option<(&str, &str)>| {
            let values = values.into_iter().chain(changed);
            let values: std::collections::HashMap<_, _> = values.collect();
            Flags::from_variables(|name| values.get(name).map(Into::into))
        };
        let by_variables = read(None).expect("they can be used");
        let by_flags = flags(&[
            "--codex-bin=c",
            "--timeout-ms=1500",
            "--idle-timeout=2s",
            "--max-concurrent=3",
            "--allowed-models=a,b",
            "--allow-config=off",
        ]);
        let (settings, expected) = (by_variables.settings(), by_flags.settings());
        for setting in settings::all() {
            assert_eq!(setting.value(&settings), setting.value(&expected), "--{}", setting.flag);
            let is_given = by_flags.given_by(setting).is_some();
            assert_eq!(by_variables.given_by(setting).is_some(), is_given, "--{}", setting.flag);
        }
        for (variable, value) in [
            ("CODEX_BIN", ""),
            ("CODEX_PERSISTENT_MCP_TIMEOUT", "soon"),
            ("CODEX_PERSISTENT_MCP_TIMEOUT_MS", "2s"),
            ("CODEX_PERSISTENT_MCP_IDLE_TIMEOUT_MS", "0"),
            ("CODEX_PERSISTENT_MCP_MAX_CONCURRENT", "0"),
            ("CODEX_PERSISTENT_MCP_ALLOWED_MODELS", "a,"),
            ("CODEX_PERSISTENT_MCP_ALLOW_CONFIG", "perhaps"),
        ] {
            assert!(read(Some((variable, value))).is_none(), "{variable}={value}");
        }
    }

    /// Whatever the settings are: what the process that runs a job is given, it reads as the same.
    #[test]
    fn a_jobs_process_gets_the_settings_of_the_process_that_starts_it() {
        let flags = flags(&[
            "--codex-bin=c",
            "--cwd=/",
            "--origin=o",
            "--state-dir=/s",
            "--list-sessions",
            "--job-timeout=90s",
            "--job-idle-timeout=1500ms",
            "--busy-wait=0s",
            "--max-concurrent=3",
            "--job-keep=36h",
            "--job-keep-mb=7",
            "--max-sandbox=read-only",
            "--allowed-dirs=/",
            "--allowed-models=a,b",
            "--allowed-models=c",
            "--allow-config=false",
            "--allow-extra-arguments",
            "--max-depth=5",
            "--nested-mcp=a,b",
            "--command-environment=plain",
            "--debug",
            "--log-file=/l",
        ]);
        let settings = flags.settings();
        let arguments = settings::runner_arguments(&settings);
        let command = Flags::augment_args(clap::Command::new("test"));
        let matches = command.try_get_matches_from(arguments).expect("they can be used");
        let job = Flags::from_arg_matches(&matches).expect("they are flags").settings();
        assert_eq!(job.limits, settings.job_limits);
        for setting in settings::all().filter(|setting| setting.inherited) {
            assert!(flags.given_by(setting).is_some() || setting.flag.ends_with("timeout"));
            if !setting.flag.ends_with("timeout") {
                assert_eq!(setting.value(&job), setting.value(&settings), "--{}", setting.flag);
            }
        }
    }
}
