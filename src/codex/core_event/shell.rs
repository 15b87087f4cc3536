//! Commands in the form that the core's events have them: a list of words, and a URL for the directory.

use serde_json::{Value, json};

use crate::codex::progress_text::without_shell;

/// The shell that runs a command if nothing else is known.
const SHELL: &str = "/bin/bash";

/// The words of a command line as `codex exec` prints it, such as `/bin/bash -lc 'echo hello'`.
pub(super) fn words(line: &str) -> Vec<String> {
    let script = without_shell(line);
    let mut words = line.split(' ');
    match (words.next(), words.next()) {
        (Some(shell), Some(flag)) if script != line => {
            vec![shell.into(), flag.into(), script.into_owned()]
        }
        _ => vec![line.into()],
    }
}

/// The words that run a script in a shell. `shell` has the words in front of the script, if they are known.
pub(super) fn in_shell(script: &str, shell: Option<&[String; 2]>) -> Vec<String> {
    let default = [SHELL.to_owned(), "-lc".to_owned()];
    let [shell, flag] = shell.unwrap_or(&default).clone();
    vec![shell, flag, script.to_owned()]
}

/// The shell and its flag in the words of a command, if that is how it was run.
pub(super) fn shell_of(words: &Value) -> Option<[String; 2]> {
    match words.as_array()?.as_slice() {
        [Value::String(shell), Value::String(flag), Value::String(_)] if flag.starts_with('-') => {
            Some([shell.clone(), flag.clone()])
        }
        _ => None,
    }
}

/// What Codex's own parser says of a command that it does not know. Here it is said of all.
pub(super) fn unparsed(script: &str) -> Value {
    json!([{ "type": "unknown", "cmd": script }])
}

/// A directory as a URL, as the events of commands have it.
pub(super) fn file_url(path: &str) -> String {
    let mut url = String::from("file://");
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                url.push(char::from(byte));
            }
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_command_is_split_into_shell_flag_and_script() {
        let bash = |script: &str| vec!["/bin/bash".to_owned(), "-lc".into(), script.into()];
        assert_eq!(words("/bin/bash -lc 'echo hello'"), bash("echo hello"));
        assert_eq!(words("/bin/bash -lc \"echo 'a'\""), bash("echo 'a'"));
        assert_eq!(words("/bin/bash -lc true"), bash("true"));
        assert_eq!(words("ls -a"), ["ls -a"]);
        assert_eq!(words(""), [""]);
    }

    #[test]
    fn a_directory_becomes_a_url() {
        assert_eq!(file_url("/home/user/a b%"), "file:///home/user/a%20b%25");
    }
}
