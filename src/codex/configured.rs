//! The parts of Codex's configuration that this program must know in order not to override them. Read from
//! `config.toml`, never written.
//!
//! Up to 0.120 a profile is a table `profiles.NAME` in that file, from 0.134 on a separate file
//! `NAME.config.toml`. If no sandbox is configured, `codex exec` uses `workspace-write` in a directory that
//! the user trusts, and `read-only` elsewhere (seen on 0.77, 0.153, 0.169 and 0.171).

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::{Table, Value};

use super::setting::Setting;
use crate::model::sandbox::Sandbox;
use crate::system::bounded::{MAX_CONFIG_BYTES, open_file, read_text, text_of};
use crate::system::stamp::Unchanged;

/// The machine-wide configuration, which the user's configuration overrides.
const SYSTEM: &str = "/etc/codex/config.toml";

/// The requirements set by the machine's administrator. If they contain permission profiles, Codex ignores
/// some settings, see [`Requirements`].
const REQUIREMENTS: &str = "/etc/codex/requirements.toml";

/// Settings of a project that are harmless even if an attacker wrote them, and contain no text that must not
/// appear on a command line.
///
/// This is not `policy::HARMLESS_SETTINGS`, which lists what a caller may set: these come from a file that an
/// earlier turn may have written, and the others are dropped with a warning. `model` is one of them, because
/// the policy checks the model separately; the text `compact_prompt` is not. A test checks that all others are
/// a subset.
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

/// Maximum length of a project's setting that is passed on, in bytes.
const MAX_SETTING: usize = 200;

/// The configuration for a turn in one directory.
#[derive(Debug, Default)]
pub(crate) struct Configured {
    /// The operator's settings, which are on the command line and override all files.
    operator: Table,
    config: Arc<Table>,
    system: Arc<Table>,
    /// The requested profile: its file, and its table in the old format.
    layered: Option<Arc<Table>>,
    legacy: Option<Table>,
    /// The project's settings, nearest folder first. Empty unless the user trusts the project.
    project: Vec<Table>,
    trusted: bool,
    requirements: Requirements,
}

/// The configuration files in which no turn can write, as they were last read; `None` for one that is not
/// TOML.
pub(crate) type ConfigFiles = Unchanged<Option<Arc<Table>>>;

/// The requirements set by the machine's administrator, as far as they affect the command line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Requirements {
    /// Nothing relevant.
    #[default]
    None,
    /// Permission profiles: Codex then ignores a mere sandbox name and `sandbox_workspace_write` (seen on
    /// 0.153, 0.169 and 0.171).
    Profiles,
}

/// Which environment variables commands receive according to `shell_environment_policy`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct EnvironmentPolicy {
    /// Names of variables that commands do not receive, with wildcards.
    pub(crate) exclude: Vec<String>,
    /// Names of variables that are set for commands.
    pub(crate) set: Vec<String>,
}

impl Configured {
    /// Reads Codex's configuration below `home`, and the project's around `working_dir`, which has no
    /// symbolic links. `operator` are the settings on the command line.
    pub(crate) fn read(
        files: &ConfigFiles,
        home: &Path,
        profile: Option<&str>,
        operator: &Table,
        working_dir: &Path,
    ) -> Self {
        let remembered =
            |path: &Path| files.read(path, |file| Ok(parse(file).map(Arc::new))).ok().flatten();
        let config = remembered(&home.join("config.toml")).unwrap_or_default();
        let system = remembered(Path::new(SYSTEM)).unwrap_or_default();
        let layered =
            profile.and_then(|name| remembered(&home.join(format!("{name}.config.toml"))));
        let profile = profile.or_else(|| config.get("profile")?.as_str());
        let legacy =
            profile.and_then(|name| config.get("profiles")?.get(name)?.as_table().cloned());
        let trusted_root = trusted_root(&[&config, &system], working_dir);
        let trusted = trusted_root.is_some();
        let folders = trusted_root
            .iter()
            .flat_map(|root| working_dir.ancestors().take_while(move |dir| dir.starts_with(root)));
        // Never remembered, because turns may write there.
        let fresh = |path: &Path| parse(open_file(path).ok()?);
        let project = folders.filter_map(|dir| fresh(&dir.join(".codex/config.toml"))).collect();
        let required = remembered(Path::new(REQUIREMENTS)).unwrap_or_default();
        let profiles = ["default_permissions", "allowed_permission_profiles"];
        let requirements = match profiles.iter().any(|key| required.contains_key(*key)) {
            true => Requirements::Profiles,
            false => Requirements::None,
        };
        let operator = operator.clone();
        Self { operator, config, system, layered, legacy, project, trusted, requirements }
    }

    /// The tables in force, highest precedence first. A project's settings rank between those of the profile
    /// and of the user.
    fn tables(&self, with_project: bool) -> impl Iterator<Item = &Table> {
        let project = self.project.iter().filter(move |_| with_project);
        let files = self.profile().chain(project).chain([&*self.config, &*self.system]);
        [&self.operator].into_iter().chain(files)
    }

    /// The default sandbox of a new session. If it is ambiguous, the stricter one. What the operator names is
    /// not ambiguous.
    pub(crate) fn sandbox(&self) -> Sandbox {
        let is_named = ["sandbox_mode", "default_permissions"]
            .iter()
            .any(|key| self.operator.contains_key(*key));
        let text = |key: &str| {
            let tables = self.tables(true).take(if is_named { 1 } else { usize::MAX });
            tables.into_iter().find_map(|table| table.get(key)?.as_str().map(str::to_owned))
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

    /// Whether a custom permission profile of the user is in force, which no sandbox name can express.
    pub(crate) fn has_own_permissions(&self) -> bool {
        if self.operator.contains_key("sandbox_mode") {
            return false;
        }
        let profile =
            self.tables(false).find_map(|table| table.get("default_permissions")?.as_str());
        profile.is_some_and(|profile| !profile.starts_with(':'))
    }

    /// The configured default model, if there is one.
    pub(crate) fn model(&self) -> Option<&str> {
        self.tables(true).find_map(|table| table.get("model")?.as_str())
    }

    /// Whether there are rules files, which can make Codex run commands outside the sandbox.
    pub(crate) fn has_rules(&self, home: &Path, dir: &Path) -> bool {
        let around = dir.ancestors().map(|dir| dir.join(".codex/rules"));
        around.chain([home.join("rules")]).any(|rules| rules.is_dir())
    }

    /// The names of the configured MCP servers, except those of plugins.
    pub(crate) fn mcp_servers(&self) -> Vec<String> {
        let tables = self.tables(false);
        let servers = tables.filter_map(|table| table.get("mcp_servers")?.as_table());
        let mut names: Vec<String> = servers.flat_map(Table::keys).cloned().collect();
        names.sort();
        names.dedup();
        names
    }

    /// The names of the configured MCP servers that are programs and would start in the turn's directory.
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

    /// The names of the configured MCP servers that are reached by a URL, those of the project included if
    /// Codex loads them.
    pub(crate) fn mcp_servers_by_url(&self, with_project: bool) -> Vec<String> {
        let tables = self.tables(with_project);
        let servers = tables.filter_map(|table| table.get("mcp_servers")?.as_table()).flatten();
        let by_url = servers.filter(|(_, server)| server.get("url").is_some());
        let mut names: Vec<String> = by_url.map(|(name, _)| name.clone()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// The settings of the requested profile.
    pub(crate) fn profile(&self) -> impl Iterator<Item = &Table> {
        self.layered.as_deref().into_iter().chain(&self.legacy)
    }

    /// The harmless settings of the project, if the user trusts it, and the names of its other settings.
    /// Settings that the profile or the operator overrides are left out.
    pub(crate) fn project_settings(&self) -> (Vec<Setting>, Vec<String>) {
        let (mut harmless, mut others) = (Table::new(), Vec::new());
        // Outermost folder first, so that the nearest wins.
        for (key, value) in self.project.iter().rev().flatten() {
            let short = value.as_str().is_none_or(|text| text.len() <= MAX_SETTING);
            let plain = short && !value.is_table() && !value.is_array();
            if plain && PROJECT_SETTINGS.contains(&key.as_str()) {
                harmless.insert(key.clone(), value.clone());
            } else if !others.contains(key) {
                others.push(key.clone());
            }
        }
        let above = || self.profile().chain([&self.operator]);
        harmless.retain(|key, _| !above().any(|table| table.contains_key(key)));
        (harmless.into_iter().collect(), others)
    }

    /// Which environment variables commands receive.
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

    /// Folders that the user makes writable for all commands (`writable_roots`).
    pub(crate) fn writable_roots(&self) -> Vec<PathBuf> {
        let roots = self.tables(false).find_map(|table| {
            table.get("sandbox_workspace_write")?.get("writable_roots")?.as_array()
        });
        let roots = roots.into_iter().flatten();
        roots.filter_map(Value::as_str).map(PathBuf::from).collect()
    }

    /// Whether the setting with this dotted key is true.
    pub(crate) fn is_set(&self, key: &str) -> bool {
        let (table, key) = key.split_once('.').unwrap_or((key, ""));
        let value = self.tables(false).find_map(|tables| tables.get(table)?.get(key)?.as_bool());
        value == Some(true)
    }

    /// Whether Codex runs hooks, as far as its configuration says.
    pub(crate) fn has_hooks(&self) -> bool {
        // The present name wins over the former one (seen on 0.153 and 0.171).
        let names = ["hooks", "codex_hooks"];
        let mut set = names.iter().filter_map(|name| self.feature(name));
        set.next().unwrap_or(true)
    }

    fn feature(&self, name: &str) -> Option<bool> {
        self.tables(false).find_map(|table| table.get("features")?.get(name)?.as_bool())
    }

    /// The requirements set by the machine's administrator.
    pub(crate) fn requirements(&self) -> Requirements {
        self.requirements
    }
}

/// The project root of `dir` as determined by Codex: the nearest ancestor that contains one of the
/// `project_root_markers`, or `dir` itself if there is none.
fn project_root<'a>(configs: &[&Table], dir: &'a Path) -> &'a Path {
    let markers = configs.iter().find_map(|config| config.get("project_root_markers")?.as_array());
    let markers: Vec<&str> = markers
        .map_or_else(|| vec![".git"], |names| names.iter().filter_map(Value::as_str).collect());
    let is_root = |dir: &&Path| markers.iter().any(|name| dir.join(name).exists());
    dir.ancestors().find(is_root).unwrap_or(dir)
}

/// The project root of `dir`, if the user trusts the directory as determined by Codex: by the first entry for
/// the directory itself, its project root or, in a linked worktree, the main repository. Other ancestors do
/// not count.
fn trusted_root<'a>(configs: &[&Table], dir: &'a Path) -> Option<&'a Path> {
    // Most users have no such entries, and then nothing needs to be read.
    if !configs.iter().any(|config| config.contains_key("projects")) {
        return None;
    }
    let root = project_root(configs, dir);
    let level = |dir: &Path| {
        configs.iter().find_map(|config| {
            config.get("projects")?.get(&*dir.to_string_lossy())?.get("trust_level")?.as_str()
        })
    };
    let first = level(dir).or_else(|| level(root)).or_else(|| level(&main_repository(dir)?));
    (first == Some("trusted")).then_some(root)
}

/// The main repository of a linked worktree, whose `.git` is a file that names the repository.
fn main_repository(dir: &Path) -> Option<PathBuf> {
    let link = dir.ancestors().map(|dir| dir.join(".git")).find(|git| git.exists())?;
    let text = read_text(&link, MAX_CONFIG_BYTES).ok()?;
    let git_dir = link.parent()?.join(text.strip_prefix("gitdir:")?.trim());
    let worktrees = git_dir.parent().filter(|folder| folder.ends_with("worktrees"))?;
    Some(worktrees.parent()?.parent()?.to_owned())
}

fn parse(file: File) -> Option<Table> {
    text_of(file, MAX_CONFIG_BYTES).ok()?.parse().ok()
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
        let files = ConfigFiles::default();
        let here = |config: &str, profile: Option<&str>| {
            fs::write(home.join("config.toml"), config).expect("writable");
            Configured::read(&files, &home, profile, &Table::new(), Path::new("/a/b")).sandbox()
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
