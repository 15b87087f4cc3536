//! `docs/errors.md`, generated from the error codes and the advice. A test fails when the committed page is
//! stale.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;
use std::{env, fs, io};

use super::error::{Error, Family};
use crate::job::{JobError, Problem};
use crate::model::advice::advice_for_code;
use crate::model::error_code::ErrorCode;
use crate::model::outcome::{CancelledBy, Failure, FailureKind, Limit};
use crate::model::policy::MAX_SANDBOX;
use crate::model::session_id::SessionId;
use crate::model::value::InvalidValue;

/// Refreshes the page.
const REFRESH: &str = "REFRESH_DOCS=1 cargo test --lib errors_page";

const SESSION: &str = "0199a213-81c0-7800-8aa1-bbab2a035a53";

#[test]
fn the_errors_page_is_what_callers_see() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors.md");
    let page = page();
    if env::var_os("REFRESH_DOCS").is_some() {
        fs::write(&path, &page).expect("the checkout is writable");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == page, "docs/errors.md is stale. Refresh it: {REFRESH}");
}

#[test]
fn the_help_of_each_error_leads_to_its_section() {
    let page = page();
    let sections: Vec<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("## `")?.strip_suffix('`'))
        .map(|kind| format!("{}/blob/main/docs/errors.md#{kind}", env!("CARGO_PKG_REPOSITORY")))
        .collect();
    let helps: Vec<String> = ErrorCode::ALL.iter().map(|code| code.help()).collect();
    assert_eq!(helps, sections);
}

const HEAD: &str = "\
An error is text that is complete in itself: its kind, what happened, and what to do next. After that come the
session and the command that resumes it, the directory, the files that Codex changed with its edit tool, warnings,
and Codex's partial reply (at most 6,000 characters), as far as there are any. The kinds are a fixed vocabulary, for
programs and for searching.

A call that fails before Codex has the prompt loses nothing. A call that is stopped later loses nothing either: the
prompt and everything that Codex did are in the session.

Some clients get the same as structured content: `error` with `kind`, `message`, `next` and `help`, which is the address
of the kind's section on this page; then `session_id`, `resume_command`, `cwd`, `partial_reply`, `files_changed`,
`warnings`, and `job_id` for a call that ran as a job.
They are those that name themselves and speak MCP 2025-06-18 or newer, such as programs that use an SDK. Claude Code,
Codex, Cline and Roo Code get the text alone: Claude Code drops structured content of an error, Codex drops the text
beside it, and Cline shows both. [Answers](answers.md) describes those fields.
";

const TERMINAL: &str = "\
In a terminal, `chat`, `jobs show` and `jobs follow` print the kind and what happened after `error`, what to do after
`next`, and the address of the kind's section after `help`.

Each kind has a section below: what happened, what to do, and the text that an agent gets. Where that says to try again,
`codex-persistent-mcp chat --session ID` goes on with the same session.
";

fn page() -> String {
    let mut page = format!(
        "# Errors\n\n<!-- Generated: change src/tool/errors_page.rs, then run `{REFRESH}`. -->\n\n{HEAD}\n"
    );
    page += TERMINAL;
    page += "\n| kind | what happened |\n|---|---|\n";
    for &code in ErrorCode::ALL {
        let name = code.as_str();
        writeln!(page, "| [`{name}`](#{name}) | {} |", example(code).happened)
            .expect("a string takes all");
    }
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/troubleshooting.md");
    let beside = fs::read_to_string(beside).expect("it is in the checkout");
    for &code in ErrorCode::ALL {
        let (name, example) = (code.as_str(), example(code));
        let text = text(&example);
        assert!(text.starts_with(&format!("{name}: ")), "{text}");
        let todo = match &example.from {
            From::Job(_) | From::Record(_) => next(&text).trim_end_matches('.').to_owned(),
            From::Call(_) | From::Turn(_) => advice_for_code(Some(code), None),
        };
        let (happened, todo) = (sentence(example.happened), sentence(&todo));
        let text = text.trim_end();
        let look = format!("[What to look at]({}).", troubleshooting(&beside, name));
        write!(page, "\n## `{name}`\n\n{happened}\n\n{todo} {look}\n\n```text\n{text}\n```\n")
            .expect("a string takes all");
    }
    page
}

/// The section of `docs/troubleshooting.md` with the row for this kind, of which there must be one.
fn troubleshooting(page: &str, name: &str) -> String {
    let row = format!("\n| [`{name}`](errors.md#{name}) | ");
    let rows: Vec<usize> = page.match_indices(&row).map(|(at, _)| at).collect();
    let [row] = rows[..] else {
        panic!("docs/troubleshooting.md has {} rows for {name}", rows.len())
    };
    let (_, after) = page[..row].rsplit_once("\n## ").expect("each row is in a section");
    let heading = after.lines().next().unwrap_or_default();
    format!("troubleshooting.md#{}", heading.replace(':', "").replace(' ', "-").to_lowercase())
}

/// A clause as a sentence.
fn sentence(clause: &str) -> String {
    let mut chars = clause.chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    first.chain(chars).chain(['.']).collect()
}

/// The advice in the text of an error.
fn next(text: &str) -> &str {
    let (_, rest) = text.split_once("Next: ").expect("every error has advice");
    rest.lines().next().unwrap_or_default()
}

/// An error as an example.
struct Example {
    happened: &'static str,
    from: From,
}

/// Where an error comes from.
enum From {
    /// A call that did not reach the model.
    Call(FailureKind),
    /// A turn, whose session can be resumed.
    Turn(FailureKind),
    /// What is done with jobs.
    Job(Problem),
    /// The record of a job.
    Record(JobError),
}

/// The text as an agent gets it.
fn text(example: &Example) -> String {
    let (error, tool, family) = match &example.from {
        From::Call(kind) => (Error::from(kind.clone()), "codex_chat", Family::Turn),
        From::Turn(kind) => {
            let session = SESSION.parse::<SessionId>().expect("it is one");
            (Failure::of(kind.clone(), Some(session)).into(), "codex_chat", Family::Turn)
        }
        From::Job(problem) => {
            let problem = match problem {
                Problem::NotFound(job) => Problem::NotFound(*job),
                Problem::SessionNotRecorded(job) => Problem::SessionNotRecorded(*job),
                Problem::TooMany => Problem::TooMany,
                Problem::TooManyPrompts => Problem::TooManyPrompts,
                other => unreachable!("there is no example of {other}"),
            };
            (Error::Jobs(problem), "codex_job_send", Family::Job { not_done: "" })
        }
        From::Record(JobError { kind, message, next, .. }) => {
            return super::error::render(kind, message, next);
        }
    };
    let result = error.result(tool, family, false);
    let text = &result.content[0].as_text().expect("an error is text").text;
    // The page does not depend on the CODEX_HOME of the person who checks it.
    let session = SESSION.parse::<SessionId>().expect("it is one");
    text.replace(&session.resume_command(), &format!("codex resume {SESSION}"))
}

/// An example of each kind.
fn example(code: ErrorCode) -> Example {
    use From::{Call, Job, Record, Turn};
    let said = |text: &str| text.to_owned();
    let job = || SESSION.parse().expect("it is an id");
    let (happened, from) = match code {
        ErrorCode::BadInput => (
            "a parameter is unusable; the text names it",
            Call(FailureKind::BadInput {
                field: said("cwd"),
                problem: InvalidValue(said("must be an absolute path")),
            }),
        ),
        ErrorCode::NotAllowed => (
            "the policy forbids it; the text names the parameter and the setting",
            Call(FailureKind::NotAllowed {
                field: said("sandbox"),
                problem: said("danger-full-access exceeds this server's maximum, workspace-write"),
                setting: MAX_SANDBOX,
            }),
        ),
        ErrorCode::LooserThanAllowed => (
            "by Codex's own record, the turn ran with more than the policy allows",
            Turn(FailureKind::LooserThanAllowed {
                breach: format!(
                    "the sandbox was danger-full-access, but {MAX_SANDBOX} is workspace-write"
                ),
            }),
        ),
        ErrorCode::LooserThanAsked => (
            "by Codex's own record, the turn ran with more than requested, such as a guard that could write",
            Turn(FailureKind::LooserThanAsked {
                excess: said("the sandbox was workspace-write, not read-only"),
            }),
        ),
        ErrorCode::NeedsNewerCodex => (
            "this Codex lacks the feature; the text names the parameter and the version",
            Call(FailureKind::NeedsNewerCodex {
                field: said("fork"),
                only_with: String::new(),
                needed: said("0.153"),
                found: said("0.120"),
            }),
        ),
        ErrorCode::CodexNotFound => (
            "there is no such program, or it cannot be executed",
            Call(FailureKind::CodexNotFound { program: said("codex"), reason: String::new() }),
        ),
        ErrorCode::CannotStart => (
            "the system cannot start another process: too many open files or processes, too little memory, or \
             too long a command line",
            Call(FailureKind::CannotStart {
                program: said("codex"),
                reason: said("Too many open files (os error 24)"),
            }),
        ),
        ErrorCode::Storage => (
            "the state folder, which jobs, guards and some options need, cannot be read or written",
            Call(FailureKind::Storage {
                reason: said("/home/me/.local/state/codex-persistent-mcp: No space left on device"),
            }),
        ),
        ErrorCode::ConfigNotLoaded => (
            "Codex cannot load its `config.toml` or a profile, or rejects a setting of the call; the text quotes \
             it",
            Call(FailureKind::ConfigNotLoaded { message: said("config profile `fast` not found") }),
        ),
        ErrorCode::McpServerFailed => (
            "an MCP server that Codex's configuration requires did not start; the text names it",
            Call(FailureKind::McpServerFailed {
                message: said("required MCP servers failed to initialize: tickets"),
            }),
        ),
        ErrorCode::CodexHomeUnusable => (
            "Codex cannot write to its home, or has none",
            Call(FailureKind::CodexHomeUnusable {
                home: said("/home/me/.codex"),
                message: said("Permission denied"),
            }),
        ),
        ErrorCode::NotLoggedIn => (
            "Codex has no login, or the login was rejected",
            Turn(FailureKind::NotLoggedIn { message: said("401 Unauthorized") }),
        ),
        ErrorCode::RefreshTokenUsed => (
            "another process with the same login, such as another Codex, renewed it at the same moment",
            Turn(FailureKind::RefreshTokenUsed {
                message: said("your refresh token was already used"),
            }),
        ),
        ErrorCode::UsageLimit => (
            "the plan's limit, quota or request rate is used up",
            Turn(FailureKind::UsageLimit {
                message: said("You've hit your usage limit. Try again in 2 hours"),
            }),
        ),
        ErrorCode::SessionNotFound => (
            "Codex has no such session",
            Call(FailureKind::SessionNotFound { session: SESSION.parse().expect("it is one") }),
        ),
        ErrorCode::SessionBusy => (
            "another process, such as a user's terminal, had the session open for as long as the server waited. \
             Codex 0.169 and newer keeps a session open for half an hour after a user leaves it, unless its \
             `config.toml` sets `thread_unload_delay_secs`",
            Turn(FailureKind::SessionBusy {
                holder: said("process 4711 has it open"),
                waited: Duration::from_secs(30),
            }),
        ),
        ErrorCode::AnotherSession => (
            "Codex started a different session than requested, and was stopped",
            Turn(FailureKind::AnotherSession {
                requested: SESSION.parse().expect("it is one"),
                got: said("0199a213-9aa2-7d10-b1cd-0f2f5a4c6e01"),
            }),
        ),
        ErrorCode::ContextFull => (
            "the session, or the prompt alone, exceeds the model's context",
            Turn(FailureKind::ContextFull {
                message: said("Codex ran out of room in the model's context window"),
            }),
        ),
        ErrorCode::SchemaRefused => (
            "the model rejects `output_schema`",
            Turn(FailureKind::SchemaRefused {
                message: said(
                    "Invalid schema for response_format: 'additionalProperties' is required",
                ),
            }),
        ),
        ErrorCode::PictureRefused => (
            "the model rejects an image, and the image stays in the session",
            Turn(FailureKind::PictureRefused { message: said("Image poisoning") }),
        ),
        ErrorCode::TurnFailed => (
            "Codex reports that the turn failed",
            Turn(FailureKind::TurnFailed {
                message: said("stream disconnected before completion"),
            }),
        ),
        ErrorCode::TimedOut => (
            "the timeout or idle timeout expired and Codex was stopped, or had not started because of calls ahead \
             in the queue",
            Turn(FailureKind::TimedOut {
                limit: Limit::Total(Duration::from_secs(1_800)),
                started: true,
                ahead: String::new(),
            }),
        ),
        ErrorCode::Cancelled => (
            "the caller cancelled the call, or the server was told to stop",
            Turn(FailureKind::Cancelled { by: CancelledBy::Shutdown }),
        ),
        ErrorCode::NotRecorded => (
            "a job's events could not be written, as on a full disk; Codex was stopped",
            Turn(FailureKind::NotRecorded {
                reason: io::Error::from(io::ErrorKind::StorageFull).to_string(),
            }),
        ),
        ErrorCode::NoResult => (
            "Codex exited without completing or failing the turn; the text gives its reason",
            Turn(FailureKind::NoResult {
                status: said("exit status: 101"),
                reason: said("panicked"),
            }),
        ),
        ErrorCode::TooManyCalls => {
            ("the queue is full", Call(FailureKind::TooManyCalls { running: 4, waiting: 64 }))
        }
        ErrorCode::Internal => (
            "a bug in this server",
            Turn(FailureKind::Internal { message: said("the result is not an object") }),
        ),
        ErrorCode::JobNotFound => {
            ("there is no such job, or it has been removed", Job(Problem::NotFound(job())))
        }
        ErrorCode::SessionNotKept => (
            "the job was started with `--ephemeral`, so Codex keeps no record of its session",
            Job(Problem::SessionNotRecorded(job())),
        ),
        ErrorCode::TooManyJobs => ("256 jobs are running or queued", Job(Problem::TooMany)),
        ErrorCode::TooManyPrompts => {
            ("the job has 64 queued prompts", Job(Problem::TooManyPrompts))
        }
        ErrorCode::Interrupted => (
            "the process of a job is gone, or its turn was stopped for a more urgent prompt",
            Record(JobError::interrupted("the job's process was terminated by a signal")),
        ),
    };
    Example { happened, from }
}
