//! Decides what a turn runs with: the program, the directory, the sandbox and whatever else a request
//! leaves open. Refuses what cannot run or is not allowed. Needs no queue and starts no turn.

mod instructions;
mod overrides;
mod refusals;
mod sandbox;
#[cfg(all(test, unix))]
mod tests;

use std::path::Path;

use super::plan::Plan;
use super::surroundings::Surroundings;
use super::writable_roots::{self, Arranged};
use crate::admission::folders::Confined;
use crate::admission::protected_folders::ProtectedFolders;
use crate::codex::configured::{ConfigFiles, Configured, Requirements};
use crate::codex::confinement::Confinement;
use crate::codex::developer_message::{self, When};
use crate::codex::environment::Environment;
use crate::codex::scratch::Scratch;
use crate::codex::version::Versions;
use crate::codex::watchdog::Watchdog;
use crate::model::options::{Argument, Image, Options, Profile};
use crate::model::outcome::FailureKind;
use crate::model::policy::{self, CommandEnvironment, Policy};
use crate::model::request::TurnRequest;
use crate::model::sandbox::{Sandbox, SandboxChoice};
use crate::model::settings::Settings;
use crate::model::value::InvalidValue;
use crate::model::working_dir::WorkingDir;
use crate::session::info::SessionInfo;
use crate::session::writable_roots::Temp;
use crate::system::depth::DEPTH;
use instructions::{InFront, Means};
use overrides::{Basis, Overrides};
use refusals::VersionCheck;
use sandbox::Choice;

/// How many turns are planned at a time. Each takes a thread, for as long as a disk does not answer.
pub(super) const PLANNED_AT_ONCE: usize = 64;

type Result<T> = std::result::Result<T, FailureKind>;

/// Plans one turn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Planner<'a> {
    pub(super) request: &'a TurnRequest,
    /// What the caller may request.
    pub(super) policy: &'a Policy,
    pub(super) settings: &'a Settings,
    pub(super) codex_home: Option<&'a Path>,
    pub(super) config_files: &'a ConfigFiles,
    pub(super) versions: &'a Versions,
    pub(super) watchdog: &'a Watchdog,
    /// How many Codexes this process runs inside of.
    pub(super) depth: u32,
}

impl Planner<'_> {
    /// Plans the turn, in a session of which this much is known. Blocks on files, and may start Codex
    /// and git to query them, so run it on a thread of its own.
    ///
    /// # Errors
    ///
    /// What the turn is refused for, or why Codex could not start.
    pub(super) async fn plan(&self, known: SessionInfo) -> Result<Plan> {
        let mut warnings = Vec::new();
        let working_dir = self.working_dir(&known)?;
        let Surroundings { program, git, configured, protected, paths } =
            self.surroundings(&working_dir);
        let mut program = program.map_err(|reason| FailureKind::CodexNotFound {
            program: self.settings.codex_bin.to_string_lossy().into_owned(),
            reason,
        })?;
        program.environment.push((DEPTH.into(), Some((self.depth + 1).to_string().into())));
        let mut sandbox = sandbox::choose(self.request, self.policy, &known, &configured);
        warnings.extend(sandbox.warning.take());
        let confined =
            sandbox::is_guard(self.request) || sandbox.expected < Sandbox::DangerFullAccess;
        let kept = if confined { confinement_of(&sandbox, &protected) } else { Confined::No };
        let working_dir = self.policy.working_dir("cwd", &working_dir, kept)?;
        let mut options = self.options(&known, kept)?;
        let (profile, model) = (self.request.options.profile.as_ref(), options.model.as_ref());
        refusals::check_profile(profile, model, self.policy, &configured)?;
        if let Some(diff) = &self.request.diff {
            let checked =
                diff.check_exists(working_dir.as_path(), git.as_deref(), self.watchdog).await;
            checked.map_err(|problem| FailureKind::BadInput { field: "diff".into(), problem })?;
        }
        let configured_environment = configured.environment_policy();
        let environment = if confined {
            let is_safe = |path: &Path| protected.is_safe_from_turns(path);
            Environment::confined(std::env::vars_os(), paths, is_safe, &configured_environment)
        } else {
            Environment::unconfined(paths, &configured_environment)
        };
        program.environment.extend(environment.codex.iter().cloned());
        let version = self.versions.of(&program, self.watchdog).await;
        let codex_home = self.codex_home;
        let dir = working_dir.as_path();
        let configured = &configured;
        let profile = self.profile();
        VersionCheck { version, confined, configured, codex_home, profile, working_dir: dir }
            .run(self.request)?;
        let mut excluded = if confined { excluded(&protected) } else { Vec::new() };
        let mut arranged = Arranged::default();
        if confined && sandbox.expected == Sandbox::WorkspaceWrite {
            arranged = self.arrange(&working_dir, &mut options, configured, &excluded)?;
            excluded.extend(&arranged.excluded);
            warnings.append(&mut arranged.warnings);
        }
        if sandbox.expected == Sandbox::WorkspaceWrite
            && !excluded.is_empty()
            && configured.requirements() == Requirements::Profiles
        {
            let problem = "cannot be workspace-write here, because a protected folder lies in a temporary \
                           folder, and this machine's requirements.toml lets commands write there; use \
                           read-only"
                .into();
            return Err(policy::not_allowed("sandbox", problem, policy::MAX_SANDBOX));
        }
        let confinement = confined.then(|| Confinement {
            sandbox: sandbox.named,
            approvals: self.request.options.approval_policy,
            excluded: &excluded,
            environment: &environment,
            plain_variables: sandbox::is_guard(self.request)
                || self.policy.command_environment == CommandEnvironment::Plain,
            version,
        });
        let Overrides { defaults, mut imposed, warning } =
            self.basis(configured, &working_dir).overrides(confinement.as_ref());
        warnings.extend(warning);
        if !confined {
            imposed.extend(environment.settings());
        }
        imposed.extend(arranged.settings);
        let operator = &self.settings.operator_config;
        let when = self.instructions_needed();
        let means = Means { configured, operator, version, when };
        let in_front = means.place(&mut options, &self.request.prompt)?;
        let (prompt, warning) =
            in_front.map(|InFront { prompt, warning }| (prompt, warning)).unzip();
        warnings.extend(warning);
        let scratch = Scratch::write(self.settings.state_dir.as_deref(), &options, when)
            .map_err(|error| FailureKind::Storage { reason: error.to_string() })?;
        if let Some((file, _)) = &scratch.files.developer_message {
            program.environment.push((developer_message::VARIABLE.into(), Some(file.into())));
        }
        warnings.extend(self.unknown_session(&known, &working_dir, &sandbox));
        let most = match sandbox.named {
            Some(sandbox) if !Policy::could_bypass_sandbox(&self.request.options) => sandbox,
            _ => self.policy.max_sandbox,
        };
        Ok(Plan {
            program,
            version,
            working_dir,
            sandbox: sandbox.named,
            most,
            confined,
            defaults,
            imposed,
            roots: arranged.roots,
            options,
            prompt,
            scratch,
            known,
            warnings,
        })
    }

    /// The directory of the request, else of the session, else of the settings.
    fn working_dir(&self, known: &SessionInfo) -> Result<WorkingDir> {
        match (&self.request.working_dir, &known.working_dir) {
            (Some(requested), _) => Ok(requested.clone()),
            (None, Some(own)) => WorkingDir::existing(own).map_err(|problem| {
                let problem = format!("of the session {problem}; pass another directory");
                FailureKind::BadInput { field: "cwd".into(), problem: InvalidValue(problem) }
            }),
            (None, None) => Ok(self.settings.working_dir.clone()),
        }
    }

    /// The profile of the request, else the operator's.
    fn profile(&self) -> Option<&Profile> {
        let operator = &self.settings.operator_config;
        self.request.options.profile.as_ref().or(operator.profile.as_ref())
    }

    /// When Codex needs the developer instructions. A session that keeps what it has has them already.
    fn instructions_needed(&self) -> When {
        match self.request.session {
            Some(_) if self.request.keep_model && !self.request.new_instructions => When::Compacted,
            _ => When::AtStart,
        }
    }

    fn surroundings(&self, working_dir: &WorkingDir) -> Surroundings {
        let profile = self.profile().map(Profile::as_str);
        let (settings, home, dir) = (self.settings, self.codex_home, working_dir.as_path());
        Surroundings::inspect(settings, self.config_files, home, profile, dir)
    }

    /// The options, with every path resolved, and with those of the operator.
    fn options(&self, known: &SessionInfo, kept: Confined<'_>) -> Result<Options> {
        let mut options = self.request.options.clone();
        if self.request.keep_model {
            options.model = options.model.or_else(|| known.model.clone());
            options.reasoning_effort = options.reasoning_effort.or_else(|| known.effort.clone());
            if let Some(model) = &options.model {
                self.policy.check_model(model.as_str())?;
            }
        }
        options.profile = self.profile().cloned();
        let operator = &self.settings.operator_config;
        let or = |own: &mut Option<String>, default: &Option<String>| {
            if own.is_none() {
                own.clone_from(default);
            }
        };
        or(&mut options.compact_prompt, &operator.compact_prompt);
        if self.request.session.is_none() || self.instructions_needed() == When::Compacted {
            or(&mut options.developer_instructions, &operator.developer_instructions);
        }
        if operator.is_strict {
            options.extra_arguments.push(Argument::strict_config());
        }
        for dir in &mut options.add_dirs {
            *dir = self.policy.working_dir("add_dirs", dir, kept)?;
        }
        // Resolved now, so that a link cannot lead elsewhere by the time Codex reads the image.
        for image in options.images.iter_mut().filter(|_| !self.policy.allowed_dirs.is_empty()) {
            let real = self.policy.resolve_allowed("images", image.as_path())?;
            *image = Image::existing(real)
                .map_err(|problem| FailureKind::BadInput { field: "images".into(), problem })?;
        }
        Ok(options)
    }

    fn arrange(
        &self,
        working_dir: &WorkingDir,
        options: &mut Options,
        configured: &Configured,
        excluded: &[&'static str],
    ) -> Result<Arranged> {
        let fixed = self.policy.allowed_folders();
        let context =
            writable_roots::Context { configured, codex_home: self.codex_home, excluded, fixed };
        writable_roots::arrange(working_dir, options, context)
    }

    fn basis<'a>(&'a self, configured: &'a Configured, working_dir: &'a WorkingDir) -> Basis<'a> {
        Basis {
            request: self.request,
            policy: self.policy,
            configured,
            operator: self.settings.operator_config.table(),
            state_dir: self.settings.state_dir.as_deref(),
            working_dir,
            depth: self.depth.saturating_add(1),
        }
    }

    /// A warning, if the request inherits from a session whose record could not be read in full.
    fn unknown_session(
        &self,
        known: &SessionInfo,
        working_dir: &WorkingDir,
        sandbox: &Choice,
    ) -> Option<String> {
        let request = self.request;
        let inherits = request.working_dir.is_none() || request.sandbox == SandboxChoice::Inherit;
        (request.session.is_some() && !known.settled && inherits).then(|| {
            format!(
                "Codex's record of this session could not be read in full, so omitted settings may differ \
                 from the session's. The turn ran in {}, {}.",
                working_dir.as_path().display(),
                sandbox.named.map_or_else(
                    || "in the sandbox configured in Codex".into(),
                    |sandbox| format!("in the sandbox {}", sandbox.as_str()),
                ),
            )
        })
    }
}

/// Which folders a confined turn in this sandbox must not be given.
fn confinement_of<'a>(sandbox: &Choice, protected: &'a ProtectedFolders) -> Confined<'a> {
    match sandbox.expected {
        // A permission profile of the user's own may let anything be written.
        _ if sandbox.named.is_none() => Confined::Writing(protected),
        Sandbox::WorkspaceWrite => Confined::Writing(protected),
        Sandbox::ReadOnly | Sandbox::DangerFullAccess => Confined::ReadOnly,
    }
}

/// The settings that exclude the folders for temporary files that hold something protected. Codex lets
/// commands write there in every sandbox that lets them write at all.
fn excluded(protected: &ProtectedFolders) -> Vec<&'static str> {
    let holds = |temp: &Temp| protected.any_within(Path::new(&temp.folder));
    let temporary = writable_roots::temporary().into_iter();
    temporary.filter(holds).map(|temp| writable_roots::exclusion(temp.which)).collect()
}
