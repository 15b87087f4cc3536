//! Which sandbox a turn gets. Pure.

use crate::codex::configured::Configured;
use crate::model::policy::{self, Policy};
use crate::model::request::TurnRequest;
use crate::model::sandbox::{Sandbox, SandboxChoice};
use crate::session::info::SessionInfo;

/// The sandbox of a turn.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// The sandbox to name on Codex's command line, if any.
    pub(super) named: Option<Sandbox>,
    /// The sandbox that will be in force, as far as that can be known.
    pub(super) expected: Sandbox,
    /// A warning, if this is less than the session or the configuration has.
    pub(super) warning: Option<String>,
}

impl Choice {
    fn of(named: Option<Sandbox>, expected: Sandbox) -> Self {
        Self { named, expected, warning: None }
    }
}

/// Whether the turn is a guard's, which must change nothing whatever the policy allows.
pub(super) fn is_guard(request: &TurnRequest) -> bool {
    matches!(request.sandbox, SandboxChoice::Once(_))
}

/// Chooses the sandbox by request, session, configuration and policy, in this order. Only an open policy
/// leaves the choice to Codex.
pub(super) fn choose(
    request: &TurnRequest,
    policy: &Policy,
    known: &SessionInfo,
    configured: &Configured,
) -> Choice {
    let wanted = match request.sandbox {
        SandboxChoice::Set(sandbox) | SandboxChoice::Once(sandbox) => Some(sandbox),
        SandboxChoice::Inherit => known.sandbox,
    };
    if policy.allows_full_access() {
        return match wanted {
            Some(sandbox) => Choice::of(wanted, sandbox),
            None if Policy::could_bypass_sandbox(&request.options) => {
                Choice::of(None, Sandbox::DangerFullAccess)
            }
            // Codex has another default where a project is not trusted (measured on 0.153, 0.169 and
            // 0.171), so the sandbox must be named, unless the user's own permission profile is in force.
            None => {
                let expected = configured.sandbox();
                let own = configured.has_own_permissions();
                Choice::of(Some(expected).filter(|_| !own), expected)
            }
        };
    }
    let requested = wanted.unwrap_or_else(|| configured.sandbox());
    let (sandbox, is_less) = policy.cap_sandbox(requested);
    let warning = is_less.then(|| {
        let whose = if wanted.is_some() { "The session last ran" } else { "Codex is configured" };
        format!(
            "{whose} with the sandbox {}, which this server does not allow. This turn ran in the sandbox \
             {}. The operator can allow more with {}.",
            requested.as_str(),
            sandbox.as_str(),
            policy::MAX_SANDBOX,
        )
    });
    Choice { named: Some(sandbox), expected: sandbox, warning }
}
