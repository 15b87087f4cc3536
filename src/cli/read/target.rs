//! What a user means by a file, a job or a session.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::admission::scope::Scope;
use crate::cli::error::{Error, Result};
use crate::cli::format::one_line;
use crate::cli::{jobs, sessions};
use crate::codex::home::codex_home;
use crate::codex::reading::line::Form;
use crate::codex::reading::reader::Reader;
use crate::codex::reading::runs::Runs;
use crate::codex::rollout;
use crate::codex::sessions::Store;
use crate::job::{JobId, Jobs, Problem, reading};
use crate::model::session_id::SessionId;
use crate::model::settings::Settings;
use crate::session::holder;
use crate::system::bounded::open_file;
use crate::system::writers;

/// How many records are searched for.
const MAX_RECORDS: usize = 20;

/// What to read.
pub(super) struct Target {
    pub(super) path: PathBuf,
    /// The form of lines that only this kind of target has.
    pub(super) form: Form,
    kind: Kind,
}

enum Kind {
    File,
    Job(Jobs, JobId),
    Session(SessionId),
}

/// The file with this path, or else the job, or else the session with this id.
pub(super) fn find(text: &OsStr, settings: &Settings) -> Result<Target> {
    let path = Path::new(text);
    // The log of a job may have been copied.
    let file = |path: &Path, kind| Target { path: path.to_owned(), form: reading::entries, kind };
    if path.symlink_metadata().is_ok() {
        return Ok(file(path, Kind::File));
    }
    let is_id = |text: &&str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
    };
    let Some(id) = text.to_str().map(str::trim).filter(is_id) else {
        return Err(Error::BadInput(format!(
            "there is no file {}",
            one_line(&text.to_string_lossy())
        )));
    };
    let jobs = Jobs::new(settings, Scope::unrestricted());
    let job = match jobs::lookup(&jobs, id) {
        // There are no jobs, but there may be sessions.
        Err(Error::Jobs(Problem::NoStateDir)) => None,
        job => job?,
    };
    if let Some(job) = job {
        let path = jobs.log(job)?;
        return Ok(file(&path, Kind::Job(jobs, job)));
    }
    match sessions::lookup(&Store::new(settings.state_dir.as_deref()), id)? {
        Some((session, path)) => Ok(file(&path, Kind::Session(session))),
        None => Err(Error::BadInput(format!("there is no file, job or session {id:?}"))),
    }
}

impl Target {
    pub(super) fn open(&self) -> Result<Reader> {
        Reader::open(&self.path, self.form).map_err(|error| {
            let path = self.path.display().to_string();
            let path = one_line(&path);
            // A directory, a pipe or a device.
            if error.is_special() {
                return Error::BadInput(format!(
                    "{path} cannot be read: {error}; save the output to a file, and read that"
                ));
            }
            Error::Unreadable(error)
        })
    }

    /// Whether a process has it open for writing, if that can be known.
    pub(super) fn is_written(&self) -> Option<bool> {
        match &self.kind {
            // The state says when the process is gone.
            Kind::Job(..) => None,
            Kind::File => writers::is_written(&open_file(&self.path).ok()?),
            Kind::Session(session) => holder::is_written(&codex_home()?, *session),
        }
    }

    /// Adds how full the context of each session is, which `codex exec` does not print, from the sessions' records.
    pub(super) fn complete_tokens(&self, runs: &mut Runs) {
        let of_job = self.job().and_then(|(jobs, job)| jobs.state(job).ok()?.codex_home);
        let Some(home) = of_job.or_else(codex_home) else { return };
        let missing = runs.tokens.iter_mut().rev().filter(|(_, tokens)| tokens.window.is_none());
        for (session, tokens) in missing.take(MAX_RECORDS) {
            let session = session.as_deref().and_then(|session| session.parse().ok());
            let record = session.and_then(|session| rollout::find(&home, session));
            let fill = record.and_then(|record| rollout::context_fill(&record).ok()?);
            tokens.context = fill.map(|fill| fill.used);
            tokens.window = fill.map(|fill| fill.window);
        }
    }

    /// The job.
    pub(super) fn job(&self) -> Option<(&Jobs, JobId)> {
        match &self.kind {
            Kind::Job(jobs, job) => Some((jobs, *job)),
            Kind::File | Kind::Session(_) => None,
        }
    }
}
