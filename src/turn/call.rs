//! A call: a request with what it needs to run, and how it waits.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::clock::Clock;
use super::plan::Plan;
use super::planner::Planner;
use crate::model::outcome::{CancelledBy, FailureKind, Limit};
use crate::model::policy::Policy;
use crate::model::request::TurnRequest;
use crate::session::info::SessionInfo;

type Result<T> = std::result::Result<T, FailureKind>;

/// A request with all it needs to run.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) shared: Arc<Shared>,
    pub(super) request: TurnRequest,
    /// What the caller may request.
    pub(super) policy: Arc<Policy>,
    pub(super) cancel: CancellationToken,
}

impl Call {
    /// Waits for `wanted`, unless the call is cancelled.
    pub(super) async fn wait_unlimited<T>(&self, wanted: impl Future<Output = T>) -> Result<T> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(self.cancelled()),
            wanted = wanted => Ok(wanted),
        }
    }

    /// Waits for `wanted`, unless the call is cancelled or times out before Codex runs.
    pub(super) async fn wait<T>(
        &self,
        clock: &Clock,
        wanted: impl Future<Output = T>,
    ) -> Result<T> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(self.cancelled()),
            () = sleep_until(clock.total_ends()) => {
                let limit = Limit::Total(clock.total());
                Err(FailureKind::TimedOut { limit, started: false, ahead: String::new() })
            }
            wanted = wanted => Ok(wanted),
        }
    }

    /// Why a cancelled call ended.
    pub(super) fn cancelled(&self) -> FailureKind {
        let shutdown = self.shared.is_shutting_down();
        let by = if shutdown { CancelledBy::Shutdown } else { CancelledBy::Caller };
        FailureKind::Cancelled { by }
    }

    /// Plans the turn on a thread of its own, since that blocks on files. The work stops at its next
    /// wait when this is dropped.
    pub(super) async fn plan(&self) -> Result<Plan> {
        let dropped = CancellationToken::new();
        let _guard = dropped.clone().drop_guard();
        let (call, runtime) = (self.clone(), Handle::current());
        let permit = Arc::clone(&self.shared.planning).acquire_owned().await;
        let plan = move || {
            // Held until the thread is done, also when nobody waits for it any more.
            let _permit = permit;
            let plan = async { call.planner().plan(call.session_info()).await };
            runtime.block_on(dropped.run_until_cancelled(plan))
        };
        let planned = tokio::task::spawn_blocking(plan).await;
        planned.ok().flatten().unwrap_or_else(|| {
            let message = "the turn could not be planned; see the server's log".into();
            Err(FailureKind::Internal { message })
        })
    }

    fn planner(&self) -> Planner<'_> {
        let Shared { settings, codex_home, config_files, versions, watchdog, .. } = &*self.shared;
        Planner {
            request: &self.request,
            policy: &self.policy,
            settings,
            codex_home: codex_home.as_deref(),
            config_files,
            versions,
            watchdog,
            depth: self.shared.depth_of(&self.request),
        }
    }

    /// What is known of the session of the request. Blocks on files.
    fn session_info(&self) -> SessionInfo {
        let Some(session) = self.request.session else { return SessionInfo::default() };
        let home = self.shared.codex_home.as_deref();
        self.shared.sessions.look_up(session, home, self.shared.is_one_off)
    }
}
