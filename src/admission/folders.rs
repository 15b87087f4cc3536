//! Which folders callers may use: the part of the policy that needs to resolve paths.

use std::path::{Path, PathBuf};

use super::allowed_dirs;
use super::protected_folders::ProtectedFolders;
use crate::model::effective::Effective;
use crate::model::model_name::Model;
use crate::model::outcome::FailureKind;
use crate::model::policy::{ALLOWED_DIRS, ALLOWED_MODELS, MAX_SANDBOX, Policy, not_allowed};
use crate::model::value::InvalidValue;
use crate::model::working_dir::WorkingDir;

/// Names of subfolders that Codex keeps read-only inside a writable folder (0.153 and later). They hold
/// things that run outside the sandbox, such as git hooks and Codex's own settings. Codex only protects them
/// below the folder it is given, so that folder must not be one of them itself.
pub(crate) const READ_ONLY_NAMES: &[&str] = &[".git", ".codex", ".agents", ".aws"];

/// How a turn is confined in the directories that it is given.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Confined<'a> {
    /// Not at all.
    No,
    /// It may only read.
    ReadOnly,
    /// It may write, except to these folders.
    Writing(&'a ProtectedFolders),
}

type Result<T> = std::result::Result<T, FailureKind>;

impl Policy {
    /// Describes how a turn's effective settings exceed the policy, if they do.
    pub(crate) fn violation(&self, effective: &Effective) -> Option<String> {
        if let Some(sandbox) = effective.sandbox.filter(|sandbox| *sandbox > self.max_sandbox) {
            let (got, most) = (sandbox.as_str(), self.max_sandbox.as_str());
            return Some(format!("the sandbox was {got}, but {MAX_SANDBOX} is {most}"));
        }
        let names = self.allowed_models.iter().map(Model::as_str);
        if let Some(model) = &effective.model
            && !self.allowed_models.is_empty()
            && !names.into_iter().any(|name| name == model)
        {
            return Some(format!("the model was {model}, which {ALLOWED_MODELS} does not include"));
        }
        let cwd = effective.cwd.as_deref();
        if let Some(Err(FailureKind::NotAllowed { problem, .. })) =
            cwd.map(|cwd| self.resolve_allowed("cwd", cwd))
        {
            return Some(format!("the directory {problem}"));
        }
        None
    }

    /// Checks the working directory of a turn. Symbolic links are resolved unless the turn is unrestricted.
    pub(crate) fn working_dir(
        &self,
        field: &str,
        dir: &WorkingDir,
        confined: Confined<'_>,
    ) -> Result<WorkingDir> {
        if matches!(confined, Confined::No) && self.allowed_dirs.is_empty() {
            return Ok(dir.clone());
        }
        let real = self.resolve_allowed(field, dir.as_path())?;
        if let Confined::Writing(protected) = confined {
            let reason = protected.reason_to_deny(&real).or_else(|| {
                let part =
                    real.iter().find(|part| READ_ONLY_NAMES.iter().any(|name| part == name))?;
                Some(format!("is part of {}, which Codex keeps read-only", part.display()))
            });
            if let Some(reason) = reason {
                let problem = format!(
                    "{} {reason}: files written there could bypass the sandbox; use another folder, or the \
                     sandbox read-only",
                    real.display()
                );
                if self.allows_full_access() {
                    let problem = InvalidValue(format!("{problem} or danger-full-access"));
                    return Err(FailureKind::BadInput { field: field.into(), problem });
                }
                return Err(not_allowed(field, problem, MAX_SANDBOX));
            }
        }
        WorkingDir::existing(&real)
            .map_err(|problem| FailureKind::BadInput { field: field.into(), problem })
    }

    /// The folders that calls may name, with symbolic links resolved. Empty means no restriction.
    pub(crate) fn allowed_folders(&self) -> Vec<PathBuf> {
        allowed_dirs::resolve(&self.allowed_dirs)
    }

    /// Resolves `path`, and rejects it if it is outside the allowed folders.
    pub(crate) fn resolve_allowed(&self, field: &str, path: &Path) -> Result<PathBuf> {
        let real = path.canonicalize().map_err(|error| FailureKind::BadInput {
            field: field.into(),
            problem: InvalidValue(format!("{} cannot be accessed ({error})", path.display())),
        })?;
        let allowed = |dir: &PathBuf| real.starts_with(dir);
        if self.allowed_dirs.is_empty() || self.allowed_folders().iter().any(allowed) {
            return Ok(real);
        }
        let dirs: Vec<String> =
            self.allowed_dirs.iter().map(|dir| dir.as_path().display().to_string()).collect();
        let problem =
            format!("{} is outside the allowed folders: {}", real.display(), dirs.join(", "));
        Err(not_allowed(field, problem, ALLOWED_DIRS))
    }
}
