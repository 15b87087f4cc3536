//! Whether this program would serve a client that starts it in a certain way.

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory, Error, FromArgMatches};

use super::flags::Flags;
use super::{CommandLine, command};
use crate::settings;

/// Every variable with this prefix is meant for this program.
const PREFIX: &str = "CODEX_PERSISTENT_MCP_";

/// What would keep it from that, read by the program's own parser: wrong flags, variables that it does not know or
/// whose value it cannot use, a command that is no server. No value is quoted, as it may be a secret.
pub(super) fn problems(arguments: &[String], variables: &[(String, String)]) -> Vec<String> {
    let mut problems: Vec<String> = Vec::new();
    // What the client fills in is not known here.
    if !arguments.iter().any(|argument| is_filled_in(argument)) {
        problems.extend(of_arguments(arguments).err());
    }
    for (name, value) in variables {
        let variable = settings::all().find_map(|setting| {
            let former = setting.former.as_ref().map(|former| former.variable);
            [Some(setting.variable), former].into_iter().flatten().find(|known| known == name)
        });
        match variable {
            None if name.starts_with(PREFIX) => problems.push(format!("{name} is unknown")),
            Some(variable) if !is_filled_in(value) => {
                let only = |asked| (asked == variable).then(|| value.into());
                if Flags::from_variables(only).is_none() {
                    problems.push(format!("the value of {name} cannot be used"));
                }
            }
            _ => {}
        }
    }
    problems
}

/// As in `${HOME}` and `{env:HOME}`.
fn is_filled_in(text: &str) -> bool {
    text.contains("${") || text.contains("{env:") || text.contains("{file:")
}

fn of_arguments(arguments: &[String]) -> Result<(), String> {
    // The environment of this process is not the one in which the client starts it.
    let command = CommandLine::command().mut_args(|argument| argument.env(Resettable::Reset));
    let words = std::iter::once(env!("CARGO_PKG_NAME")).chain(arguments.iter().map(String::as_str));
    let matches = command.try_get_matches_from(words).map_err(|error| text(&error))?;
    if let Some(name) = matches.subcommand_name().filter(|name| command::is_for_user(name)) {
        return Err(format!("the command {name} does not serve a client"));
    }
    let line = CommandLine::from_arg_matches(&matches).and_then(CommandLine::complete);
    let line = line.map_err(|error| text(&error))?;
    command::settings(line.command.as_ref(), &line.flags)
        .map_err(|unusable| format!("{} {}", unusable.flag, unusable.problem))?;
    if line.flags.is_given("http") {
        return Err("with --http it serves no client on standard input".into());
    }
    Ok(())
}

/// Clap's message without the values.
fn text(error: &Error) -> String {
    let kind = error.kind().as_str().unwrap_or("it ends at once");
    let of = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        Some(ContextValue::Strings(texts)) => texts.first().map(String::as_str),
        _ => None,
    };
    let about = of(ContextKind::InvalidArg).or_else(|| of(ContextKind::InvalidSubcommand));
    let about = about.map(|about| about.split('=').next().unwrap_or(about));
    let meant = of(ContextKind::SuggestedArg).map(|flag| format!(" (did you mean {flag}?)"));
    let meant = meant.unwrap_or_default();
    about.map_or_else(|| kind.to_owned(), |about| format!("{about}: {kind}{meant}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(arguments: &[&str], variables: &[(&str, &str)]) -> Vec<String> {
        let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        problems(&arguments, &variables.iter().map(owned).collect::<Vec<_>>())
    }

    #[test]
    fn what_serves_a_client_is_no_problem() {
        for arguments in [
            &[][..],
            &["serve", "--timeout", "1h"],
            &["-c", "model=m", "mcp-server", "-s", "read-only"],
            &["--cwd", "${workspaceFolder}/no-such-folder"],
        ] {
            assert_eq!(of(arguments, &[("CODEX_PERSISTENT_MCP_TIMEOUT", "1h")]), [""; 0]);
        }
        assert_eq!(of(&[], &[("HOME", "x"), ("CODEX_PERSISTENT_MCP_TIMEOUT", "${T}")]), [""; 0]);
    }

    #[test]
    fn what_does_not_is_named_without_its_values() {
        for (arguments, named) in [
            (
                &["--timout", "1h"][..],
                "--timout: unexpected argument found (did you mean --timeout?)",
            ),
            (&["--timeout", "hush"], "--timeout"),
            (&["--state-dir=hush", "--bad=hush"], "--bad"),
            (&["hush-hush"], "hush-hush"),
            (&["chat", "hello"], "the command chat does not serve a client"),
            (&["--help"], "it ends at once"),
            (&["-c", "no-value", "mcp-server"], "--config"),
        ] {
            let found = of(arguments, &[]);
            assert!(found.len() == 1 && found[0].contains(named), "{arguments:?}: {found:?}");
            let is_quoted = arguments.len() == 2 && found[0].contains("hush");
            assert!(!is_quoted, "{found:?}");
        }
        let wrong = [
            ("CODEX_PERSISTENT_MCP_TIMEOUT", "hush"),
            ("CODEX_PERSISTENT_MCP_TIMEOUT_MS", "hush"),
            ("CODEX_PERSISTENT_MCP_TIMOUT", "hush"),
        ];
        let named: Vec<String> = of(&[], &wrong);
        assert_eq!(named.len(), 3, "{named:?}");
        assert!(named[2].contains("TIMOUT is unknown"), "{named:?}");
        assert!(!named.concat().contains("hush"), "{named:?}");
    }
}
