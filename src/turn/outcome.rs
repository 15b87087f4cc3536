//! From the end of a run to the outcome of its turn.

use std::sync::Arc;
use std::time::Duration;

use super::advice;
use super::attempt::{End, Why};
use super::call::Call;
use super::classify;
use super::plan::Plan;
use super::tokens::{Before, Count, split};
use super::warnings;
use crate::codex::backend::Exit;
use crate::codex::transcript::{Terminal, Transcript};
use crate::codex::version::Version;
use crate::model::effective::Effective;
use crate::model::outcome::{Answer, Failure, FailureKind};
use crate::model::policy;
use crate::model::sandbox::SandboxChoice;
use crate::model::session_id::SessionId;
use crate::model::usage::Usage;
use crate::system::bounded::blocking;

/// How long an answer waits to learn where its turn worked.
const RESOLVE_WITHIN: Duration = Duration::from_secs(10);

impl Call {
    /// The outcome of a run that ended so, and of which Codex's record says that this was in force.
    pub(super) async fn outcome(
        &self,
        end: End,
        mut transcript: Transcript,
        plan: Plan,
        effective: Option<Effective>,
    ) -> Result<Answer, Box<Failure>> {
        let refusal = self.refusal_warning(&transcript.denials, effective.as_ref(), &plan);
        let unread = warnings::unread_instructions(&plan).await;
        let notices: Vec<String> = transcript.take_warnings().into_iter().chain(unread).collect();
        let refused = &transcript.denials;
        let no_sandbox = advice::not_run(&refused.not_run, refused.patches);
        let opened = transcript.thread_id.as_ref().and_then(|id| id.parse::<SessionId>().ok());
        let session = self.request.continued_session().or(opened);
        let tokens = match &end {
            End::Terminal(Terminal::Completed { usage: Some(usage) }) => self.tokens(*usage, &plan),
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
        let reported = match &end {
            End::Terminal(Terminal::Failed { message }) => Some(message.clone()),
            End::Terminal(Terminal::Completed { .. }) | End::Stopped(_) | End::Exited(_) => None,
        };
        let kind = match (end, session) {
            (End::Terminal(Terminal::Completed { .. }), Some(session_id)) => match looser {
                Some(looser) => looser,
                None => {
                    let stricter =
                        effective.as_ref().and_then(|got| warnings::stricter(got, plan.sandbox));
                    let mut answer = answer(session_id, transcript, plan, tokens);
                    if !self.is_recorded() {
                        answer.is_recorded = false;
                        answer.warnings.push(warnings::UNRECORDED.into());
                    }
                    answer.no_sandbox = no_sandbox.is_some();
                    answer.warnings.extend(
                        no_sandbox.into_iter().chain(refusal).chain(stricter).chain(notices),
                    );
                    answer.effective = effective;
                    self.parse_output(&mut answer);
                    return Ok(answer);
                }
            },
            (End::Terminal(Terminal::Completed { .. }), None) => FailureKind::NoResult {
                status: "a turn was completed".into(),
                reason: "Codex reported no session id".into(),
            },
            (End::Terminal(Terminal::Failed { message }), session) => {
                classify::failed(&message, self.context(session))
            }
            (End::Stopped(why), session) => self.stopped(why, session),
            (End::Exited(Exit { status, stderr }), session) => {
                let context = self.context(session.or(self.request.session));
                classify::exited(status, &stderr, transcript.last_error.as_deref(), context)
            }
        };
        let exists = !matches!(kind, FailureKind::SessionNotFound { .. });
        Err(Box::new(Failure {
            kind,
            session_id: session.filter(|_| exists && self.is_recorded()),
            reported,
            files_changed: transcript.take_changed_files(),
            partial_reply: transcript.reply,
            working_dir: Some(plan.working_dir.as_path().to_owned()),
            warnings: no_sandbox.into_iter().chain(refusal).chain(notices).collect(),
        }))
    }

    fn stopped(&self, why: Why, session: Option<SessionId>) -> FailureKind {
        match (why, session) {
            (Why::Limit(limit), _) => {
                FailureKind::TimedOut { limit, started: true, ahead: String::new() }
            }
            (Why::Cancelled, _) => self.cancelled(),
            (Why::NotRecorded { reason }, _) => FailureKind::NotRecorded { reason },
            (Why::AnotherSession { got }, Some(requested)) => {
                FailureKind::AnotherSession { requested, got }
            }
            (Why::AnotherSession { got }, None) => FailureKind::Internal {
                message: format!("Codex answered in session {got}, but none was requested"),
            },
        }
    }

    /// Whether Codex has a record of the session: always of one that it resumed.
    pub(super) fn is_recorded(&self) -> bool {
        !self.request.options.is_ephemeral() || self.request.session.is_some() && !self.request.fork
    }

    fn context(&self, session: Option<SessionId>) -> classify::Context<'_> {
        classify::Context { session, codex_home: self.shared.codex_home.as_deref() }
    }

    /// The failure, if more was in force than the turn may have.
    async fn looser(&self, effective: &Effective, plan: &Plan) -> Option<FailureKind> {
        let (policy, got) = (Arc::clone(&self.policy), effective.clone());
        let breach = blocking(RESOLVE_WITHIN, move || policy.violation(&got)).await;
        // What cannot be ruled out counts as a breach.
        let unknown = || Some("the directory cannot be checked".into());
        if let Some(breach) = breach.unwrap_or_else(unknown) {
            return Some(FailureKind::LooserThanAllowed { breach });
        }
        let excess = policy::excess_permission(plan.most, effective)?;
        Some(FailureKind::LooserThanAsked { excess })
    }

    /// Parses the reply as JSON, if the request has a schema for it.
    fn parse_output(&self, answer: &mut Answer) {
        if self.request.options.output_schema.is_none() {
            return;
        }
        answer.output = serde_json::from_str(&answer.reply).ok();
        if answer.output.is_none() {
            answer.warnings.push(
                "The reply is not JSON, although output_schema was set. It is returned unchanged."
                    .into(),
            );
        }
    }

    /// The tokens of the turn and of its session.
    fn tokens(&self, reported: Usage, plan: &Plan) -> (Option<Usage>, Option<Usage>) {
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

    /// Remembers what the next turn of the session inherits.
    fn remember(&self, session: SessionId, plan: &Plan, usage: Option<Usage>) {
        let mut known = plan.known.clone();
        if self.request.fork {
            known = known.of_copy();
        }
        match self.request.sandbox {
            // No later turn inherits from one that was for once only.
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
}

fn answer(
    session_id: SessionId,
    mut transcript: Transcript,
    plan: Plan,
    (usage, session_usage): (Option<Usage>, Option<Usage>),
) -> Answer {
    let mut warnings = warnings::of_plan(&plan);
    warnings.extend(warnings::of_reply(&transcript));
    Answer {
        session_id,
        is_recorded: true,
        no_sandbox: false,
        files_changed: transcript.take_changed_files(),
        reply: transcript.reply.unwrap_or_default(),
        output: None,
        effective: None,
        working_dir: plan.working_dir.as_path().to_owned(),
        usage,
        session_usage,
        warnings,
    }
}
