//! What Codex is told, beside the name of a sandbox, so that a turn stays in it. Pure.
//!
//! All of it was measured on 0.153, 0.169 and 0.171; SECURITY.md lists what each closes.

use std::path::Path;

use toml::{Table, Value};

use super::environment::{Environment, PLAIN};
use super::setting::Setting;
use super::version::Version;
use crate::model::options::ApprovalPolicy;
use crate::model::sandbox::Sandbox;

/// How a turn is kept in its sandbox.
#[derive(Debug, Clone)]
pub(crate) struct Confinement<'a> {
    /// The sandbox that is named.
    pub(crate) sandbox: Option<Sandbox>,
    /// What the call says of approvals.
    pub(crate) approvals: Option<ApprovalPolicy>,
    /// Folders for temporary files that must not be written in, by the setting that says so.
    pub(crate) excluded: &'a [&'static str],
    /// What the environment differs in.
    pub(crate) environment: &'a Environment,
    /// Whether commands get plain variables alone, none of which holds a secret.
    pub(crate) plain_variables: bool,
    pub(crate) version: Option<Version>,
}

impl Confinement<'_> {
    /// The settings.
    pub(crate) fn settings(&self) -> Vec<Setting> {
        let mut settings = Vec::new();
        let mut set = |key: &str, value: Value| settings.push((key.to_owned(), value));
        // A command that needs approval is refused: a model may otherwise be the one who is asked.
        match self.approvals {
            None => set("approval_policy", "never".into()),
            Some(_) => set("approvals_reviewer", "user".into()),
        }
        // An administrator's requirements with permission profiles make Codex ignore `-s` alone
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
            let names = PLAIN.iter().map(|&name| name.into()).collect();
            set("shell_environment_policy.include_only", Value::Array(names));
        }
        // It hands the whole environment to commands in older versions, and to all what the user's
        // shell sets at its start.
        let leaks = self.version.is_some_and(|version| version < Version::CLEAN_SNAPSHOT);
        if self.plain_variables || leaks {
            set("features.shell_snapshot", false.into());
        }
        settings
    }
}

/// Tells Codex that `dir` and all folders around it are not trusted, so that it loads no settings, no
/// MCP servers, hooks or rules from there. It asks for the directory, its project's root and, in a
/// linked worktree, the main repository, in this order, and stops at the first of which it knows.
pub(crate) fn untrusted(dir: &Path) -> Setting {
    let entry = || Table::from_iter([("trust_level".to_owned(), Value::from("untrusted"))]);
    let dirs = dir.ancestors().map(|dir| (dir.to_string_lossy().into_owned(), entry().into()));
    ("projects".into(), Value::Table(dirs.collect()))
}

/// Keeps Codex from starting the MCP servers `without` of its configuration, and has it start the others
/// `in_dir` in that directory and not where the turn works: what starts them, such as `npx` or
/// `python -m`, takes programs and settings from the directory that it is started in.
///
/// All in one setting, as a second one of the same key takes the place of the first; and the names may
/// have dots, so they cannot be in a key.
pub(crate) fn servers(without: &[String], in_dir: (&Path, &[String])) -> Option<Setting> {
    let (dir, others) = in_dir;
    let dir = Value::from(&*dir.to_string_lossy());
    let entry = |key: &str, value: Value| Value::Table(Table::from_iter([(key.to_owned(), value)]));
    let off = without.iter().map(|name| (name.clone(), entry("enabled", false.into())));
    let moved = others.iter().map(|name| (name.clone(), entry("cwd", dir.clone())));
    let servers: Table = moved.chain(off).collect();
    (!servers.is_empty()).then(|| ("mcp_servers".into(), Value::Table(servers)))
}

/// Keeps Codex from starting MCP servers of plugins and connectors, which have no entry to turn off.
pub(crate) fn without_plugins() -> Vec<Setting> {
    ["plugins", "apps"].map(|name| (format!("features.{name}"), false.into())).into()
}

/// Keeps the model from starting agents, for which it may choose another model.
pub(crate) fn without_agents() -> Vec<Setting> {
    ["multi_agent", "multi_agent_v2"].map(|name| (format!("features.{name}"), false.into())).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_a_table_stays_a_name_whatever_is_in_it() {
        let names = ["a.b", "c\"]\nsandbox_mode = 'x'", "\"\"\"", "ü"].map(str::to_owned);
        let (key, value) = servers(&names, (Path::new("/"), &[])).expect("there are some");
        let table: Table = format!("{key}={value}").parse().expect("it is one setting of TOML");
        let servers = table["mcp_servers"].as_table().expect("a table");
        assert_eq!((table.len(), servers.len()), (1, names.len()));
        assert!(names.iter().all(|name| servers[name]["enabled"] == false.into()));
        let (_, value) = super::servers(&names[..1], (Path::new("/d"), &names[1..])).expect("some");
        assert_eq!(
            (&value[&names[0]]["enabled"], &value[&names[3]]["cwd"]),
            (&false.into(), &"/d".into())
        );
    }

    #[test]
    fn a_directory_is_untrusted_with_all_around_it() {
        let (_, value) = untrusted(Path::new("/a/b.c"));
        let names: Vec<&String> = value.as_table().expect("a table").keys().collect();
        assert_eq!(names, ["/", "/a", "/a/b.c"]);
    }
}
