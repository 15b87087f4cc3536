//! Which jobs a client sees without naming them: those of the server's folder, and its own.

use std::path::{Path, PathBuf};

use super::client_jobs::ClientJobs;
use crate::job::State;
use crate::model::settings::Settings;
use crate::tool::definition::Services;

/// Decides about jobs.
#[derive(Debug, Clone)]
pub(super) struct Nearby {
    folder: PathBuf,
    real_folder: Option<PathBuf>,
    jobs: ClientJobs,
}

impl Nearby {
    /// Reads where the server's folder really is, so it blocks on files.
    pub(super) fn new(settings: &Settings, jobs: &ClientJobs) -> Self {
        let folder = settings.working_dir.as_path().to_owned();
        Self { real_folder: folder.canonicalize().ok(), folder, jobs: jobs.clone() }
    }

    pub(super) fn of(services: &Services) -> Self {
        Self::new(services.codex.settings(), &services.client_jobs)
    }

    /// Whether the job works in the server's folder or below it, or is one of the client's own.
    pub(super) fn has(&self, state: &State) -> bool {
        state.cwd.as_deref().is_some_and(|cwd| self.contains(cwd)) || self.jobs.has(state.job_id)
    }

    fn contains(&self, cwd: &Path) -> bool {
        cwd.starts_with(&self.folder)
            || self.real_folder.as_ref().is_some_and(|folder| cwd.starts_with(folder))
    }
}
