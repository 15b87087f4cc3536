//! What a turn is refused for, once the configuration and the version of Codex are known.

use std::path::Path;

use crate::codex::configured::Configured;
use crate::codex::version::Version;
use crate::model::model_name::Model;
use crate::model::options::{ApprovalPolicy, Profile, WebSearch};
use crate::model::outcome::FailureKind;
use crate::model::policy::{self, Policy};
use crate::model::request::TurnRequest;
use crate::model::value::InvalidValue;

type Result<T> = std::result::Result<T, FailureKind>;

/// Refuses a profile of the request that could get around the sandbox, and without a `model` for the turn, a configured
/// one that the policy does not allow.
pub(super) fn check_profile(
    profile: Option<&Profile>,
    model: Option<&Model>,
    policy: &Policy,
    configured: &Configured,
) -> Result<()> {
    if let (Some(profile), Some(key)) = (profile, policy.first_unsafe_setting(configured.profile()))
    {
        let name = profile.as_str();
        let problem = format!("{name} sets {key}, which could bypass the sandbox");
        return Err(policy::not_allowed("profile", problem, policy::MAX_SANDBOX));
    }
    if let (None, Some(model)) = (model, configured.model()) {
        policy.check_model(model)?;
    }
    Ok(())
}

/// What the version is checked against.
#[derive(Debug, Clone, Copy)]
pub(super) struct VersionCheck<'a> {
    /// The version of Codex; an unknown one passes.
    pub(super) version: Option<Version>,
    pub(super) confined: bool,
    pub(super) configured: &'a Configured,
    pub(super) codex_home: Option<&'a Path>,
    /// The profile of the request, or the operator's.
    pub(super) profile: Option<&'a Profile>,
    pub(super) working_dir: &'a Path,
}

impl VersionCheck<'_> {
    /// Refuses what this Codex does not have and would misunderstand.
    pub(super) fn run(&self, request: &TurnRequest) -> Result<()> {
        let options = &request.options;
        if request.fork {
            self.needs("fork", "", Version::FORK)?;
        }
        if let Some(WebSearch::Cached | WebSearch::Indexed) = options.web_search {
            let with = "unless it is live or disabled";
            self.needs("web_search", with, Version::WEB_SEARCH)?;
        }
        if let (Some(ApprovalPolicy::Untrusted), Some(found)) =
            (options.approval_policy, self.version)
            && found >= Version::NO_UNTRUSTED
        {
            let problem = format!(
                "cannot be untrusted: Codex {} removed it, and this is Codex {found}; omit it, or use \
                 on-request",
                Version::NO_UNTRUSTED
            );
            return Err(bad("approval_policy", problem));
        }
        let is_old = self.version.is_some_and(|version| version < Version::IGNORE_RULES);
        if self.confined && is_old && self.has_rules() {
            let with = "if Codex has rules (rules/*.rules), which can exempt commands from it";
            self.needs("sandbox", with, Version::IGNORE_RULES)?;
        }
        self.check_profile_file()
    }

    fn has_rules(&self) -> bool {
        self.codex_home.is_some_and(|home| self.configured.has_rules(home, self.working_dir))
    }

    fn needs(&self, field: &str, only_with: &str, needed: Version) -> Result<()> {
        match self.version {
            Some(found) if found < needed => Err(FailureKind::NeedsNewerCodex {
                field: field.into(),
                only_with: only_with.into(),
                needed: needed.to_string(),
                found: found.to_string(),
            }),
            _ => Ok(()),
        }
    }

    /// Codex takes a missing profile for an empty one.
    fn check_profile_file(&self) -> Result<()> {
        let (Some(profile), Some(home)) = (self.profile, self.codex_home) else {
            return Ok(());
        };
        if self.version.is_some_and(|version| version < Version::PROFILE_FILES) {
            return Ok(());
        }
        let file = home.join(format!("{}.config.toml", profile.as_str()));
        if file.is_file() {
            return Ok(());
        }
        let problem =
            format!("must name a profile of Codex, but {} does not exist", file.display());
        Err(bad("profile", problem))
    }
}

fn bad(field: &str, problem: String) -> FailureKind {
    FailureKind::BadInput { field: field.into(), problem: InvalidValue(problem) }
}
