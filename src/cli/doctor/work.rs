//! Current work: jobs, calls, and open sessions.

use serde_json::Value;

use super::check::{Check, count};
use super::home::Home;
use crate::admission::scope::Scope;
use crate::cli::format::head;
use crate::job::{Jobs, Problem, State, Status, Time};
use crate::model::settings::Settings;
use crate::session::holder::open_sessions;
use crate::session::survey::{Survey, survey};
use crate::session::table::QUEUE_FOLDER;

const JOBS: &str = "jobs";
const CALLS: &str = "calls";

/// Counts jobs by status, and warns about those that look stuck.
pub(super) fn jobs(settings: &Settings) -> Vec<Check> {
    if settings.state_dir.is_none() {
        // The check of the state folder reports this.
        return Vec::new();
    }
    let jobs = Jobs::new(settings, Scope::unrestricted());
    match jobs.list(usize::MAX, |_| true, |_| true).and_then(|states| Ok((states, jobs.size()?))) {
        Ok((states, size)) => judge_jobs(&states, size.jobs, size.bytes),
        Err(problem) => vec![no_jobs(&problem)],
    }
}

fn no_jobs(problem: &Problem) -> Check {
    let fix = "make the folder readable and writable, or set another with --state-dir";
    Check::problem(JOBS, problem.to_string(), fix)
}

fn judge_jobs(states: &[State], folders: usize, bytes: u64) -> Vec<Check> {
    let with = |status| states.iter().filter(|state| state.status == status).count();
    let by_status = Status::ALL.map(|status| (status.as_str(), with(status)));
    let by_status: Vec<_> = by_status.into_iter().filter(|(_, number)| *number > 0).collect();
    let mut summary = count(states.len(), "job");
    let words: Vec<String> =
        by_status.iter().map(|(status, number)| format!("{number} {status}")).collect();
    if !words.is_empty() {
        summary += &format!(" ({}), {} MiB", words.join(", "), bytes.div_ceil(1 << 20));
    }
    let mut check = Check::ok(JOBS, summary).with("bytes", bytes);
    for (status, number) in by_status {
        check = check.with(status, number);
    }
    let unreadable = folders.saturating_sub(states.len());
    let unreadable = (unreadable > 0).then(|| {
        let summary = format!("{} cannot be read", count(unreadable, "job folder"));
        let fix = "inspect `jobs` in the state folder, and remove the broken folders";
        Check::warning("jobs.unreadable", summary, fix)
    });
    let now = Time::now();
    let stuck = states.iter().filter_map(|state| {
        let why = state.activity.stuck(now)?;
        let job = state.job_id;
        let program = env!("CARGO_PKG_NAME");
        let fix = format!(
            "follow it with `{program} jobs follow {job}`, or stop it with `{program} jobs cancel {job}`"
        );
        let summary = format!("job {job} looks stuck: {}", head(&why, 200));
        Some(Check::warning("jobs.stuck", summary, fix))
    });
    [check].into_iter().chain(unreadable).chain(stuck).collect()
}

/// The running servers, and the calls that run and wait.
pub(super) fn calls(settings: &Settings) -> Vec<Check> {
    let Some(state_dir) = &settings.state_dir else { return Vec::new() };
    vec![match survey(state_dir) {
        Ok(survey) => judge_calls(&survey, settings.max_concurrent),
        Err(problem) => {
            let summary = format!("the shared queue cannot be read: {problem}");
            let fix = format!(
                "find the process that uses {}, such as a server that was suspended with Ctrl-Z, and end \
                 it",
                state_dir.join(QUEUE_FOLDER).display()
            );
            Check::warning(CALLS, summary, fix)
        }
    }]
}

fn judge_calls(survey: &Survey, limit: usize) -> Check {
    let Survey { servers, running, waiting } = survey;
    let summary = if servers.is_empty() && running + waiting == 0 {
        "no call is running".to_owned()
    } else {
        format!(
            "{} in the queue, {} of at most {limit} running, {waiting} waiting",
            count(servers.len(), "server"),
            count(*running, "call"),
        )
    };
    let names: Vec<Value> = servers
        .iter()
        .map(|who| format!("process {} ({})", who.pid, head(&who.origin, 100)).into())
        .collect();
    let check = if *running >= limit && *waiting > 0 {
        let fix = "wait, or start servers with a larger --max-concurrent";
        Check::warning(CALLS, summary, fix)
    } else {
        Check::ok(CALLS, summary)
    };
    if names.is_empty() { check } else { check.with("servers", names) }
}

/// Sessions that a Codex has open, so that no other process can resume them.
pub(super) fn sessions(home: &Home) -> Option<Check> {
    let open = open_sessions(home.path.as_deref()?);
    let mut check = match open.len() {
        0 => Check::ok("sessions", "no session is open"),
        number => Check::ok("sessions", format!("{} open", count(number, "session"))),
    };
    for (session, who) in open {
        check = check.with(&session.to_string(), who);
    }
    Some(check)
}
