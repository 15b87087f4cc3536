//! Whether plugins of Claude Code and Codex bring this server. Their files are copies that the next update replaces, so
//! nothing in them is repaired.
//!
//! Seen in Claude Code 2.1.332, which lists its plugins in `plugins/installed_plugins.json`, and in Codex 0.171, which
//! has them in `plugins/cache/MARKETPLACE/NAME/VERSION` and switches them on in `config.toml`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::check::Check;
use super::clients::Entry;
use super::file;
use super::home::Home;
use super::{claude, codex_client};
use crate::cli::clients::Client;

/// How many plugins of a client, and versions of one, are looked at.
const MAX_PLUGINS: usize = 100;

/// A plugin that is switched on.
#[derive(Debug)]
struct Plugin {
    client: Client,
    name: String,
    folder: PathBuf,
}

/// How a plugin names its own folder in an entry of Claude Code.
const ROOT: &str = "${CLAUDE_PLUGIN_ROOT}";

impl Plugin {
    /// The files that may have its servers. Codex has files of its own, and without them takes those of Claude Code.
    fn files(&self) -> Vec<PathBuf> {
        let manifest = self.folder.join(".codex-plugin/plugin.json");
        let own = file::json_with_comments(&manifest).ok().flatten();
        let own = own.filter(|_| self.client == Client::Codex);
        let named = own.and_then(|own| own.get("mcpServers")?.as_str().map(str::to_owned));
        match named {
            Some(path) => vec![self.folder.join(path.trim_start_matches("./"))],
            None => {
                [".mcp.json", ".claude-plugin/plugin.json"].map(|it| self.folder.join(it)).into()
            }
        }
    }

    /// The command of an entry, and whether it is a file of the plugin.
    fn expanded(&self, server: &Value) -> (Value, bool) {
        let mut server = server.clone();
        let Some(command) = server.get("command").and_then(Value::as_str) else {
            return (server, false);
        };
        let command = command.replace(ROOT, &self.folder.to_string_lossy());
        let path = Path::new(&command);
        let is_own = path.starts_with(&self.folder) && path.is_file();
        server["command"] = command.into();
        (server, is_own)
    }
}

/// Checks each entry of a plugin that is this program.
pub(super) fn examine(home: &Home, limit: Duration) -> Vec<Check> {
    let mut checks = Vec::new();
    for plugin in of_claude().into_iter().chain(of_codex(home)) {
        for path in plugin.files() {
            let content = match file::json_with_comments(&path) {
                Ok(content) => content.unwrap_or_default(),
                Err(problem) => {
                    let id = format!("plugin.{}.file", plugin.name);
                    let fix = format!("install the plugin {} again", plugin.name);
                    checks.push(Check::warning(id, problem, fix));
                    continue;
                }
            };
            checks.extend(judge(&plugin, &path, &content, limit));
        }
    }
    checks
}

fn judge(plugin: &Plugin, path: &Path, content: &Value, limit: Duration) -> Vec<Check> {
    // A plugin's own file may also have the servers at its top.
    let servers = content.get("mcpServers").unwrap_or(content).as_object();
    let mut checks = Vec::new();
    for (name, server) in servers.into_iter().flatten() {
        let (server, is_own) = plugin.expanded(server);
        let Some(entry) = Entry::read(plugin.client, name, path, &server) else { continue };
        let title = plugin.client.title();
        let id = format!("plugin.{}.{}.{name}", plugin.client.word(), plugin.name);
        let brings = format!("The plugin {} of {title}", plugin.name);
        let waits = match plugin.client {
            Client::Codex => codex_client::waits_of(&server),
            _ => claude::waits_of(&server),
        };
        checks.push(entry.check(&id, &brings, None));
        // A file of the plugin finds the program by itself, as `plugin/server/codex-persistent-mcp` does.
        let starts = entry.start_checks(&id, limit).into_iter();
        checks.extend(starts.filter(|check| !is_own || !check.id.ends_with(".command")));
        let setup = format!("{} setup {}", env!("CARGO_PKG_NAME"), plugin.client.word());
        let own = format!("switch the plugin off, and run `{setup}`: an own entry waits longer");
        checks.extend(entry.time_check(&id, title, waits, limit, |_| own));
    }
    checks
}

fn of_claude() -> Vec<Plugin> {
    let Some(folder) = claude::user_folder() else { return Vec::new() };
    let json = |path: &str| file::json_with_comments(&folder.join(path)).ok().flatten();
    let Some(installed) = json("plugins/installed_plugins.json") else { return Vec::new() };
    let switches = json("settings.json").unwrap_or_default();
    let plugins = installed.get("plugins").and_then(Value::as_object).into_iter().flatten();
    let is_on = |name: &str| {
        let switch = switches.get("enabledPlugins").and_then(|switches| switches.get(name));
        switch.and_then(Value::as_bool) != Some(false)
    };
    let plugins = plugins.take(MAX_PLUGINS).filter(|(name, _)| is_on(name));
    let folders = |(name, copies): (&String, &Value)| {
        let copies = copies.as_array().into_iter().flatten().take(MAX_PLUGINS);
        let folders =
            copies.filter_map(|copy| copy.get("installPath")?.as_str().map(PathBuf::from));
        folders
            .map(|folder| Plugin { client: Client::Claude, name: name.clone(), folder })
            .collect::<Vec<_>>()
    };
    plugins.flat_map(folders).collect()
}

fn of_codex(home: &Home) -> Vec<Plugin> {
    let plugins = home.config.get("plugins").and_then(toml::Value::as_table).into_iter().flatten();
    let is_on =
        |plugin: &toml::Value| plugin.get("enabled").and_then(toml::Value::as_bool) != Some(false);
    let names = plugins.take(MAX_PLUGINS).filter(|(_, plugin)| is_on(plugin)).map(|(name, _)| name);
    let folder = |name: &String| {
        let (plugin, marketplace) = name.split_once('@')?;
        let is_plain = |part: &str| Path::new(part).components().count() == 1 && part != "..";
        if !is_plain(plugin) || !is_plain(marketplace) {
            return None;
        }
        let versions = home.path.as_ref()?.join("plugins/cache").join(marketplace).join(plugin);
        let versions = fs::read_dir(versions).ok()?.take(MAX_PLUGINS).filter_map(Result::ok);
        // The one that was installed last.
        let newest =
            versions.max_by_key(|version| version.metadata().and_then(|it| it.modified()).ok());
        Some(Plugin { client: Client::Codex, name: name.clone(), folder: newest?.path() })
    };
    names.filter_map(folder).collect()
}
