//! Clap's argument for each setting, made from its description.

use clap::builder::{
    BoolishValueParser, OsStringValueParser, RangedI64ValueParser, StringValueParser,
    TypedValueParser, ValueParser,
};
use clap::{Arg, ArgAction};

use crate::model::settings::Settings;
use crate::settings::{self, Change, Kind, Setting, Unit};

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
        .value_parser(parser(&setting.kind));
    let (argument, default) = match setting.default {
        Some(words) => (argument, format!(" [default: {words}]")),
        None => (argument.default_value(setting.value(defaults)), String::new()),
    };
    let argument = argument
        .help(format!("{}{default}", setting.help))
        .long_help(format!("{}.\n{}{default}", setting.help, setting.docs));
    match setting.kind {
        Kind::Switch(_) => argument.num_args(0..=1).default_missing_value("true"),
        Kind::List { .. } => argument.action(ArgAction::Append).value_delimiter(','),
        Kind::Count { .. } | Kind::Duration { .. } | Kind::Text { .. } => argument,
    }
}

fn former(setting: &'static Setting) -> Option<Arg> {
    let former = setting.former.as_ref()?;
    let Kind::Duration { range, field } = setting.kind else { return None };
    let value_name = match former.unit {
        Unit::Milliseconds => "MS",
        Unit::Hours => "HOURS",
    };
    let read = move |text: String| range.read_number(&text, former.unit);
    let parser = StringValueParser::new()
        .try_map(read)
        .map(move |duration| Change::new(move |settings| *field(settings) = duration));
    let argument = named(former.flag, former.variable).value_name(value_name);
    Some(argument.value_parser(ValueParser::new(parser)).hide(true))
}

fn named(flag: &'static str, variable: &'static str) -> Arg {
    Arg::new(flag).long(flag).env(variable).global(true).action(ArgAction::Set)
}

/// Checks a value, and returns the change that it makes to the settings.
fn parser(kind: &'static Kind) -> ValueParser {
    match kind {
        Kind::Switch(field) => ValueParser::new(
            BoolishValueParser::new()
                .map(move |value| Change::new(move |settings| *field(settings) = value)),
        ),
        Kind::Count { range, set, .. } => ValueParser::new(
            RangedI64ValueParser::<u32>::new()
                .range(i64::from(*range.start())..=i64::from(*range.end()))
                .map(move |number| Change::new(move |settings| set(settings, number))),
        ),
        Kind::Duration { range, field } => ValueParser::new(
            StringValueParser::new()
                .try_map(move |text| range.read(&text))
                .map(move |duration| Change::new(move |settings| *field(settings) = duration)),
        ),
        Kind::Text { read, .. } | Kind::List { read, .. } => {
            ValueParser::new(OsStringValueParser::new().try_map(move |text| read(&text)))
        }
    }
}
