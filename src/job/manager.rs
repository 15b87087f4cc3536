//! Jobs for a program that uses the library: the same ones that the tools and `codex-persistent-mcp jobs` show.

mod entries;
mod job;

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::sleep;

pub use entries::{JobEntry, JobEntryKind, JobFollower, JobPage};
pub use job::{Job, JobFailure};

use super::blocking::{all_or_nothing, blocking};
use super::jobs::Jobs;
use super::problem::{Problem, Result};
use super::start::check_label;
use crate::model::job_id::JobId;
use crate::model::outcome::FailureKind;
use crate::model::prompt::Prompt;
use crate::model::request::TurnRequest;
use crate::turn::Codex;

/// How often a job is read that somebody waits for.
const READ_EVERY: Duration = Duration::from_millis(100);

/// Starts, reads, answers and stops jobs: turns that run apart from this process and outlive it. Cheap to clone.
///
/// Each job is run by a process of its own: the program `codex-persistent-mcp`, which must be installed in the
/// version of this library. The jobs are in [`Settings::state_dir`](crate::Settings::state_dir), so this program,
/// every MCP server of the user and `codex-persistent-mcp jobs` see the same ones. A job's turns run with the
/// settings of the [`Codex`] that started it, and with [`Settings::job_limits`](crate::Settings::job_limits).
///
/// A method that returns an error has changed nothing, unless that is [`Problem::Unsure`]. All methods must be
/// called on a Tokio runtime with time and I/O. Dropping the future of one that reads or waits does nothing else.
#[derive(Debug, Clone)]
pub struct JobManager {
    codex: Codex,
    jobs: Jobs,
}

impl JobManager {
    /// Manages the jobs that the settings of `codex` allow it to see. `program` runs the jobs that this starts: the
    /// path of `codex-persistent-mcp`, or its name to find it on the PATH.
    pub fn new(codex: &Codex, program: impl Into<PathBuf>) -> Self {
        let jobs = Jobs::run_by(Some(program.into()), codex.settings(), codex.scope());
        Self { codex: codex.clone(), jobs }
    }

    /// Starts a job. Returns as soon as its process runs, before Codex does. `label` is a name for users to see, at
    /// most 200 characters.
    ///
    /// # Errors
    ///
    /// What the turn would be refused for if it ran now, as [`Problem::Refused`]; or if the job cannot be stored or
    /// its process cannot be started. At most 256 jobs wait and run at a time.
    pub async fn start(&self, request: TurnRequest, label: Option<&str>) -> Result<JobId> {
        label.map_or(Ok(()), check_label).map_err(|problem| {
            Problem::from(FailureKind::BadInput { field: "label".into(), problem })
        })?;
        let label = label.map(str::to_owned);
        let text = request.prompt.as_str().to_owned();
        let request = self.codex.vet(request, None).await?;
        let order = self.jobs.before_start().await;
        let started = all_or_nothing(&self.jobs, move |jobs, commit| {
            jobs.start(request, &text, label, commit)
        });
        let started = started.await;
        drop(order);
        started
    }

    /// A job as it is now.
    ///
    /// # Errors
    ///
    /// [`Problem::NotFound`], or if it cannot be read.
    pub async fn get(&self, job: JobId) -> Result<Job> {
        let state = blocking(&self.jobs, move |jobs| jobs.state(job)).await?;
        Ok(Job::of(state))
    }

    /// The newest `limit` jobs of the user, newest first, whoever started them.
    ///
    /// # Errors
    ///
    /// If the folder of the jobs cannot be read.
    pub async fn list(&self, limit: usize) -> Result<Vec<Job>> {
        let states = blocking(&self.jobs, move |jobs| jobs.list(limit, |_| true, |_| true)).await?;
        Ok(states.into_iter().map(Job::of).collect())
    }

    /// Waits until the job has ended: no turn runs, and no prompt waits. There is no timeout but those of its turns,
    /// so put a `tokio::time::timeout` around it if you need one.
    ///
    /// # Errors
    ///
    /// [`Problem::NotFound`], or if it cannot be read. A job that failed is no error: see [`Job::failure`].
    pub async fn wait(&self, job: JobId) -> Result<Job> {
        loop {
            let (state, is_at_rest) = blocking(&self.jobs, move |jobs| jobs.at_rest(job)).await?;
            if is_at_rest {
                return Ok(Job::of(state));
            }
            sleep(READ_EVERY).await;
        }
    }

    /// What happened in the job after the entry with the number `after`; 0 is the beginning. Does not wait: a page
    /// is empty if nothing is new. It has at most 200 entries.
    ///
    /// # Errors
    ///
    /// [`Problem::NotFound`], or if it cannot be read.
    pub async fn entries(&self, job: JobId, after: u64) -> Result<JobPage> {
        blocking(&self.jobs, move |jobs| jobs.entries(job, after)).await
    }

    /// Follows what happens in the job from the entry after `after` on, until the job has ended.
    pub fn follow(&self, job: JobId, after: u64) -> JobFollower {
        JobFollower::new(self.clone(), job, after)
    }

    /// Sends a job its next prompt, in the same session and with the same options. It runs after those that are
    /// running and waiting. A job that has ended runs again. Returns when the job's process has the prompt, so that
    /// [`JobManager::wait`] waits for its turn.
    ///
    /// # Errors
    ///
    /// As with [`JobManager::start`]. At most 64 prompts of a job wait at a time.
    pub async fn reply(&self, job: JobId, prompt: Prompt) -> Result<Job> {
        self.send(job, prompt, false).await
    }

    /// The same, but stops the running turn and runs next.
    ///
    /// # Errors
    ///
    /// As with [`JobManager::reply`].
    pub async fn interrupt(&self, job: JobId, prompt: Prompt) -> Result<Job> {
        self.send(job, prompt, true).await
    }

    async fn send(&self, job: JobId, prompt: Prompt, interrupt: bool) -> Result<Job> {
        let text = prompt.as_str().to_owned();
        let request = TurnRequest::new(prompt);
        let next = blocking(&self.jobs, move |jobs| jobs.next_turn(job, &request));
        let (request, home) = next.await?;
        let request = self.codex.vet(request, home.as_deref()).await?;
        let sent = all_or_nothing(&self.jobs, move |jobs, commit| {
            jobs.reply(job, request, &text, interrupt, commit)
        });
        Ok(Job::of(sent.await?))
    }

    /// Requests that the job stops: the running turn and all waiting prompts. Codex gets SIGINT within a second, and
    /// has exited at most 4 s later; [`JobManager::wait`] returns when that is recorded. The session remains, and
    /// [`JobManager::reply`] continues it. Does nothing to a job that has ended.
    ///
    /// # Errors
    ///
    /// [`Problem::NotFound`], or if the request cannot be stored.
    pub async fn cancel(&self, job: JobId) -> Result<Job> {
        let state = blocking(&self.jobs, move |jobs| jobs.cancel(job)).await?;
        Ok(Job::of(state))
    }
}
