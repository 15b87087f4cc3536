//! The settings of Codex that a turn overrides.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::codex::configured::Configured;
use crate::codex::confinement::{self, Confinement, FORMER_APPS};
use crate::codex::setting::Setting;
use crate::model::options::Override;
use crate::model::policy::{NestedMcp, Policy};
use crate::model::request::TurnRequest;
use crate::model::working_dir::WorkingDir;
use crate::system::depth::DEPTH_HEADER;
use crate::system::private;

/// Settings for the command line of Codex.
#[derive(Debug, Default)]
pub(super) struct Overrides {
    /// They hold unless the request overrides them.
    pub(super) defaults: Vec<Setting>,
    /// They hold whatever the request says.
    pub(super) imposed: Vec<Setting>,
    /// A warning, if settings of the project were left out.
    pub(super) warning: Option<String>,
}

/// What the overrides depend on.
pub(super) struct Basis<'a> {
    pub(super) request: &'a TurnRequest,
    pub(super) policy: &'a Policy,
    pub(super) configured: &'a Configured,
    /// The operator's settings.
    pub(super) operator: &'a Table,
    pub(super) state_dir: Option<&'a Path>,
    pub(super) working_dir: &'a WorkingDir,
    /// How deep the Codex of the turn is.
    pub(super) depth: u32,
}

impl Basis<'_> {
    /// The settings of a turn, which is confined or not. May create an empty folder in the state folder.
    pub(super) fn overrides(&self, confinement: Option<&Confinement<'_>>) -> Overrides {
        let Self { request, policy, configured, .. } = self;
        let mut overrides = Overrides::default();
        let mut operator = self.operator.clone();
        let imposed = &mut overrides.imposed;
        if confinement.is_some() || policy.nested_mcp != NestedMcp::Inherit {
            imposed.push(confinement::untrusted_projects(self.working_dir.as_path()));
            let (taken, left) = configured.project_settings();
            overrides.defaults = taken;
            overrides.warning = (!left.is_empty()).then(|| {
                format!(
                    "Codex did not load the project's .codex/config.toml, because a turn could have \
                     written it. These of its settings were ignored: {}.",
                    left.join(", ")
                )
            });
        }
        let (mut without, mut moved) = (Vec::new(), Vec::new());
        if policy.nested_mcp != NestedMcp::Inherit {
            without = configured.mcp_servers();
            without.retain(|name| !policy.nested_mcp.allows(name));
            imposed.extend(confinement::without_plugins(configured.is_set(FORMER_APPS)));
        }
        // A server over HTTP is no child of the Codex, so it does not find its depth otherwise. It may be this
        // one, and any other may be one like it.
        let loads_project = confinement.is_none() && policy.nested_mcp == NestedMcp::Inherit;
        let mut by_url = configured.mcp_servers_by_url(loads_project);
        by_url.retain(|name| policy.nested_mcp.allows(name));
        let header = (DEPTH_HEADER, self.depth.to_string());
        // One setting for all servers would lose those that the request itself brings, which it may.
        let own = |setting: &Override| setting.key().starts_with("mcp_servers");
        let brings_own = request.options.config.iter().any(own);
        if brings_own {
            by_url.extend(request.options.config.iter().filter_map(brought_by_url));
            imposed.extend(confinement::headers(&header, &std::mem::take(&mut by_url)));
        }
        if confinement.is_some() && !brings_own {
            moved = configured.mcp_servers_there();
            moved.retain(|name| policy.nested_mcp.allows(name));
        }
        // Most turns move no server and need no folder.
        let dir = if moved.is_empty() { "/".into() } else { self.servers_dir() };
        // As one setting, because it would replace the operator's.
        let servers = confinement::mcp_servers(&without, (&dir, &moved), (&header, &by_url));
        imposed.extend(servers.map(|(key, value)| {
            let own = operator.remove(&key);
            (key, own.map_or_else(|| value.clone(), |own| merged(own, &value)))
        }));
        imposed.extend(confinement.into_iter().flat_map(Confinement::settings));
        if !policy.allowed_models.is_empty() {
            imposed.extend(confinement::without_agents());
        }
        overrides.defaults.extend(operator);
        overrides
    }

    /// An empty folder in which no turn can write.
    fn servers_dir(&self) -> PathBuf {
        let own = self.state_dir.map(|dir| dir.join("empty"));
        let created = own.filter(|dir| private::create_folder(dir).is_ok());
        created.unwrap_or_else(|| "/".into())
    }
}

/// The table `own` with all that `imposed` sets.
fn merged(own: Value, imposed: &Value) -> Value {
    match (own, imposed) {
        (Value::Table(mut own), Value::Table(imposed)) => {
            for (key, value) in imposed {
                let before = own.remove(key);
                let value = before.map_or_else(|| value.clone(), |before| merged(before, value));
                own.insert(key.clone(), value);
            }
            own.into()
        }
        (_, imposed) => imposed.clone(),
    }
}

/// The name of the MCP server whose URL this sets.
fn brought_by_url(setting: &Override) -> Option<String> {
    let name = setting.key().strip_prefix("mcp_servers.")?.strip_suffix(".url")?;
    Some(name.to_owned())
}
