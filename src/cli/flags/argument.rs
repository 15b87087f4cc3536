//! Clap's argument for each setting, made from its description.

use std::ffi::{OsStr, OsString};

use clap::builder::{
    BoolishValueParser, OsStringValueParser, PossibleValue, RangedI64ValueParser,
    StringValueParser, TypedValueParser,
};
use clap::{Arg, ArgAction, Command};

use crate::model::settings::Settings;
use crate::settings::{self, Change, Former, Kind, Setting, Unit};

/// Separates the values of a list.
const DELIMITER: char = ',';

/// One argument for each setting, and a hidden one for each former name. Its id is the flag.
pub(super) fn all() -> Vec<Arg> {
    let defaults = Settings::default();
    let mut arguments = Vec::new();
    for group in settings::GROUPS {
        for setting in group.settings {
            arguments.push(present(setting, &defaults).help_heading(group.heading));
            arguments.extend(former(setting));
        }
    }
    arguments
}

fn present(setting: &'static Setting, defaults: &Settings) -> Arg {
    let argument = named(setting.flag, setting.variable)
        .value_name(setting.value_name)
        .value_parser(Reader::new(setting));
    let (argument, default) = match setting.default {
        Some(words) => (argument, format!(" [default: {words}]")),
        None => (argument.default_value(setting.value(defaults)), String::new()),
    };
    let argument = argument
        .help(format!("{}{default}", setting.help))
        .long_help(format!("{}.\n{}{default}", setting.help, setting.docs));
    match setting.kind {
        Kind::Switch { .. } => argument.num_args(0..=1).default_missing_value("true"),
        Kind::List { .. } => argument.action(ArgAction::Append).value_delimiter(DELIMITER),
        Kind::Count { .. } | Kind::Duration { .. } | Kind::Text { .. } => argument,
    }
}

fn former(setting: &'static Setting) -> Option<Arg> {
    let former = setting.former.as_ref()?;
    let value_name = match former.unit {
        Unit::Milliseconds => "MS",
        Unit::Hours => "HOURS",
    };
    let argument = named(former.flag, former.variable).value_name(value_name);
    Some(argument.value_parser(Reader::of_former(setting, former)).hide(true))
}

fn named(flag: &'static str, variable: &'static str) -> Arg {
    Arg::new(flag)
        .long(flag)
        .env(variable)
        .hide_env_values(true)
        .global(true)
        .action(ArgAction::Set)
}

/// Checks a value, and returns the change that it makes to the settings.
#[derive(Clone)]
pub(super) struct Reader {
    kind: &'static Kind,
    /// The unit of the number that the former name of a duration takes.
    unit: Option<Unit>,
}

impl Reader {
    pub(super) fn new(setting: &'static Setting) -> Self {
        Self { kind: &setting.kind, unit: None }
    }

    pub(super) fn of_former(setting: &'static Setting, former: &Former) -> Self {
        Self { kind: &setting.kind, unit: Some(former.unit) }
    }

    /// Splits the value of a variable as clap does.
    pub(super) fn split(&self, value: &OsStr) -> Option<Vec<OsString>> {
        match self.kind {
            Kind::List { .. } => Some(value.to_str()?.split(DELIMITER).map(Into::into).collect()),
            _ => Some(vec![value.to_owned()]),
        }
    }
}

impl TypedValueParser for Reader {
    type Value = Change;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Change, clap::Error> {
        let unit = self.unit;
        match self.kind {
            Kind::Switch { set, .. } => BoolishValueParser::new()
                .map(move |value| Change::new(move |settings| set(settings, value)))
                .parse_ref(command, argument, value),
            Kind::Count { range, set, .. } => RangedI64ValueParser::<u32>::new()
                .range(i64::from(*range.start())..=i64::from(*range.end()))
                .map(move |number| Change::new(move |settings| set(settings, number)))
                .parse_ref(command, argument, value),
            Kind::Duration { range, field } => StringValueParser::new()
                .try_map(move |text| match unit {
                    Some(unit) => range.read_number(&text, unit),
                    None => range.read(&text),
                })
                .map(move |duration| Change::new(move |settings| *field(settings) = duration))
                .parse_ref(command, argument, value),
            Kind::Text { read, .. } | Kind::List { read, .. } => OsStringValueParser::new()
                .try_map(move |text| read(&text))
                .parse_ref(command, argument, value),
        }
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let Kind::Switch { .. } = self.kind else { return None };
        let values: Vec<_> = BoolishValueParser::new().possible_values()?.collect();
        Some(Box::new(values.into_iter()))
    }
}
