//! How a call that has its place waits until no turn runs with which its own would clash.

use tokio::time::Instant;

use super::call::Call;
use super::clock::Clock;
use super::plan::Plan;
use super::scheduling::Scheduling;

use super::writable_roots::exclusion;
use crate::model::outcome::FailureKind;
use crate::session::queue::Place;

impl Call {
    /// Settles what the turn runs with. Where it may write, it is found out once more when no other
    /// turn can change it any longer, and Codex may start.
    ///
    /// A turn that is taken down (`freely`) may wait as long as it takes: its limits count from there.
    pub(super) async fn settled(
        &self,
        clock: &mut Clock,
        place: &mut Place,
        scheduling: &Scheduling,
    ) -> Result<Plan, FailureKind> {
        loop {
            let mut plan = self.wait(clock, self.plan()).await.flatten()?;
            let Some(called_in) = place.settle(plan.roots.as_ref()) else {
                plan.give_up(place);
                return Ok(plan);
            };
            let in_front = place.in_front().await;
            if !in_front.is_empty() {
                tracing::debug!(in_front, "waiting for a folder");
            }
            if !scheduling.counts_waiting() {
                drop(self.wait_freely(called_in).await?);
                clock.begin(Instant::now());
            } else if let Err(mut kind) = self.wait(clock, called_in).await {
                if let FailureKind::TimedOut { in_front, .. } = &mut kind {
                    *in_front = place.in_front().await;
                }
                return Err(kind);
            }
        }
    }
}

impl Plan {
    /// Closes the folders for temporary files in which others were given one.
    fn give_up(&mut self, place: &Place) {
        let Some(asked) = &self.roots else { return };
        let kept = place.roots().unwrap_or_default();
        for temp in asked.temp.iter().filter(|temp| !kept.temp.contains(temp)) {
            self.imposed.push((exclusion(temp.which).to_owned(), true.into()));
            self.warnings.push(format!(
                "This turn could not write in {}, because another one works in a folder of it.",
                temp.folder
            ));
        }
    }
}
