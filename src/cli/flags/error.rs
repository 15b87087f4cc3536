//! Messages about flags that cannot be used.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, Error};

use crate::cli::serve::refusal;
use crate::model::text::excerpt;
use crate::settings;

/// A flag or variable whose value cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct WrongSetting {
    pub(in crate::cli) name: String,
    /// Why, as a sentence that names it.
    pub(in crate::cli) problem: String,
}

/// Prints clap's message, tells it to a client that waits for the server, and returns the exit status.
pub(in crate::cli) fn print(command: &Command, mut error: Error) -> u8 {
    escape(&mut error);
    name_variable(command, &mut error);
    // Nothing can be done if standard error cannot be written.
    drop(error.print());
    refusal::answer(&error, u8::try_from(error.exit_code()).unwrap_or(2))
}

/// Clap's error with visible escapes in the values that it quotes.
pub(in crate::cli) fn escaped(mut error: Error) -> Error {
    escape(&mut error);
    error
}

/// The error of a setting that turned out to be unusable after it was checked.
pub(in crate::cli) fn unusable(command: &mut Command, flag: &str, problem: &str) -> Error {
    let setting = settings::all().find(|setting| setting.flag == flag);
    let variable = setting.map(|setting| setting.variable).unwrap_or_default();
    command.error(ErrorKind::Io, format!("--{flag} (or {variable}) {problem}"))
}

/// Escapes in the values that clap quotes what a terminal would obey.
fn escape(error: &mut Error) {
    let quoted: Vec<(ContextKind, ContextValue)> = error
        .context()
        .filter_map(|(kind, value)| match value {
            ContextValue::String(text) => Some((kind, ContextValue::String(excerpt(text)))),
            ContextValue::Strings(texts) => {
                Some((kind, ContextValue::Strings(texts.iter().map(excerpt).collect())))
            }
            _ => None,
        })
        .collect();
    for (kind, value) in quoted {
        error.insert(kind, value);
    }
}

/// Adds the variable that may be the source of a wrong value. Clap names only the flag.
fn name_variable(command: &Command, error: &mut Error) {
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else { return };
    let argument = command.get_arguments().find(|argument| argument.to_string() == *flag);
    if let Some(variable) = argument.and_then(|argument| argument.get_env()) {
        let tip = format!("it is set by this flag or by the variable {}", variable.display());
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
}
