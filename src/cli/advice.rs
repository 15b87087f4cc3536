//! What a person can do about a turn that was not completed.

use crate::model::outcome::Failure;
use crate::model::session_id::SessionId;

/// By the failure of a turn that ran here.
pub(super) fn of_failure(failure: &Failure) -> String {
    advice(failure.kind.word(), failure.session_id)
}

/// By the word for what happened: one of [`FailureKind::word`](crate::FailureKind::word), or
/// `interrupted`. The session is the one to go on in.
pub(super) fn advice(kind: &str, session: Option<SessionId>) -> String {
    let go_on = match session {
        Some(session) => format!("{} chat --session {session} PROMPT", env!("CARGO_PKG_NAME")),
        None => "ask again".into(),
    };
    let new = "leave --session out to begin a new session";
    match kind {
        "bad_input" => "correct it and ask again; nothing was started".into(),
        "not_allowed" => "ask for less, or change the setting; nothing was started".into(),
        "needs_newer_codex" => "update Codex: npm install -g @openai/codex".into(),
        "looser_than_allowed" | "looser_than_asked" => {
            "see what Codex's own configuration allows, and mend that".into()
        }
        "codex_not_found" => {
            "install Codex (npm install -g @openai/codex), or name the program by --codex-bin or \
             CODEX_BIN"
                .into()
        }
        "cannot_start" => {
            "ask again when fewer programs run; if it goes on, raise the limits (ulimit -a)".into()
        }
        "storage" => "make room in the state folder or make it writable, or name another one by \
                      --state-dir"
            .into(),
        "config_not_loaded" => {
            format!("mend what it names in Codex's config.toml or profile, and then: {go_on}")
        }
        "mcp_server_failed" => format!(
            "mend that server, take `required` from it in Codex's config.toml, or leave it out by \
             --nested-mcp; and then: {go_on}"
        ),
        "codex_home_unusable" => {
            format!(
                "make that folder writable, or make room on its disk, or name another by CODEX_HOME; \
                 and then: {go_on}"
            )
        }
        "refresh_token_used" => format!("{go_on}; only if it fails again, run `codex login`"),
        "context_full" => {
            format!("this session cannot go on: {new}, with a summary of what matters")
        }
        "schema_refused" => "correct the schema, or ask with another model".into(),
        "picture_refused" => format!("this session cannot go on with this model: {new}"),
        "not_logged_in" => {
            format!("run `codex login`, or give Codex its API key, and then: {go_on}")
        }
        "usage_limit" => format!("wait until the limit is lifted, and then: {go_on}"),
        "session_not_found" | "another_session_answered" => {
            format!("check the id, and whether CODEX_HOME is that of the session; or {new}")
        }
        "session_busy" => {
            format!("wait until whoever uses the session is done, and then: {go_on}; or {new}")
        }
        "turn_failed" => {
            format!("{go_on}; if it fails again, try another model or a new session")
        }
        "timed_out" => format!(
            "nothing is lost: {go_on}; for long work with a larger --timeout-ms or --idle-timeout-ms"
        ),
        "not_recorded" => format!("make room on the disk with the state folder, and then: {go_on}"),
        "no_result" => {
            format!("{go_on}; if it ends so again, see what `codex exec hello` says")
        }
        "too_many_calls" => format!("when others are done: {go_on}"),
        "internal" => format!("{go_on}; please report this"),
        // `cancelled`, `interrupted`, and what a newer version has written down.
        _ => match session {
            Some(_) => format!("nothing is lost: {go_on}"),
            None => go_on,
        },
    }
}
