//! The codes of all errors that users and callers see.

use std::fmt::Display;

use super::help::section;

/// An error as users and logs of jobs show it: its code, and what happened.
pub(crate) fn headline(code: &str, message: impl Display) -> String {
    format!("{code}: {message}")
}

impl ErrorCode {
    /// The address of its section in `docs/errors.md`.
    pub(crate) fn help(self) -> String {
        section("errors.md", self.as_str())
    }
}

/// Defines the codes, each with its text.
macro_rules! error_codes {
    ($($code:ident = $text:literal,)*) => {
        /// The kind of an error: one of a fixed vocabulary, for programs and for searching.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum ErrorCode {
            $($code,)*
        }

        impl ErrorCode {
            /// All of them, in the order in which the documentation has them.
            #[cfg(test)]
            pub(crate) const ALL: &[Self] = &[$(Self::$code,)*];

            /// The text, which does not change.
            pub(crate) fn as_str(self) -> &'static str {
                match self {
                    $(Self::$code => $text,)*
                }
            }

            /// The code with this text. `None` if a newer version of this program recorded it.
            pub(crate) fn parse(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$code),)*
                    _ => None,
                }
            }
        }
    };
}

error_codes! {
    // Of a call or a turn: one for each `FailureKind`.
    BadInput = "bad_input",
    NotAllowed = "not_allowed",
    LooserThanAllowed = "looser_than_allowed",
    LooserThanAsked = "looser_than_asked",
    NeedsNewerCodex = "needs_newer_codex",
    CodexNotFound = "codex_not_found",
    CannotStart = "cannot_start",
    Storage = "storage",
    ConfigNotLoaded = "config_not_loaded",
    McpServerFailed = "mcp_server_failed",
    CodexHomeUnusable = "codex_home_unusable",
    NotLoggedIn = "not_logged_in",
    RefreshTokenUsed = "refresh_token_used",
    UsageLimit = "usage_limit",
    SessionNotFound = "session_not_found",
    SessionBusy = "session_busy",
    AnotherSession = "another_session_answered",
    ContextFull = "context_full",
    SchemaRefused = "schema_refused",
    PictureRefused = "picture_refused",
    TurnFailed = "turn_failed",
    TimedOut = "timed_out",
    Cancelled = "cancelled",
    NotRecorded = "not_recorded",
    NoResult = "no_result",
    TooManyCalls = "too_many_calls",
    Internal = "internal",
    // Of jobs.
    JobNotFound = "job_not_found",
    SessionNotKept = "session_not_kept",
    TooManyJobs = "too_many_jobs",
    TooManyPrompts = "too_many_prompts",
    Interrupted = "interrupted",
}
