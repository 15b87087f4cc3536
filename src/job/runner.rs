//! The process that runs one job: its turns, one after the other, and then it leaves.
//!
//! It is apart from all servers. Prompts and the wish to cancel come to it as files in the job's
//! inbox, which any server may put there. It holds the job's lock all the time; whoever puts a prompt
//! into the inbox and finds the lock free starts such a process. So that no prompt is left behind
//! that came while one was leaving, it looks once more after it gave the lock back.

use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::LOOK_EVERY;
use super::bell::Bell;
use super::folder::{Folder, WriteLock};
use super::inbox::QueuedPrompt;
use super::prune::prune;
use super::record::JobEvent;
use super::status::{JobError, Status};
use super::store::Store;
use super::writer::{Dismissed, SharedWriter, TurnRecorder};
use crate::model::job_id::JobId;
use crate::model::outcome::{Answer, CancelledBy, Failure, FailureKind, Sort};
use crate::model::settings::Retention;
use crate::model::settings::Settings;
use crate::system::private::read_whole;
use crate::system::signals::Signals;
use crate::turn::Codex;
use crate::turn::scheduling::Scheduling;
use crate::turn::tap::Taps;

/// How long whoever started this process may keep the lock.
const LOCK_WITHIN: Duration = Duration::from_secs(10);

/// Why the turns of a job end that is not cancelled.
const TOLD_TO_LEAVE: &str = "the process that ran the job was told to leave";

/// How long Codex may take to leave.
const LEAVE_WITHIN: Duration = Duration::from_secs(15);

/// Runs a job until nothing of it is left to do. Returns the exit status.
pub(crate) async fn run(settings: Settings, job: JobId, mut signals: Signals) -> u8 {
    let Some(state_dir) = settings.state_dir.clone() else { return 1 };
    tracing::info!(%job, "the job's process is here");
    let store = Store::new(&state_dir);
    let folder = store.folder(job);
    let retention = settings.retention;
    let codex = Codex::new(settings);
    let mut lock = take_lock(&folder).await;
    let mut status = 0;
    let bell = Bell::listen(&folder.bell());
    while let Some(held) = lock.take() {
        let mut work = match Work::begin(&store, &folder, job, held, codex.clone(), &bell) {
            Ok(work) => work,
            Err(error) => {
                tracing::error!(%job, %error, "the job cannot be run");
                return 1;
            }
        };
        if let Err(error) = work.run(&mut signals, &bell).await {
            tracing::error!(%job, %error, "the job's record cannot be written");
            status = 1;
        }
        if !codex.finished(LEAVE_WITHIN).await {
            tracing::warn!(%job, "Codex does not stop: leaving it to the watchdog");
        }
        let leaving = work.leaving;
        drop(work);
        // Somebody may have wished it when all was over.
        store.forget_stop_of_ended(&folder);
        if leaving || status != 0 || folder.asks().map_or(true, |asks| asks.is_empty()) {
            break;
        }
        lock = folder.try_lock().unwrap_or_default();
    }
    if let Ok(Some(_nobody_listens)) = folder.try_lock() {
        // Whoever copies the folder would wait for it.
        drop(fs::remove_file(folder.bell()));
    }
    tidy(store, retention, job).await;
    status
}

/// Removes jobs that need not be kept. This one has just ended, and is still to be read.
async fn tidy(store: Store, retention: Retention, job: JobId) {
    let pruned = tokio::task::spawn_blocking(move || prune(&store, retention, Some(job))).await;
    tracing::debug!(?pruned, "old jobs");
}

async fn take_lock(folder: &Folder) -> Option<WriteLock> {
    let until = Instant::now() + LOCK_WITHIN;
    loop {
        match folder.try_lock() {
            Ok(None) if Instant::now() < until => sleep(LOOK_EVERY / 10).await,
            Ok(lock) => return lock,
            Err(error) => {
                tracing::error!(%error, "the job cannot be locked");
                return None;
            }
        }
    }
}

/// Why a turn is being stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stopped {
    /// The job was cancelled.
    Cancelled,
    /// The next prompt would not wait.
    ForReply,
}

/// A turn that waits or runs.
#[derive(Debug)]
struct Active {
    id: Uuid,
    /// Its number, as soon as it runs.
    number: Arc<AtomicU64>,
    cancel: CancellationToken,
    stopped: Option<Stopped>,
    /// Dropped with this, once the turn's end is written down: then the next one may begin.
    _ending: oneshot::Sender<()>,
}

type Outcome = Result<Answer, Box<Failure>>;

struct Work {
    folder: Folder,
    writer: SharedWriter,
    codex: Codex,
    /// Wakes this process when the session is known, for prompts that wait for that.
    rung: Arc<Notify>,
    active: Vec<Active>,
    outcomes: JoinSet<(Uuid, Outcome)>,
    /// The process was told to leave.
    leaving: bool,
    /// Why nothing more can be written down.
    trouble: Option<String>,
}

impl Work {
    fn begin(
        store: &Store,
        folder: &Folder,
        job: JobId,
        lock: WriteLock,
        codex: Codex,
        bell: &Bell,
    ) -> io::Result<Self> {
        let state = store.recover(folder, job)?;
        let mut writer = store.writer(folder, state, lock)?;
        writer.take_over()?;
        // It may have been used up by the job's last end.
        folder.keep_reserve()?;
        Ok(Self {
            folder: folder.clone(),
            writer: SharedWriter::new(writer),
            codex,
            rung: bell.rope(),
            active: Vec::new(),
            outcomes: JoinSet::new(),
            leaving: false,
            trouble: None,
        })
    }

    async fn run(&mut self, signals: &mut Signals, bell: &Bell) -> io::Result<()> {
        if let Err(error) = self.work(signals, bell).await {
            let given_up = self.give_up(&error).await;
            // The end of what is left here will not be written down.
            self.active.clear();
            return given_up.and(Err(error));
        }
        if self.leaving {
            self.dismiss_asks(|| (Status::Interrupted, JobError::not_begun(TOLD_TO_LEAVE)))?;
        }
        self.folder.forget_stop()?;
        self.writer.lock().sync()
    }

    async fn work(&mut self, signals: &mut Signals, bell: &Bell) -> io::Result<()> {
        loop {
            if !self.leaving {
                self.look_for_cancel()?;
                self.take_asks()?;
            }
            if self.active.is_empty() {
                break;
            }
            tokio::select! {
                biased;
                signal = signals.next(), if !self.leaving => {
                    tracing::info!(signal = signal.name, "leaving");
                    self.leaving = true;
                    self.codex.shutdown();
                }
                Some(ended) = self.outcomes.join_next() => match ended {
                    Ok((id, outcome)) => self.ended(id, outcome)?,
                    Err(error) => return Err(io::Error::other(error)),
                },
                () = bell.rung() => {
                    let mut writer = self.writer.lock();
                    writer.flush()?;
                    writer.tell_late();
                }
            }
        }
        Ok(())
    }

    /// Writes down that the prompts in the inbox are not begun.
    fn dismiss_asks(&self, why: impl Fn() -> (Status, JobError)) -> io::Result<()> {
        let mut writer = self.writer.lock();
        let asks = self.folder.asks()?;
        for (at, (id, path)) in asks.iter().enumerate() {
            let text = read_whole::<QueuedPrompt>(path).map(|ask| ask.text).unwrap_or_default();
            let (status, error) = why();
            let more = !self.active.is_empty() || at + 1 < asks.len();
            writer.dismiss(Dismissed { id: *id, text, status, error }, more)?;
            fs::remove_file(path)?;
        }
        Ok(())
    }

    /// Stops what runs, because it cannot be written down, and writes down that with what was set
    /// aside.
    async fn give_up(&mut self, error: &io::Error) -> io::Result<()> {
        let trouble = self.trouble.insert(error.to_string()).clone();
        for active in &self.active {
            active.cancel.cancel();
        }
        while let Some(ended) = self.outcomes.join_next().await {
            let (id, outcome) = ended.map_err(io::Error::other)?;
            self.ended(id, outcome)?;
        }
        let not_recorded = FailureKind::NotRecorded { reason: trouble };
        self.dismiss_asks(|| (Status::Failed, JobError::of(&not_recorded)))?;
        let mut writer = self.writer.lock();
        if writer.state().status.has_ended() {
            return Ok(());
        }
        let failure = Failure::of(not_recorded, None);
        writer.end(0, ending(None, Err(failure), None, false))
    }

    /// Starts, or puts in line, what was asked since.
    fn take_asks(&mut self) -> io::Result<()> {
        for (id, path) in self.folder.asks()? {
            // Until it has told its session, the first turn is the only one there can be.
            let session = self.writer.lock().state().session_id;
            if session.is_none() && !self.active.is_empty() {
                return Ok(());
            }
            let ask: QueuedPrompt = match read_whole(&path) {
                Ok(ask) => ask,
                Err(error) => {
                    tracing::error!(%error, "a prompt cannot be read");
                    let message = format!("the prompt cannot be read: {error}");
                    let error = JobError::of(&FailureKind::Internal { message });
                    let prompt =
                        Dismissed { id, text: String::new(), status: Status::Failed, error };
                    self.writer.lock().dismiss(prompt, !self.active.is_empty())?;
                    fs::remove_file(path)?;
                    continue;
                }
            };
            let is_new = !self.writer.lock().state().has_taken(id);
            if is_new {
                let event =
                    JobEvent::Prompt { id, text: ask.text.clone(), interrupt: ask.interrupt };
                self.writer.lock().note(0, event)?;
            }
            fs::remove_file(path)?;
            if is_new {
                self.start(id, ask, session)?;
            }
        }
        Ok(())
    }

    fn start(
        &mut self,
        id: Uuid,
        mut ask: QueuedPrompt,
        session: Option<crate::model::session_id::SessionId>,
    ) -> io::Result<()> {
        ask.session_id = session.or(ask.session_id);
        // There is a copy.
        ask.fork &= session.is_none();
        let interrupt = ask.interrupt;
        let number = Arc::default();
        let (_ending, end_written) = oneshot::channel();
        let recorder =
            TurnRecorder::new(self.writer.clone(), Arc::clone(&number), id, Arc::clone(&self.rung));
        let cancel = CancellationToken::new();
        let mut active = Active { id, number, cancel, stopped: None, _ending };
        match ask.into_request() {
            Ok((request, policy)) => {
                let scheduling = Scheduling::Job { in_front: interrupt, end_recorded: end_written };
                let (policy, taps) = (Arc::new(policy), Taps::one(recorder));
                let turn = self.codex.start_with(request, policy, scheduling, taps);
                active.cancel = turn.canceller();
                self.outcomes.spawn(async move { (id, turn.outcome().await) });
            }
            Err(kind) => {
                self.outcomes.spawn(async move { (id, Err(Failure::of(kind, session))) });
            }
        }
        if interrupt {
            for running in &mut self.active {
                if running.number.load(Ordering::Relaxed) > 0 {
                    running.stop(Stopped::ForReply);
                }
            }
        }
        self.active.push(active);
        Ok(())
    }

    /// Stops everything if the job was cancelled, also what was not begun.
    fn look_for_cancel(&mut self) -> io::Result<()> {
        if !self.folder.is_to_stop() {
            return Ok(());
        }
        // What is asked from now on is asked anew.
        self.take_asks()?;
        self.folder.forget_stop()?;
        let cancelled = FailureKind::Cancelled { by: CancelledBy::Caller };
        self.dismiss_asks(|| (Status::Cancelled, JobError::of(&cancelled)))?;
        for active in &mut self.active {
            active.stop(Stopped::Cancelled);
        }
        Ok(())
    }

    fn ended(&mut self, id: Uuid, outcome: Outcome) -> io::Result<()> {
        let at = self.active.iter().position(|active| active.id == id);
        let active = self.active.swap_remove(at.expect("only what is active ends"));
        let waiting = self.folder.asks().is_ok_and(|asks| !asks.is_empty());
        // When it is left, or nothing can be written, these are told of at the very end.
        let more = !self.active.is_empty() || waiting;
        let event = match (outcome, &self.trouble) {
            (Err(mut failure), Some(reason))
                if matches!(failure.kind, FailureKind::Cancelled { .. }) =>
            {
                failure.kind = FailureKind::NotRecorded { reason: reason.clone() };
                ending(Some(id), Err(failure), None, more)
            }
            (outcome, _) => ending(Some(id), outcome, active.stopped, more),
        };
        let number = active.number.load(Ordering::Relaxed);
        let event = if number == 0 { not_begun(event) } else { event };
        self.writer.lock().end(number, event)
    }
}

impl Active {
    fn stop(&mut self, why: Stopped) {
        self.stopped.get_or_insert(why);
        self.cancel.cancel();
    }
}

/// The end of a prompt whose turn had not begun: Codex knows nothing of it.
fn not_begun(mut event: JobEvent) -> JobEvent {
    if let JobEvent::Ended { status: Status::Interrupted, error, .. } = &mut event {
        *error = Some(JobError::not_begun(TOLD_TO_LEAVE));
    }
    event
}

/// How a turn of a job ended.
fn ending(
    prompt: Option<Uuid>,
    outcome: Outcome,
    stopped: Option<Stopped>,
    more: bool,
) -> JobEvent {
    match outcome {
        Ok(answer) => JobEvent::Ended {
            status: Status::Completed,
            prompt,
            told: true,
            more,
            session_id: Some(answer.session_id),
            result: Some(answer.reply),
            error: None,
            usage: answer.usage,
            session_usage: answer.session_usage,
            warnings: answer.warnings,
            output: answer.output,
            effective: answer.effective.map(|effective| json!(effective)),
        },
        Err(failure) => {
            let Failure { kind, session_id, partial_reply, warnings, .. } = *failure;
            let status = status(&kind, stopped);
            let error = match status {
                Status::Interrupted => JobError::interrupted(match stopped {
                    Some(_) => "the turn was interrupted for the next prompt",
                    None => TOLD_TO_LEAVE,
                }),
                _ => JobError::of(&kind),
            };
            JobEvent::Ended {
                status,
                prompt,
                told: stopped != Some(Stopped::ForReply),
                more,
                session_id,
                result: None,
                error: Some(JobError { partial_reply, ..error }),
                usage: None,
                session_usage: None,
                warnings,
                output: None,
                effective: None,
            }
        }
    }
}

fn status(kind: &FailureKind, stopped: Option<Stopped>) -> Status {
    match (kind.sort(), stopped) {
        (Sort::Cancelled(CancelledBy::Shutdown), _)
        | (Sort::Cancelled(CancelledBy::Caller), Some(Stopped::ForReply)) => Status::Interrupted,
        (Sort::Cancelled(CancelledBy::Caller), _) => Status::Cancelled,
        (Sort::TimedOut, _) => Status::TimedOut,
        (Sort::Refused | Sort::Failed, _) => Status::Failed,
    }
}
