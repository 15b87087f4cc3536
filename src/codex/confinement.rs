//! The settings that, in addition to the name of a sandbox, confine a turn to it. Pure.
//!
//! All of them were tested on 0.153, 0.169 and 0.171. SECURITY.md lists the escape that each of them
//! prevents.

use std::path::Path;

use toml::{Table, Value};

use super::environment::{Environment, PLAIN_VARIABLES};
use super::setting::Setting;
use super::version::Version;
use crate::model::options::ApprovalPolicy;
use crate::model::sandbox::Sandbox;

/// How a turn is confined to its sandbox.
#[derive(Debug, Clone)]
pub(crate) struct Confinement<'a> {
    /// The sandbox that is passed to Codex by name, if any.
    pub(crate) sandbox: Option<Sandbox>,
    /// The approval policy that the call requests.
    pub(crate) approvals: Option<ApprovalPolicy>,
    /// Settings that make folders for temporary files read-only.
    pub(crate) excluded: &'a [&'static str],
    /// The changes to the environment.
    pub(crate) environment: &'a Environment,
    /// Whether commands receive only basic variables, none of which holds a secret.
    pub(crate) plain_variables: bool,
    pub(crate) version: Option<Version>,
}

impl Confinement<'_> {
    /// The settings to impose on Codex.
    pub(crate) fn settings(&self) -> Vec<Setting> {
        let mut settings = Vec::new();
        let mut set = |key: &str, value: Value| settings.push((key.to_owned(), value));
        // Commands that need approval must be rejected. Otherwise a model might approve them.
        match self.approvals {
            None => set("approval_policy", "never".into()),
            Some(_) => set("approvals_reviewer", "user".into()),
        }
        // If an administrator's requirements contain permission profiles, Codex ignores a mere `-s`
        // (openai/codex#47464).
        let since = self.version.is_none_or(|version| version >= Version::PERMISSION_PROFILES);
        match self.sandbox {
            Some(Sandbox::ReadOnly) if since => set("default_permissions", ":read-only".into()),
            Some(Sandbox::WorkspaceWrite) if since => {
                set("default_permissions", ":workspace".into())
            }
            _ => {}
        }
        for setting in self.excluded {
            set(setting, true.into());
        }
        for (key, value) in self.environment.settings() {
            set(&key, value);
        }
        if self.plain_variables {
            let names = PLAIN_VARIABLES.iter().map(|&name| name.into()).collect();
            set("shell_environment_policy.include_only", Value::Array(names));
        }
        // In older versions the snapshot passes the whole environment to commands, and in all versions the
        // variables that the user's shell sets at startup.
        let leaks = self.version.is_some_and(|version| version < Version::CLEAN_SNAPSHOT);
        if self.plain_variables || leaks {
            set("features.shell_snapshot", false.into());
        }
        settings
    }
}

/// A header of HTTP: its name and its value.
pub(crate) type Header = (&'static str, String);

/// The setting of an MCP server that adds headers to all requests (seen on 0.153, 0.169 and 0.171).
const HEADERS: &str = "http_headers";

/// Marks `dir` and all its ancestors as untrusted, so that Codex loads no settings, MCP servers, hooks or
/// rules from there. Codex looks up the directory, its project root and, in a linked worktree, the main
/// repository, in this order, and uses the first entry it finds.
pub(crate) fn untrusted_projects(dir: &Path) -> Setting {
    let entry = || Table::from_iter([("trust_level".to_owned(), Value::from("untrusted"))]);
    let dirs = dir.ancestors().map(|dir| (dir.to_string_lossy().into_owned(), entry().into()));
    ("projects".into(), Value::Table(dirs.collect()))
}

/// Disables the configured MCP servers in `without`, and starts those in `in_dir` in the given directory
/// instead of the turn's: programs such as `npx` and `python -m` load programs and settings from their
/// working directory. Requests to those in `with_header` get a header.
///
/// This is a single setting because a second one with the same key would replace it, and because names may
/// contain dots and so cannot be part of a key.
pub(crate) fn mcp_servers(
    without: &[String],
    in_dir: (&Path, &[String]),
    with_header: (&Header, &[String]),
) -> Option<Setting> {
    let (dir, others) = in_dir;
    let dir = Value::from(&*dir.to_string_lossy());
    let entry = |key: &str, value: Value| Value::Table(Table::from_iter([(key.to_owned(), value)]));
    let off = without.iter().map(|name| (name.clone(), entry("enabled", false.into())));
    let moved = others.iter().map(|name| (name.clone(), entry("cwd", dir.clone())));
    let (header, by_url) = with_header;
    let headers = || Table::from_iter([(header.0.to_owned(), Value::from(header.1.as_str()))]);
    let by_url = by_url.iter().map(|name| (name.clone(), entry(HEADERS, headers().into())));
    let servers: Table = moved.chain(by_url).chain(off).collect();
    (!servers.is_empty()).then(|| ("mcp_servers".into(), Value::Table(servers)))
}

/// The same header for these MCP servers, in settings that leave everything else of theirs alone. Names that
/// cannot be part of a key are left out.
pub(crate) fn headers<'a>(
    (name, value): &'a Header,
    servers: &'a [String],
) -> impl Iterator<Item = Setting> + 'a {
    let is_plain =
        |name: &&String| name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    let keys = servers.iter().filter(is_plain);
    keys.map(move |server| (format!("mcp_servers.{server}.{HEADERS}.{name}"), value.clone().into()))
}

/// The former name of the feature `apps`. Where it is set, it wins over the present name (seen on 0.153 and 0.171).
pub(crate) const FORMER_APPS: &str = "features.connectors";

/// Disables plugins and connectors, whose MCP servers cannot be disabled individually. `by_former_name`: whether the
/// configuration enables connectors by [`FORMER_APPS`], of which Codex would warn if it were always set.
pub(crate) fn without_plugins(by_former_name: bool) -> Vec<Setting> {
    let former = by_former_name.then_some(FORMER_APPS);
    let names = ["features.plugins", "features.apps"].into_iter().chain(former);
    names.map(|name| (name.to_owned(), false.into())).collect()
}

/// Prevents the model from starting agents, for which it could choose another model.
pub(crate) fn without_agents() -> Vec<Setting> {
    ["multi_agent", "multi_agent_v2"].map(|name| (format!("features.{name}"), false.into())).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_a_table_may_contain_any_characters() {
        let header: Header = ("x", "1".into());
        let names = ["a.b", "c\"]\nsandbox_mode = 'x'", "\"\"\"", "ü"].map(str::to_owned);
        let (key, value) =
            mcp_servers(&names, (Path::new("/"), &[]), (&header, &[])).expect("there are some");
        let table: Table = format!("{key}={value}").parse().expect("it is one setting of TOML");
        let servers = table["mcp_servers"].as_table().expect("a table");
        assert_eq!((table.len(), servers.len()), (1, names.len()));
        assert!(names.iter().all(|name| servers[name]["enabled"] == false.into()));
        let in_dir = (Path::new("/d"), &names[1..3]);
        let (_, value) = mcp_servers(&names[..1], in_dir, (&header, &names[3..])).expect("some");
        assert_eq!(
            (
                &value[&names[0]]["enabled"],
                &value[&names[2]]["cwd"],
                &value[&names[3]][HEADERS]["x"]
            ),
            (&false.into(), &"/d".into(), &"1".into())
        );
        let some = ["a-b_1", "a.b"].map(str::to_owned);
        let settings: Vec<Setting> = headers(&header, &some).collect();
        assert_eq!(settings, [("mcp_servers.a-b_1.http_headers.x".to_owned(), "1".into())]);
    }

    #[test]
    fn a_directory_and_its_ancestors_are_untrusted() {
        let (_, value) = untrusted_projects(Path::new("/a/b.c"));
        let names: Vec<&String> = value.as_table().expect("a table").keys().collect();
        assert_eq!(names, ["/", "/a", "/a/b.c"]);
    }
}
