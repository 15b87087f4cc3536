//! An argument list as it may be logged: what options there are, and none of the values that a caller
//! chose. Pure.

use std::ffi::OsString;

/// The longest name of an option or a setting that is told, in characters.
const MAX_NAME: usize = 80;

/// Whose values are words of this program's: a sandbox, and the id of a session.
const OWN_WORDS: &[&str] = &["-s", "resume", "fork"];

/// What stands for a value.
const LEFT_OUT: &str = "…";

/// The arguments in one line.
pub(crate) fn redacted(arguments: &[OsString]) -> String {
    let mut before = "";
    let words = arguments.iter().enumerate().map(|(at, argument)| {
        let argument = argument.to_str().unwrap_or_default();
        let told = match argument {
            "exec" if at == 0 => argument.to_owned(),
            "-" | "resume" | "fork" => argument.to_owned(),
            _ if OWN_WORDS.contains(&before) => argument.to_owned(),
            _ if before == "-c" => name(argument),
            _ if argument.starts_with("--") => name(argument),
            // Its value may be a part of it.
            _ if argument.starts_with('-') => argument.chars().take(2).collect(),
            _ => LEFT_OUT.to_owned(),
        };
        before = argument;
        told
    });
    words.collect::<Vec<_>>().join(" ")
}

/// What stands before the value, if that is a name.
fn name(argument: &str) -> String {
    let (name, value) = match argument.split_once('=') {
        Some((name, _)) => (name, "=…"),
        None => (argument, ""),
    };
    let is_name = |char: char| char.is_ascii_alphanumeric() || "_-.".contains(char);
    let fits = name.len() <= MAX_NAME && name.chars().all(is_name);
    if fits { format!("{name}{value}") } else { LEFT_OUT.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_told_and_no_value_that_is_not_our_own() {
        let arguments = |line: &str| line.split('|').map(OsString::from).collect::<Vec<_>>();
        let line = "exec|-i|/a b.png|--json|-C|/secret|-s|read-only|-m|secret|-c|key=\"secret\"\
                    |--ignore-rules|--config=x=secret|-csecret=1|secret|-c|se cret|resume|ID|-";
        assert_eq!(
            redacted(&arguments(line)),
            "exec -i … --json -C … -s read-only -m … -c key=… --ignore-rules --config=… -c … -c … \
             resume ID -"
        );
    }
}
