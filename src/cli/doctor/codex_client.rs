//! Whether Codex has this server in its `config.toml`. `codex mcp list --json` would say the same, but prints
//! secrets.

use std::path::Path;
use std::time::Duration;

use toml::{Table, Value};

use super::check::{Check, listed};
use super::clients::{Entry, project_of, timeout};
use super::file;
use super::home::Home;
use super::settings::Setting;
use crate::cli::clients::{Client, Form, Place};

const CLIENT: &str = "Codex";

/// Its default timeout (0.169).
const DEFAULT: Duration = Duration::from_secs(300);

/// Variables that Codex passes on only if they are listed, and without which the server, or the Codex that it
/// starts, works with something else than the user does.
pub(super) const WANTED: [&str; 13] = [
    "CODEX_HOME",
    "OPENAI_API_KEY",
    "CODEX_API_KEY",
    "CODEX_ACCESS_TOKEN",
    "XDG_STATE_HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "https_proxy",
    "http_proxy",
    "all_proxy",
    "no_proxy",
];

/// Checks each entry that is this program, in Codex's own configuration and in that of the project.
pub(super) fn examine(
    dir: &Path,
    home: &Home,
    settings: &[Setting],
    limit: Duration,
) -> Vec<Check> {
    let ours = settings.iter().filter(|setting| setting.is_from_variable());
    let set: Vec<&str> = ours.map(|setting| setting.variable).chain(WANTED).collect();
    let set: Vec<&str> = set.into_iter().filter(|name| super::is_set(name)).collect();
    let mut checks = Vec::new();
    let own = home.config_file();
    if let Some(path) = &own {
        checks.extend(judge(path, &home.config, &set, limit));
    }
    let root = project_of(dir);
    let folders = dir.ancestors().take_while(|folder| folder.starts_with(root));
    for path in folders.map(|folder| folder.join(".codex/config.toml")) {
        // Codex's own file may be among them, and is checked above.
        if own.as_ref() == Some(&path) {
            continue;
        }
        match file::toml(&path) {
            Ok(config) => {
                let config = config.unwrap_or_default();
                checks.extend(judge(&path, &config, &set, limit));
            }
            Err(problem) => {
                let fix = "correct the file or its permissions";
                checks.push(Check::warning("codex_client.file", problem, fix));
            }
        }
    }
    checks
}

fn judge(file: &Path, config: &Table, set: &[&str], limit: Duration) -> Vec<Check> {
    let servers = config.get("mcp_servers").and_then(Value::as_table).into_iter().flatten();
    let mut checks = Vec::new();
    for (name, server) in servers {
        let place = Place { file: file.to_owned(), form: Form::Toml, servers: "mcp_servers" };
        let as_json = serde_json::to_value(server).unwrap_or_default();
        let entry = Entry::read(Client::Codex, name, file, &as_json);
        let Some(entry) = entry.map(|entry| entry.at(&place)) else { continue };
        let id = format!("codex_client.{name}");
        let table = format!("[mcp_servers.{name}] in {}", file.display());
        let waits = waits(server);
        checks.push(entry.check(&id, CLIENT, Some(&timeout(waits))));
        checks.extend(entry.start_checks(&id, limit));
        checks.extend(entry.time_check(&id, CLIENT, waits, limit, |time| {
            format!("set tool_timeout_sec = {} in {table}", time.as_secs())
        }));
        let repaired = |check: Check| check.repaired_by(entry.repair(limit, set));
        checks.extend(approval(&id, &entry, server, &table).map(repaired));
        checks.extend(passed_on(&id, &entry, server, &table, set).map(repaired));
    }
    checks
}

/// How long it waits for a call of a server in a plugin's file, which has the same fields.
pub(super) fn waits_of(server: &serde_json::Value) -> Duration {
    let timeout = server.get("tool_timeout_sec").and_then(serde_json::Value::as_f64);
    timeout.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or(DEFAULT)
}

/// Its timeout for a call, which progress does not extend.
fn waits(server: &Value) -> Duration {
    let seconds = match server.get("tool_timeout_sec") {
        Some(Value::Integer(seconds)) => u32::try_from(*seconds).ok().map(f64::from),
        Some(Value::Float(seconds)) => Some(*seconds),
        _ => None,
    };
    seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or(DEFAULT)
}

/// `codex exec` cannot ask for approval, so it refuses a tool that may change files unless it is pre-approved.
fn approval(id: &str, entry: &Entry, server: &Value, table: &str) -> Option<Check> {
    let id = format!("{id}.approval");
    if server.get("enabled").and_then(Value::as_bool) == Some(false) {
        let summary = format!("{CLIENT} has {} disabled", entry.place());
        return Some(Check::warning(id, summary, format!("set enabled = true in {table}")));
    }
    let tool = server.get("tools").and_then(|tools| tools.get("codex_chat")?.get("approval_mode"));
    let mode = tool.or_else(|| server.get("default_tools_approval_mode")).and_then(Value::as_str);
    (mode != Some("approve")).then(|| {
        let summary = format!("`codex exec` denies calls of codex_chat of {}", entry.place());
        let fix = format!("set default_tools_approval_mode = \"approve\" in {table}");
        Check::warning(id, summary, fix)
    })
}

/// A warning about variables that are set here and that Codex does not pass on.
fn passed_on(id: &str, entry: &Entry, server: &Value, table: &str, set: &[&str]) -> Option<Check> {
    let passed = server.get("env_vars").and_then(Value::as_array).into_iter().flatten();
    let name = |value: &Value| -> Option<String> {
        Some(value.as_str().or_else(|| value.get("name")?.as_str())?.to_owned())
    };
    let passed: Vec<String> = passed.filter_map(name).collect();
    let is_lost = |name: &&&str| !entry.sets(name) && !passed.iter().any(|passed| passed == **name);
    let lost: Vec<&str> = set.iter().filter(is_lost).copied().collect();
    (!lost.is_empty()).then(|| {
        let all: Vec<&str> =
            passed.iter().map(String::as_str).chain(lost.iter().copied()).collect();
        let summary = format!("set here, but not passed on to {}: {}", entry.place(), listed(lost));
        let fix = format!("set env_vars = {all:?} in {table}");
        Check::warning(format!("{id}.variables"), summary, fix)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warnings(server: &str, set: &[&str]) -> Vec<String> {
        let text = format!("[mcp_servers.a]\ncommand = \"codex-persistent-mcp\"\n{server}");
        let config = text.parse().expect("it is TOML");
        let checks = judge(Path::new("f"), &config, set, Duration::from_secs(1800));
        let warnings = checks.into_iter().filter(|check| check.fix.is_some());
        warnings.map(|check| check.id.rsplit('.').next().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn what_blocks_the_server_is_reported() {
        let command = || "command".to_owned();
        let is_missing = which::which("codex-persistent-mcp").is_err();
        let expect = |rest: &[&str]| -> Vec<String> {
            let missing = is_missing.then(command);
            missing.into_iter().chain(rest.iter().map(|word| (*word).to_owned())).collect()
        };
        assert_eq!(warnings("", &["CODEX_HOME"]), expect(&["timeout", "approval", "variables"]));
        let good = "tool_timeout_sec = 1800.0\ndefault_tools_approval_mode = \"approve\"\n";
        assert_eq!(warnings(good, &[]), expect(&[]));
        let passed = format!("{good}env_vars = [\"A\", {{ name = \"B\" }}]\nenv = {{ C = \"1\" }}");
        assert_eq!(warnings(&passed, &["A", "B", "C"]), expect(&[]));
        assert_eq!(warnings(&passed, &["D"]), expect(&["variables"]));
        assert_eq!(warnings(&format!("{good}enabled = false"), &[]), expect(&["approval"]));
    }
}
