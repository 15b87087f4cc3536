//! Gives Codex developer instructions that no process list shows. Pure.
//!
//! Codex has no setting that names a file for them, as it has for base instructions. But what a hook for the start
//! of a session prints becomes a developer message, in front of the prompt, and again after the session was compacted
//! in the same run. The command line says only that the hook prints the file that a variable names. Codex runs no hook
//! of the command line that it does not trust, and it trusts one whose digest the command line has. All of this
//! was seen on 0.153, 0.169 and 0.171, with a text of 900 KB; hooks of the user still run beside it.

use std::path::{Path, PathBuf};

use serde_json::json;
use toml::{Table, Value};

use super::setting::Setting;

/// The variable of Codex that names the file.
pub(crate) const VARIABLE: &str = "CODEX_MCP_DEVELOPER_MESSAGE";

/// Prints the file, and notes beside it that it was read. The `PATH` has no folder in which a turn can write.
const COMMAND: &str = concat!(
    r#"/bin/sh -c 'PATH=/usr/bin:/bin:/run/current-system/sw/bin; cat "$0" && : >"$0.read"' "#,
    r#""$CODEX_MCP_DEVELOPER_MESSAGE""#,
);

/// How long the hook may take, in seconds.
const TIMEOUT: i64 = 30;

/// How much it may print, in Codex's estimate of tokens: more than any text that a call can bring. Codex puts what
/// is beyond that into a file below the folder for temporary files.
const MOST_TOKENS: i64 = 1_000_000;

/// The place of the hook, as Codex names it.
const PLACE: &str = "/<session-flags>/config.toml:session_start:0:0";

/// When Codex reads the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum When {
    /// At the start of the run, and whenever it has compacted the session.
    #[default]
    AtStart,
    /// Only when it has compacted the session, which has the instructions already.
    Compacted,
}

impl When {
    /// The start of a session that the hook is for; `None` stands for every one.
    fn matcher(self) -> Option<&'static str> {
        match self {
            Self::AtStart => None,
            Self::Compacted => Some("compact"),
        }
    }

    /// The SHA-256 of the hook as Codex writes it: JSON with sorted keys and without spaces, of the event's name, the
    /// hook's fields, `async: false` included, and the matcher. A unit test has that text.
    fn digest(self) -> &'static str {
        match self {
            Self::AtStart => {
                "sha256:3719ee2b5fd76b50913d27a175a6a3bd3808747722b38fcf97c29aea237e4ff2"
            }
            Self::Compacted => {
                "sha256:a9ad269d6698360e094cff4c7223a58597c7cb5c3daa4602fb44ce02ffb42768"
            }
        }
    }
}

/// The settings that let Codex read the file, and that leave out the instructions of the user's configuration, as
/// other instructions replace them.
pub(crate) fn settings(when: When) -> Vec<Setting> {
    let table = |fields: Vec<(&str, Value)>| -> Value {
        let fields = fields.into_iter().map(|(key, value)| (key.to_owned(), value));
        fields.collect::<Table>().into()
    };
    let hook = table(vec![
        ("type", "command".into()),
        ("command", COMMAND.into()),
        ("timeout", TIMEOUT.into()),
        ("additionalContextLimit", MOST_TOKENS.into()),
    ]);
    let mut hooks = vec![("hooks", Value::Array(vec![hook]))];
    hooks.extend(when.matcher().map(|matcher| ("matcher", matcher.into())));
    let hooks = table(hooks);
    let trust = table(vec![("trusted_hash", when.digest().into())]);
    vec![
        ("hooks.SessionStart".into(), Value::Array(vec![hooks])),
        ("hooks.state".into(), table(vec![(PLACE, trust)])),
        ("developer_instructions".into(), "".into()),
    ]
}

/// What the file holds: the text, in the form that Codex reads from a hook.
pub(crate) fn file_content(text: &str) -> String {
    let output = json!({"hookEventName": "SessionStart", "additionalContext": text});
    json!({"hookSpecificOutput": output}).to_string()
}

/// The file that exists once Codex has read `file`.
pub(crate) fn read_mark(file: &Path) -> PathBuf {
    let mut mark = file.as_os_str().to_owned();
    mark.push(".read");
    mark.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_this_hook() {
        let hook = json!({
            "additionalContextLimit": MOST_TOKENS,
            "async": false,
            "command": COMMAND,
            "timeout": TIMEOUT,
            "type": "command",
        });
        let whole = json!({"event_name": "session_start", "hooks": [hook]}).to_string();
        // If this text changes, so must both digests: `printf %s TEXT | sha256sum`. The other one is that of the same
        // object with `"matcher":"compact"` at its end.
        assert_eq!(
            whole,
            r#"{"event_name":"session_start","hooks":[{"additionalContextLimit":1000000,"async":false,"command":"/bin/sh -c 'PATH=/usr/bin:/bin:/run/current-system/sw/bin; cat \"$0\" && : >\"$0.read\"' \"$CODEX_MCP_DEVELOPER_MESSAGE\"","timeout":30,"type":"command"}]}"#
        );
    }

    #[test]
    fn no_setting_has_the_text() {
        assert!(COMMAND.contains(VARIABLE));
        let text = "line\n\"quoted\" \\ \u{202e}";
        let content: serde_json::Value =
            serde_json::from_str(&file_content(text)).expect("it is JSON");
        assert_eq!(content["hookSpecificOutput"]["additionalContext"], text);
        assert_eq!(read_mark(Path::new("/a b/c")), Path::new("/a b/c.read"));
    }
}
