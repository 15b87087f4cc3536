//! What a turn runs with: the program, the directory, the sandbox and all else that a call leaves open,
//! settled and checked before Codex starts.

use std::path::PathBuf;
use std::sync::Arc;

use super::options::{Image, Options, Profile};
use super::outcome::FailureKind;
use super::request::{InvalidValue, Sandbox, SandboxChoice, SessionId, WorkingDir};
use super::run::Call;
use crate::codex::configured::Configured;
use crate::codex::diff::git_program;
use crate::codex::locate::{Program, locate};
use crate::codex::scratch::Scratch;
use crate::codex::version::Version;
use crate::depth::DEPTH;
use crate::policy::{self, NestedMcp, Policy};
use crate::session::known::Known;

/// What the turn runs with, once that is settled.
pub(super) struct Plan {
    pub(super) program: Program,
    pub(super) version: Option<Version>,
    pub(super) working_dir: WorkingDir,
    pub(super) sandbox: Option<Sandbox>,
    pub(super) untrusted: Vec<PathBuf>,
    pub(super) without_mcp: Vec<String>,
    pub(super) options: Options,
    pub(super) scratch: Scratch,
    pub(super) known: Known,
    pub(super) warnings: Vec<String>,
}

type Result<T> = std::result::Result<T, FailureKind>;

impl Call {
    /// Settles the program, the directory and the sandbox, and what the session is like.
    pub(super) async fn plan(&self) -> Result<Plan> {
        let settings = &self.shared.settings;
        let mut program =
            locate(&settings.codex_bin).ok_or_else(|| FailureKind::CodexNotFound {
                program: settings.codex_bin.to_string_lossy().into_owned(),
                reason: String::new(),
            })?;
        program.environment.push((DEPTH.into(), (self.shared.depth + 1).to_string().into()));
        let known = match self.request.session {
            Some(session) => self.look_up(session).await,
            None => Known::default(),
        };
        let mut warnings = Vec::new();
        let working_dir = match (&self.request.working_dir, &known.working_dir) {
            (Some(asked), _) => asked.clone(),
            (None, Some(own)) => WorkingDir::existing(own).map_err(|problem| {
                let problem = format!("of the session {problem}; give another one to work in");
                FailureKind::BadInput { field: "cwd".into(), problem: InvalidValue(problem) }
            })?,
            (None, None) => settings.working_dir.clone(),
        };
        let configured = self.configured(&working_dir).await;
        let sandbox = self.sandbox(&known, &configured, &mut warnings);
        let working_dir =
            self.policy().working_dir("cwd", &working_dir, sandbox, &self.own_folders())?;
        let untrusted = self.check_configured(&configured, &mut warnings)?;
        let mut without_mcp = configured.mcp_servers(untrusted.is_empty());
        without_mcp.retain(|name| !self.policy().nested_mcp.starts(name));
        if let Some(diff) = &self.request.diff {
            let (dir, watchdog) = (working_dir.as_path(), &self.shared.watchdog);
            let known = diff.check(dir, git_program(dir).as_deref(), watchdog).await;
            known.map_err(|problem| FailureKind::BadInput { field: "diff".into(), problem })?;
        }
        let options = self.options(sandbox)?;
        let version = self.shared.versions.of(&program).await;
        self.check_version(version, &configured)?;
        let scratch = Scratch::write(settings.state_dir.as_deref(), &self.request.options)
            .map_err(|error| FailureKind::Internal {
                message: format!("the files for Codex cannot be written: {error}"),
            })?;
        let inherits =
            self.request.working_dir.is_none() || self.request.sandbox == SandboxChoice::Inherit;
        if self.request.session.is_some() && !known.settled && inherits {
            warnings.push(format!(
                "Codex's record of this session could not be read in full, so what the call left \
                 open may not be the session's own: it ran in {}, {}.",
                working_dir.as_path().display(),
                sandbox.map_or_else(
                    || "in the sandbox that Codex is configured for".into(),
                    |sandbox| format!("in the sandbox {}", sandbox.as_str()),
                ),
            ));
        }
        Ok(Plan {
            program,
            version,
            working_dir,
            sandbox,
            untrusted,
            without_mcp,
            options,
            scratch,
            known,
            warnings,
        })
    }

    /// The sandbox to name. Only where nothing is kept from callers may it be left to Codex.
    fn sandbox(
        &self,
        known: &Known,
        configured: &Configured,
        warnings: &mut Vec<String>,
    ) -> Option<Sandbox> {
        let policy = self.policy();
        let wanted = match self.request.sandbox {
            SandboxChoice::Set(sandbox) | SandboxChoice::Once(sandbox) => Some(sandbox),
            SandboxChoice::Inherit => known.sandbox,
        };
        if policy.is_open() {
            return wanted;
        }
        let asked = wanted.unwrap_or_else(|| configured.sandbox());
        let (sandbox, less) = policy.settle(asked);
        if less {
            let whose =
                if wanted.is_some() { "The session last ran" } else { "Codex is configured" };
            warnings.push(format!(
                "{whose} with {}, which this server does not allow: this turn ran in the sandbox {}. \
                 The operator can allow more by {}.",
                asked.as_str(),
                sandbox.as_str(),
                policy::MAX_SANDBOX,
            ));
        }
        Some(sandbox)
    }

    /// What the person has configured, where that matters.
    async fn configured(&self, working_dir: &WorkingDir) -> Configured {
        let home = self.shared.codex_home.clone();
        let policy = self.policy();
        let matters = !policy.is_open()
            || !policy.allowed_models.is_empty()
            || policy.nested_mcp != NestedMcp::Inherit;
        let Some(home) = home.filter(|_| matters) else { return Configured::default() };
        let profile = self.request.options.profile.clone();
        // Codex loads what lies around where the directory really is.
        let dir = working_dir.as_path();
        let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
        let read = move || Configured::read(&home, profile.as_ref().map(Profile::as_str), &dir);
        tokio::task::spawn_blocking(read).await.unwrap_or_default()
    }

    /// Refuses a profile that could get around the sandbox, as the caller chose it; the settings of a
    /// project that could are not loaded. Returns the directories that are not to be trusted.
    fn check_configured(
        &self,
        configured: &Configured,
        warnings: &mut Vec<String>,
    ) -> Result<Vec<PathBuf>> {
        let policy = self.policy();
        if let (Some(profile), Some(key)) =
            (&self.request.options.profile, policy.harm(configured.profile()))
        {
            let name = profile.as_str();
            let problem = format!("{name} sets {key}, which could get around the sandbox");
            return Err(policy::refused("profile", problem, policy::MAX_SANDBOX));
        }
        if let (None, Some(model)) = (&self.request.options.model, configured.model()) {
            policy.check_model(model)?;
        }
        let Some(key) = policy.harm(configured.project()) else { return Ok(Vec::new()) };
        warnings.push(format!(
            "The project's .codex/config.toml sets {key}, which could get around the sandbox, so \
             Codex did not load it. The operator can allow it by {}=danger-full-access.",
            policy::MAX_SANDBOX
        ));
        Ok(configured.roots().to_owned())
    }

    /// The options, with directories as they really are.
    fn options(&self, sandbox: Option<Sandbox>) -> Result<Options> {
        let mut options = self.request.options.clone();
        let policy = self.policy();
        for dir in &mut options.add_dirs {
            *dir = policy.working_dir("add_dirs", dir, sandbox, &self.own_folders())?;
        }
        // As it really is, so that a link cannot lead elsewhere by the time Codex reads it.
        for image in options.images.iter_mut().filter(|_| !policy.allowed_dirs.is_empty()) {
            let real = policy.within("images", image.as_path())?;
            *image = Image::existing(real)
                .map_err(|problem| FailureKind::BadInput { field: "images".into(), problem })?;
        }
        Ok(options)
    }

    /// What whoever asked is allowed.
    pub(super) fn policy(&self) -> &Policy {
        self.request.policy.as_ref().unwrap_or(&self.shared.settings.policy)
    }

    /// Folders whose writer could do more than a sandbox allows.
    fn own_folders(&self) -> Vec<PathBuf> {
        let shared = &self.shared;
        [&shared.codex_home, &shared.settings.state_dir].into_iter().flatten().cloned().collect()
    }

    /// The system's folders for temporary files in which one of those lies. Codex lets commands write
    /// in them, whatever else they may not.
    pub(super) fn shut(&self) -> Vec<&'static str> {
        let own: Vec<PathBuf> =
            self.own_folders().iter().flat_map(|own| own.canonicalize()).collect();
        let holds_one = |dir: &PathBuf| {
            dir.canonicalize().is_ok_and(|dir| own.iter().any(|own| own.starts_with(&dir)))
        };
        [
            ("sandbox_workspace_write.exclude_slash_tmp", Some(PathBuf::from("/tmp"))),
            (
                "sandbox_workspace_write.exclude_tmpdir_env_var",
                std::env::var_os("TMPDIR").map(PathBuf::from),
            ),
        ]
        .into_iter()
        .filter(|(_, dir)| dir.as_ref().is_some_and(holds_one))
        .map(|(setting, _)| setting)
        .collect()
    }

    /// Refuses what this Codex does not have and would take for something else.
    fn check_version(&self, version: Option<Version>, configured: &Configured) -> Result<()> {
        let options = &self.request.options;
        let home = self.shared.codex_home.as_deref();
        let needs = |field: &str, needed: Version| match version {
            Some(found) if found < needed => Err(FailureKind::NeedsNewerCodex {
                field: field.into(),
                needed: needed.to_string(),
                found: found.to_string(),
            }),
            _ => Ok(()),
        };
        if self.request.fork {
            needs("fork", Version::FORK)?;
        }
        let ruled = || home.is_some_and(|home| configured.has_rules(home));
        if !self.policy().is_open() && ruled() {
            needs("a sandbox that Codex's rules cannot open", Version::IGNORE_RULES)?;
        }
        // Codex takes a profile that is not there for an empty one.
        if let (Some(profile), Some(home)) = (&options.profile, home)
            && version.is_none_or(|version| version >= Version::PROFILE_FILES)
        {
            let file = home.join(format!("{}.config.toml", profile.as_str()));
            if !file.is_file() {
                let problem =
                    format!("must be a profile of Codex's, and there is no {}", file.display());
                return Err(FailureKind::BadInput {
                    field: "profile".into(),
                    problem: InvalidValue(problem),
                });
            }
        }
        Ok(())
    }

    async fn look_up(&self, session: SessionId) -> Known {
        let shared = Arc::clone(&self.shared);
        let look_up = move || {
            shared.sessions.look_up(session, shared.codex_home.as_deref(), shared.is_one_off)
        };
        // Reading a record is so quick that a cancellation may wait for it.
        tokio::task::spawn_blocking(look_up).await.unwrap_or_default()
    }
}
