//! What a turn runs with.

use crate::codex::locate::Program;
use crate::codex::scratch::Scratch;
use crate::codex::setting::Setting;
use crate::codex::version::Version;
use crate::model::options::Options;
use crate::model::prompt::Prompt;
use crate::model::sandbox::Sandbox;
use crate::model::working_dir::WorkingDir;
use crate::session::info::SessionInfo;
use crate::session::writable_roots::WritableRoots;

/// All that a turn runs with. A [`Planner`](super::planner::Planner) makes it before Codex starts.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) program: Program,
    pub(super) version: Option<Version>,
    pub(super) working_dir: WorkingDir,
    /// The sandbox that Codex is given by name.
    pub(super) sandbox: Option<Sandbox>,
    /// The loosest sandbox that may have been in force.
    pub(super) most: Sandbox,
    /// Whether every known way out of the sandbox is closed.
    pub(super) confined: bool,
    /// Settings that hold unless the request overrides them.
    pub(super) defaults: Vec<Setting>,
    /// Settings that the request cannot override.
    pub(super) imposed: Vec<Setting>,
    /// Where the turn may write, if it may write at all.
    pub(super) roots: Option<WritableRoots>,
    pub(super) options: Options,
    /// The prompt, if it is not that of the request.
    pub(super) prompt: Option<Prompt>,
    pub(super) scratch: Scratch,
    /// The session before this turn.
    pub(super) known: SessionInfo,
    pub(super) warnings: Vec<String>,
}
