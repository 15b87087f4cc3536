//! The tools for jobs: work that runs apart from this server, and is read, answered and stopped later.

mod definition;
mod wait;

use std::io::ErrorKind;

use rmcp::model::{CallToolResult, ContentBlock, JsonObject, Tool as Definition};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;
use tokio::time::{Duration, Instant, sleep, timeout};

use super::Tool;
use super::arguments::{Arguments, invalid};
use super::reply::said_before;
use super::size_limit::structured;
use super::{chat, failed};
use crate::admission::scope::Scope;
use crate::job::{Commit, JobId, Jobs, LOOK_EVERY, Problem, State, Status, listed, snapshot, view};
use crate::model::outcome::{Failure, FailureKind};
use crate::model::prompt_envelope::{Part, compose};
use crate::model::request::TurnRequest;
use crate::model::text::{LineBreaks, sanitize};
use crate::model::value::InvalidValue;
use crate::turn::Codex;
use crate::turn::advice::{self, Ways};

/// How long the start of a job waits for its place, and then for its session.
const PLACE_WITHIN: Duration = Duration::from_secs(1);
const SESSION_WITHIN: Duration = Duration::from_secs(3);

/// How long a job may take to stop: longer than the signals that Codex gets.
const STOP_WITHIN: Duration = Duration::from_secs(8);

/// How long a disk is waited for, and how many threads wait for it at most.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);
static THREADS: Semaphore = Semaphore::const_new(128);

/// The longest label, in characters.
const MAX_LABEL: usize = 200;

/// What helps whenever the jobs' folder cannot be used.
const OTHER_FOLDER: &str = "a person must name another folder by CODEX_PERSISTENT_MCP_STATE_DIR. \
                            codex_chat works without it";

/// The most entries of one answer: events, notifications, jobs.
const MAX_ENTRIES: u64 = 200;

/// A tool for jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobTool {
    Start,
    Events,
    Reply,
    Notifications,
    Wait,
    List,
    Cancel,
}

impl JobTool {
    /// All of them, in the order in which they are listed.
    pub(crate) const ALL: [Self; 7] = [
        Self::Start,
        Self::Wait,
        Self::Events,
        Self::Reply,
        Self::Notifications,
        Self::List,
        Self::Cancel,
    ];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Start => "job_start",
            Self::Events => "job_events",
            Self::Reply => "job_reply",
            Self::Notifications => "job_notifications",
            Self::Wait => "job_wait",
            Self::List => "job_list",
            Self::Cancel => "job_cancel",
        }
    }

    /// What clients are told of the tool.
    pub(crate) fn definition(self) -> &'static Definition {
        definition::of(self)
    }

    /// Answers a call.
    pub(crate) async fn call(
        self,
        arguments: JsonObject,
        jobs: &Jobs,
        codex: &Codex,
        context: &RequestContext<RoleServer>,
    ) -> CallToolResult {
        let arguments = Arguments::of(self.name(), self.definition(), arguments);
        let answer = match arguments {
            Ok(arguments) => match self {
                Self::Start => start(arguments, jobs, codex).await,
                Self::Events => events(arguments, jobs).await,
                Self::Reply => reply(arguments, jobs, codex).await,
                Self::Notifications => notifications(arguments, jobs).await,
                Self::Wait => wait::wait(arguments, jobs, context).await,
                Self::List => list(arguments, jobs, &codex.scope()).await,
                Self::Cancel => cancel(arguments, jobs).await,
            },
            Err(problem) => Err(problem.into()),
        };
        match answer {
            Ok(content) => structured(content),
            Err(trouble) => CallToolResult::error(vec![ContentBlock::text(self.text(&trouble))]),
        }
    }

    /// The error as its reader needs it: what happened, and what to do next.
    fn text(self, trouble: &Trouble) -> String {
        let name = self.name();
        let (word, next) = match &trouble.0 {
            Problem::Refused(kind) => {
                let again = format!("call {name} again");
                (kind.word(), advice::next(kind, Ways { again: &again, resume: &again }))
            }
            Problem::NotFound(_) => (
                "job_not_found",
                "check the job_id; job_list has all jobs. Ended jobs are removed after a time; the \
                 session of one is still there, and codex_chat goes on in it."
                    .into(),
            ),
            Problem::NotKept(_) => (
                "session_not_kept",
                "nothing can go on in it: start a new job without --ephemeral in extra_arguments, and \
                 tell it what it has to know."
                    .into(),
            ),
            Problem::TooMany => (
                "too_many_jobs",
                "wait for jobs to end with job_wait, or stop some with job_cancel.".into(),
            ),
            Problem::TooManyPrompts => (
                "too_many_prompts",
                "wait for turns of the job to end with job_wait, or stop it with job_cancel.".into(),
            ),
            Problem::NoStateDir => ("storage", format!("{OTHER_FOLDER}.")),
            Problem::Storage { source, .. } => {
                let cure = match source.kind() {
                    ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                        "a person must make room there, or else "
                    }
                    ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                        "a person must make the folder writable, or else "
                    }
                    _ => "call it again; if that does not help, ",
                };
                ("storage", format!("{cure}{OTHER_FOLDER}."))
            }
            Problem::NoAnswer => {
                ("storage", format!("call {name} again when it does, or else {OTHER_FOLDER}."))
            }
            Problem::Unsure => (
                "storage",
                format!("look with job_list, when it answers, before you call {name} again."),
            ),
            Problem::NotStarted(_) => (
                "cannot_start",
                format!(
                    "call {name} again when fewer programs run on this machine, or codex_chat. If it \
                     goes on, a person must raise the limits of this server (open files, processes, \
                     memory)."
                ),
            ),
        };
        let message = trouble.0.to_string();
        let nothing = match self {
            _ if matches!(trouble.0, Problem::Refused(_) | Problem::Unsure) => "",
            Self::Start => " Nothing was started.",
            Self::Reply => " Nothing was asked.",
            Self::Events | Self::Notifications | Self::Wait | Self::List | Self::Cancel => "",
        };
        format!("{word}: {message}.\n\nNext: {next}{nothing}\n")
    }
}

/// Why a tool for jobs has no answer.
struct Trouble(Problem);

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<FailureKind> for Trouble {
    fn from(kind: FailureKind) -> Self {
        Self(Problem::Refused(Box::new(kind)))
    }
}

type Answer = Result<Map<String, Value>, Trouble>;

/// Does what blocks where that is no harm.
pub(crate) async fn blocking<T: Send + 'static>(
    jobs: &Jobs,
    work: impl FnOnce(&Jobs) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    within(jobs, work).await.unwrap_or(Err(Problem::NoAnswer))
}

/// The same for what is not to be done any more when it is answered that it was not.
async fn deciding<T: Send + 'static>(
    jobs: &Jobs,
    work: impl FnOnce(&Jobs, &Commit) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let commit = Commit::default();
    let done = commit.clone();
    let answer = within(jobs, move |jobs| work(jobs, &done)).await;
    answer
        .unwrap_or_else(|| Err(if commit.give_up() { Problem::NoAnswer } else { Problem::Unsure }))
}

/// `None` if the disk does not answer.
async fn within<T: Send + 'static>(
    jobs: &Jobs,
    work: impl FnOnce(&Jobs) -> Result<T, Problem> + Send + 'static,
) -> Option<Result<T, Problem>> {
    let jobs = jobs.clone();
    let runtime = tokio::runtime::Handle::current();
    let work = async {
        let thread = THREADS.acquire().await;
        let work = move || {
            // Until it is done, also when nobody waits for it any more.
            let _thread = thread;
            // A process that is started here is reaped by the runtime.
            let _runtime = runtime.enter();
            work(&jobs)
        };
        let done = tokio::task::spawn_blocking(work).await;
        done.unwrap_or_else(|error| Err(Problem::NotStarted(std::io::Error::other(error))))
    };
    timeout(ANSWERS_WITHIN, work).await.ok()
}

async fn start(mut arguments: Arguments, jobs: &Jobs, codex: &Codex) -> Answer {
    let label = arguments.optional_text("label")?;
    if label.as_ref().is_some_and(|label| label.chars().count() > MAX_LABEL) {
        let problem = InvalidValue(format!("must have {MAX_LABEL} characters at most"));
        return Err(invalid("label", problem).into());
    }
    let origin = &codex.settings().origin;
    let (request, text) = chat::request_of(arguments, JobTool::Start.name(), origin)?;
    let request = codex.vet(request, None).await?;
    let turn = jobs.before_start().await;
    let (job, cursor) = deciding(jobs, move |jobs, commit| {
        let cursor = jobs.last_notification()?;
        Ok((jobs.start(request, &text, label, commit)?, cursor))
    })
    .await?;
    drop(turn);
    // One that waits behind others has no session for as long as that takes.
    until(jobs, Jobs::look_at_own, job, PLACE_WITHIN, |state| state.status != Status::Queued)
        .await?;
    let state = until(jobs, Jobs::look_at_own, job, SESSION_WITHIN, |state| {
        state.session_id.is_some()
            || matches!(state.status, Status::Queued)
            || state.status.has_ended()
    })
    .await?;
    Ok(with_notification_cursor(&state, cursor))
}

/// Starts a job for a call of `codex_chat`, and waits a moment for its session.
///
/// # Errors
///
/// The answer to the call, if there is no job.
pub(crate) async fn begin_chat(
    arguments: JsonObject,
    jobs: &Jobs,
    codex: &Codex,
) -> Result<State, CallToolResult> {
    let begun = async {
        let chat = Tool::Chat;
        let arguments = Arguments::new(chat, arguments)?;
        let origin = &codex.settings().origin;
        let (mut request, text) = chat::request_of(arguments, chat.name(), origin)?;
        // It is a call, whoever does its work.
        let limits = codex.settings().limits;
        request.total.get_or_insert(limits.total);
        request.idle.get_or_insert(limits.idle);
        let request = codex.vet(request, None).await?;
        let turn = jobs.before_start().await;
        let job =
            deciding(jobs, move |jobs, commit| jobs.start(request, &text, None, commit)).await?;
        drop(turn);
        until(jobs, Jobs::look_at_own, job, SESSION_WITHIN, |state| {
            state.session_id.is_some() || state.status.has_ended()
        })
        .await
    };
    begun.await.map_err(|trouble: Trouble| match trouble.0 {
        // As the call is answered that is no task.
        Problem::Refused(kind) => failed(Tool::Chat.name(), &Failure::of(*kind, None)),
        _ => CallToolResult::error(vec![ContentBlock::text(JobTool::Start.text(&trouble))]),
    })
}

/// What `codex_chat` answers, from the job that did its work.
pub(crate) fn chat_result(state: &State) -> CallToolResult {
    let Some(session) = state.session_id.filter(|_| state.error.is_none()) else {
        let mut text = match &state.error {
            Some(error) => {
                // An older version may have written it down as it came.
                let message = sanitize(&error.message, LineBreaks::Keep);
                format!("{}: {message}.\n\nNext: {}\n", error.kind, error.next)
            }
            None => format!("{}.\n", state.status.as_str()),
        };
        text += &format!("\njob_id: {}\n", state.job_id);
        if let (Some(session), Some(resume)) = (state.session_id, state.resume_command()) {
            text += &format!("\nsession_id: {session}\nresume_command: {resume}\n");
        }
        if let Some(partial) = state.error.as_ref().and_then(|error| error.partial_reply.as_ref()) {
            text += &said_before(partial);
        }
        return CallToolResult::error(vec![ContentBlock::text(text)]);
    };
    let shown = snapshot(state);
    let reply = shown.get("result").cloned().unwrap_or_else(|| "".into());
    let mut content = Map::new();
    content.insert("session_id".into(), session.to_string().into());
    content.insert("reply".into(), reply);
    for field in [
        "output",
        "resume_command",
        "cwd",
        "effective",
        "usage",
        "session_usage",
        "warnings",
        "job_id",
    ] {
        content.extend(shown.get(field).map(|value| (field.to_owned(), value.clone())));
    }
    structured(content)
}

fn with_notification_cursor(state: &State, cursor: u64) -> Map<String, Value> {
    let mut content = snapshot(state);
    content.insert("notification_cursor".into(), cursor.into());
    content
}

/// Looks at a job until it is as wanted, for a bounded time.
async fn until(
    jobs: &Jobs,
    look: fn(&Jobs, JobId) -> Result<State, Problem>,
    job: JobId,
    within: Duration,
    is_so: impl Fn(&State) -> bool,
) -> Result<State, Trouble> {
    let until = Instant::now() + within;
    loop {
        let state = blocking(jobs, move |jobs| look(jobs, job)).await?;
        if is_so(&state) || Instant::now() >= until {
            return Ok(state);
        }
        sleep(LOOK_EVERY).await;
    }
}

async fn events(mut arguments: Arguments, jobs: &Jobs) -> Answer {
    let job = job_id(&mut arguments)?;
    let number = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    let query = view::Query {
        cursor: arguments.whole("cursor", 0, u64::MAX)?.unwrap_or(0),
        limit: number(arguments.whole("limit", 1, MAX_ENTRIES)?.unwrap_or(20)),
        types: arguments.texts("types")?,
        truncate: number(arguments.whole("truncate", 0, 1_000_000)?.unwrap_or(1_024)),
        raw: arguments.flag("raw")?,
    };
    arguments.end();
    let (page, state) = blocking(jobs, move |jobs| jobs.events(job, &query)).await?;
    let mut content = Map::new();
    content.insert("cursor".into(), page.cursor.into());
    content.insert("more".into(), page.more.into());
    content.insert("events".into(), page.events.into());
    content.insert("job".into(), snapshot(&state).into());
    Ok(content)
}

async fn reply(mut arguments: Arguments, jobs: &Jobs, codex: &Codex) -> Answer {
    let job = job_id(&mut arguments)?;
    let text = arguments.text("prompt")?;
    let interrupt = arguments.flag("interrupt")?;
    arguments.end();
    let parts = [Part { title: "request", text: &text }];
    let prompt = compose(&codex.settings().origin, JobTool::Reply.name(), None, &parts)
        .map_err(|problem| invalid("prompt", problem))?;
    let request = TurnRequest::new(prompt);
    let (request, home) = blocking(jobs, move |jobs| jobs.next_turn(job, &request)).await?;
    let request = codex.vet(request, home.as_deref()).await?;
    let (state, cursor) = deciding(jobs, move |jobs, commit| {
        let cursor = jobs.last_notification()?;
        Ok((jobs.reply(job, request, &text, interrupt, commit)?, cursor))
    })
    .await?;
    Ok(with_notification_cursor(&state, cursor))
}

async fn notifications(mut arguments: Arguments, jobs: &Jobs) -> Answer {
    let (cursor, wanted) = wait::which(&mut arguments)?;
    arguments.end();
    let (found, cursor) =
        blocking(jobs, move |jobs| jobs.notifications(cursor, &wanted, wait::MAX_TOLD)).await?;
    Ok(wait::told(&found, cursor))
}

async fn list(mut arguments: Arguments, jobs: &Jobs, scope: &Scope) -> Answer {
    let status = arguments.parsed("status", str::parse::<Status>)?;
    let cwd = arguments.optional_text("cwd")?;
    let limit = arguments.whole("limit", 1, MAX_ENTRIES)?.unwrap_or(20);
    arguments.end();
    let scope = scope.clone();
    let states = blocking(jobs, move |jobs| {
        cwd.as_ref().map_or(Ok(()), |cwd| scope.check_dir("cwd", cwd.as_ref()))?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let may_be = |found| status.is_none_or(|status| found == status);
        jobs.list(limit, may_be, |state| {
            cwd.as_ref().is_none_or(|cwd| state.cwd.as_deref() == Some(cwd.as_ref()))
        })
    })
    .await?;
    let states: Vec<Value> = states.iter().map(|state| Value::Object(listed(state))).collect();
    Ok(Map::from_iter([("jobs".to_owned(), states.into())]))
}

async fn cancel(mut arguments: Arguments, jobs: &Jobs) -> Answer {
    let job = job_id(&mut arguments)?;
    arguments.end();
    let before = blocking(jobs, move |jobs| jobs.cancel(job)).await?;
    let state = until(jobs, Jobs::look, job, STOP_WITHIN, |state| state.status.has_ended()).await?;
    let mut content = snapshot(&state);
    if before.status.has_ended() {
        content.insert("had_ended".into(), true.into());
    }
    Ok(content)
}

fn job_id(arguments: &mut Arguments) -> Result<JobId, FailureKind> {
    arguments.required("job_id", str::parse::<JobId>)
}

/// A notification as clients see it.
fn notification(cursor: u64, notification: &crate::job::Notification) -> Value {
    let mut value = json!(notification);
    if let Value::Object(fields) = &mut value {
        fields.retain(|_, value| !value.is_null());
        fields.shift_insert(0, "cursor".into(), cursor.into());
        fields.shift_remove("event");
    }
    value
}
