//! Which jobs a client sees without naming them: those of the server's folder, and its own.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::client_jobs::ClientJobs;
use crate::job::State;
use crate::tool::definition::Services;

/// Decides about jobs.
#[derive(Debug, Clone)]
pub(super) struct Nearby {
    folder: PathBuf,
    /// Where the folder really is, once that was needed.
    real_folder: OnceLock<Option<PathBuf>>,
    jobs: ClientJobs,
}

impl Nearby {
    pub(super) fn of(services: &Services) -> Self {
        let folder = services.codex.settings().working_dir.as_path().to_owned();
        Self { folder, real_folder: OnceLock::new(), jobs: services.client_jobs.clone() }
    }

    /// Whether the job works in the server's folder or below it, or is one of the client's own. Blocks on files.
    pub(super) fn has(&self, state: &State) -> bool {
        state.cwd.as_deref().is_some_and(|cwd| self.contains(cwd)) || self.jobs.has(state.job_id)
    }

    fn contains(&self, cwd: &Path) -> bool {
        let real = || self.real_folder.get_or_init(|| self.folder.canonicalize().ok());
        cwd.starts_with(&self.folder)
            || real().as_ref().is_some_and(|folder| cwd.starts_with(folder))
    }
}
