//! Checks the paths of a request, and finds the session that it continues by its directory. Any path may
//! lie on a disk that never answers, so each check runs on a thread of its own and for a bounded time.

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

/// How long a disk may take to answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

type Result<T> = std::result::Result<T, FailureKind>;

impl Call {
    /// Refuses paths in the request that do not exist.
    pub(super) async fn check_paths(&self) -> Result<()> {
        if let Some(dir) = self.request.working_dir.clone() {
            on_disk("cwd", move || is_folder("cwd", &dir)).await?;
        }
        let dirs = self.request.options.add_dirs.clone();
        if !dirs.is_empty() {
            let are_folders = move || dirs.iter().try_for_each(|dir| is_folder("add_dirs", dir));
            on_disk("add_dirs", are_folders).await?;
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
            on_disk("images", are_images).await?;
        }
        Ok(())
    }
}

impl Codex {
    /// Finds the session for a request to continue the last one of its directory. Concurrent requests
    /// are served in order.
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
        on_disk("continue_last", find).await
    }

    /// The same for any policy. Blocks on files.
    pub(super) fn find_last_here(&self, policy: &Policy, request: &mut TurnRequest) -> Result<()> {
        if !std::mem::take(&mut request.continue_last) {
            return Ok(());
        }
        let wrong = |problem: String| Err(bad("continue_last", InvalidValue(problem)));
        if request.session.is_some() {
            return wrong("cannot be combined with session_id; omit one of them".into());
        }
        let dir = request.working_dir.as_ref().unwrap_or(&self.settings.working_dir).as_path();
        // Must not reveal which sessions there are outside.
        if !policy.allowed_dirs.is_empty() {
            policy.resolve_allowed("cwd", dir)?;
        }
        let state_dir = self.settings.state_dir.as_deref();
        let last = state_dir.and_then(|state_dir| last::find(state_dir, dir));
        if last.is_none() {
            let dir = dir.display();
            return wrong(format!(
                "found no session of this server in {dir}; omit it to start one"
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

/// Does work that blocks on a disk, without blocking others.
async fn on_disk<T: Send + 'static>(
    field: &'static str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    blocking(ANSWERS_WITHIN, work).await.unwrap_or_else(|| {
        let problem = "is on a disk that does not respond".to_owned();
        Err(bad(field, InvalidValue(problem)))
    })
}
