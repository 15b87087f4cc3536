//! Codex's own words of trouble, recognised and made readable.
//!
//! The words are those of Codex 0.77 to 0.171, seen by making the real program fail (see
//! `tests/integration/real_failures.rs`) and in the strings of its binary.

use serde_json::Value;

/// What a message of Codex's is about, where that calls for something special of the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Another process has the session open.
    ActiveWriter,
    /// There is no such session.
    SessionNotFound,
    /// Its configuration cannot be loaded, or what the call adds to it.
    Config,
    /// An MCP server that is required does not start.
    McpServer,
    /// Its own folder cannot be written.
    Home,
    /// Its database is in use by another Codex for longer than it waits.
    DatabaseLocked,
    /// What the session holds is more than the model takes.
    ContextFull,
    /// The model does not take the schema for its answer.
    Schema,
    /// The model does not take a picture in the session.
    Picture,
    /// Somebody else has renewed the login at the same moment.
    RefreshTokenUsed,
    /// Codex is not logged in, or its login is not accepted.
    NotLoggedIn,
    /// The plan, the quota or the rate of requests is used up.
    UsageLimit,
}

/// In this order: a server that does not start may say itself that nobody is logged in, and so may all
/// the others.
const WORDS: &[(Trouble, &[&str])] = &[
    (Trouble::ActiveWriter, &["already has an active writer"]),
    (
        Trouble::SessionNotFound,
        &["no rollout found for thread id", "no rollout found for conversation id"],
    ),
    (Trouble::McpServer, &["required mcp servers failed to initialize"]),
    (Trouble::Config, &["error loading config", "is no longer supported; remove this setting"]),
    (Trouble::Home, &["error finding codex home", "codex cannot access session files at"]),
    (Trouble::DatabaseLocked, &["database is locked", "database table is locked"]),
    (
        Trouble::ContextFull,
        &[
            "ran out of room in the model's context window",
            "context_length_exceeded",
            "exceeds the context window",
            "maximum context length",
        ],
    ),
    (Trouble::Schema, &["invalid_json_schema", "invalid schema for response_format"]),
    (
        Trouble::Picture,
        &[
            "invalid image in your last message",
            "does not represent a valid image",
            "does not support image",
            "image input is not supported",
            "images are not supported",
        ],
    ),
    (Trouble::RefreshTokenUsed, &["refresh token was already used", "refresh_token_reused"]),
    (
        Trouble::UsageLimit,
        &[
            "usage limit",
            "usage_limit_reached",
            "usage_not_included",
            "quota exceeded",
            "exceeded your current quota",
            "insufficient_quota",
            "to use codex with your chatgpt plan, upgrade",
            "out of credits",
            "credit limit",
            "rate limit exceeded",
            "429 too many requests",
        ],
    ),
    (
        Trouble::NotLoggedIn,
        &[
            "401 unauthorized",
            "not logged in",
            "sign in again",
            "log in again",
            "codex login",
            "missing bearer",
            "incorrect api key",
            "login is required",
            "missing environment variable",
        ],
    ),
];

/// What Codex does in its own folder before a turn begins, and what the system may say to that. It says
/// other things as well, such as that too many files are open.
const STEPS_AT_HOME: &[&str] = &[
    "failed to initialize in-process app-server client: ",
    "failed to initialize session: thread-store internal error: ",
];
const HOME_IS_CLOSED: &[&str] = &[
    "permission denied",
    "read-only file system",
    "no space left on device",
    "disk quota exceeded",
    "is a directory",
    "not a directory",
    "file exists",
];

/// Recognises what a message is about.
pub(crate) fn recognise(message: &str) -> Option<Trouble> {
    let message = message.to_lowercase();
    let is_closed = |step: &&str| {
        let rest = message.split_once(*step).map(|(_, rest)| rest);
        rest.is_some_and(|rest| HOME_IS_CLOSED.iter().any(|why| rest.starts_with(why)))
    };
    if STEPS_AT_HOME.iter().any(is_closed) {
        return Some(Trouble::Home);
    }
    WORDS
        .iter()
        .find(|(_, words)| words.iter().any(|word| message.contains(word)))
        .map(|(trouble, _)| *trouble)
}

/// Whether a command's output has the words with which the sandbox keeps something from it: the
/// system's for a write by bubblewrap, a write by Landlock (up to 0.120) and the network, and Codex's own
/// for a command that was to run without the sandbox. Those of a command that did not run count for
/// nothing: see [`no_sandbox`](super::no_sandbox). The system says the second and third on other
/// occasions too, so there the command must have failed.
pub(crate) fn is_of_command(output: &str, exit_code: Option<i64>) -> bool {
    let has = |words: &str| memchr::memmem::find(output.as_bytes(), words.as_bytes()).is_some();
    has("Read-only file system")
        || exit_code.is_some_and(|code| code != 0)
            && (has("Operation not permitted") || has("Permission denied"))
        || exit_code.is_none()
            && (output.starts_with("approval policy is Never; reject command")
                || has("rejected by user approval settings"))
}

/// What Codex says of a call of an MCP tool that wants an approval, which nobody can give in `codex exec`:
/// where it never asks, and where it does (0.153 to 0.171).
const UNAPPROVED: &[&str] = &[
    "MCP tool call requires approval",
    "user cancelled MCP tool call",
    "MCP tool call cancelled",
    "interactive approval is unavailable",
];

/// Whether a call of an MCP tool was not made because nobody was there to allow it.
pub(crate) fn is_of_mcp_call(error: &str) -> bool {
    UNAPPROVED.iter().any(|words| error.contains(words))
}

/// Whether what came of a patch is that the sandbox did not let it be written: Codex saw that before, or
/// tried it all the same, as through a link, and does not say why it failed.
pub(crate) fn is_of_patch(output: &str) -> bool {
    const WORDS: [&str; 5] = [
        "patch rejected",
        "Failed to write file ",
        "Failed to create parent directories ",
        "Failed to delete file ",
        "Failed to remove original ",
    ];
    WORDS.iter().any(|words| memchr::memmem::find(output.as_bytes(), words.as_bytes()).is_some())
}

/// The sentence inside a message: a provider's JSON error is passed on by Codex as it came.
pub(crate) fn sentence(message: &str) -> String {
    let inner = serde_json::from_str::<Value>(message).ok().and_then(|value| {
        [&value["error"]["message"], &value["detail"], &value["message"]]
            .into_iter()
            .find_map(|text| text.as_str().map(str::to_owned))
    });
    inner.unwrap_or_else(|| message.trim().to_owned())
}

/// How much of standard error goes into a message, in characters.
const SHOWN: usize = 2_000;

/// What a user wants to see of standard error: the reason, without stack traces, log lines and
/// warnings that have nothing to do with it. Empty if there is nothing.
pub(crate) fn reason(stderr: &str) -> String {
    let before_trace = stderr
        .lines()
        .map(str::trim_end)
        .filter(|line| !is_trace(line))
        .filter(|line| !is_noise(line));
    let (logged, said): (Vec<&str>, Vec<&str>) = before_trace.partition(|line| is_log(line));
    let mut lines = if said.is_empty() { logged } else { said };
    lines.dedup();
    let text = lines.join("\n");
    let text = text.trim().trim_start_matches("Error: ");
    let skipped = text.chars().count().saturating_sub(SHOWN);
    text.chars().skip(skipped).collect()
}

fn is_trace(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("Stack backtrace:")
        || line.ends_with(": <unknown>")
        || (line.starts_with("at ") && line.contains(".rs:"))
}

fn is_noise(line: &str) -> bool {
    line.is_empty()
        || line.starts_with("WARNING: proceeding, even though")
        || line.starts_with("Reading prompt from stdin")
        || line.starts_with("Reading additional input from stdin")
}

/// Whether a line begins with the time stamp of a log, such as `2026-11-21T09:56:28.634824Z ERROR`.
fn is_log(line: &str) -> bool {
    let stamp = line.split_whitespace().next().unwrap_or_default();
    stamp.len() >= 20
        && stamp.ends_with('Z')
        && stamp.as_bytes()[4] == b'-'
        && stamp.as_bytes()[10] == b'T'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_left_when_log_trace_and_warnings_are_gone() {
        let stderr = "WARNING: proceeding, even though we could not create PATH aliases: no\n\
            2026-11-21T09:56:28.634824Z ERROR codex_core::session: Failed to create session\n\
            Error: thread/resume: thread/resume failed: no rollout found for thread id 01a1 (code -32600)\n\
            \nStack backtrace:\n   0: <unknown>\n  11: <unknown>\n";
        assert_eq!(
            reason(stderr),
            "thread/resume: thread/resume failed: no rollout found for thread id 01a1 (code -32600)"
        );
        assert_eq!(recognise(stderr), Some(Trouble::SessionNotFound));
    }

    #[test]
    fn what_went_wrong_first_is_what_it_is_about() {
        for (words, trouble) in [
            (
                "required MCP servers failed to initialize: a: 401 Unauthorized, log in again",
                Some(Trouble::McpServer),
            ),
            (
                "your refresh token was already used. Please log out and sign in again.",
                Some(Trouble::RefreshTokenUsed),
            ),
            (
                "failed to initialize in-process app-server client: Permission denied (os error 13)",
                Some(Trouble::Home),
            ),
            (
                "failed to initialize in-process app-server client: Too many open files (os error 24)",
                None,
            ),
            ("Your session has ended. Please log in again.", Some(Trouble::NotLoggedIn)),
        ] {
            assert_eq!(recognise(words), trouble, "{words}");
        }
    }

    #[test]
    fn log_lines_are_shown_when_there_is_nothing_else() {
        let line = "2026-11-21T09:56:28.634824Z ERROR codex_core: it broke";
        assert_eq!(reason(line), line);
        assert_eq!(reason("\n"), "");
    }

    #[test]
    fn a_provider_s_json_is_unpacked() {
        assert_eq!(sentence(r#"{"error":{"message":"no such model"}}"#), "no such model");
        assert_eq!(sentence(r#"{"detail":"not for you"}"#), "not for you");
        assert_eq!(sentence(" plain "), "plain");
    }
}
