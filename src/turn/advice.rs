//! What can be done about a turn that was not completed, or whose commands did not run, in one place for
//! all who tell it. Pure.

use crate::codex::no_sandbox::NotRun;
use crate::model::outcome::{CancelledBy, FailureKind, Limit};
use crate::model::policy;
use crate::model::text::{LineBreaks, sanitize};

/// How whoever is told asks again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ways<'a> {
    /// The same once more: `call codex_chat again`.
    pub(crate) again: &'a str,
    /// To go on where it stopped: `call codex_chat again with this session_id`.
    pub(crate) resume: &'a str,
}

/// What to do next, as sentences.
pub(crate) fn next(kind: &FailureKind, Ways { again, resume }: Ways<'_>) -> String {
    match kind {
        FailureKind::BadInput { field, .. } => {
            format!("correct {field} and {again}. Nothing was started.")
        }
        FailureKind::NotAllowed { field, .. } => format!(
            "ask with another {field}, or have the person who runs this server allow it. Nothing \
             was started."
        ),
        FailureKind::NeedsNewerCodex { only_with, .. } if !only_with.is_empty() => {
            "have a person update Codex (npm install -g @openai/codex), or take away what makes it \
             necessary. Nothing was started."
                .into()
        }
        FailureKind::NeedsNewerCodex { field, .. } => format!(
            "{again} without {field}, or have a person update Codex (npm install -g @openai/codex). \
             Nothing was started."
        ),
        FailureKind::LooserThanAllowed { .. } => {
            "tell the person who runs this server: something in Codex's own configuration gives more \
             than they allow. What Codex did is in the session. Do not go on before that is mended."
                .into()
        }
        FailureKind::LooserThanAsked { .. } => {
            "tell the person who runs this server: something in the configuration of Codex or of this \
             machine gives turns more than they ask for. What Codex did is in the session. Do not go on \
             before that is mended."
                .into()
        }
        FailureKind::CodexNotFound { .. } => {
            "install Codex (npm install -g @openai/codex), or have \
             the operator name the program by CODEX_BIN. Nothing was started."
                .into()
        }
        FailureKind::CannotStart { .. } => format!(
            "{again} when fewer programs run on this machine, or with fewer and shorter options if it \
             says that the argument list is too long. If it goes on, a person must raise the limits of \
             this server (open files, processes, memory). Nothing was started."
        ),
        FailureKind::Storage { .. } => {
            "a person must make room there, or the folder writable, or name another one by \
             CODEX_PERSISTENT_MCP_STATE_DIR. codex_chat works without it as long as it has no \
             output_schema, base_instructions or compact_prompt. Nothing was started."
                .into()
        }
        FailureKind::ConfigNotLoaded { .. } => format!(
            "a person must mend what it names in Codex's config.toml or profile; or, if it is a \
             setting of this call (config, profile, extra_arguments), {again} without it. The model \
             was not asked."
        ),
        FailureKind::McpServerFailed { .. } => format!(
            "a person must mend that server, or take `required` from it in Codex's config.toml, or \
             have this server start Codex without it: --nested-mcp none, or the names of those that \
             are wanted. Then {again}. The model was not asked."
        ),
        FailureKind::CodexHomeUnusable { .. } => format!(
            "a person must make that folder, and all in it, writable for whoever runs this server, or \
             make room on its disk, or name another one by CODEX_HOME. Then {again}. The model was not \
             asked."
        ),
        FailureKind::RefreshTokenUsed { .. } => format!(
            "{resume}: other calls with the same login go on. Only if it fails again must a person \
             run `codex login`."
        ),
        FailureKind::ContextFull { .. } => format!(
            "this session cannot go on, and a fork of it neither: begin a new one ({again} without \
             session_id) with a summary of what matters. If it was new, the prompt is too long: put \
             the material into files and name them."
        ),
        FailureKind::SchemaRefused { .. } => format!(
            "correct output_schema as the message says and {again}. A guard has a schema of its own: \
             if one is refused, ask with another model."
        ),
        FailureKind::PictureRefused { .. } => format!(
            "the picture stays in the session, which cannot go on with this model: begin a new one \
             ({again} without session_id), without that picture or with another model."
        ),
        FailureKind::NotLoggedIn { .. } => format!(
            "a person must run `codex login`, or give Codex its API key: some clients do not pass \
             CODEX_HOME or OPENAI_API_KEY on to their servers. Then {resume}."
        ),
        FailureKind::UsageLimit { .. } => {
            format!("do not try again at once. When the limit is lifted, {resume}.")
        }
        FailureKind::SessionNotFound { .. } => format!(
            "check the session_id. Sessions are looked for in CODEX_HOME, so one made with another \
             CODEX_HOME is not found. To begin a new session, {again} without session_id."
        ),
        FailureKind::SessionBusy { .. } => format!(
            "wait until whoever uses the session is done and {again}, or with fork to go on in a copy \
             (codex_chat, job_start), or without session_id to begin anew. Newer versions of Codex keep a \
             session open for half an hour after a person has left it, unless their config.toml has \
             thread_unload_delay_secs."
        ),
        FailureKind::AnotherSession { .. } => format!(
            "Codex was stopped at once. Codex before 0.120 does this when it does not know the \
             session: check the session_id, or {again} without it to begin a new session."
        ),
        FailureKind::TurnFailed { .. } => {
            format!("{resume}. If it fails again, try another model or a new session.")
        }
        FailureKind::TimedOut { started: false, .. } => {
            format!("{again} later, or with a larger timeout_ms.")
        }
        FailureKind::TimedOut { limit: Limit::Total(_), .. } => {
            format!("nothing is lost: {resume}, with a larger timeout_ms if the work is long.")
        }
        FailureKind::TimedOut { limit: Limit::Idle(_), .. } => format!(
            "nothing is lost: {resume}, with a larger idle_timeout_ms if the model needs long to think."
        ),
        FailureKind::Cancelled { by: CancelledBy::Caller } => format!("nothing is lost: {resume}."),
        FailureKind::Cancelled { by: CancelledBy::Shutdown } => {
            format!("nothing is lost: when the server runs again, {resume}.")
        }
        FailureKind::NotRecorded { .. } => {
            format!("make room on the disk that holds the server's state folder, then {resume}.")
        }
        FailureKind::NoResult { .. } => format!(
            "{resume}. If it ends so again, run `codex exec hello` in a terminal to see what is wrong \
             with Codex, or begin a new session."
        ),
        FailureKind::TooManyCalls { .. } => {
            format!("wait for calls to end, then {again}. Nothing was started.")
        }
        FailureKind::Internal { .. } => {
            format!("{resume}. Please report this; the server's log has more.")
        }
    }
}

/// A warning, if commands did not run because their sandbox could not be made. So many patches were not
/// made: Codex does not say why, and they want the same sandbox.
pub(crate) fn not_run(not_run: &NotRun, patches: u64) -> Option<String> {
    let commands = match not_run.count {
        0 => return None,
        1 => "1 command of Codex's did not run".to_owned(),
        count => format!("{count} commands of Codex's did not run"),
    };
    let patches = match patches {
        0 => String::new(),
        1 => " and 1 patch was not made".into(),
        count => format!(" and {count} patches were not made"),
    };
    let what = commands + &patches;
    Some(format!(
        "{what}, because the sandbox cannot be made on this machine ({}): Codex may have seen and changed \
         nothing, whatever it says. A person must {}; or, where the container is sandbox enough, the operator \
         allows danger-full-access by {} and the call asks for it.",
        sanitize(&not_run.said, LineBreaks::Escape),
        sandbox(&not_run.said),
        policy::MAX_SANDBOX
    ))
}

/// What a person can do so that a sandbox can be made, by what was said instead.
pub(crate) fn sandbox(said: &str) -> &'static str {
    let has = |words: &str| said.contains(words);
    if has("bubblewrap is unavailable") {
        "install bubblewrap (the program bwrap), or Codex anew (npm install -g @openai/codex)"
    } else if has("WSL1") {
        "use WSL 2: no sandbox can be made on WSL 1"
    } else if has("use-legacy-landlock") || has("requires bubblewrap") {
        "take use_legacy_landlock out of the features in Codex's config.toml"
    } else if has("SeccompInstall") {
        "let its programs install seccomp filters: the kernel, or what stands in for it, has or allows none"
    } else {
        "let its programs make user namespaces (in a container: a seccomp profile that allows unshare, mount \
         and pivot_root, or --security-opt seccomp=unconfined --security-opt apparmor=unconfined; on the host: \
         sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, \
         kernel.apparmor_restrict_unprivileged_userns)"
    }
}
