//! Where callers may go on the disk, by what the operator allows: the part of the policy that looks where
//! paths really lead.

use std::path::{Path, PathBuf};

use super::allowed;
use super::protected::Protected;
use crate::model::effective::Effective;
use crate::model::model_name::Model;
use crate::model::outcome::FailureKind;
use crate::model::policy::{ALLOWED_DIRS, ALLOWED_MODELS, MAX_SANDBOX, Policy, not_allowed};
use crate::model::value::InvalidValue;
use crate::model::working_dir::WorkingDir;

/// Folders that Codex keeps from being written in a folder that can be written (0.153 and later). They
/// hold what is run without a sandbox: hooks of Git's, settings of Codex's. It keeps them only below the
/// folder that it is given, so that must not be one of them.
pub(crate) const PROTECTED: &[&str] = &[".git", ".codex", ".agents", ".aws"];

/// What a turn is kept from in the directories that it is given.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kept<'a> {
    /// Nothing.
    No,
    /// It only reads.
    Reading,
    /// It may write, but not in these.
    Writing(&'a Protected),
}

type Result<T> = std::result::Result<T, FailureKind>;

impl Policy {
    /// What was in force in a turn and is more than is allowed, in words.
    pub(crate) fn breach(&self, effective: &Effective) -> Option<String> {
        if let Some(sandbox) = effective.sandbox.filter(|sandbox| *sandbox > self.max_sandbox) {
            let (got, most) = (sandbox.as_str(), self.max_sandbox.as_str());
            return Some(format!("the sandbox was {got}, and {MAX_SANDBOX} is {most}"));
        }
        let names = self.allowed_models.iter().map(Model::as_str);
        if let Some(model) = &effective.model
            && !self.allowed_models.is_empty()
            && !names.into_iter().any(|name| name == model)
        {
            return Some(format!("the model was {model}, which {ALLOWED_MODELS} does not have"));
        }
        let cwd = effective.cwd.as_deref();
        if let Some(Err(FailureKind::NotAllowed { problem, .. })) =
            cwd.map(|cwd| self.within("cwd", cwd))
        {
            return Some(format!("the directory {problem}"));
        }
        None
    }

    /// The directory in which a turn may run, symbolic links resolved where there is anything to keep
    /// it from. `kept` is what a turn that is kept in a sandbox, and may write, must not write in.
    pub(crate) fn working_dir(
        &self,
        field: &str,
        dir: &WorkingDir,
        kept: Kept<'_>,
    ) -> Result<WorkingDir> {
        if matches!(kept, Kept::No) && self.allowed_dirs.is_empty() {
            return Ok(dir.clone());
        }
        let real = self.within(field, dir.as_path())?;
        if let Kept::Writing(protected) = kept {
            let reason = protected.refuses(&real).or_else(|| {
                let part = real.iter().find(|part| PROTECTED.iter().any(|name| part == name))?;
                Some(format!("is a part of {}, which Codex lets no command change", part.display()))
            });
            if let Some(reason) = reason {
                let problem = format!(
                    "{} {reason}: what is written there could get around the sandbox; work in another \
                     folder, or in the sandbox read-only",
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

    /// The folders that calls may name, as they really are; none is no limit.
    pub(crate) fn allowed_folders(&self) -> Vec<PathBuf> {
        allowed::real(&self.allowed_dirs)
    }

    /// Where `path` really is, if that is where calls may go.
    pub(crate) fn within(&self, field: &str, path: &Path) -> Result<PathBuf> {
        let real = path.canonicalize().map_err(|error| FailureKind::BadInput {
            field: field.into(),
            problem: InvalidValue(format!("{} cannot be used ({error})", path.display())),
        })?;
        let allowed = |dir: &PathBuf| real.starts_with(dir);
        if self.allowed_dirs.is_empty() || self.allowed_folders().iter().any(allowed) {
            return Ok(real);
        }
        let dirs: Vec<String> =
            self.allowed_dirs.iter().map(|dir| dir.as_path().display().to_string()).collect();
        let problem =
            format!("{} is outside of what is allowed: {}", real.display(), dirs.join(", "));
        Err(not_allowed(field, problem, ALLOWED_DIRS))
    }
}
