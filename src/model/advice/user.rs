//! Advice for users at the command line.

use crate::model::error_code::ErrorCode;
use crate::model::session_id::SessionId;

/// What to do next, as a clause. `None` is a code that this version does not know. `session` is the one to
/// continue.
pub(super) fn advice(code: Option<ErrorCode>, session: Option<SessionId>) -> String {
    let resume = match session {
        Some(session) => format!("{} chat --session {session} PROMPT", env!("CARGO_PKG_NAME")),
        None => "try again".into(),
    };
    let not_lost = || match session {
        Some(_) => format!("nothing is lost: {resume}"),
        None => resume.clone(),
    };
    let new = "omit --session to start a new session";
    let Some(code) = code else { return not_lost() };
    match code {
        ErrorCode::BadInput => "correct it and try again; nothing was started".into(),
        ErrorCode::NotAllowed => "request less, or change the setting; nothing was started".into(),
        ErrorCode::NeedsNewerCodex => "update Codex: npm install -g @openai/codex".into(),
        ErrorCode::LooserThanAllowed | ErrorCode::LooserThanAsked => {
            "check what the configuration of Codex and of this machine allows, and fix it".into()
        }
        ErrorCode::CodexNotFound => {
            "install Codex (npm install -g @openai/codex), or set --codex-bin or CODEX_BIN".into()
        }
        ErrorCode::CannotStart => {
            "try again when fewer programs run; if it keeps failing, raise the limits (ulimit -a)"
                .into()
        }
        ErrorCode::Storage => {
            "free disk space, make the state folder writable, or set --state-dir to another one"
                .into()
        }
        ErrorCode::ConfigNotLoaded => {
            format!("fix what it names in Codex's config.toml or profile, then: {resume}")
        }
        ErrorCode::McpServerFailed => format!(
            "fix that server, remove `required` from it in Codex's config.toml, or exclude it with \
             --nested-mcp, then: {resume}"
        ),
        ErrorCode::CodexHomeUnusable => format!(
            "make that folder writable, free space on its disk, or set CODEX_HOME to another folder, \
             then: {resume}"
        ),
        ErrorCode::RefreshTokenUsed => {
            format!("{resume}; run `codex login` only if it fails again")
        }
        ErrorCode::ContextFull => {
            format!("{new}, with a summary of what matters; this session cannot continue")
        }
        ErrorCode::SchemaRefused => "correct the schema, or use another model".into(),
        ErrorCode::PictureRefused => {
            format!("{new}; this session cannot continue with this model")
        }
        ErrorCode::NotLoggedIn => {
            format!("run `codex login`, or give Codex its API key, then: {resume}")
        }
        ErrorCode::UsageLimit => format!("wait until the limit is lifted, then: {resume}"),
        ErrorCode::SessionNotFound | ErrorCode::AnotherSession => format!(
            "check the id, and whether the session was created with another CODEX_HOME; or {new}"
        ),
        ErrorCode::SessionBusy => {
            format!("wait until the session is free, then: {resume}; or {new}")
        }
        ErrorCode::TurnFailed => {
            format!("{resume}; if it fails again, try another model or a new session")
        }
        ErrorCode::TimedOut => {
            format!("{}; for long work, set a larger --timeout or --idle-timeout", not_lost())
        }
        ErrorCode::NotRecorded => {
            format!("free space on the disk with the state folder, then: {resume}")
        }
        ErrorCode::NoResult => format!(
            "{resume}; if it happens again, run `codex exec hello` to see what is wrong with Codex"
        ),
        ErrorCode::TooManyCalls => format!("when other calls have ended: {resume}"),
        ErrorCode::Internal => format!("{resume}; please report this bug"),
        ErrorCode::Cancelled | ErrorCode::Interrupted => not_lost(),
        // No turn ends with one of these, and commands show no advice about them.
        ErrorCode::JobNotFound
        | ErrorCode::SessionNotKept
        | ErrorCode::TooManyJobs
        | ErrorCode::TooManyPrompts => not_lost(),
    }
}
