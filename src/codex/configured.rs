//! What Codex is configured for, as far as a sandbox of our own must not take it away: read from
//! `config.toml`, and never written.
//!
//! Up to 0.120 a profile is a table `profiles.NAME` there, from 0.134 on a file `NAME.config.toml`
//! beside it. Where nothing names a sandbox, `codex exec` takes `workspace-write` in a directory that
//! the person trusts, and `read-only` elsewhere (measured on 0.77, 0.153 and 0.171).

use std::path::{Path, PathBuf};

use toml::Table;

use crate::turn::request::Sandbox;

/// What the person has configured, as far as it matters for a turn in one directory.
#[derive(Debug, Default)]
pub(crate) struct Configured {
    config: Table,
    /// The profile that is asked for: its file, and its table in the old form.
    layered: Option<Table>,
    legacy: Option<Table>,
    /// The project's own settings, the nearest first, if the person trusts it.
    project: Vec<Table>,
    /// The directories by which Codex knows the project.
    roots: Vec<PathBuf>,
    trusted: bool,
}

impl Configured {
    /// Reads Codex's configuration below `home`, and the project's around `working_dir`.
    pub(crate) fn read(home: &Path, profile: Option<&str>, working_dir: &Path) -> Self {
        let config = table(&home.join("config.toml")).unwrap_or_default();
        let layered = profile.and_then(|name| table(&home.join(format!("{name}.config.toml"))));
        let profile = profile.or_else(|| config.get("profile")?.as_str());
        let legacy =
            profile.and_then(|name| config.get("profiles")?.get(name)?.as_table().cloned());
        let roots = project(working_dir);
        let trusted = is_trusted(&config, working_dir);
        let own = roots.iter().filter(|_| trusted);
        let project = own.filter_map(|dir| table(&dir.join(".codex/config.toml"))).collect();
        Self { config, layered, legacy, project, roots, trusted }
    }

    /// The sandbox in which Codex runs a new session if nothing else is said.
    pub(crate) fn sandbox(&self) -> Sandbox {
        let named = |table: &Table| table.get("sandbox_mode")?.as_str()?.parse().ok();
        let project = self.project.iter();
        let tables = self.profile().chain(project).chain([&self.config]);
        let default = if self.trusted { Sandbox::WorkspaceWrite } else { Sandbox::ReadOnly };
        tables.into_iter().find_map(named).unwrap_or(default)
    }

    /// The model that Codex asks if nothing else is said, if anything says which.
    pub(crate) fn model(&self) -> Option<&str> {
        let project = self.project.iter();
        let mut tables = self.profile().chain(project).chain([&self.config]);
        tables.find_map(|table| table.get("model")?.as_str())
    }

    /// Whether there are rules by which Codex would run commands outside of the sandbox.
    pub(crate) fn has_rules(&self, home: &Path) -> bool {
        let own = self.roots.iter().filter(|_| self.trusted).map(|root| root.join(".codex/rules"));
        own.chain([home.join("rules")]).any(|rules| rules.is_dir())
    }

    /// The names of the MCP servers that Codex would start.
    pub(crate) fn mcp_servers(&self, with_project: bool) -> Vec<String> {
        let project = self.project.iter().filter(|_| with_project);
        let tables = self.profile().chain(project).chain([&self.config]);
        let servers = tables.filter_map(|table| table.get("mcp_servers")?.as_table());
        let mut names: Vec<String> = servers.flat_map(Table::keys).cloned().collect();
        names.sort();
        names.dedup();
        names
    }

    /// The settings of the profile that is asked for.
    pub(crate) fn profile(&self) -> impl Iterator<Item = &Table> {
        self.layered.iter().chain(&self.legacy)
    }

    /// The project's own settings that Codex would load.
    pub(crate) fn project(&self) -> impl Iterator<Item = &Table> {
        self.project.iter()
    }

    /// The directories of which Codex must be told that they are not trusted, for it not to load them.
    pub(crate) fn roots(&self) -> &[PathBuf] {
        &self.roots
    }
}

/// The directories from `working_dir` up to the root of its repository; itself where there is none.
fn project(working_dir: &Path) -> Vec<PathBuf> {
    let depth = working_dir.ancestors().position(|dir| dir.join(".git").exists()).unwrap_or(0);
    working_dir.ancestors().take(depth + 1).map(Path::to_owned).collect()
}

/// Whether the person trusts the directory, or the nearest one around it of which they said anything.
fn is_trusted(config: &Table, working_dir: &Path) -> bool {
    let level = |dir: &Path| config.get("projects")?.get(dir.to_str()?)?.get("trust_level");
    let level = working_dir.ancestors().find_map(level);
    level.and_then(toml::Value::as_str) == Some("trusted")
}

fn table(path: &Path) -> Option<Table> {
    std::fs::read_to_string(path).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_nearest_setting_wins_and_without_one_it_is_a_matter_of_trust() {
        let home = std::env::temp_dir().join(format!("configured-{}", std::process::id()));
        fs::create_dir_all(&home).expect("writable");
        let here = |config: &str, profile: Option<&str>| {
            fs::write(home.join("config.toml"), config).expect("writable");
            Configured::read(&home, profile, Path::new("/a/b")).sandbox()
        };
        fs::write(home.join("loose.config.toml"), "sandbox_mode = \"danger-full-access\"")
            .expect("writable");
        assert_eq!(here("", None), Sandbox::ReadOnly);
        assert_eq!(here("not toml", None), Sandbox::ReadOnly);
        let trusted = "[projects.\"/a\"]\ntrust_level = \"trusted\"";
        assert_eq!(here(trusted, None), Sandbox::WorkspaceWrite);
        let not_here = format!("{trusted}\n[projects.\"/a/b\"]\ntrust_level = \"untrusted\"");
        assert_eq!(here(&not_here, None), Sandbox::ReadOnly);
        let write = "sandbox_mode = \"workspace-write\"";
        assert_eq!(here(write, None), Sandbox::WorkspaceWrite);
        assert_eq!(here(write, Some("loose")), Sandbox::DangerFullAccess);
        let legacy = "profile = \"old\"\n[profiles.old]\nsandbox_mode = \"danger-full-access\"";
        assert_eq!(here(legacy, None), Sandbox::DangerFullAccess);
        fs::remove_dir_all(&home).expect("it is there");
    }
}
