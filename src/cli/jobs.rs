//! `jobs`: lists, shows, follows, cancels and removes jobs.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::advice::{advice, headline};
use super::error::{Error, Result, finish};
use super::format::{age, clean, context_percent, head, status_line};
use super::output::{note, stdout};
use super::style::{BOLD, PLAIN, of_status, styled};
use super::{follow, table};
use crate::admission::scope::Scope;
use crate::job::snapshot::snapshot;
use crate::job::{JobId, Jobs, POLL_EVERY, Problem, State, Status, Time};
use crate::model::settings::{Retention, Settings};
use crate::model::text::{LineBreaks, sanitize};

/// The shortest part of an id that names a job, in characters.
const MIN_ID: usize = 4;

/// How long a cancelled job may take to end: longer than the sequence of signals that stops Codex.
const CANCEL_WITHIN: Duration = Duration::from_secs(20);

/// What to do with jobs. Without a command they are listed.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Action>,

    #[command(flatten)]
    list: List,

    /// Print JSON, one object per line
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Clone, Args)]
struct List {
    /// Only jobs of this status: queued, running, completed, failed, cancelled, timed_out, interrupted
    #[arg(long, value_name = "STATUS", value_parser = str::parse::<Status>)]
    status: Option<Status>,

    /// The maximum number of jobs [default: 50]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

/// A command on jobs.
#[derive(Debug, Subcommand)]
enum Action {
    /// Lists jobs, the newest first
    List(List),
    /// Shows the details of a job
    Show {
        /// The job's id, or at least 4 characters of its start or end
        id: String,
    },
    /// Prints the events of a job as they happen, then its result
    #[command(after_help = follow::EXIT_STATUS)]
    Follow {
        /// The job's id, or at least 4 characters of its start or end
        id: String,
    },
    /// Cancels a job, and waits until it has ended
    Cancel {
        /// The job's id, or at least 4 characters of its start or end
        id: String,
    },
    /// Removes ended jobs that are too old or too large
    Prune {
        /// Remove all ended jobs
        #[arg(long)]
        all: bool,
    },
}

/// Runs the command, and returns the exit status.
pub(super) fn run(arguments: Arguments, settings: &Settings) -> u8 {
    // The policy limits callers over MCP, not the user at the terminal.
    finish(dispatch(arguments, &Jobs::new(settings, Scope::unrestricted())))
}

fn dispatch(arguments: Arguments, jobs: &Jobs) -> Result<u8> {
    let Arguments { command, list: outer, json } = arguments;
    let outer_is_set = outer.status.is_some() || outer.limit.is_some();
    match command {
        Some(_) if outer_is_set => {
            let problem =
                "--status and --limit must follow `jobs list`, or `jobs` without a command";
            return Err(Error::BadInput(problem.into()));
        }
        None => list(jobs, &outer, json)?,
        Some(Action::List(inner)) => list(jobs, &inner, json)?,
        Some(Action::Show { id }) => show(&jobs.state(find(jobs, &id)?)?, json)?,
        Some(Action::Follow { id }) => return follow::follow(jobs, find(jobs, &id)?, json),
        Some(Action::Cancel { id }) => return cancel(jobs, find(jobs, &id)?, json),
        Some(Action::Prune { all }) => prune(jobs, all, json)?,
    }
    Ok(0)
}

/// The job with this id, or the only one whose id starts or ends with this text.
fn find(jobs: &Jobs, text: &str) -> Result<JobId> {
    if let Some(job) = lookup(jobs, text)? {
        return Ok(job);
    }
    if let Ok(job) = text.trim().parse() {
        return Err(Problem::NotFound(job).into());
    }
    let text = text.trim().to_lowercase();
    Err(Error::BadInput(format!("there is no job whose id starts or ends with {text:?}")))
}

/// The same. `None` if there is none.
pub(super) fn lookup(jobs: &Jobs, text: &str) -> Result<Option<JobId>> {
    let text = text.trim().to_lowercase();
    if let Ok(job) = text.parse() {
        return match jobs.state(job) {
            Err(Problem::NotFound(_)) => Ok(None),
            state => Ok(Some(state?.job_id)),
        };
    }
    if text.chars().count() < MIN_ID {
        let problem =
            format!("{text:?} is too short: pass at least {MIN_ID} characters of the job's id");
        return Err(Error::BadInput(problem));
    }
    let fits = |job: JobId| {
        let id = job.to_string();
        id.starts_with(&text) || id.ends_with(&text)
    };
    let found = jobs.list(usize::MAX, |_| true, |state| fits(state.job_id))?;
    match &found[..] {
        [state] => Ok(Some(state.job_id)),
        [] => Ok(None),
        several => {
            let mut problem = format!("{text:?} matches {} jobs:", several.len());
            for state in several {
                problem += &format!("\n  {}  {}", state.job_id, head(title(state), table::WIDE));
            }
            Err(Error::BadInput(problem))
        }
    }
}

fn list(jobs: &Jobs, list: &List, json: bool) -> Result<()> {
    let may_be = |found| list.status.is_none_or(|status| status == found);
    let states = jobs.list(list.limit.unwrap_or(50), may_be, |_| true)?;
    if json {
        let mut out = io::stdout().lock();
        for state in &states {
            writeln!(out, "{}", Value::Object(snapshot(state)))?;
        }
        return Ok(out.flush()?);
    }
    if states.is_empty() {
        note("No jobs found.");
        return Ok(());
    }
    let row = |state: &State| {
        [
            table::id(state.job_id),
            state.status.as_str().to_owned(),
            age(state.created_at),
            state.turns.to_string(),
            head(title(state), table::WIDE * 4),
            head(&last_activity_of(state), table::WIDE * 4),
        ]
    };
    let rows: Vec<[String; 6]> = states.iter().map(row).collect();
    let names = ["ID", "STATUS", "AGE", "TURNS", "WHAT", "LAST ACTIVITY"];
    Ok(table::print(names, &rows, |row, column, _| match column {
        1 => of_status(states[row].status),
        _ => PLAIN,
    })?)
}

/// The job's label, or its prompt.
fn title(state: &State) -> &str {
    state.label.as_deref().unwrap_or(&state.prompt)
}

/// The last activity of a job; after its end, the result or the error.
fn last_activity_of(state: &State) -> String {
    if let Some(why) = state.activity.stuck(Time::now()) {
        return format!("looks stuck: {why}");
    }
    let outcome = match (&state.error, &state.result) {
        (Some(error), _) => Some(&error.message),
        (None, result) => result.as_ref(),
    };
    let outcome = outcome.filter(|_| state.status.has_ended());
    outcome.unwrap_or(&state.activity.last_activity).clone()
}

fn show(state: &State, json: bool) -> Result<()> {
    let mut out = stdout(json);
    if json {
        let mut fields = snapshot(state);
        if let Some(percent) = context_percent(state) {
            fields.insert("context_percent".into(), percent.into());
        }
        writeln!(out, "{}", Value::Object(fields))?;
        return Ok(out.flush()?);
    }
    let time = |time: crate::job::Time| format!("{time} ({} ago)", age(time));
    let session = state.session_id;
    let error = state.error.as_ref();
    let fields = [
        ("job", Some(state.job_id.to_string())),
        ("label", state.label.clone()),
        ("status", Some(styled(of_status(state.status), state.status.as_str()))),
        ("session", session.map(|session| session.to_string())),
        ("resume", state.resume_command()),
        ("directory", state.cwd.as_ref().map(|cwd| cwd.display().to_string())),
        ("created", Some(time(state.created_at))),
        ("started", state.started_at.map(time)),
        ("ended", state.ended_at.map(time)),
        ("prompt", Some(head(&state.prompt, 160))),
        ("activity", (!state.status.has_ended()).then(|| head(&state.activity.last_activity, 160))),
        ("error", error.map(|error| headline(&error.kind, &error.message))),
        ("next", error.map(|error| advice(&error.kind, session))),
    ];
    for (name, value) in fields {
        let Some(value) = value else { continue };
        // The status has its colour already, and is a fixed text of this program.
        let value = match name {
            "status" => value,
            "error" => sanitize(value, LineBreaks::Keep),
            _ => sanitize(value, LineBreaks::Escape),
        };
        writeln!(out, "{}{value}", styled(BOLD, &format!("{name:<11}")))?;
    }
    for warning in &state.warnings {
        writeln!(out, "{}{}", styled(BOLD, "warning    "), sanitize(warning, LineBreaks::Escape))?;
    }
    writeln!(out, "{}{}", styled(BOLD, "summary    "), status_line(state))?;
    let partial = error.and_then(|error| error.partial_reply.as_deref());
    // If the last turn failed, the result is that of an earlier one.
    let result = state.result.as_deref().filter(|_| error.is_none());
    let result_name = if state.status.has_ended() { "result" } else { "result so far" };
    let texts = [("partial reply", partial), (result_name, result)];
    for (name, text) in texts {
        let Some(text) = text else { continue };
        writeln!(out, "\n{}\n{}", styled(BOLD, &format!("{name}:")), clean(text))?;
    }
    Ok(out.flush()?)
}

fn cancel(jobs: &Jobs, job: JobId, json: bool) -> Result<u8> {
    let before = jobs.cancel(job)?;
    let until = Instant::now() + CANCEL_WITHIN;
    let mut state = jobs.state(job)?;
    while !state.status.has_ended() && Instant::now() < until {
        std::thread::sleep(POLL_EVERY);
        state = jobs.state(job)?;
    }
    let mut out = io::stdout().lock();
    let status = state.status;
    if json {
        writeln!(out, "{}", Value::Object(snapshot(&state)))?;
    } else if before.status.has_ended() {
        writeln!(out, "job {job} had already ended: {}", status.as_str())?;
    } else {
        let still = if status.has_ended() { "" } else { "is being cancelled, and is still " };
        writeln!(out, "job {job} {still}{}", status.as_str())?;
    }
    out.flush()?;
    Ok(u8::from(!status.has_ended()))
}

fn prune(jobs: &Jobs, all: bool, json: bool) -> Result<()> {
    let none = Retention { age: Duration::ZERO, bytes: 0 };
    let pruned = jobs.prune(if all { none } else { jobs.retention() })?;
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{}", json!({"jobs": pruned.jobs, "bytes": pruned.bytes}))?;
    } else {
        let jobs = if pruned.jobs == 1 { "job" } else { "jobs" };
        writeln!(out, "removed {} {jobs}, {} bytes", pruned.jobs, pruned.bytes)?;
    }
    Ok(out.flush()?)
}
