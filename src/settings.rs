//! One description of each setting. The command line's flags, the list that `doctor` prints, the arguments
//! of a job's process and the documentation all come from it.

mod compat;
mod general;
#[cfg(feature = "http")]
mod http;
mod jobs;
mod limits;
mod log;
mod policy;
mod runner;
mod value;

use std::ffi::{OsStr, OsString};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use runner::{RUN_JOB, runner_arguments};
pub(crate) use value::{DurationRange, Unit};

use crate::model::settings::Settings;
use crate::model::value::InvalidValue;

/// A setting: a flag, a variable, and a field of [`Settings`].
pub(crate) struct Setting {
    /// The flag, without its dashes.
    pub(crate) flag: &'static str,
    pub(crate) variable: &'static str,
    /// The placeholder of the value in the help.
    pub(crate) value_name: &'static str,
    pub(crate) kind: Kind,
    /// The default in words, where the value itself depends on the machine or says too little.
    pub(crate) default: Option<&'static str>,
    /// One line for the help.
    pub(crate) help: &'static str,
    /// What `--help` and `docs/settings.md` say beyond that, in Markdown.
    pub(crate) docs: &'static str,
    /// Whether the process that runs a job gets it as an argument.
    pub(crate) inherited: bool,
    /// The name from before durations had units. It stays valid, and the help does not show it.
    pub(crate) former: Option<Former>,
}

/// A former flag and variable of a duration.
pub(crate) struct Former {
    /// The flag, without its dashes.
    pub(crate) flag: &'static str,
    pub(crate) variable: &'static str,
    /// The unit of its value, which is a whole number.
    pub(crate) unit: Unit,
}

/// What a checked value does to the settings.
#[derive(Clone)]
pub(crate) struct Change(Arc<dyn Fn(&mut Settings) + Send + Sync>);

impl Change {
    pub(crate) fn new(change: impl Fn(&mut Settings) + Send + Sync + 'static) -> Self {
        Self(Arc::new(change))
    }

    pub(crate) fn apply(&self, settings: &mut Settings) {
        (self.0)(settings);
    }
}

/// What kind of value a setting takes, and which field it is.
pub(crate) enum Kind {
    /// Yes or no.
    Switch { get: fn(&Settings) -> bool, set: fn(&mut Settings, bool) },
    /// A whole number.
    Count { range: RangeInclusive<u32>, get: fn(&Settings) -> u32, set: fn(&mut Settings, u32) },
    /// A duration with its unit, such as `30m`.
    Duration { range: DurationRange, field: fn(&mut Settings) -> &mut Duration },
    /// Anything else. It is written as one value, or none.
    Text { read: Read, write: fn(&Settings) -> Option<OsString> },
    /// A list, in one value with commas or in several values. Each entry is read apart.
    List { read: Read, write: fn(&Settings) -> Vec<OsString> },
}

/// Checks a value.
pub(crate) type Read = fn(&OsStr) -> Result<Change, InvalidValue>;

/// Settings that belong together in the help and the documentation.
pub(crate) struct Group {
    pub(crate) heading: &'static str,
    pub(crate) settings: &'static [Setting],
}

/// All groups, in the order of the documentation.
pub(crate) const GROUPS: &[&Group] = &[
    &general::GROUP,
    &limits::GROUP,
    &jobs::GROUP,
    &policy::GROUP,
    &compat::GROUP,
    #[cfg(feature = "http")]
    &http::GROUP,
    &log::GROUP,
];

/// All settings, in the order of the documentation.
pub(crate) fn all() -> impl Iterator<Item = &'static Setting> {
    GROUPS.iter().flat_map(|group| group.settings)
}

impl Setting {
    /// The values that set this as it is in `settings`: several for a list, none if it is not set.
    pub(crate) fn values(&self, settings: &Settings) -> Vec<OsString> {
        match &self.kind {
            Kind::Switch { get, .. } => vec![get(settings).to_string().into()],
            Kind::Count { get, .. } => vec![get(settings).to_string().into()],
            Kind::Duration { field, .. } => {
                vec![value::written(*field(&mut settings.clone())).into()]
            }
            Kind::Text { write, .. } => write(settings).into_iter().collect(),
            Kind::List { write, .. } => write(settings),
        }
    }

    /// The same on one line.
    pub(crate) fn value(&self, settings: &Settings) -> String {
        let values = self.values(settings);
        let texts: Vec<_> = values.iter().map(|value| value.to_string_lossy()).collect();
        texts.join(",")
    }

    /// What holds if it is not set, in words or as a value. `defaults` are [`Settings::default`].
    pub(crate) fn default_text(&self, defaults: &Settings) -> String {
        self.default.map_or_else(|| self.value(defaults), str::to_owned)
    }
}

fn utf8(text: &OsStr) -> Result<&str, InvalidValue> {
    text.to_str().ok_or_else(|| InvalidValue("must be text in UTF-8".into()))
}

/// Makes a path absolute, which need not exist.
fn absolute(path: &OsStr) -> Result<PathBuf, InvalidValue> {
    std::path::absolute(path).map_err(|_| InvalidValue("must be a path, and not empty".into()))
}

fn change(change: impl Fn(&mut Settings) + Send + Sync + 'static) -> Result<Change, InvalidValue> {
    Ok(Change::new(change))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_text_setting_writes_it_reads_again() {
        let settings = Settings::default();
        for setting in all() {
            let (Kind::Text { read, .. } | Kind::List { read, .. }) = &setting.kind else {
                continue;
            };
            for value in setting.values(&settings) {
                let mut again = settings.clone();
                let change = read(&value);
                let change = change.unwrap_or_else(|error| panic!("--{}: {error}", setting.flag));
                change.apply(&mut again);
                assert_eq!(setting.value(&again), setting.value(&settings), "--{}", setting.flag);
            }
        }
    }
}
