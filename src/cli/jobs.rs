//! `jobs`: lists, shows, follows, cancels and removes jobs.

mod list;
mod show;

use std::io::{self, Write};
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::error::{Error, Result, finish};
use super::format::head;
use super::output::note;
use super::{complete, follow, table};
use crate::admission::scope::Scope;
use crate::job::snapshot::snapshot;
use crate::job::{JobId, Jobs, POLL_EVERY, Problem, Status};
use crate::model::settings::{Retention, Settings};

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
        /// The job's id, or 4 or more characters of its start or end [default: the newest, an active one first]
        #[arg(add = clap_complete::ArgValueCandidates::new(complete::jobs))]
        id: Option<String>,
    },
    /// Shows what a job does as it happens, then its result
    #[command(visible_alias = "logs", after_help = follow::EXIT_STATUS)]
    Follow {
        /// The job's id, or 4 or more characters of its start or end [default: the newest, an active one first]
        #[arg(add = clap_complete::ArgValueCandidates::new(complete::jobs))]
        id: Option<String>,
    },
    /// Cancels a job, and waits until it has ended
    #[command(visible_alias = "stop")]
    Cancel {
        /// The job's id, or 4 or more characters of its start or end
        #[arg(add = clap_complete::ArgValueCandidates::new(complete::jobs))]
        id: String,
    },
    /// Removes ended jobs; their sessions stay
    #[command(visible_alias = "rm")]
    Remove {
        /// Their ids, or 4 or more characters of the start or end of each
        #[arg(required = true)]
        #[arg(add = clap_complete::ArgValueCandidates::new(complete::jobs))]
        ids: Vec<String>,
    },
    /// Removes ended jobs that are too old or too large
    Prune {
        /// Remove all ended jobs
        #[arg(long)]
        all: bool,

        /// Remove the jobs that ended this long ago, such as 2h or 7d [default: --job-keep]
        #[arg(long, value_name = "DURATION", conflicts_with = "all", value_parser = humantime::parse_duration)]
        older_than: Option<Duration>,
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
        Some(Action::Show { id }) => show::show(&jobs.state(one(jobs, id.as_deref())?)?, json)?,
        Some(Action::Follow { id }) => {
            return follow::follow(jobs, one(jobs, id.as_deref())?, json);
        }
        Some(Action::Cancel { id }) => return cancel(jobs, find(jobs, &id)?, json),
        Some(Action::Remove { ids }) => return remove(jobs, &ids, json),
        Some(Action::Prune { all, older_than }) => prune(jobs, all, older_than, json)?,
    }
    Ok(0)
}

fn list(jobs: &Jobs, list: &List, json: bool) -> Result<()> {
    let may_be = |found| list.status.is_none_or(|status| status == found);
    list::print(&jobs.list(list.limit.unwrap_or(50), may_be, |_| true)?, json)
}

/// The job with this id. Without one, the newest that is active, or the newest.
fn one(jobs: &Jobs, id: Option<&str>) -> Result<JobId> {
    if let Some(id) = id {
        return find(jobs, id);
    }
    let mut newest = jobs.list(1, |status| !status.has_ended(), |_| true)?;
    if newest.is_empty() {
        newest = jobs.list(1, |_| true, |_| true)?;
    }
    let none = "there are no jobs; start one: codex-persistent-mcp chat --detach \"…\"";
    newest.first().map(|state| state.job_id).ok_or_else(|| Error::BadInput(none.into()))
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
                problem +=
                    &format!("\n  {}  {}", state.job_id, head(list::title(state), table::WIDE));
            }
            Err(Error::BadInput(problem))
        }
    }
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

fn remove(jobs: &Jobs, ids: &[String], json: bool) -> Result<u8> {
    let ids = ids.iter().map(|id| find(jobs, id)).collect::<Result<Vec<_>>>()?;
    let mut status = 0;
    for job in ids {
        if jobs.remove(job)? {
            let mut out = io::stdout().lock();
            match json {
                true => writeln!(out, "{}", json!({"job_id": job, "removed": true}))?,
                false => writeln!(out, "removed job {job}")?,
            }
        } else {
            note(&format!("error: job {job} has not ended; cancel it first: jobs cancel {job}"));
            status = 1;
        }
    }
    Ok(status)
}

fn prune(jobs: &Jobs, all: bool, older_than: Option<Duration>, json: bool) -> Result<()> {
    let kept = match older_than {
        _ if all => Retention { age: Duration::ZERO, bytes: 0 },
        Some(age) => Retention { age, bytes: u64::MAX },
        None => jobs.retention(),
    };
    let pruned = jobs.prune(kept)?;
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{}", json!({"jobs": pruned.jobs, "bytes": pruned.bytes}))?;
    } else {
        let jobs = if pruned.jobs == 1 { "job" } else { "jobs" };
        writeln!(out, "removed {} {jobs}, {} bytes", pruned.jobs, pruned.bytes)?;
    }
    Ok(out.flush()?)
}
