//! Whether Claude Code has this server in its files. These are the ones that `claude mcp add` writes
//! (2.1.330): `.claude.json`, with a part for each project, and `.mcp.json`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::check::Check;
use super::clients::{Entry, project_of, timeout};
use super::file;
use crate::cli::clients::{Client, Form, Place};

const CLIENT: &str = "Claude Code";

/// Its default timeout (2.1.197 and 2.1.329).
const DEFAULT: Duration = Duration::from_secs(28 * 60 * 60);

/// It ignores a timeout below this, in milliseconds.
const LEAST: u64 = 1_000;

/// The content of its files.
#[derive(Debug, Default)]
struct Files {
    /// `.claude.json`.
    own: Option<(PathBuf, Value)>,
    /// The keys of this directory in `.claude.json`.
    projects: Vec<String>,
    /// The `.mcp.json` of this directory and of those above it.
    shared: Vec<(PathBuf, Value)>,
    /// Settings, the strongest first.
    settings: Vec<Value>,
}

/// Checks each entry that is this program.
pub(super) fn examine(dir: &Path, limit: Duration) -> Vec<Check> {
    let mut checks = Vec::new();
    let files = read(dir, &mut checks);
    let variable = std::env::var("MCP_TOOL_TIMEOUT").ok();
    checks.extend(judge(&files, variable.as_deref(), limit));
    checks
}

/// The folder with the settings of the user.
pub(super) fn user_folder() -> Option<PathBuf> {
    let configured = std::env::var_os("CLAUDE_CONFIG_DIR").filter(|dir| !dir.is_empty());
    configured.map(PathBuf::from).or_else(|| Some(std::env::home_dir()?.join(".claude")))
}

/// How long it waits for a call of this server, whatever its settings.
pub(super) fn waits_of(server: &Value) -> Duration {
    waits(server, &Files::default(), None).unwrap_or(DEFAULT)
}

fn read(dir: &Path, checks: &mut Vec<Check>) -> Files {
    let configured = std::env::var_os("CLAUDE_CONFIG_DIR").filter(|dir| !dir.is_empty());
    let configured = configured.map(PathBuf::from);
    let home = std::env::home_dir();
    let mut json = |path: PathBuf| match file::json(&path) {
        Ok(value) => value.map(|value| (path, value)),
        Err(problem) => {
            checks.push(Check::warning(
                "claude.file",
                problem,
                "correct the file or its permissions",
            ));
            None
        }
    };
    let own = configured.as_ref().or(home.as_ref()).map(|folder| folder.join(".claude.json"));
    let user = user_folder();
    let root = project_of(dir);
    let mut projects: Vec<String> =
        [dir, root].iter().map(|dir| dir.to_string_lossy().into_owned()).collect();
    projects.dedup();
    let settings = [
        Some(root.join(".claude/settings.local.json")),
        Some(root.join(".claude/settings.json")),
        user.map(|user| user.join("settings.json")),
    ];
    Files {
        own: own.and_then(&mut json),
        projects,
        shared: dir.ancestors().map(|dir| dir.join(".mcp.json")).filter_map(&mut json).collect(),
        settings: settings.into_iter().flatten().filter_map(json).map(|(_, value)| value).collect(),
    }
}

fn judge(files: &Files, variable: Option<&str>, limit: Duration) -> Vec<Check> {
    let of_all = files.own.iter().map(|(path, own)| (path, own, false, true));
    let own = files.own.iter();
    let of_project =
        own.flat_map(|(path, _)| files.own_projects().map(move |own| (path, own, false, false)));
    let shared = files.shared.iter().map(|(path, shared)| (path, shared, true, true));
    let mut checks = Vec::new();
    for (path, scope, is_shared, is_whole) in of_all.chain(of_project).chain(shared) {
        let servers = scope.get("mcpServers").and_then(Value::as_object);
        for (name, server) in servers.into_iter().flatten() {
            let Some(mut entry) = Entry::read(Client::Claude, name, path, server) else { continue };
            if is_whole {
                let (file, form) = (path.clone(), Form::Json);
                entry = entry.at(&Place { file, form, servers: "mcpServers" });
            }
            let id = format!("claude.{name}");
            let waits = waits(server, files, variable);
            let shown = waits.map_or_else(|| "without a timeout".to_owned(), timeout);
            checks.push(entry.check(&id, CLIENT, Some(&shown)));
            checks.extend(entry.start_checks(&id, limit));
            checks.extend(entry.time_check(&id, CLIENT, waits.unwrap_or(DEFAULT), limit, |time| {
                format!("set \"timeout\": {} for {}", time.as_millis(), entry.place())
            }));
            checks.extend(files.consent(&id, &entry, is_shared));
        }
    }
    checks
}

/// Its timeout for a call, if one is set. Progress does not extend it.
fn waits(server: &Value, files: &Files, variable: Option<&str>) -> Option<Duration> {
    let set = |settings: &Value| match settings.get("env")?.get("MCP_TOOL_TIMEOUT")? {
        Value::String(text) => text.parse().ok(),
        number => number.as_u64(),
    };
    let own = server.get("timeout").and_then(Value::as_u64).filter(|millis| *millis >= LEAST);
    // The environment in its settings wins over its own environment.
    let millis = own
        .or_else(|| files.settings.iter().find_map(set))
        .or_else(|| variable?.parse().ok())
        .filter(|millis| *millis >= LEAST);
    millis.map(Duration::from_millis)
}

impl Files {
    /// The parts for this directory alone.
    fn own_projects(&self) -> impl Iterator<Item = &Value> {
        let all = self.own.as_ref().and_then(|(_, own)| own.get("projects"));
        self.projects.iter().filter_map(move |project| all?.get(project))
    }

    fn names(&self, list: &str, name: &str) -> bool {
        self.own_projects().chain(&self.settings).any(|place| {
            let names = place.get(list).and_then(Value::as_array);
            names.is_some_and(|names| names.iter().any(|known| known == name))
        })
    }

    /// A warning if the user has not approved the server, or has denied it.
    fn consent(&self, id: &str, entry: &Entry, is_shared: bool) -> Option<Check> {
        let name = &entry.name;
        let refused = self.names("disabledMcpServers", name)
            || (is_shared && self.names("disabledMcpjsonServers", name));
        if refused {
            let summary = format!("{CLIENT} has {name} disabled here");
            let fix = format!("run `claude`, type /mcp, and enable {name}");
            return Some(Check::warning(format!("{id}.approval"), summary, fix));
        }
        let all = self.settings.iter().any(|place| place["enableAllProjectMcpServers"] == true);
        if is_shared && !all && !self.names("enabledMcpjsonServers", name) {
            let summary = format!("{CLIENT} waits for your approval of {}", entry.place());
            let fix = "run `claude` in this directory, and approve the server";
            return Some(Check::warning(format!("{id}.approval"), summary, fix));
        }
        let tool = format!("mcp__{name}");
        let denied = self.settings.iter().any(|place| {
            let rules = place.get("permissions").and_then(|rules| rules.get("deny"));
            let mut rules = rules.and_then(Value::as_array).into_iter().flatten();
            rules.any(|rule| rule.as_str().is_some_and(|rule| rule.starts_with(&tool)))
        });
        denied.then(|| {
            let summary = format!("{CLIENT}'s settings deny tools of {name}");
            let fix = format!("remove {tool} from permissions.deny in Claude Code's settings");
            Check::warning(format!("{id}.approval"), summary, fix)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn warnings(files: &Files, variable: Option<&str>) -> Vec<String> {
        let checks = judge(files, variable, Duration::from_secs(60));
        checks.into_iter().filter(|check| check.fix.is_some()).map(|check| check.id).collect()
    }

    #[test]
    fn the_nearest_time_out_counts() {
        let server =
            |timeout: Value| json!({"command": "/bin/codex-persistent-mcp", "timeout": timeout});
        let time_is_short = |timeout: Value, settings: Value, variable: Option<&str>| {
            let own = json!({"mcpServers": {"a": server(timeout)}});
            let own = Some(("f".into(), own));
            let files = Files { own, settings: vec![settings], ..Files::default() };
            warnings(&files, variable).contains(&"claude.a.timeout".into())
        };
        assert!(!time_is_short(json!(null), json!({}), None));
        assert!(time_is_short(json!(59_999), json!({}), None));
        assert!(!time_is_short(json!(60_000), json!({}), Some("5000")));
        assert!(time_is_short(json!(null), json!({}), Some("5000")));
        let settings = json!({"env": {"MCP_TOOL_TIMEOUT": "90000"}});
        assert!(!time_is_short(json!(null), settings, Some("5000")));
        assert!(!time_is_short(json!(null), json!({}), Some("500")));
    }

    #[test]
    fn a_server_of_the_project_waits_for_approval() {
        let shared =
            json!({"mcpServers": {"a": {"command": "sh", "args": ["/codex-persistent-mcp"]}}});
        let approval = |settings: Value| {
            let shared = vec![("f".into(), shared.clone())];
            let files = Files { shared, settings: vec![settings], ..Files::default() };
            warnings(&files, None).contains(&"claude.a.approval".into())
        };
        assert!(approval(json!({})));
        assert!(!approval(json!({"enabledMcpjsonServers": ["a"]})));
        assert!(!approval(json!({"enableAllProjectMcpServers": true})));
        let both = json!({"enabledMcpjsonServers": ["a"], "permissions": {"deny": ["mcp__a__x"]}});
        assert!(approval(both));
    }
}
