//! Checks before a turn has its place: whether the caller may use its session, and for a job, for which
//! no caller waits, everything else that it would be refused for.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::call::Call;
use super::clock::Clock;
use super::{Codex, Shared};
use crate::admission::scope::Scope;
use crate::model::limits::Limits;
use crate::model::outcome::FailureKind;
use crate::model::policy::Policy;
use crate::model::request::TurnRequest;

/// How long that may take: longer than the timeouts of Codex and git together.
const VET_WITHIN: Duration = Duration::from_secs(30);

/// How many turns are vetted at a time. Each takes a thread.
pub(super) const VETTED_AT_ONCE: usize = 16;

/// A turn that could have run when it was vetted. It is checked again when it runs.
#[derive(Debug)]
pub(crate) struct Vetted(TurnRequest);

impl Vetted {
    /// The request, with its session.
    pub(crate) fn into_request(self) -> TurnRequest {
        self.0
    }
}

impl Codex {
    /// The sessions and directories that the policy of the settings lets callers use.
    pub(crate) fn scope(&self) -> Scope {
        self.0.scope(&self.0.settings.policy)
    }

    /// Plans a turn as if it ran now, and starts nothing. Its session is searched in the Codex home
    /// `home`, or without one in that of this process.
    ///
    /// # Errors
    ///
    /// What the turn would be refused for.
    pub(crate) async fn vet(
        &self,
        mut request: TurnRequest,
        home: Option<&Path>,
    ) -> Result<Vetted, FailureKind> {
        request.depth = request.depth.max(self.1);
        let codex = self.at(home);
        let shared = &codex.0;
        codex.check(&request, &shared.policy).map_err(|failure| failure.kind)?;
        let request = shared.find_last(request).await?;
        let cancel = shared.shutdown.child_token();
        let policy = Arc::clone(&shared.policy);
        let call = Call { shared: Arc::clone(shared), request, policy, cancel };
        let limits = Limits { total: VET_WITHIN, idle: VET_WITHIN };
        let clock = Clock::new(limits, Instant::now());
        call.wait(&clock, call.check_paths()).await.flatten()?;
        call.wait(&clock, call.check_session()).await.flatten()?;
        let plan = async {
            let _permit = shared.vetting.acquire().await;
            call.plan().await
        };
        call.wait(&clock, plan).await.flatten()?;
        Ok(Vetted(call.request))
    }

    /// The same with another Codex home.
    fn at(&self, home: Option<&Path>) -> Self {
        let own = self.0.codex_home.as_deref();
        match home.filter(|home| Some(*home) != own) {
            None => self.clone(),
            Some(home) => {
                let shared = Shared {
                    versions: self.0.versions.clone(),
                    histories: self.0.histories.clone(),
                    config_files: self.0.config_files.clone(),
                    ..Shared::new(
                        self.0.settings.clone(),
                        Some(home.to_owned()),
                        self.0.depth.clone(),
                    )
                };
                Self(Arc::new(shared), self.1)
            }
        }
    }
}

impl Shared {
    pub(super) fn scope(&self, policy: &Policy) -> Scope {
        Scope::of(policy, self.codex_home.as_deref(), &self.histories)
    }
}

impl Call {
    /// Refuses a session that was outside of the allowed folders: its history comes along, whatever
    /// directory the request names.
    pub(super) async fn check_session(&self) -> Result<(), FailureKind> {
        let scope = self.shared.scope(&self.policy);
        let Some(session) = self.request.session.filter(|_| scope.is_limited()) else {
            return Ok(());
        };
        let field = if self.request.session_from_last { "continue_last" } else { "session_id" };
        let check = tokio::task::spawn_blocking(move || scope.check_session(field, session, None));
        let broken = |error: tokio::task::JoinError| FailureKind::Internal {
            message: format!("the session's record could not be checked: {error}"),
        };
        check.await.map_err(broken)?
    }
}
