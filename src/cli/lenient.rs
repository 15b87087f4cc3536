//! Reads the command line of `doctor` in spite of wrong settings, which it reports.

use std::ffi::{OsStr, OsString};

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue};
use clap::{Args, Command, Error, FromArgMatches};

use super::flags::{Flags, WrongSetting};
use super::serve::refusal;
use super::{CommandLine, command, flags};
use crate::settings::{self, Setting};

/// The command line without its wrong settings, if its command is `doctor` and nothing else is wrong.
pub(super) fn read(arguments: impl Iterator<Item = OsString>) -> Option<CommandLine> {
    let mut arguments: Vec<OsString> = arguments.collect();
    if !arguments.iter().any(|argument| argument == "doctor") {
        return None;
    }
    let mut wrong = wrong_variables(std::env::var_os);
    loop {
        match parse(&arguments, &wrong) {
            Ok(mut line) => {
                let command::Command::Doctor(doctor) = line.command.as_mut()? else { return None };
                doctor.wrong = wrong;
                return Some(line);
            }
            // Each round removes at least one argument.
            Err(error) => wrong.push(remove(&mut arguments, error)?),
        }
    }
}

fn parse(arguments: &[OsString], wrong: &[WrongSetting]) -> Result<CommandLine, Error> {
    let is_wrong = |name: &OsStr| wrong.iter().any(|wrong| name == wrong.name.as_str());
    let mut command = CommandLine::whole_command().mut_args(|argument| {
        if argument.get_env().is_some_and(is_wrong) {
            argument.env(Resettable::Reset)
        } else {
            argument
        }
    });
    let matches = command.try_get_matches_from_mut(arguments)?;
    CommandLine::from_arg_matches(&matches).and_then(CommandLine::complete)
}

/// Each variable that is set to a value that cannot be used.
fn wrong_variables(variable: impl Fn(&'static str) -> Option<OsString>) -> Vec<WrongSetting> {
    let names = |setting: &'static Setting| {
        let former = setting.former.as_ref().map(|former| (former.flag, former.variable));
        [Some((setting.flag, setting.variable)), former].into_iter().flatten()
    };
    let wrong = settings::all().flat_map(names).filter_map(|(flag, name)| {
        let value = variable(name)?;
        let only = |asked| (asked == name).then(|| value.clone());
        if Flags::from_variables(only).is_some() {
            return None;
        }
        // As a flag of the same value, so that clap says what is wrong.
        let mut argument = OsString::from(format!("--{flag}="));
        argument.push(&value);
        let command = Flags::augment_args(Command::new("").no_binary_name(true))
            .mut_args(|argument| argument.env(Resettable::Reset));
        let why = command.try_get_matches_from([argument]).err().map(|error| sentence(error, flag));
        let problem = format!("{name}: {}", why.as_deref().unwrap_or("the value cannot be used"));
        Some(WrongSetting { name: name.to_owned(), problem })
    });
    wrong.collect()
}

/// Removes the setting that the error is about.
fn remove(arguments: &mut Vec<OsString>, error: Error) -> Option<WrongSetting> {
    let Some(ContextValue::String(shown)) = error.get(ContextKind::InvalidArg) else { return None };
    let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue) else {
        return None;
    };
    let flag = shown.strip_prefix("--")?.split([' ', '[', '=']).next()?.to_owned();
    let is_setting = |setting: &Setting| {
        setting.flag == flag || setting.former.as_ref().is_some_and(|former| former.flag == flag)
    };
    settings::all().find(|setting| is_setting(setting))?;
    let name = format!("--{flag}");
    let joined = format!("{name}=");
    let at = arguments.iter().position(|argument| {
        let text = argument.to_string_lossy();
        text == name || text.strip_prefix(&joined).is_some()
    })?;
    let is_apart = arguments[at] == OsStr::new(&name);
    let has_value =
        arguments.get(at + 1).is_some_and(|next| next.to_string_lossy().contains(value));
    arguments.drain(at..=at + usize::from(is_apart && has_value));
    let problem = format!("{name}: {}", sentence(error, &flag));
    Some(WrongSetting { name, problem })
}

/// What clap says, without the flag, which is named in front.
fn sentence(error: Error, flag: &str) -> String {
    let said = refusal::one_line(&flags::escaped(error).render().to_string());
    let Some((before, after)) = said.split_once(&format!(" for '--{flag}")) else { return said };
    let rest = after.split_once('\'').map_or("", |(_, rest)| rest);
    format!("{before}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wrong_variable_is_named_with_what_is_right() {
        let wrong = wrong_variables(|name| match name {
            "CODEX_PERSISTENT_MCP_TIMEOUT" => Some("soon".into()),
            "CODEX_PERSISTENT_MCP_MAX_CONCURRENT" => Some("0".into()),
            "CODEX_PERSISTENT_MCP_IDLE_TIMEOUT" => Some("2s".into()),
            _ => None,
        });
        let texts: Vec<&str> = wrong.iter().map(|wrong| wrong.problem.as_str()).collect();
        assert_eq!(texts.len(), 2, "{texts:?}");
        assert!(texts[0].starts_with("CODEX_PERSISTENT_MCP_TIMEOUT: invalid value 'soon': "));
        assert!(texts[1].starts_with("CODEX_PERSISTENT_MCP_MAX_CONCURRENT: "), "{texts:?}");
    }

    #[test]
    fn a_wrong_flag_is_removed_with_its_value() {
        let words = ["p", "--timeout", "soon", "doctor", "--max-queued=many", "--json"];
        let line = read(words.into_iter().map(OsString::from)).expect("it is doctor");
        let Some(command::Command::Doctor(doctor)) = line.command else { panic!("not doctor") };
        let names: Vec<&str> = doctor.wrong.iter().map(|wrong| wrong.name.as_str()).collect();
        assert!(names.contains(&"--timeout") && names.contains(&"--max-queued"), "{names:?}");
        let other = |words: &[&str]| read(words.iter().map(OsString::from)).is_none();
        assert!(other(&["p", "doctor", "--nonsense"]) && other(&["p", "doctor", "extra"]));
        assert!(other(&["p", "chat", "doctor", "--timeout=soon"]));
    }
}
