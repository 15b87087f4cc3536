//! A call from its place in line to the exit of its process.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::advice;
use super::attempt::{Attempt, End, Watched, Why};
use super::call::Call;
use super::classify;
use super::clock::Clock;
use super::plan::Plan;
use super::scheduling::Scheduling;
use super::tap::{Tap, Taps};
use super::tokens::{Before, Count, split};
use crate::codex::backend::{Exit, Launch};
use crate::codex::command::{Invocation, Session};
use crate::codex::error_kind::ErrorKind;
use crate::codex::exec::Exec;
use crate::codex::resume_list;
use crate::codex::transcript::{Terminal, Transcript};
use crate::codex::version::Version;
use crate::model::effective::Effective;
use crate::model::event::Event;
use crate::model::limits::Limits;
use crate::model::outcome::{Answer, Failure, FailureKind};
use crate::model::policy;
use crate::model::sandbox::SandboxChoice;
use crate::model::session_id::SessionId;
use crate::model::text;
use crate::model::text::LineBreaks;
use crate::model::usage::Usage;
use crate::session::queue::{Place, Waiting};
use crate::session::{holder, last};
use crate::system::bounded::blocking;

/// How long to wait before Codex is started again in a session that it refused, at first and at most.
const BUSY_RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));

/// How long a place is kept for a session to be put into Codex's list.
const LIST_WITHIN: Duration = Duration::from_secs(10);

/// How long an answer waits to know where its turn worked.
const LOOK_WITHIN: Duration = Duration::from_secs(10);

/// How long an error waits for who is in the way.
const HOLDER_WITHIN: Duration = Duration::from_secs(2);

/// A warning.
const UNRECORDED: &str =
    "Codex keeps no record of this session, because of --ephemeral: nobody can go on in it.";

type Result<T> = std::result::Result<T, FailureKind>;

impl Call {
    /// Runs the call. The outcome goes to `answer` as soon as there is one; this goes on until the
    /// process is gone, and only then lets the next call into the session.
    ///
    /// A turn that is taken down may wait for its place as long as it takes: its limits count from
    /// there.
    pub(crate) async fn run(
        mut self,
        mut waiting: Waiting,
        mut taps: Taps,
        scheduling: Scheduling,
        events: mpsc::Sender<Event>,
        answer: oneshot::Sender<std::result::Result<Answer, Box<Failure>>>,
    ) {
        let settings = &self.shared.settings;
        let limits = Limits {
            total: self.request.total.unwrap_or(settings.limits.total),
            idle: self.request.idle.unwrap_or(settings.limits.idle),
        };
        let mut clock = Clock::new(limits, self.began);
        match self.wait(&clock, waiting.accepted()).await {
            Ok(Ok(())) => {}
            Ok(Err(full)) => {
                let kind =
                    FailureKind::TooManyCalls { running: full.running, waiting: full.waiting };
                // The caller does not know the one that was found, and may be kept from it.
                let named = self.request.session.filter(|_| !self.request.session_from_last);
                return drop(answer.send(Err(Failure::of(kind, named))));
            }
            Err(kind) => return drop(answer.send(Err(Failure::of(kind, None)))),
        }
        if tracing::enabled!(tracing::Level::DEBUG) {
            let in_front = waiting.in_front().await;
            if !in_front.is_empty() {
                tracing::debug!(in_front, "waiting for its turn");
            }
        }
        // Before it waits, so that nothing is told of who else is in the session.
        let checked = self.wait(&clock, self.check_named()).await.flatten();
        let checked = match checked {
            Ok(()) => self.wait(&clock, self.check_session()).await.flatten(),
            unusable => unusable,
        };
        if let Err(kind) = checked {
            return drop(answer.send(Err(Failure::of(kind, None))));
        }
        let place = if scheduling.counts_waiting() {
            self.wait(&clock, waiting.place()).await
        } else {
            self.wait_freely(waiting.place()).await
        };
        if !scheduling.counts_waiting() {
            self.began = Instant::now();
            clock = Clock::new(limits, self.began);
        }
        let mut place = match place {
            Ok(place) => place,
            Err(mut kind) => {
                if let FailureKind::TimedOut { in_front, .. } = &mut kind {
                    *in_front = waiting.in_front().await;
                }
                return drop(answer.send(Err(Failure::of(kind, self.request.session))));
            }
        };
        let mut running = None;
        let outcome = self
            .conduct(&mut clock, &mut place, &events, &mut taps, &scheduling, &mut running)
            .await;
        if let Err(failure) = &outcome {
            let session = failure.session_id.map(tracing::field::display);
            tracing::info!(session, kind = failure.kind.code(), "turn not completed");
        }
        let session = match &outcome {
            Ok(answer) => Some(answer.session_id),
            Err(failure) => failure.session_id,
        };
        drop(answer.send(outcome));
        drop(events);
        if let Some(running) = running {
            running.leave(&self.cancel).await;
            self.list(session).await;
        }
        scheduling.end_recorded().await;
        drop(place);
    }

    /// Puts a session that this call has begun into Codex's own list, if that is wanted. Nobody waits
    /// for that but the next call of the session.
    async fn list(&self, session: Option<SessionId>) {
        let (Some(session), Some(home)) = (session, self.shared.codex_home.clone()) else { return };
        if !self.shared.settings.list_sessions || self.request.continued_session().is_some() {
            return;
        }
        // Once it was given up, somebody else may have the session's place.
        let given_up = CancellationToken::new();
        let _guard = given_up.clone().drop_guard();
        let is_written = move |home: &Path| {
            given_up.is_cancelled() || holder::is_written(home, session) == Some(true)
        };
        let list = move || resume_list::add(&home, session, || is_written(&home));
        match blocking(LIST_WITHIN, list).await {
            Some(Ok(())) => tracing::debug!(%session, "the session is in Codex's list"),
            Some(Err(reason)) => tracing::debug!(%session, %reason, "the session is not listed"),
            None => tracing::debug!(%session, "the session is not listed in time"),
        }
    }

    async fn conduct(
        &self,
        clock: &mut Clock,
        place: &mut Place,
        events: &mpsc::Sender<Event>,
        taps: &mut Taps,
        scheduling: &Scheduling,
        running: &mut Option<Attempt<Exec>>,
    ) -> std::result::Result<Answer, Box<Failure>> {
        let asked = self.request.continued_session();
        let failure = |kind| Failure::of(kind, asked);
        let busy_until = Instant::now() + self.shared.settings.busy_wait;
        let mut pause = BUSY_RETRY.0;
        let mut locked_out = false;
        loop {
            // Anew for each attempt: whoever had the session may have changed what it is like.
            let checked = self.wait(clock, self.check_session()).await.map_err(failure)?;
            checked.map_err(|kind| Failure::of(kind, None))?;
            let plan = self.settled(clock, place, scheduling).await.map_err(failure)?;
            let not_recorded =
                |error: io::Error| failure(FailureKind::NotRecorded { reason: error.to_string() });
            taps.starting(plan.working_dir.as_path()).map_err(not_recorded)?;
            let attempt = running.insert(self.start(&plan, clock).map_err(failure)?);
            let pid = attempt.pid();
            if let Err(error) = taps.launched(pid) {
                *running = None;
                return Err(not_recorded(error));
            }
            let mut opened = |session| self.opened(session, place, &plan, pid);
            let watched = Watched {
                clock,
                cancel: &self.cancel,
                resumes: asked,
                taps,
                events,
                on_session: &mut opened,
            };
            let end = attempt.run(watched).await;
            let mut transcript = std::mem::take(&mut attempt.transcript);
            let refused = classify::refused(&end, &transcript);
            if refused == Some(ErrorKind::DatabaseLocked) && !locked_out {
                *running = None;
                locked_out = true;
                tracing::debug!("another Codex has the database locked");
                self.wait(clock, sleep(pause)).await.map_err(failure)?;
                continue;
            }
            if let (Some(session), Some(ErrorKind::ActiveWriter)) = (asked, refused) {
                *running = None;
                tracing::debug!(%session, "another process has the session open");
                if Instant::now() + pause > busy_until {
                    return Err(failure(self.busy(self.holder(session).await)));
                }
                self.wait(clock, sleep(pause)).await.map_err(failure)?;
                pause = (pause * 2).min(BUSY_RETRY.1);
                continue;
            }
            let effective = self.complete(&mut transcript, &plan, taps).await;
            return self.outcome(end, transcript, plan, effective).await;
        }
    }

    /// A sentence part about who has the session open, if that can be found out soon.
    async fn holder(&self, session: SessionId) -> String {
        let Some(home) = self.shared.codex_home.clone() else { return String::new() };
        let describe = move || holder::describe_writer(&home, session);
        blocking(HOLDER_WITHIN, describe).await.unwrap_or_default()
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
            prompt: &self.request.prompt,
            watchdog: &self.shared.watchdog,
        };
        Attempt::start(&launch).map_err(|error| classify::not_started(&plan.program, &error))
    }

    /// Codex has opened the session: from now on it is known, logged, and taken.
    ///
    /// Says, for a session that was begun, when other servers know that it is taken.
    fn opened(
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

    async fn outcome(
        &self,
        end: End,
        mut transcript: Transcript,
        plan: Plan,
        effective: Option<Effective>,
    ) -> std::result::Result<Answer, Box<Failure>> {
        let refusal = self.refusal(&transcript.denials, effective.as_ref(), &plan);
        let notices = transcript.take_warnings();
        let refused = &transcript.denials;
        let no_sandbox = advice::not_run(&refused.not_run, refused.patches);
        let opened = transcript.thread_id.as_ref().and_then(|id| id.parse::<SessionId>().ok());
        let session = self.request.continued_session().or(opened);
        let tokens = match &end {
            End::Terminal(Terminal::Completed { usage: Some(usage) }) => {
                self.tokens(*usage, &plan).await
            }
            _ => (None, None),
        };
        if let Some(session) = opened.filter(|opened| Some(*opened) == session) {
            self.remember(session, &plan, tokens.1);
        }
        let looser = match (&end, &effective) {
            (End::Terminal(Terminal::Completed { .. }), Some(effective)) => {
                self.looser(effective, &plan).await
            }
            _ => None,
        };
        let kind = match (end, session) {
            (End::Terminal(Terminal::Completed { .. }), Some(session_id)) => match looser {
                Some(looser) => looser,
                None => {
                    let stricter = effective.as_ref().and_then(|got| stricter(got, &plan));
                    let mut answer = answer(session_id, transcript, plan, tokens);
                    if !self.is_recorded() {
                        answer.is_recorded = false;
                        answer.warnings.push(UNRECORDED.into());
                    }
                    answer.no_sandbox = no_sandbox.is_some();
                    answer.warnings.extend(
                        no_sandbox.into_iter().chain(refusal).chain(stricter).chain(notices),
                    );
                    answer.effective = effective;
                    self.read_output(&mut answer);
                    return Ok(answer);
                }
            },
            (End::Terminal(Terminal::Completed { .. }), None) => FailureKind::NoResult {
                status: "it completed a turn".into(),
                reason: "it did not say in which session".into(),
            },
            (End::Terminal(Terminal::Failed { message }), session) => {
                classify::failed(&message, self.known(session))
            }
            (End::Stopped(Why::Limit(limit)), _) => {
                FailureKind::TimedOut { limit, started: true, in_front: String::new() }
            }
            (End::Stopped(Why::Cancelled), _) => self.cancelled(),
            (End::Stopped(Why::NotRecorded { reason }), _) => FailureKind::NotRecorded { reason },
            (End::Stopped(Why::AnotherSession { got }), Some(asked)) => {
                FailureKind::AnotherSession { asked, got }
            }
            (End::Stopped(Why::AnotherSession { got }), None) => FailureKind::Internal {
                message: format!("Codex answered in session {got}, and none was asked for"),
            },
            (End::Exited(Exit { status, stderr }), session) => {
                let known = self.known(session.or(self.request.session));
                classify::exited(status, &stderr, transcript.last_error.as_deref(), known)
            }
        };
        let known = !matches!(kind, FailureKind::SessionNotFound { .. });
        Err(Box::new(Failure {
            kind,
            session_id: session.filter(|_| known && self.is_recorded()),
            partial_reply: transcript.reply,
            working_dir: Some(plan.working_dir.as_path().to_owned()),
            warnings: no_sandbox.into_iter().chain(refusal).chain(notices).collect(),
        }))
    }

    /// Whether Codex keeps a record of the session: of one that it was given it has one.
    fn is_recorded(&self) -> bool {
        !self.request.options.is_ephemeral() || self.request.session.is_some() && !self.request.fork
    }

    fn known(&self, session: Option<SessionId>) -> classify::Known<'_> {
        classify::Known { session, codex_home: self.shared.codex_home.as_deref() }
    }

    /// What was in force, if it is more than the turn was to have.
    async fn looser(&self, effective: &Effective, plan: &Plan) -> Option<FailureKind> {
        let (policy, got) = (Arc::clone(&self.policy), effective.clone());
        let breach = blocking(LOOK_WITHIN, move || policy.violation(&got)).await;
        // What cannot be found out may be so.
        let unknown = || Some("the directory cannot be looked at".into());
        if let Some(breach) = breach.unwrap_or_else(unknown) {
            return Some(FailureKind::LooserThanAllowed { breach });
        }
        let excess = policy::excess_permission(plan.most, effective)?;
        Some(FailureKind::LooserThanAsked { excess })
    }

    /// Reads the reply as JSON, if that is what was asked for.
    fn read_output(&self, answer: &mut Answer) {
        if self.request.options.output_schema.is_none() {
            return;
        }
        answer.output = serde_json::from_str(&answer.reply).ok();
        if answer.output.is_none() {
            answer.warnings.push(
                "The reply is not the JSON that its output_schema asks for: it stands as it is."
                    .into(),
            );
        }
    }

    async fn tokens(&self, reported: Usage, plan: &Plan) -> (Option<Usage>, Option<Usage>) {
        let before = match (self.request.session, plan.known.usage) {
            (None, _) => Before::NewSession,
            (Some(_), Some(total)) => Before::Total(total),
            (Some(_), None) => Before::Unknown,
        };
        // Only versions that count the session's tokens (0.153 and later) report these.
        let newer = reported.reasoning_output_tokens.is_some() || before == Before::NewSession;
        let count = match if newer { None } else { plan.version } {
            Some(version) if version < Version::SESSION_USAGE => Count::Call,
            _ => Count::Session,
        };
        split(reported, count, before)
    }

    fn remember(&self, session: SessionId, plan: &Plan, usage: Option<Usage>) {
        let mut known = plan.known.clone();
        if self.request.fork {
            known = known.of_copy();
        }
        match self.request.sandbox {
            // What such a turn ran with is nothing that a later one should inherit.
            SandboxChoice::Once(_) if known.settled => {}
            SandboxChoice::Once(_) => {
                known.working_dir = Some(plan.working_dir.as_path().to_owned());
            }
            SandboxChoice::Inherit | SandboxChoice::Set(_) => {
                known.working_dir = Some(plan.working_dir.as_path().to_owned());
                known.sandbox = plan.sandbox;
            }
        }
        known.settled = true;
        known.usage = usage.or(known.usage);
        self.shared.sessions.remember(session, known);
    }

    fn busy(&self, holder: String) -> FailureKind {
        FailureKind::SessionBusy { holder, waited: self.shared.settings.busy_wait }
    }
}

/// A warning, if less was in force than was asked for.
fn stricter(effective: &Effective, plan: &Plan) -> Option<String> {
    let (got, asked) = (effective.sandbox?, plan.sandbox?);
    (got < asked).then(|| {
        format!(
            "The turn ran in the sandbox {}, although it was to run in {}: something on this machine, \
             such as Codex's requirements.toml or managed_config.toml, allows no more.",
            got.as_str(),
            asked.as_str()
        )
    })
}

fn answer(
    session_id: SessionId,
    transcript: Transcript,
    plan: Plan,
    (usage, session_usage): (Option<Usage>, Option<Usage>),
) -> Answer {
    // They have names from outside in them.
    let mut warnings: Vec<String> =
        plan.warnings.iter().map(|warning| text::sanitize(warning, LineBreaks::Escape)).collect();
    if transcript.skipped_after_reply {
        warnings.push(format!(
            "Codex printed an event of {} bytes, which is more than is read here. If the reply is not \
             whole, the whole is in the session.",
            transcript.longest_skipped
        ));
    } else if transcript.reply.as_ref().is_none_or(|reply| reply.trim().is_empty()) {
        warnings.push("Codex completed the turn without a message.".into());
    }
    Answer {
        session_id,
        is_recorded: true,
        no_sandbox: false,
        reply: transcript.reply.unwrap_or_default(),
        output: None,
        effective: None,
        working_dir: plan.working_dir.as_path().to_owned(),
        usage,
        session_usage,
        warnings,
    }
}
