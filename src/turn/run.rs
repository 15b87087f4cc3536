//! Runs a call, from its entry in the queue to the exit of its process.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::attempt::{Attempt, Watched};
use super::call::Call;
use super::classify;
use super::clock::Clock;
use super::plan::Plan;
use super::scheduling::Scheduling;
use super::tap::{Tap, Taps};
use crate::codex::backend::Launch;
use crate::codex::command::{Invocation, Session};
use crate::codex::error_kind::ErrorKind;
use crate::codex::exec::Exec;
use crate::codex::resume_list;
use crate::model::event::Event;
use crate::model::outcome::{Answer, Failure, FailureKind};
use crate::model::session_id::SessionId;
use crate::session::queue::{Place, Waiting};
use crate::session::{holder, last};
use crate::system::bounded::blocking;

/// How long to wait before Codex is started again in a session that it refused, at first and at most.
const BUSY_RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));

/// How long a place is held for a session to be put into Codex's list.
const LIST_WITHIN: Duration = Duration::from_secs(10);

/// How long an error waits to learn who has the session open.
const HOLDER_WITHIN: Duration = Duration::from_secs(2);

type Result<T> = std::result::Result<T, FailureKind>;
type Outcome = std::result::Result<Answer, Box<Failure>>;

/// One run of a call.
pub(super) struct Run {
    pub(super) clock: Clock,
    pub(super) scheduling: Scheduling,
    pub(super) taps: Taps,
    /// The listener.
    pub(super) events: mpsc::Sender<Event>,
}

impl Call {
    /// Runs the call. The outcome goes to `answer` as soon as there is one; this continues until the
    /// process is gone, and only then releases the place.
    pub(super) async fn run(
        self,
        mut waiting: Waiting,
        mut run: Run,
        answer: oneshot::Sender<Outcome>,
    ) {
        let mut place = match self.admit(&mut waiting, &mut run).await {
            Ok(place) => place,
            Err(failure) => return drop(answer.send(Err(failure))),
        };
        let mut attempt = None;
        let outcome = self.run_codex(&mut run, &mut place, &mut attempt).await;
        if let Err(failure) = &outcome {
            let session = failure.session_id.map(tracing::field::display);
            tracing::info!(session, kind = failure.kind.code(), "turn not completed");
        }
        let session = match &outcome {
            Ok(answer) => Some(answer.session_id),
            Err(failure) => failure.session_id,
        };
        drop(answer.send(outcome));
        let Run { scheduling, taps: _taps, events, .. } = run;
        drop(events);
        if let Some(attempt) = attempt {
            // The answer is written first: the end of a process takes several system calls.
            tokio::task::yield_now().await;
            attempt.leave(&self.cancel).await;
            self.list(session).await;
        }
        scheduling.end_recorded().await;
        drop(place);
    }

    /// Waits until the call has its place. Refuses it before the wait where possible.
    async fn admit(
        &self,
        waiting: &mut Waiting,
        Run { clock, scheduling, .. }: &mut Run,
    ) -> std::result::Result<Place, Box<Failure>> {
        let unnamed = |kind| Failure::of(kind, None);
        let accepted = self.wait(clock, waiting.accepted()).await.map_err(unnamed)?;
        accepted.map_err(|full| {
            let kind = FailureKind::TooManyCalls { running: full.running, waiting: full.waiting };
            // The caller does not know the session that was found, and may not be allowed to.
            let named = self.request.session.filter(|_| !self.request.session_from_last);
            Failure::of(kind, named)
        })?;
        if tracing::enabled!(tracing::Level::DEBUG) {
            let in_front = waiting.in_front().await;
            if !in_front.is_empty() {
                tracing::debug!(in_front, "waiting for its turn");
            }
        }
        // Before it waits, so that the wait reveals nothing about other callers of the session.
        self.wait(clock, self.check_paths()).await.flatten().map_err(unnamed)?;
        self.wait(clock, self.check_session()).await.flatten().map_err(unnamed)?;
        let place = if scheduling.counts_waiting() {
            self.wait(clock, waiting.place()).await
        } else {
            let place = self.wait_unlimited(waiting.place()).await;
            clock.restart(Instant::now());
            place
        };
        match place {
            Ok(place) => Ok(place),
            Err(mut kind) => {
                if let FailureKind::TimedOut { ahead, .. } = &mut kind {
                    *ahead = waiting.in_front().await;
                }
                Err(Failure::of(kind, self.request.session))
            }
        }
    }

    /// Runs Codex until there is an outcome. Starts it again for a bounded time while another process has
    /// the session open, and once if the database was locked.
    async fn run_codex(
        &self,
        run: &mut Run,
        place: &mut Place,
        attempt: &mut Option<Attempt<Exec>>,
    ) -> Outcome {
        let resumes = self.request.continued_session();
        let failure = |kind| Failure::of(kind, resumes);
        let not_recorded =
            |error: io::Error| failure(FailureKind::NotRecorded { reason: error.to_string() });
        let busy_until = Instant::now() + self.shared.settings.busy_wait;
        let mut pause = BUSY_RETRY.0;
        let mut was_locked = false;
        loop {
            // Checked and planned again each time: the process that had the session open may have changed it.
            let checked = self.wait(&run.clock, self.check_session()).await.map_err(failure)?;
            checked.map_err(|kind| Failure::of(kind, None))?;
            let plan =
                self.settle(&mut run.clock, place, &run.scheduling).await.map_err(failure)?;
            run.taps.recorded_in(&self.record_place(&plan));
            run.taps.starting(plan.working_dir.as_path()).map_err(not_recorded)?;
            let current = attempt.insert(self.start(&plan, &mut run.clock).map_err(failure)?);
            let pid = current.pid();
            if let Err(error) = run.taps.launched(pid) {
                *attempt = None;
                return Err(not_recorded(error));
            }
            let mut on_session = |session| self.session_opened(session, place, &plan, pid);
            let watched = Watched {
                clock: &mut run.clock,
                cancel: &self.cancel,
                resumes,
                taps: &mut run.taps,
                events: &run.events,
                on_session: &mut on_session,
            };
            let end = current.run(watched).await;
            let mut transcript = std::mem::take(&mut current.transcript);
            let refused = classify::refused(&end, &transcript);
            if refused == Some(ErrorKind::DatabaseLocked) && !was_locked {
                *attempt = None;
                was_locked = true;
                tracing::debug!("another Codex has the database locked");
                self.wait(&run.clock, sleep(pause)).await.map_err(failure)?;
                continue;
            }
            if let (Some(session), Some(ErrorKind::ActiveWriter)) = (resumes, refused) {
                *attempt = None;
                tracing::debug!(%session, "another process has the session open");
                if Instant::now() + pause > busy_until {
                    return Err(failure(self.busy(session).await));
                }
                self.wait(&run.clock, sleep(pause)).await.map_err(failure)?;
                pause = (pause * 2).min(BUSY_RETRY.1);
                continue;
            }
            let effective = self.complete(&mut transcript, &plan, &mut run.taps).await;
            return self.outcome(end, transcript, plan, effective).await;
        }
    }

    fn start(&self, plan: &Plan, clock: &mut Clock) -> Result<Attempt<Exec>> {
        let invocation = Invocation {
            working_dir: &plan.working_dir,
            sandbox: plan.sandbox,
            ignore_rules: plan.confined,
            defaults: &plan.defaults,
            imposed: &plan.imposed,
            options: &plan.options,
            files: &plan.scratch.files,
            session: match self.request.session {
                None => Session::New,
                Some(session) if self.request.fork => Session::Fork(session),
                Some(session) => Session::Resume(session),
            },
            version: plan.version,
        };
        clock.event(Instant::now(), false);
        let launch = Launch {
            program: &plan.program,
            invocation,
            prompt: plan.prompt.as_ref().unwrap_or(&self.request.prompt),
            watchdog: &self.shared.watchdog,
        };
        Attempt::start(&launch).map_err(|error| classify::not_started(&plan.program, &error))
    }

    /// Remembers, logs and takes the session that Codex has opened. Returns, for a new session, what
    /// resolves when other servers know that it is taken.
    fn session_opened(
        &self,
        session: SessionId,
        place: &mut Place,
        plan: &Plan,
        pid: u32,
    ) -> Option<oneshot::Receiver<()>> {
        if let Some(state_dir) =
            self.shared.settings.state_dir.clone().filter(|_| self.is_recorded())
        {
            let dir = plan.working_dir.as_path().to_owned();
            drop(tokio::task::spawn_blocking(move || last::remember(&state_dir, &dir, session)));
        }
        let cwd = plan.working_dir.as_path().display();
        if self.request.continued_session().is_some() {
            tracing::info!(%session, pid, %cwd, "session resumed");
            return None;
        }
        tracing::info!(%session, pid, %cwd, "session started");
        Some(place.adopt(session))
    }

    /// Another process has the session open, and did not close it in time.
    async fn busy(&self, session: SessionId) -> FailureKind {
        let holder = match self.shared.codex_home.clone() {
            Some(home) => {
                let describe = move || holder::describe_writer(&home, session);
                blocking(HOLDER_WITHIN, describe).await.unwrap_or_default()
            }
            None => String::new(),
        };
        FailureKind::SessionBusy { holder, waited: self.shared.settings.busy_wait }
    }

    /// Puts a session that this call started into Codex's own list, if the settings say so. Only the next
    /// call of the session waits for that.
    async fn list(&self, session: Option<SessionId>) {
        let (Some(session), Some(home)) = (session, self.shared.codex_home.clone()) else { return };
        if !self.shared.settings.list_sessions || self.request.continued_session().is_some() {
            return;
        }
        // Once this timed out, another call may have the session's place.
        let timed_out = CancellationToken::new();
        let _guard = timed_out.clone().drop_guard();
        let is_written = move |home: &Path| {
            timed_out.is_cancelled() || holder::is_written(home, session) == Some(true)
        };
        let list = move || resume_list::add(&home, session, || is_written(&home));
        match blocking(LIST_WITHIN, list).await {
            Some(Ok(())) => tracing::debug!(%session, "the session is in Codex's list"),
            Some(Err(reason)) => tracing::debug!(%session, %reason, "the session is not listed"),
            None => tracing::debug!(%session, "the session is not listed in time"),
        }
    }
}
