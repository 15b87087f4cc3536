//! How a call that has its place waits until no turn runs that its own would clash with.

use tokio::time::Instant;

use super::call::Call;
use super::clock::Clock;
use super::plan::Plan;
use super::scheduling::Scheduling;
use super::writable_roots::exclusion;
use crate::model::outcome::FailureKind;
use crate::session::queue::Place;

impl Call {
    /// Plans the turn, and waits while it clashes with others. A turn that may write is planned again
    /// once no other turn can change what its plan rests on, and only then may Codex start.
    pub(super) async fn settle(
        &self,
        clock: &mut Clock,
        place: &mut Place,
        scheduling: &Scheduling,
    ) -> Result<Plan, FailureKind> {
        loop {
            let mut plan = self.wait(clock, self.plan()).await.flatten()?;
            let Some(called_in) = place.declare_roots(plan.roots.as_ref()) else {
                plan.exclude_yielded(place);
                return Ok(plan);
            };
            let in_front = place.in_front().await;
            if !in_front.is_empty() {
                tracing::debug!(in_front, "waiting for a folder");
            }
            if !scheduling.counts_waiting() {
                drop(self.wait_unlimited(called_in).await?);
                clock.restart(Instant::now());
            } else if let Err(mut kind) = self.wait(clock, called_in).await {
                if let FailureKind::TimedOut { ahead, .. } = &mut kind {
                    *ahead = place.in_front().await;
                }
                return Err(kind);
            }
        }
    }
}

impl Plan {
    /// Excludes the folders for temporary files that the turn yielded to turns that work in them.
    fn exclude_yielded(&mut self, place: &Place) {
        let Some(requested) = &self.roots else { return };
        let left = place.roots().unwrap_or_default();
        for temp in requested.temp.iter().filter(|temp| !left.temp.contains(temp)) {
            self.imposed.push((exclusion(temp.which).to_owned(), true.into()));
            self.warnings.push(format!(
                "This turn could not write to {}, because another turn was working in a folder inside it.",
                temp.folder
            ));
        }
    }
}
