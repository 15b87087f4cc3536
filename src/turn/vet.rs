//! What is known before a turn has its place: whether its session is one that the caller reaches, and
//! for a job, which waits for itself, all else that it would be refused for.

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

/// How long that may take: longer than Codex and git take together that do not answer.
const VET_WITHIN: Duration = Duration::from_secs(30);

/// How many are vetted at a time: each takes a thread.
pub(super) const VETTED_AT_ONCE: usize = 16;

/// A turn that could run when it was looked at. It is looked at again when it does.
#[derive(Debug)]
pub(crate) struct Vetted(TurnRequest);

impl Vetted {
    /// What is asked, with the session settled.
    pub(crate) fn into_request(self) -> TurnRequest {
        self.0
    }
}

impl Codex {
    /// What callers under the settings' policy reach.
    pub(crate) fn scope(&self) -> Scope {
        self.0.scope(&self.0.settings.policy)
    }

    /// Settles what a turn would run with, as if it ran now, and starts nothing. Its session is looked
    /// for in this Codex home, if that is not the one of this process.
    pub(crate) async fn vet(
        &self,
        request: TurnRequest,
        home: Option<&Path>,
    ) -> Result<Vetted, FailureKind> {
        let codex = self.at(home);
        let shared = &codex.0;
        codex.check(&request, &shared.policy).map_err(|failure| failure.kind)?;
        let request = shared.find_last(request).await?;
        let cancel = shared.shutdown.child_token();
        let (policy, began) = (Arc::clone(&shared.policy), Instant::now());
        let call = Call { shared: Arc::clone(shared), request, policy, began, cancel };
        let limits = Limits { total: VET_WITHIN, idle: VET_WITHIN };
        let clock = Clock::new(limits, call.began);
        call.wait(&clock, call.check_named()).await.flatten()?;
        call.wait(&clock, call.check_session()).await.flatten()?;
        let plan = async {
            let _turn = shared.vetting.acquire().await;
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
            Some(home) => Self(Arc::new(Shared {
                versions: self.0.versions.clone(),
                histories: self.0.histories.clone(),
                ..Shared::new(self.0.settings.clone(), Some(home.to_owned()))
            })),
        }
    }
}

impl Shared {
    pub(super) fn scope(&self, policy: &Policy) -> Scope {
        Scope::of(policy, self.codex_home.as_deref(), &self.histories)
    }
}

impl Call {
    /// Refuses a session that was outside of the folders that are allowed. Its history comes along
    /// whatever directory the call names.
    pub(super) async fn check_session(&self) -> Result<(), FailureKind> {
        let scope = self.shared.scope(&self.policy);
        let Some(session) = self.request.session.filter(|_| scope.is_limited()) else {
            return Ok(());
        };
        let field = if self.request.session_from_last { "continue_last" } else { "session_id" };
        let check = tokio::task::spawn_blocking(move || scope.check_session(field, session, None));
        let broken = |error: tokio::task::JoinError| FailureKind::Internal {
            message: format!("the session's record could not be looked at: {error}"),
        };
        check.await.map_err(broken)?
    }
}
