//! What Codex is configured for, as far as a sandbox of our own must not take it away: read from
//! `config.toml`, and never written.
//!
//! Up to 0.120 a profile is a table `profiles.NAME` there, from 0.134 on a file `NAME.config.toml`
//! beside it. Where nothing names a sandbox, `codex exec` takes `workspace-write` in a directory that
//! the person trusts, and `read-only` elsewhere (measured on 0.77, 0.153, 0.169 and 0.171).

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::setting::Setting;
use crate::model::sandbox::Sandbox;
use crate::system::bounded::{MAX_CONFIG_BYTES, read_text};

/// The machine's configuration, below that of the person.
const SYSTEM: &str = "/etc/codex/config.toml";

/// What the machine's administrator requires. With permission profiles in it, Codex takes no notice
/// of some settings, see [`Requirements`].
const REQUIREMENTS: &str = "/etc/codex/requirements.toml";

/// Settings of a project that can do no harm whoever wrote them, and hold no text that must not stand
/// on a command line.
///
/// This is not `policy::HARMLESS_SETTINGS`, which lists what a caller may set: these come from a file that
/// an earlier turn may have written, and the others are left out with a warning. `model` is one of them,
/// because the policy checks the model by itself; the text `compact_prompt` is not. A test keeps all
/// others a subset.
const PROJECT_SETTINGS: &[&str] = &[
    "hide_agent_reasoning",
    "model",
    "model_auto_compact_token_limit",
    "model_context_window",
    "model_reasoning_effort",
    "model_reasoning_summary",
    "model_verbosity",
    "plan_mode_reasoning_effort",
    "project_doc_max_bytes",
    "service_tier",
    "show_raw_agent_reasoning",
    "tool_output_token_limit",
    "web_search",
];

/// The longest value of a project's setting that is passed on, in bytes.
const MAX_SETTING: usize = 200;

/// What the person has configured, as far as it matters for a turn in one directory.
#[derive(Debug, Default)]
pub(crate) struct Configured {
    config: Table,
    system: Table,
    /// The profile that is asked for: its file, and its table in the old form.
    layered: Option<Table>,
    legacy: Option<Table>,
    /// The project's own settings, the nearest first, if the person trusts it.
    project: Vec<Table>,
    trusted: bool,
    requirements: Requirements,
}

/// What the machine's administrator requires, as far as it changes what a command line can say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Requirements {
    /// Nothing that matters here.
    #[default]
    None,
    /// Permission profiles: a sandbox's name alone is ignored, and so is `sandbox_workspace_write`
    /// (measured on 0.153, 0.169 and 0.171).
    Profiles,
}

/// What commands get of the environment, as the person has configured it
/// (`shell_environment_policy`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct EnvironmentPolicy {
    /// The names, with wildcards, of variables that they do not get.
    pub(crate) exclude: Vec<String>,
    /// The names of variables that are set for them.
    pub(crate) set: Vec<String>,
}

impl Configured {
    /// Reads Codex's configuration below `home`, and the project's around `working_dir`, which has no
    /// symbolic links.
    pub(crate) fn read(home: &Path, profile: Option<&str>, working_dir: &Path) -> Self {
        let config = table(&home.join("config.toml")).unwrap_or_default();
        let system = table(Path::new(SYSTEM)).unwrap_or_default();
        let layered = profile.and_then(|name| table(&home.join(format!("{name}.config.toml"))));
        let profile = profile.or_else(|| config.get("profile")?.as_str());
        let legacy =
            profile.and_then(|name| config.get("profiles")?.get(name)?.as_table().cloned());
        let root = project_root(&[&config, &system], working_dir);
        let trusted = is_trusted(&[&config, &system], working_dir, root);
        let own = working_dir.ancestors().take_while(|_| trusted);
        let own = own.take_while(|dir| dir.starts_with(root));
        let project = own.filter_map(|dir| table(&dir.join(".codex/config.toml"))).collect();
        let required = table(Path::new(REQUIREMENTS)).unwrap_or_default();
        let profiles = ["default_permissions", "allowed_permission_profiles"];
        let requirements = match profiles.iter().any(|key| required.contains_key(*key)) {
            true => Requirements::Profiles,
            false => Requirements::None,
        };
        Self { config, system, layered, legacy, project, trusted, requirements }
    }

    /// The tables in force, the strongest first. A project's stand between the profile's and the
    /// person's.
    fn tables(&self, with_project: bool) -> impl Iterator<Item = &Table> {
        let project = self.project.iter().filter(move |_| with_project);
        self.profile().chain(project).chain([&self.config, &self.system])
    }

    /// The sandbox in which Codex runs a new session if nothing else is said; where that cannot be
    /// told for sure, the lesser one.
    pub(crate) fn sandbox(&self) -> Sandbox {
        let text = |key: &str| {
            self.tables(true).find_map(|table| table.get(key)?.as_str().map(str::to_owned))
        };
        let named = text("sandbox_mode").and_then(|name| name.parse().ok());
        let permissions = text("default_permissions").map(|profile| match profile.as_str() {
            ":workspace" => Sandbox::WorkspaceWrite,
            ":danger-full-access" => Sandbox::DangerFullAccess,
            _ => Sandbox::ReadOnly,
        });
        let default = if self.trusted { Sandbox::WorkspaceWrite } else { Sandbox::ReadOnly };
        [named, permissions].into_iter().flatten().min().unwrap_or(default)
    }

    /// Whether a permission profile of the person's own is in force, which is no sandbox by name.
    pub(crate) fn has_own_permissions(&self) -> bool {
        let profile =
            self.tables(false).find_map(|table| table.get("default_permissions")?.as_str());
        profile.is_some_and(|profile| !profile.starts_with(':'))
    }

    /// The model that Codex asks if nothing else is said, if anything says which.
    pub(crate) fn model(&self) -> Option<&str> {
        self.tables(true).find_map(|table| table.get("model")?.as_str())
    }

    /// Whether there are rules by which Codex would run commands outside of the sandbox.
    pub(crate) fn has_rules(&self, home: &Path, dir: &Path) -> bool {
        let around = dir.ancestors().map(|dir| dir.join(".codex/rules"));
        around.chain([home.join("rules")]).any(|rules| rules.is_dir())
    }

    /// The names of the MCP servers that Codex would start, but for those of plugins.
    pub(crate) fn mcp_servers(&self) -> Vec<String> {
        let tables = self.tables(false);
        let servers = tables.filter_map(|table| table.get("mcp_servers")?.as_table());
        let mut names: Vec<String> = servers.flat_map(Table::keys).cloned().collect();
        names.sort();
        names.dedup();
        names
    }

    /// The names of those among them that are programs and would start in the directory of the turn.
    pub(crate) fn mcp_servers_there(&self) -> Vec<String> {
        let has = |name: &str, key: &str| {
            let mut servers =
                self.tables(false).filter_map(|table| table.get("mcp_servers")?.get(name));
            servers.any(|server| server.get(key).is_some())
        };
        let mut names = self.mcp_servers();
        names.retain(|name| has(name, "command") && !has(name, "cwd"));
        names
    }

    /// The settings of the profile that is asked for.
    pub(crate) fn profile(&self) -> impl Iterator<Item = &Table> {
        self.layered.iter().chain(&self.legacy)
    }

    /// The settings of the project, if the person trusts it, that can do no harm whoever wrote them,
    /// and the names of the others. Those that the profile sets are not among them.
    pub(crate) fn project_settings(&self) -> (Vec<Setting>, Vec<String>) {
        let (mut harmless, mut others) = (Table::new(), Vec::new());
        // The farthest first, so that the nearest wins.
        for (key, value) in self.project.iter().rev().flatten() {
            let short = value.as_str().is_none_or(|text| text.len() <= MAX_SETTING);
            let plain = short && !value.is_table() && !value.is_array();
            if plain && PROJECT_SETTINGS.contains(&key.as_str()) {
                harmless.insert(key.clone(), value.clone());
            } else if !others.contains(key) {
                others.push(key.clone());
            }
        }
        harmless.retain(|key, _| !self.profile().any(|profile| profile.contains_key(key)));
        (harmless.into_iter().collect(), others)
    }

    /// What commands get of the environment.
    pub(crate) fn environment_policy(&self) -> EnvironmentPolicy {
        let of =
            |table: &Table, key: &str| table.get("shell_environment_policy")?.get(key).cloned();
        let names = |list: &Value| {
            let names = list.as_array()?.iter();
            Some(names.filter_map(Value::as_str).map(str::to_owned).collect())
        };
        let exclude = self.tables(false).find_map(|table| names(&of(table, "exclude")?));
        let set = self.tables(false).filter_map(|table| of(table, "set")?.as_table().cloned());
        EnvironmentPolicy {
            exclude: exclude.unwrap_or_default(),
            set: set.flat_map(|set| set.keys().cloned().collect::<Vec<_>>()).collect(),
        }
    }

    /// Folders that the person lets all commands write in (`writable_roots`).
    pub(crate) fn writable_roots(&self) -> Vec<PathBuf> {
        let roots = self.tables(false).find_map(|table| {
            table.get("sandbox_workspace_write")?.get("writable_roots")?.as_array()
        });
        let roots = roots.into_iter().flatten();
        roots.filter_map(Value::as_str).map(PathBuf::from).collect()
    }

    /// Whether a setting, by its dotted key, is true.
    pub(crate) fn is_set(&self, key: &str) -> bool {
        let (table, key) = key.split_once('.').unwrap_or((key, ""));
        let value = self.tables(false).find_map(|tables| tables.get(table)?.get(key)?.as_bool());
        value == Some(true)
    }

    /// What the machine's administrator requires.
    pub(crate) fn requirements(&self) -> Requirements {
        self.requirements
    }
}

/// The root of the project that `dir` is in, as Codex finds it: the nearest folder with one of the
/// `project_root_markers`, itself where there is none.
fn project_root<'a>(configs: &[&Table], dir: &'a Path) -> &'a Path {
    let markers = configs.iter().find_map(|config| config.get("project_root_markers")?.as_array());
    let markers: Vec<&str> = markers
        .map_or_else(|| vec![".git"], |names| names.iter().filter_map(Value::as_str).collect());
    let is_root = |dir: &&Path| markers.iter().any(|name| dir.join(name).exists());
    dir.ancestors().find(is_root).unwrap_or(dir)
}

/// Whether the person trusts the directory, as Codex finds that out: by the directory itself, by its
/// project's root, and for a linked worktree by the main repository. What lies above does not count.
/// The first of which anything was said decides.
fn is_trusted(configs: &[&Table], dir: &Path, root: &Path) -> bool {
    let main = main_repository(dir);
    let level = |dir: &Path| {
        configs.iter().find_map(|config| {
            config.get("projects")?.get(&*dir.to_string_lossy())?.get("trust_level")?.as_str()
        })
    };
    let level = [Some(dir), Some(root), main.as_deref()].into_iter().flatten().find_map(level);
    level == Some("trusted")
}

/// The main repository of a linked worktree, whose `.git` is a file that says where it belongs.
fn main_repository(dir: &Path) -> Option<PathBuf> {
    let link = dir.ancestors().map(|dir| dir.join(".git")).find(|git| git.exists())?;
    let text = read_text(&link, MAX_CONFIG_BYTES).ok()?;
    let git_dir = link.parent()?.join(text.strip_prefix("gitdir:")?.trim());
    let worktrees = git_dir.parent().filter(|folder| folder.ends_with("worktrees"))?;
    Some(worktrees.parent()?.parent()?.to_owned())
}

fn table(path: &Path) -> Option<Table> {
    read_text(path, MAX_CONFIG_BYTES).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::policy::HARMLESS_SETTINGS;
    use std::fs;

    #[test]
    fn a_project_sets_nothing_that_a_caller_may_not_but_the_model() {
        let only_here: Vec<_> =
            PROJECT_SETTINGS.iter().filter(|key| !HARMLESS_SETTINGS.contains(*key)).collect();
        assert_eq!(only_here, [&"model"]);
    }

    #[test]
    fn the_nearest_setting_wins_and_without_one_it_is_a_matter_of_trust() {
        let home = crate::testing::scratch().join(format!("configured-{}", std::process::id()));
        fs::create_dir_all(&home).expect("writable");
        let here = |config: &str, profile: Option<&str>| {
            fs::write(home.join("config.toml"), config).expect("writable");
            Configured::read(&home, profile, Path::new("/a/b")).sandbox()
        };
        fs::write(home.join("loose.config.toml"), "sandbox_mode = \"danger-full-access\"")
            .expect("writable");
        assert_eq!(here("", None), Sandbox::ReadOnly);
        assert_eq!(here("not toml", None), Sandbox::ReadOnly);
        let trusted = |dir: &str| format!("[projects.\"{dir}\"]\ntrust_level = \"trusted\"");
        assert_eq!(here(&trusted("/a/b"), None), Sandbox::WorkspaceWrite);
        assert_eq!(here(&trusted("/a"), None), Sandbox::ReadOnly, "what lies above does not count");
        let not_here = "[projects.\"/a/b\"]\ntrust_level = \"untrusted\"";
        assert_eq!(here(not_here, None), Sandbox::ReadOnly);
        let write = "sandbox_mode = \"workspace-write\"";
        assert_eq!(here(write, None), Sandbox::WorkspaceWrite);
        assert_eq!(here(write, Some("loose")), Sandbox::DangerFullAccess);
        let legacy = "profile = \"old\"\n[profiles.old]\nsandbox_mode = \"danger-full-access\"";
        assert_eq!(here(legacy, None), Sandbox::DangerFullAccess);
        fs::remove_dir_all(&home).expect("it is there");
    }
}
