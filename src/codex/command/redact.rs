//! Redacts an argument list for the log: it keeps the names of options but no value that a caller chose.
//! Pure.

use std::ffi::OsString;

/// Maximum length of a logged option or setting name, in characters.
const MAX_NAME_CHARS: usize = 80;

/// Arguments whose values are not caller text: a sandbox and the id of a session.
const WITH_KNOWN_VALUES: &[&str] = &["-s", "resume", "fork"];

/// Replaces a value.
const REDACTED: &str = "…";

/// The redacted arguments in one line.
pub(crate) fn redact(arguments: &[OsString]) -> String {
    let mut previous = "";
    let words = arguments.iter().enumerate().map(|(at, argument)| {
        let argument = argument.to_str().unwrap_or_default();
        let shown = match argument {
            "exec" if at == 0 => argument.to_owned(),
            "-" | "resume" | "fork" => argument.to_owned(),
            _ if WITH_KNOWN_VALUES.contains(&previous) => argument.to_owned(),
            _ if previous == "-c" => name(argument),
            _ if argument.starts_with("--") => name(argument),
            // The value may be part of the argument.
            _ if argument.starts_with('-') => argument.chars().take(2).collect(),
            _ => REDACTED.to_owned(),
        };
        previous = argument;
        shown
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The part before the value, if it is a plain name.
fn name(argument: &str) -> String {
    let (name, value) = match argument.split_once('=') {
        Some((name, _)) => (name, "=…"),
        None => (argument, ""),
    };
    let is_name = |char: char| char.is_ascii_alphanumeric() || "_-.".contains(char);
    let fits = name.len() <= MAX_NAME_CHARS && name.chars().all(is_name);
    if fits { format!("{name}{value}") } else { REDACTED.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn option_names_are_kept_and_caller_values_are_redacted() {
        let arguments = |line: &str| line.split('|').map(OsString::from).collect::<Vec<_>>();
        let line = "exec|-i|/a b.png|--json|-C|/secret|-s|read-only|-m|secret|-c|key=\"secret\"\
                    |--ignore-rules|--config=x=secret|-csecret=1|secret|-c|se cret|resume|ID|-";
        assert_eq!(
            redact(&arguments(line)),
            "exec -i … --json -C … -s read-only -m … -c key=… --ignore-rules --config=… -c … -c … \
             resume ID -"
        );
    }
}
