//! Recognizes Codex's error messages and makes them readable. Pure.
//!
//! The phrases are those of Codex 0.77 to 0.171, collected by making the real program fail (see
//! `tests/integration/real/`) and from the strings in its binary.

use serde_json::Value;

/// The errors of Codex that require a specific reaction from the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorKind {
    /// Another process has the session open.
    ActiveWriter,
    /// The session does not exist.
    SessionNotFound,
    /// Codex's configuration, or what the call adds to it, cannot be loaded.
    Config,
    /// A required MCP server does not start.
    McpServer,
    /// Codex's home folder is not writable.
    Home,
    /// Another Codex has locked the database for longer than Codex waits.
    DatabaseLocked,
    /// The session exceeds the model's context window.
    ContextFull,
    /// The provider rejected the output schema.
    Schema,
    /// The model rejected an image in the session.
    Image,
    /// Another process refreshed the login at the same moment.
    RefreshTokenUsed,
    /// Codex is not logged in, or its login was rejected.
    NotLoggedIn,
    /// The plan's usage limit, a quota or a rate limit was reached.
    UsageLimit,
}

/// Phrases by kind. The order matters: the error of an MCP server that does not start, among others, may
/// itself say that nobody is logged in.
const PHRASES: &[(ErrorKind, &[&str])] = &[
    (ErrorKind::ActiveWriter, &["already has an active writer"]),
    (
        ErrorKind::SessionNotFound,
        &["no rollout found for thread id", "no rollout found for conversation id"],
    ),
    (ErrorKind::McpServer, &["required mcp servers failed to initialize"]),
    (
        ErrorKind::Config,
        &[
            "error loading config",
            "is no longer supported; remove this setting",
            // 0.77 and 0.121, which have profiles as tables of the configuration.
            "config profile `",
        ],
    ),
    (ErrorKind::Home, &["error finding codex home", "codex cannot access session files at"]),
    (ErrorKind::DatabaseLocked, &["database is locked", "database table is locked"]),
    (
        ErrorKind::ContextFull,
        &[
            "ran out of room in the model's context window",
            "context_length_exceeded",
            "exceeds the context window",
            "maximum context length",
        ],
    ),
    (ErrorKind::Schema, &["invalid_json_schema", "invalid schema for response_format"]),
    (
        ErrorKind::Image,
        &[
            "invalid image in your last message",
            "does not represent a valid image",
            "does not support image",
            "image input is not supported",
            "images are not supported",
        ],
    ),
    (ErrorKind::RefreshTokenUsed, &["refresh token was already used", "refresh_token_reused"]),
    (
        ErrorKind::UsageLimit,
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
        ErrorKind::NotLoggedIn,
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

/// Errors of accessing Codex's home before a turn starts, if one of the causes below follows. Other causes,
/// such as too many open files, say nothing about the folder.
const HOME_ERRORS: &[&str] = &[
    "failed to initialize in-process app-server client: ",
    "failed to initialize session: thread-store internal error: ",
];
const HOME_CAUSES: &[&str] = &[
    "permission denied",
    "read-only file system",
    "no space left on device",
    "disk quota exceeded",
    "is a directory",
    "not a directory",
    "file exists",
];

/// The kind of an error message, if it is one of these.
pub(crate) fn recognize(message: &str) -> Option<ErrorKind> {
    let message = message.to_lowercase();
    let concerns_home = |error: &&str| {
        let rest = message.split_once(*error).map(|(_, rest)| rest);
        rest.is_some_and(|rest| HOME_CAUSES.iter().any(|cause| rest.starts_with(cause)))
    };
    if HOME_ERRORS.iter().any(concerns_home) {
        return Some(ErrorKind::Home);
    }
    PHRASES
        .iter()
        .find(|(_, phrases)| phrases.iter().any(|phrase| message.contains(phrase)))
        .map(|(kind, _)| *kind)
}

/// The human-readable part of an error message. Codex passes a provider's JSON error on unchanged.
pub(crate) fn provider_message(message: &str) -> String {
    let inner = serde_json::from_str::<Value>(message).ok().and_then(|value| {
        [&value["error"]["message"], &value["detail"], &value["message"]]
            .into_iter()
            .find_map(|text| text.as_str().map(str::to_owned))
    });
    inner.unwrap_or_else(|| message.trim().to_owned())
}

/// Maximum length of a reason taken from standard error, in characters.
const MAX_REASON_CHARS: usize = 2_000;

/// The reason for a failure from standard error, without stack traces, log lines and unrelated warnings.
/// Empty if there is none.
pub(crate) fn stderr_reason(stderr: &str) -> String {
    let before_trace = stderr
        .lines()
        .map(str::trim_end)
        .filter(|line| !is_trace(line))
        .filter(|line| !is_noise(line));
    let (log, plain): (Vec<&str>, Vec<&str>) = before_trace.partition(|line| is_log(line));
    let mut lines = if plain.is_empty() { log } else { plain };
    lines.dedup();
    let text = lines.join("\n");
    let text = text.trim().trim_start_matches("Error: ");
    let skipped = text.chars().count().saturating_sub(MAX_REASON_CHARS);
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

/// Whether a line starts with a log timestamp such as `2026-11-21T09:56:28.634824Z ERROR`.
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
    fn log_lines_traces_and_warnings_are_removed_from_the_reason() {
        let stderr = "WARNING: proceeding, even though we could not create PATH aliases: no\n\
            2026-11-21T09:56:28.634824Z ERROR codex_core::session: Failed to create session\n\
            Error: thread/resume: thread/resume failed: no rollout found for thread id 01a1 (code -32600)\n\
            \nStack backtrace:\n   0: <unknown>\n  11: <unknown>\n";
        assert_eq!(
            stderr_reason(stderr),
            "thread/resume: thread/resume failed: no rollout found for thread id 01a1 (code -32600)"
        );
        assert_eq!(recognize(stderr), Some(ErrorKind::SessionNotFound));
    }

    #[test]
    fn the_first_error_determines_the_kind() {
        for (message, kind) in [
            (
                "required MCP servers failed to initialize: a: 401 Unauthorized, log in again",
                Some(ErrorKind::McpServer),
            ),
            (
                "your refresh token was already used. Please log out and sign in again.",
                Some(ErrorKind::RefreshTokenUsed),
            ),
            (
                "failed to initialize in-process app-server client: Permission denied (os error 13)",
                Some(ErrorKind::Home),
            ),
            (
                "failed to initialize in-process app-server client: Too many open files (os error 24)",
                None,
            ),
            ("Your session has ended. Please log in again.", Some(ErrorKind::NotLoggedIn)),
        ] {
            assert_eq!(recognize(message), kind, "{message}");
        }
    }

    #[test]
    fn log_lines_are_shown_when_there_is_nothing_else() {
        let line = "2026-11-21T09:56:28.634824Z ERROR codex_core: it broke";
        assert_eq!(stderr_reason(line), line);
        assert_eq!(stderr_reason("\n"), "");
    }

    #[test]
    fn the_message_is_extracted_from_a_provider_s_json() {
        assert_eq!(provider_message(r#"{"error":{"message":"no such model"}}"#), "no such model");
        assert_eq!(provider_message(r#"{"detail":"not for you"}"#), "not for you");
        assert_eq!(provider_message(" plain "), "plain");
    }
}
