//! What Codex has on record of a turn that has ended: what was in force, and what it did.

use std::time::Duration;

use super::call::Call;
use super::plan::Plan;
use super::tap::{Tap, Taps};
use crate::codex::rollout;
use crate::codex::sandbox_denials::SandboxDenials;
use crate::codex::transcript::Transcript;
use crate::codex::turn_record::{self, TurnRecord};
use crate::model::effective::Effective;
use crate::model::policy;
use crate::model::sandbox::{Sandbox, SandboxChoice};
use crate::model::session_id::SessionId;
use crate::system::bounded::blocking;

/// How long an answer waits for the record of its turn, of which some megabytes are read.
const RECORD_WITHIN: Duration = Duration::from_secs(10);

impl Call {
    /// Adds to the transcript, and has taken down, what Codex did and did not tell of. Returns what was
    /// in force in the turn, if the record says so.
    pub(super) async fn complete(
        &self,
        transcript: &mut Transcript,
        plan: &Plan,
        taps: &mut Taps,
    ) -> Option<Effective> {
        let opened: SessionId = transcript.thread_id.as_ref()?.parse().ok()?;
        // What another session than the one asked for has on record is nothing of this turn's.
        if self.request.continued_session().is_some_and(|asked| asked != opened) {
            return None;
        }
        let (effective, recorded) = self.read_record(opened, plan).await?;
        let untold = transcript.merge(recorded);
        let tapped = untold
            .iter()
            .try_for_each(|done| taps.event(&done.event(), done.line().as_bytes()))
            .and_then(|()| taps.flush());
        if let Err(error) = tapped {
            tracing::warn!(%error, "what Codex left out of its events is not recorded");
        }
        effective
    }

    /// Reads Codex's record of the turn. A turn may have none; what an earlier one had says nothing of
    /// it.
    async fn read_record(
        &self,
        session: SessionId,
        plan: &Plan,
    ) -> Option<(Option<Effective>, TurnRecord)> {
        let home = self.shared.codex_home.clone()?;
        // What is known of the original says nothing of its copy.
        let known = Some(&plan.known).filter(|_| !self.request.fork);
        let before = known.map_or(0, |known| known.recorded);
        let record = known.and_then(|known| known.record.clone());
        let read = move || {
            let record = record.or_else(|| rollout::find(&home, session))?;
            let effective = rollout::effective(&record, before).ok().flatten();
            let recorded = turn_record::read(&record, before).unwrap_or_else(|error| {
                tracing::debug!(%session, %error, "what Codex did is not read from its record");
                TurnRecord::default()
            });
            Some((effective, recorded))
        };
        let done = blocking(RECORD_WITHIN, read).await;
        if done.is_none() {
            tracing::warn!(%session, "Codex's record of the turn could not be read in time");
        }
        done?
    }

    /// A warning, if the sandbox refused something, with how to ask again.
    pub(super) fn refusal(
        &self,
        refused: &SandboxDenials,
        effective: Option<&Effective>,
        plan: &Plan,
    ) -> Option<String> {
        let first = refused.first.as_ref()?;
        if refused.not_run.count > 0 && refused.commands == 0 {
            // They are told with the commands that did not run.
            return None;
        }
        let sandbox = effective.and_then(|effective| effective.sandbox).or(plan.sandbox);
        let (sandbox, again) = match sandbox {
            None => ("The sandbox".into(), String::new()),
            Some(Sandbox::DangerFullAccess) => return None,
            Some(sandbox) => {
                let mut again = self.again(sandbox);
                if sandbox == Sandbox::WorkspaceWrite && refused.commands == 0 {
                    again += &format!(
                        " Patches fail so as well where no sandbox can be made: a person sees that by \
                         `{} doctor`.",
                        env!("CARGO_PKG_NAME")
                    );
                }
                (format!("The turn ran in the sandbox {}, which", sandbox.as_str()), again)
            }
        };
        let count = |count: u64, one: &str, more: &str| match count {
            0 => None,
            1 => Some(format!("1 {one}")),
            count => Some(format!("{count} {more}")),
        };
        let what = [
            count(refused.commands, "command", "commands"),
            count(refused.patches, "patch", "patches"),
        ];
        let what: Vec<String> = what.into_iter().flatten().collect();
        Some(format!(
            "{sandbox} seems to have kept {} of Codex's from something, the first: {first}{again}",
            what.join(" and "),
        ))
    }

    /// How to ask again so that this sandbox is not in the way.
    fn again(&self, sandbox: Sandbox) -> String {
        // A guard changes nothing, whatever it is asked.
        if matches!(self.request.sandbox, SandboxChoice::Once(_)) {
            return String::new();
        }
        let most = self.policy.max_sandbox;
        let operator = format!("the operator can allow more by {}.", policy::MAX_SANDBOX);
        match (sandbox, most) {
            (Sandbox::ReadOnly, Sandbox::ReadOnly) => {
                format!(". This server allows no other sandbox: {operator}")
            }
            (Sandbox::ReadOnly, _) => {
                ". If Codex is to change files, ask again with sandbox: \"workspace-write\".".into()
            }
            (_, Sandbox::DangerFullAccess) => {
                ". It can write in its cwd and in add_dirs: ask again with these, or with sandbox: \
                 \"danger-full-access\"."
                    .into()
            }
            (_, _) => {
                format!(
                    ". It can write in its cwd and in add_dirs: ask again with these; {operator}"
                )
            }
        }
    }
}
