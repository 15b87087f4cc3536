//! Advice for users at the command line.

use crate::model::error_code::ErrorCode;
use crate::model::session_id::SessionId;

/// What to do next, as a clause. `None` is a code that this version does not know. `session` is the one to
/// continue.
pub(super) fn advice(code: Option<ErrorCode>, session: Option<SessionId>) -> String {
    let go_on = match session {
        Some(session) => format!("{} chat --session {session} PROMPT", env!("CARGO_PKG_NAME")),
        None => "ask again".into(),
    };
    let not_lost = || match session {
        Some(_) => format!("nothing is lost: {go_on}"),
        None => go_on.clone(),
    };
    let new = "leave --session out to begin a new session";
    let Some(code) = code else { return not_lost() };
    match code {
        ErrorCode::BadInput => "correct it and ask again; nothing was started".into(),
        ErrorCode::NotAllowed => "ask for less, or change the setting; nothing was started".into(),
        ErrorCode::NeedsNewerCodex => "update Codex: npm install -g @openai/codex".into(),
        ErrorCode::LooserThanAllowed | ErrorCode::LooserThanAsked => {
            "see what Codex's own configuration allows, and mend that".into()
        }
        ErrorCode::CodexNotFound => {
            "install Codex (npm install -g @openai/codex), or name the program by --codex-bin or \
             CODEX_BIN"
                .into()
        }
        ErrorCode::CannotStart => {
            "ask again when fewer programs run; if it goes on, raise the limits (ulimit -a)".into()
        }
        ErrorCode::Storage => {
            "make room in the state folder or make it writable, or name another one by \
                      --state-dir"
                .into()
        }
        ErrorCode::ConfigNotLoaded => {
            format!("mend what it names in Codex's config.toml or profile, and then: {go_on}")
        }
        ErrorCode::McpServerFailed => format!(
            "mend that server, take `required` from it in Codex's config.toml, or leave it out by \
             --nested-mcp; and then: {go_on}"
        ),
        ErrorCode::CodexHomeUnusable => {
            format!(
                "make that folder writable, or make room on its disk, or name another by CODEX_HOME; \
                 and then: {go_on}"
            )
        }
        ErrorCode::RefreshTokenUsed => {
            format!("{go_on}; only if it fails again, run `codex login`")
        }
        ErrorCode::ContextFull => {
            format!("this session cannot go on: {new}, with a summary of what matters")
        }
        ErrorCode::SchemaRefused => "correct the schema, or ask with another model".into(),
        ErrorCode::PictureRefused => format!("this session cannot go on with this model: {new}"),
        ErrorCode::NotLoggedIn => {
            format!("run `codex login`, or give Codex its API key, and then: {go_on}")
        }
        ErrorCode::UsageLimit => format!("wait until the limit is lifted, and then: {go_on}"),
        ErrorCode::SessionNotFound | ErrorCode::AnotherSession => {
            format!("check the id, and whether CODEX_HOME is that of the session; or {new}")
        }
        ErrorCode::SessionBusy => {
            format!("wait until whoever uses the session is done, and then: {go_on}; or {new}")
        }
        ErrorCode::TurnFailed => {
            format!("{go_on}; if it fails again, try another model or a new session")
        }
        ErrorCode::TimedOut => format!(
            "nothing is lost: {go_on}; for long work with a larger --timeout-ms or --idle-timeout-ms"
        ),
        ErrorCode::NotRecorded => {
            format!("make room on the disk with the state folder, and then: {go_on}")
        }
        ErrorCode::NoResult => {
            format!("{go_on}; if it ends so again, see what `codex exec hello` says")
        }
        ErrorCode::TooManyCalls => format!("when others are done: {go_on}"),
        ErrorCode::Internal => format!("{go_on}; please report this"),
        ErrorCode::Cancelled | ErrorCode::Interrupted => not_lost(),
        // No turn ends with one of these, and commands show no advice about them.
        ErrorCode::JobNotFound
        | ErrorCode::SessionNotKept
        | ErrorCode::TooManyJobs
        | ErrorCode::TooManyPrompts => not_lost(),
    }
}
