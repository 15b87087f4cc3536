//! The files and folders that a call names. They lie on whatever disk the caller thought of, also on one
//! that never answers.

use std::sync::Arc;
use std::time::Duration;

use super::call::Call;
use super::{Codex, Shared};
use crate::model::options::Image;
use crate::model::outcome::FailureKind;
use crate::model::policy::Policy;
use crate::model::request::TurnRequest;
use crate::model::value::InvalidValue;
use crate::model::working_dir::WorkingDir;
use crate::session::last;
use crate::system::bounded::blocking;

/// How long a disk is waited for.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

type Result<T> = std::result::Result<T, FailureKind>;

impl Call {
    /// Refuses what the call names and is not there.
    pub(super) async fn check_named(&self) -> Result<()> {
        if let Some(dir) = self.request.working_dir.clone() {
            look("cwd", move || is_folder("cwd", &dir)).await?;
        }
        let dirs = self.request.options.add_dirs.clone();
        if !dirs.is_empty() {
            let are_folders = move || dirs.iter().try_for_each(|dir| is_folder("add_dirs", dir));
            look("add_dirs", are_folders).await?;
        }
        let images = self.request.options.images.clone();
        if !images.is_empty() {
            let policy = Policy::clone(&self.policy);
            let are_images = move || {
                images.iter().try_for_each(|image| {
                    Image::existing(image.as_path()).map_err(|problem| bad("images", problem))?;
                    policy.resolve_allowed("images", image.as_path()).map(drop)
                })
            };
            look("images", are_images).await?;
        }
        Ok(())
    }
}

impl Codex {
    /// Finds the last session for a request that is to go on in it. Such requests find theirs in the
    /// order of these calls.
    pub(crate) async fn find_last(&self, request: TurnRequest) -> Result<TurnRequest> {
        self.0.find_last(request).await
    }
}

impl Shared {
    pub(super) async fn find_last(
        self: &Arc<Self>,
        mut request: TurnRequest,
    ) -> Result<TurnRequest> {
        if !request.continue_last {
            return Ok(request);
        }
        let _in_order = self.finding_last.lock().await;
        let shared = Arc::clone(self);
        let find = move || shared.find_last_here(&shared.policy, &mut request).map(|()| request);
        look("continue_last", find).await
    }

    /// The same, and blocks on files.
    pub(super) fn find_last_here(&self, policy: &Policy, request: &mut TurnRequest) -> Result<()> {
        if !std::mem::take(&mut request.continue_last) {
            return Ok(());
        }
        let wrong = |problem: String| Err(bad("continue_last", InvalidValue(problem)));
        if request.session.is_some() {
            return wrong("is in place of session_id: leave one of them out".into());
        }
        let dir = request.working_dir.as_ref().unwrap_or(&self.settings.working_dir).as_path();
        // Which sessions there were outside is nothing to tell.
        if !policy.allowed_dirs.is_empty() {
            policy.resolve_allowed("cwd", dir)?;
        }
        let state_dir = self.settings.state_dir.as_deref();
        let last = state_dir.and_then(|state_dir| last::find(state_dir, dir));
        if last.is_none() {
            let dir = dir.display();
            return wrong(format!(
                "finds no session of this server's in {dir}; leave it out to begin one"
            ));
        }
        request.session = last;
        request.session_from_last = true;
        Ok(())
    }
}

fn is_folder(field: &str, dir: &WorkingDir) -> Result<()> {
    WorkingDir::existing(dir.as_path()).map(drop).map_err(|problem| bad(field, problem))
}

fn bad(field: &str, problem: InvalidValue) -> FailureKind {
    FailureKind::BadInput { field: field.into(), problem }
}

/// Looks at a disk where that holds nobody else up.
async fn look<T: Send + 'static>(
    field: &'static str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    blocking(ANSWERS_WITHIN, work).await.unwrap_or_else(|| {
        let problem = "lies on a disk that does not answer".to_owned();
        Err(bad(field, InvalidValue(problem)))
    })
}
