//! The turns of one job: takes prompts out of its inbox, runs them, and records how they end.

use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::ending::{Outcome, Stopped, TERMINATED, ending, not_started};
use crate::job::bell::Bell;
use crate::job::folder::{Folder, WriteLock};
use crate::job::inbox::QueuedPrompt;
use crate::job::record::JobEvent;
use crate::job::status::{JobError, Status};
use crate::job::store::Store;
use crate::job::writer::{Dismissed, SharedWriter, TurnRecorder};
use crate::model::job_id::JobId;
use crate::model::outcome::{CancelledBy, Failure, FailureKind};
use crate::model::session_id::SessionId;
use crate::system::private::read_whole;
use crate::system::signals::Signals;
use crate::turn::Codex;
use crate::turn::scheduling::Scheduling;
use crate::turn::tap::Taps;

/// The turns of the job that wait or run in this process.
pub(super) struct Work {
    folder: Folder,
    writer: SharedWriter,
    codex: Codex,
    /// Wakes this process when the session is known, for prompts that wait for that.
    rung: Arc<Notify>,
    active: Vec<Active>,
    outcomes: JoinSet<(Uuid, Outcome)>,
    /// Whether a signal ends this process.
    pub(super) leaving: bool,
    /// Why nothing more can be recorded.
    write_error: Option<String>,
}

impl Work {
    pub(super) fn begin(
        store: &Store,
        folder: &Folder,
        job: JobId,
        lock: WriteLock,
        codex: Codex,
        bell: &Bell,
    ) -> io::Result<Self> {
        let state = store.recover(folder, job)?;
        let mut writer = store.writer(folder, state, lock)?;
        writer.claim()?;
        // The last end of the job may have used it up.
        folder.ensure_reserve()?;
        Ok(Self {
            folder: folder.clone(),
            writer: SharedWriter::new(writer),
            codex,
            rung: bell.notifier(),
            active: Vec::new(),
            outcomes: JoinSet::new(),
            leaving: false,
            write_error: None,
        })
    }

    pub(super) async fn run(&mut self, signals: &mut Signals, bell: &Bell) -> io::Result<()> {
        if let Err(error) = self.work(signals, bell).await {
            let abandoned = self.abandon(&error).await;
            // Their ends will not be recorded.
            self.active.clear();
            return abandoned.and(Err(error));
        }
        if self.leaving {
            self.dismiss_queued(|| (Status::Interrupted, JobError::not_started(TERMINATED)))?;
        }
        self.folder.clear_cancel()?;
        self.writer.lock().sync()
    }

    async fn work(&mut self, signals: &mut Signals, bell: &Bell) -> io::Result<()> {
        loop {
            if !self.leaving {
                self.check_for_cancel()?;
                self.take_prompts()?;
            }
            if self.active.is_empty() {
                break;
            }
            tokio::select! {
                biased;
                signal = signals.next(), if !self.leaving => {
                    tracing::info!(signal = signal.name, "shutting down");
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
                    writer.retry_notifications();
                }
            }
        }
        Ok(())
    }

    /// Records that the prompts in the inbox will not be started.
    fn dismiss_queued(&self, why: impl Fn() -> (Status, JobError)) -> io::Result<()> {
        let mut writer = self.writer.lock();
        let queued_prompts = self.folder.queued_prompts()?;
        for (at, (id, path)) in queued_prompts.iter().enumerate() {
            let text =
                read_whole::<QueuedPrompt>(path).map(|prompt| prompt.text).unwrap_or_default();
            let (status, error) = why();
            let more = !self.active.is_empty() || at + 1 < queued_prompts.len();
            writer.dismiss(Dismissed { id: *id, text, status, error }, more)?;
            fs::remove_file(path)?;
        }
        Ok(())
    }

    /// Stops the running turns because they cannot be recorded, and records that in the space that
    /// was set aside.
    async fn abandon(&mut self, error: &io::Error) -> io::Result<()> {
        let write_error = self.write_error.insert(error.to_string()).clone();
        for active in &self.active {
            active.cancel.cancel();
        }
        while let Some(ended) = self.outcomes.join_next().await {
            let (id, outcome) = ended.map_err(io::Error::other)?;
            self.ended(id, outcome)?;
        }
        let not_recorded = FailureKind::NotRecorded { reason: write_error };
        self.dismiss_queued(|| (Status::Failed, JobError::of(&not_recorded)))?;
        let mut writer = self.writer.lock();
        if writer.state().status.has_ended() {
            return Ok(());
        }
        let failure = Failure::of(not_recorded, None);
        writer.record_end(0, ending(None, Err(failure), None, false))
    }

    /// Starts or queues the prompts that have arrived.
    fn take_prompts(&mut self) -> io::Result<()> {
        for (id, path) in self.folder.queued_prompts()? {
            // Until its session is known, the first turn must be the only one.
            let session = self.writer.lock().state().session_id;
            if session.is_none() && !self.active.is_empty() {
                return Ok(());
            }
            let prompt: QueuedPrompt = match read_whole(&path) {
                Ok(prompt) => prompt,
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
                    JobEvent::Prompt { id, text: prompt.text.clone(), interrupt: prompt.interrupt };
                self.writer.lock().record(0, event)?;
            }
            fs::remove_file(path)?;
            if is_new {
                self.start(id, prompt, session)?;
            }
        }
        Ok(())
    }

    fn start(
        &mut self,
        id: Uuid,
        mut prompt: QueuedPrompt,
        session: Option<SessionId>,
    ) -> io::Result<()> {
        prompt.session_id = session.or(prompt.session_id);
        // The copy exists already.
        prompt.fork &= session.is_none();
        let interrupt = prompt.interrupt;
        let number = Arc::default();
        let (_ending, end_written) = oneshot::channel();
        let recorder =
            TurnRecorder::new(self.writer.clone(), Arc::clone(&number), id, Arc::clone(&self.rung));
        let cancel = CancellationToken::new();
        let mut active = Active { id, number, cancel, stopped: None, _ending };
        match prompt.into_request() {
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

    /// Stops everything, including what has not started, if the job was cancelled.
    fn check_for_cancel(&mut self) -> io::Result<()> {
        if !self.folder.is_cancel_requested() {
            return Ok(());
        }
        // Prompts that arrive from now on are new requests.
        self.take_prompts()?;
        self.folder.clear_cancel()?;
        let cancelled = FailureKind::Cancelled { by: CancelledBy::Caller };
        self.dismiss_queued(|| (Status::Cancelled, JobError::of(&cancelled)))?;
        for active in &mut self.active {
            active.stop(Stopped::Cancelled);
        }
        Ok(())
    }

    fn ended(&mut self, id: Uuid, outcome: Outcome) -> io::Result<()> {
        let at = self.active.iter().position(|active| active.id == id);
        let active = self.active.swap_remove(at.expect("only what is active ends"));
        let waiting =
            self.folder.queued_prompts().is_ok_and(|queued_prompts| !queued_prompts.is_empty());
        // When this process exits, or nothing can be recorded, the remaining prompts are dismissed
        // at the very end.
        let more = !self.active.is_empty() || waiting;
        let event = match (outcome, &self.write_error) {
            (Err(mut failure), Some(reason))
                if matches!(failure.kind, FailureKind::Cancelled { .. }) =>
            {
                failure.kind = FailureKind::NotRecorded { reason: reason.clone() };
                ending(Some(id), Err(failure), None, more)
            }
            (outcome, _) => ending(Some(id), outcome, active.stopped, more),
        };
        let number = active.number.load(Ordering::Relaxed);
        let event = if number == 0 { not_started(event) } else { event };
        self.writer.lock().record_end(number, event)
    }
}

/// A turn that waits or runs.
#[derive(Debug)]
struct Active {
    id: Uuid,
    /// Its number in the job once it runs.
    number: Arc<AtomicU64>,
    cancel: CancellationToken,
    stopped: Option<Stopped>,
    /// Dropped together with this when the end of the turn is recorded, so that the next one may
    /// start.
    _ending: oneshot::Sender<()>,
}

impl Active {
    fn stop(&mut self, why: Stopped) {
        self.stopped.get_or_insert(why);
        self.cancel.cancel();
    }
}
