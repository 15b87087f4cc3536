//! Codex's record of a turn that has ended: what was in force, and what Codex did.

use std::time::Duration;

use super::call::Call;
use super::plan::Plan;
use super::tap::{RecordPlace, Tap, Taps};
use crate::codex::rollout;
use crate::codex::transcript::Transcript;
use crate::codex::turn_record::{self, TurnRecord};
use crate::model::effective::Effective;
use crate::model::session_id::SessionId;
use crate::system::bounded::blocking;

/// How long an answer waits for the record of its turn, which can have some megabytes.
const RECORD_WITHIN: Duration = Duration::from_secs(10);

impl Call {
    /// Adds to the transcript, and shows to the taps, what Codex did and left out of its events. Returns
    /// what was in force in the turn, if the record says so.
    pub(super) async fn complete(
        &self,
        transcript: &mut Transcript,
        plan: &Plan,
        taps: &mut Taps,
    ) -> Option<Effective> {
        let opened: SessionId = transcript.thread_id.as_ref()?.parse().ok()?;
        // The record of another session says nothing about this turn.
        if self.request.continued_session().is_some_and(|own| own != opened) {
            return None;
        }
        let (effective, recorded) = self.read_record(opened, plan).await?;
        let omitted = transcript.merge(recorded);
        let tapped = omitted
            .iter()
            .try_for_each(|done| taps.event(&done.event(), done.line().as_bytes()))
            .and_then(|()| taps.flush());
        if let Err(error) = tapped {
            tracing::warn!(%error, "actions that Codex's events omit cannot be recorded");
        }
        effective
    }

    /// Where Codex will record the turn.
    pub(super) fn record_place(&self, plan: &Plan) -> RecordPlace {
        match (self.request.continued_session(), &plan.known.record, &self.shared.codex_home) {
            (Some(_), Some(record), _) => RecordPlace::Known(record.clone(), plan.known.recorded),
            (None, _, Some(home)) => RecordPlace::New(home.clone()),
            (Some(_), None, _) | (None, _, None) => RecordPlace::Unknown,
        }
    }

    /// Reads Codex's record of the turn, from where the record of earlier turns ends. A turn may have
    /// none.
    async fn read_record(
        &self,
        session: SessionId,
        plan: &Plan,
    ) -> Option<(Option<Effective>, TurnRecord)> {
        let home = self.shared.codex_home.clone()?;
        // A copy has a record of its own.
        let known = Some(&plan.known).filter(|_| !self.request.fork);
        let before = known.map_or(0, |known| known.recorded);
        let record = known.and_then(|known| known.record.clone());
        let read = move || {
            let record = record.or_else(|| rollout::find(&home, session))?;
            let effective = rollout::effective(&record, before).ok().flatten();
            let recorded = turn_record::read(&record, before).unwrap_or_else(|error| {
                tracing::debug!(%session, %error, "Codex's record of the turn cannot be read");
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
}
