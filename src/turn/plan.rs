//! What a turn runs with: the program, the directory, the sandbox and all else that a call leaves open,
//! settled and checked before Codex starts.

use std::path::Path;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::run::Call;
use super::surroundings::Surroundings;
use super::writable_roots::{self, Arranged};
use crate::admission::folders::Confined;
use crate::admission::protected_folders::ProtectedFolders;
use crate::codex::configured::{Configured, Requirements};
use crate::codex::confinement;
use crate::codex::confinement::Confinement;
use crate::codex::environment::Environment;
use crate::codex::locate::Program;
use crate::codex::scratch::Scratch;
use crate::codex::setting::Setting;
use crate::codex::version::Version;
use crate::model::options::{ApprovalPolicy, Image, Options, Override, Profile};
use crate::model::outcome::FailureKind;
use crate::model::policy;
use crate::model::policy::{CommandEnvironment, NestedMcp, Policy};
use crate::model::sandbox::{Sandbox, SandboxChoice};
use crate::model::session_id::SessionId;
use crate::model::value::InvalidValue;
use crate::model::working_dir::WorkingDir;
use crate::session::info::SessionInfo;
use crate::session::writable_roots::{Temp, WritableRoots};
use crate::system::depth::DEPTH;

/// What the turn runs with, once that is settled.
pub(super) struct Plan {
    pub(super) program: Program,
    pub(super) version: Option<Version>,
    pub(super) working_dir: WorkingDir,
    /// The sandbox that is named.
    pub(super) sandbox: Option<Sandbox>,
    /// The most that may have been in force in the turn.
    pub(super) most: Sandbox,
    /// Whether the turn is kept in its sandbox by all that is known.
    pub(super) kept: bool,
    pub(super) defaults: Vec<Setting>,
    pub(super) imposed: Vec<Setting>,
    /// Where it may write, if it may.
    pub(super) roots: Option<WritableRoots>,
    pub(super) options: Options,
    pub(super) scratch: Scratch,
    pub(super) known: SessionInfo,
    pub(super) warnings: Vec<String>,
}

/// How many turns are planned at a time: each takes a thread, and keeps it as long as a disk does not
/// answer.
pub(super) const PLANNED_AT_ONCE: usize = 64;

/// The sandbox of a turn.
struct Choice {
    /// The one to name, if any is.
    named: Option<Sandbox>,
    /// The one that the turn is in, as far as can be told.
    expected: Sandbox,
}

type Result<T> = std::result::Result<T, FailureKind>;

impl Call {
    /// Settles the program, the directory and the sandbox, and what the session is like. All of that
    /// looks at files, and so is done where it holds up nobody else.
    pub(super) async fn plan(&self) -> Result<Plan> {
        let dropped = CancellationToken::new();
        let _guard = dropped.clone().drop_guard();
        let (call, runtime) = (self.clone(), Handle::current());
        let turn = Arc::clone(&self.shared.planning).acquire_owned().await;
        let plan = move || {
            // Until it is done, also when nobody waits for it any more.
            let _turn = turn;
            runtime.block_on(dropped.run_until_cancelled(call.plan_here()))
        };
        let planned = tokio::task::spawn_blocking(plan).await;
        planned.ok().flatten().unwrap_or_else(|| {
            let message = "what the turn runs with could not be settled; the log says why".into();
            Err(FailureKind::Internal { message })
        })
    }

    async fn plan_here(&self) -> Result<Plan> {
        let settings = &self.shared.settings;
        let known = match self.request.session {
            Some(session) => self.look_up(session),
            None => SessionInfo::default(),
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
        let Surroundings { program, git, configured, protected, paths } =
            self.surroundings(&working_dir);
        let mut program = program.map_err(|reason| FailureKind::CodexNotFound {
            program: settings.codex_bin.to_string_lossy().into_owned(),
            reason,
        })?;
        program.environment.push((DEPTH.into(), Some((self.shared.depth + 1).to_string().into())));
        let sandbox = self.sandbox(&known, &configured, &mut warnings);
        let kept = self.is_guard() || sandbox.expected < Sandbox::DangerFullAccess;
        let kept_from = match sandbox.expected {
            _ if !kept => Confined::No,
            // What a profile of the person's own lets be written is not known.
            _ if sandbox.named.is_none() => Confined::Writing(&protected),
            Sandbox::WorkspaceWrite => Confined::Writing(&protected),
            Sandbox::ReadOnly | Sandbox::DangerFullAccess => Confined::ReadOnly,
        };
        let working_dir = self.policy().working_dir("cwd", &working_dir, kept_from)?;
        self.check_profile(&configured)?;
        if let Some(diff) = &self.request.diff {
            let (dir, watchdog) = (working_dir.as_path(), &self.shared.watchdog);
            let known = diff.check(dir, git.as_deref(), watchdog).await;
            known.map_err(|problem| FailureKind::BadInput { field: "diff".into(), problem })?;
        }
        let mut options = self.options(kept_from)?;
        let configured_environment = configured.environment_policy();
        let environment = if kept {
            let is_safe = |path: &Path| protected.is_safe_from_turns(path);
            Environment::kept(std::env::vars_os(), paths, is_safe, &configured_environment)
        } else {
            Environment::free(paths, &configured_environment)
        };
        program.environment.extend(environment.codex.iter().cloned());
        let version = self.shared.versions.of(&program, &self.shared.watchdog).await;
        self.check_version(version, kept, &configured, &working_dir)?;
        let mut excluded = if kept { excluded(&protected) } else { Vec::new() };
        let mut arranged = Arranged::default();
        if kept && sandbox.expected == Sandbox::WorkspaceWrite {
            arranged = self.arrange(&working_dir, &mut options, &configured, &excluded)?;
            excluded.extend(&arranged.excluded);
            warnings.append(&mut arranged.warnings);
        }
        if sandbox.expected == Sandbox::WorkspaceWrite
            && !excluded.is_empty()
            && configured.requirements() == Requirements::Profiles
        {
            let problem = "cannot be workspace-write here: something that no turn may write lies in a \
                           folder for temporary files, and this machine's requirements.toml has Codex \
                           let commands write there; use read-only"
                .into();
            return Err(policy::not_allowed("sandbox", problem, policy::MAX_SANDBOX));
        }
        let (defaults, mut imposed) = self.settings(
            &configured,
            &working_dir,
            kept.then(|| Confinement {
                sandbox: sandbox.named,
                approvals: self.request.options.approval_policy,
                excluded: &excluded,
                environment: &environment,
                plain_variables: self.is_guard()
                    || self.policy().command_environment == CommandEnvironment::Plain,
                version,
            }),
            &mut warnings,
        );
        if !kept {
            imposed.extend(environment.settings());
        }
        imposed.extend(arranged.settings);
        let scratch = Scratch::write(settings.state_dir.as_deref(), &options)
            .map_err(|error| FailureKind::Storage { reason: error.to_string() })?;
        let inherits =
            self.request.working_dir.is_none() || self.request.sandbox == SandboxChoice::Inherit;
        if self.request.session.is_some() && !known.settled && inherits {
            warnings.push(format!(
                "Codex's record of this session could not be read in full, so what the call left \
                 open may not be the session's own: it ran in {}, {}.",
                working_dir.as_path().display(),
                sandbox.named.map_or_else(
                    || "in the sandbox that Codex is configured for".into(),
                    |sandbox| format!("in the sandbox {}", sandbox.as_str()),
                ),
            ));
        }
        let most = match sandbox.named {
            Some(sandbox) if !Policy::could_bypass_sandbox(&self.request.options) => sandbox,
            _ => self.policy().max_sandbox,
        };
        Ok(Plan {
            program,
            version,
            working_dir,
            sandbox: sandbox.named,
            most,
            kept,
            defaults,
            imposed,
            roots: arranged.roots,
            options,
            scratch,
            known,
            warnings,
        })
    }

    /// Whether the turn is one of a guard, which changes nothing whatever else may be done here.
    fn is_guard(&self) -> bool {
        matches!(self.request.sandbox, SandboxChoice::Once(_))
    }

    /// The sandbox to name. Only where nothing is kept from callers may it be left to Codex.
    fn sandbox(
        &self,
        known: &SessionInfo,
        configured: &Configured,
        warnings: &mut Vec<String>,
    ) -> Choice {
        let policy = self.policy();
        let wanted = match self.request.sandbox {
            SandboxChoice::Set(sandbox) | SandboxChoice::Once(sandbox) => Some(sandbox),
            SandboxChoice::Inherit => known.sandbox,
        };
        if policy.allows_full_access() {
            return match wanted {
                Some(sandbox) => Choice { named: wanted, expected: sandbox },
                None if Policy::could_bypass_sandbox(&self.request.options) => {
                    Choice { named: None, expected: Sandbox::DangerFullAccess }
                }
                // Where a project is not trusted Codex takes another default (measured on 0.153, 0.169
                // and 0.171), so it must be named, unless a profile of the person's own is in force.
                None => {
                    let expected = configured.sandbox();
                    let own = configured.has_own_permissions();
                    Choice { named: Some(expected).filter(|_| !own), expected }
                }
            };
        }
        let asked = wanted.unwrap_or_else(|| configured.sandbox());
        let (sandbox, less) = policy.cap_sandbox(asked);
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
        Choice { named: Some(sandbox), expected: sandbox }
    }

    /// What the turn finds on this machine.
    fn surroundings(&self, working_dir: &WorkingDir) -> Surroundings {
        let (settings, home) = (&self.shared.settings, self.shared.codex_home.as_deref());
        let profile = self.request.options.profile.as_ref().map(Profile::as_str);
        Surroundings::look(settings, home, profile, working_dir.as_path())
    }

    /// Refuses a profile that could get around the sandbox, as the caller chose it, and a model that is
    /// not allowed.
    fn check_profile(&self, configured: &Configured) -> Result<()> {
        let policy = self.policy();
        if let (Some(profile), Some(key)) =
            (&self.request.options.profile, policy.first_unsafe_setting(configured.profile()))
        {
            let name = profile.as_str();
            let problem = format!("{name} sets {key}, which could get around the sandbox");
            return Err(policy::not_allowed("profile", problem, policy::MAX_SANDBOX));
        }
        if let (None, Some(model)) = (&self.request.options.model, configured.model()) {
            policy.check_model(model)?;
        }
        Ok(())
    }

    /// The settings of Codex's that a call may overrule, and those that it may not.
    fn settings(
        &self,
        configured: &Configured,
        working_dir: &WorkingDir,
        confinement: Option<Confinement<'_>>,
        warnings: &mut Vec<String>,
    ) -> (Vec<Setting>, Vec<Setting>) {
        let policy = self.policy();
        let (mut defaults, mut imposed) = (Vec::new(), Vec::new());
        if confinement.is_some() || policy.nested_mcp != NestedMcp::Inherit {
            imposed.push(confinement::untrusted(working_dir.as_path()));
            let (taken, left) = configured.project_settings();
            defaults = taken;
            if !left.is_empty() {
                warnings.push(format!(
                    "Codex did not load the project's .codex/config.toml, because a turn could have \
                     written it; of its settings these are left out: {}.",
                    left.join(", ")
                ));
            }
        }
        let (mut without, mut moved) = (Vec::new(), Vec::new());
        if policy.nested_mcp != NestedMcp::Inherit {
            without = configured.mcp_servers();
            without.retain(|name| !policy.nested_mcp.allows(name));
            imposed.extend(confinement::without_plugins());
        }
        // Those that a call may bring, as it says itself what it may do, would be lost.
        let own = |setting: &Override| setting.key().starts_with("mcp_servers");
        if confinement.is_some() && !self.request.options.config.iter().any(own) {
            moved = configured.mcp_servers_there();
            moved.retain(|name| policy.nested_mcp.allows(name));
        }
        // Most turns have none to start there, and need no folder.
        let dir = if moved.is_empty() { "/".into() } else { self.servers_dir() };
        imposed.extend(confinement::servers(&without, (&dir, &moved)));
        imposed.extend(confinement.iter().flat_map(Confinement::settings));
        if !policy.allowed_models.is_empty() {
            imposed.extend(confinement::without_agents());
        }
        (defaults, imposed)
    }

    /// The options, with directories as they really are.
    fn options(&self, confined: Confined<'_>) -> Result<Options> {
        let mut options = self.request.options.clone();
        let policy = self.policy();
        for dir in &mut options.add_dirs {
            *dir = policy.working_dir("add_dirs", dir, confined)?;
        }
        // As it really is, so that a link cannot lead elsewhere by the time Codex reads it.
        for image in options.images.iter_mut().filter(|_| !policy.allowed_dirs.is_empty()) {
            let real = policy.resolve_allowed("images", image.as_path())?;
            *image = Image::existing(real)
                .map_err(|problem| FailureKind::BadInput { field: "images".into(), problem })?;
        }
        Ok(options)
    }

    /// An empty folder in which no turn can write.
    fn servers_dir(&self) -> std::path::PathBuf {
        let own = self.shared.settings.state_dir.as_deref().map(|dir| dir.join("empty"));
        let made = own.filter(|dir| crate::system::private::create_folder(dir).is_ok());
        made.unwrap_or_else(|| "/".into())
    }

    /// What whoever asked is allowed.
    pub(super) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Refuses what this Codex does not have and would take for something else.
    fn check_version(
        &self,
        version: Option<Version>,
        kept: bool,
        configured: &Configured,
        working_dir: &WorkingDir,
    ) -> Result<()> {
        let options = &self.request.options;
        let home = self.shared.codex_home.as_deref();
        let needs = |field: &str, only_with: &str, needed: Version| match version {
            Some(found) if found < needed => Err(FailureKind::NeedsNewerCodex {
                field: field.into(),
                only_with: only_with.into(),
                needed: needed.to_string(),
                found: found.to_string(),
            }),
            _ => Ok(()),
        };
        if self.request.fork {
            needs("fork", "", Version::FORK)?;
        }
        if let (Some(ApprovalPolicy::Untrusted), Some(found)) = (options.approval_policy, version)
            && found >= Version::NO_UNTRUSTED
        {
            let problem = format!(
                "cannot be untrusted: Codex {} and newer no longer have it, and this one is {found}; \
                 leave it out, or take on-request",
                Version::NO_UNTRUSTED
            );
            let problem = InvalidValue(problem);
            return Err(FailureKind::BadInput { field: "approval_policy".into(), problem });
        }
        let ruled = || home.is_some_and(|home| configured.has_rules(home, working_dir.as_path()));
        if kept && ruled() {
            let with =
                "where there are rules of Codex's (rules/*.rules), which let commands out of it";
            needs("sandbox", with, Version::IGNORE_RULES)?;
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

    fn look_up(&self, session: SessionId) -> SessionInfo {
        let home = self.shared.codex_home.as_deref();
        self.shared.sessions.look_up(session, home, self.shared.is_one_off)
    }
}

/// The settings that close folders for temporary files in which something protected lies. Codex lets
/// commands write in them, whatever else they may not.
fn excluded(protected: &ProtectedFolders) -> Vec<&'static str> {
    let holds = |temp: &Temp| protected.any_within(Path::new(&temp.folder));
    let temporary = writable_roots::temporary().into_iter();
    temporary.filter(holds).map(|temp| writable_roots::closes(temp.which)).collect()
}
