//! The turns of one job: prompts are taken out of its inbox and run, and their ends are written down.

use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::ending::{Outcome, Stopped, TOLD_TO_LEAVE, ending, not_begun};
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

/// The turns of a job that wait or run in this process.
pub(super) struct Work {
    folder: Folder,
    writer: SharedWriter,
    codex: Codex,
    /// Wakes this process when the session is known, for prompts that wait for that.
    rung: Arc<Notify>,
    active: Vec<Active>,
    outcomes: JoinSet<(Uuid, Outcome)>,
    /// The process was told to leave.
    pub(super) leaving: bool,
    /// Why nothing more can be written down.
    trouble: Option<String>,
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

    pub(super) async fn run(&mut self, signals: &mut Signals, bell: &Bell) -> io::Result<()> {
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
        session: Option<SessionId>,
    ) -> io::Result<()> {
        ask.session_id = session.or(ask.session_id);
        // There is a copy.
        ask.fork &= session.is_none();
        let interrupt = ask.interrupt;
        let number = Arc::default();
        let (_ending, end_written) = oneshot::channel();
        let recorder = TurnRecorder::new(
            self.writer.clone(),
            Arc::clone(&number),
            id,
            Arc::clone(&self.rung),
            end_written,
        );
        let cancel = CancellationToken::new();
        let mut active = Active { id, number, cancel, stopped: None, _ending };
        match ask.into_request() {
            Ok((request, policy)) => {
                let turn =
                    self.codex.start_recorded(request, policy, Box::new(recorder), interrupt);
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

impl Active {
    fn stop(&mut self, why: Stopped) {
        self.stopped.get_or_insert(why);
        self.cancel.cancel();
    }
}
