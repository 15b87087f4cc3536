//! Whether Cursor, VS Code, Zed, Gemini CLI, opencode and Windsurf have this server in their files: in that of the user
//! and in those of the project.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::check::Check;
use super::clients::{Entry, project_of, timeout};
use super::file;
use crate::cli::clients::{Client, Place};

const CLIENTS: [Client; 6] = [
    Client::Cursor,
    Client::VsCode,
    Client::Zed,
    Client::Gemini,
    Client::OpenCode,
    Client::Windsurf,
];

/// Zed's default timeout of a call: `context_server_timeout` in its settings (zed-industries/zed,
/// `crates/settings_content/src/project.rs`).
const ZED: Duration = Duration::from_secs(60);

/// Gemini CLI's default timeout of a call (0.61: `MCP_DEFAULT_TIMEOUT_MSEC`).
const GEMINI: Duration = Duration::from_secs(10 * 60);

/// Checks each entry that is this program.
pub(super) fn examine(dir: &Path, limit: Duration) -> Vec<Check> {
    let mut checks = Vec::new();
    for client in CLIENTS {
        let root = project_of(dir);
        let folders = dir.ancestors().take_while(|folder| folder.starts_with(root));
        let in_project = folders.filter_map(|folder| client.place_in(folder));
        let mut places: Vec<Place> = client.place().into_iter().chain(in_project).collect();
        // The home directory may be the project.
        places.dedup_by(|one, other| one.file == other.file);
        for place in places {
            match file::json_with_comments(&place.file) {
                Ok(content) => {
                    checks.extend(judge(client, &place, &content.unwrap_or_default(), limit));
                }
                Err(problem) => {
                    let fix = "correct the file or its permissions";
                    checks.push(Check::warning(format!("{}.file", client.word()), problem, fix));
                }
            }
        }
    }
    checks
}

fn judge(client: Client, place: &Place, content: &Value, limit: Duration) -> Vec<Check> {
    let servers = content.get(place.servers).and_then(Value::as_object).into_iter().flatten();
    let mut checks = Vec::new();
    for (name, server) in servers {
        let Some(entry) = Entry::read(client, name, &place.file, server) else { continue };
        let entry = entry.at(place);
        let id = format!("{}.{name}", client.word());
        let waits = waits(client, server, content);
        checks.push(entry.check(&id, client.title(), waits.map(timeout).as_deref()));
        checks.extend(entry.start_checks(&id, limit));
        if let (Some(waits), Some((field, unit))) = (waits, client.timeout()) {
            let fix = |time| format!("set \"{field}\": {} for {}", unit.value(time), entry.place());
            checks.extend(entry.time_check(&id, client.title(), waits, limit, fix));
        }
        let off = entry.off_check(&id, client.title(), server);
        checks.extend(off.map(|check| check.repaired_by(entry.repair(limit, &[]))));
    }
    checks
}

/// Its timeout for a call, where that is known and ends one. A call of 312 s went through in
/// opencode (1.18), VS Code has none (`mcpServerRequestHandler.ts`), and Cursor and Windsurf do not document theirs.
fn waits(client: Client, server: &Value, content: &Value) -> Option<Duration> {
    let number = |value: &Value, name: &str| value.get(name).and_then(Value::as_u64);
    match client {
        Client::Zed => {
            let seconds = number(server, "timeout");
            let seconds = seconds.or_else(|| number(content, "context_server_timeout"));
            Some(seconds.map_or(ZED, Duration::from_secs))
        }
        Client::Gemini => Some(number(server, "timeout").map_or(GEMINI, Duration::from_millis)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::clients::Form;

    #[test]
    fn what_cuts_calls_off_is_reported_and_can_be_repaired() {
        let complaints = |client: Client, server: Value, more: Value| {
            let place = Place { file: "f".into(), form: Form::Json, servers: "s" };
            let mut content = json!({"s": {"a": server}});
            content["context_server_timeout"] = more;
            let checks = judge(client, &place, &content, Duration::from_secs(1_800));
            let wrong = checks.into_iter().filter(|check| check.fix.is_some());
            let wrong = wrong.filter(|check| !check.id.ends_with(".command"));
            wrong.map(|check| (check.id, check.repair.is_some())).collect::<Vec<_>>()
        };
        let this = json!({"command": "codex-persistent-mcp", "args": []});
        for (client, timeout) in [(Client::Zed, json!(3600)), (Client::Gemini, json!(3_600_000))] {
            let expected = vec![(format!("{}.a.timeout", client.word()), true)];
            assert_eq!(complaints(client, this.clone(), Value::Null), expected);
            let mut long = this.clone();
            long["timeout"] = timeout;
            assert_eq!(complaints(client, long, Value::Null), []);
        }
        assert_eq!(complaints(Client::Zed, this.clone(), json!(7200)), []);
        for client in [Client::Cursor, Client::VsCode, Client::Windsurf] {
            assert_eq!(complaints(client, this.clone(), Value::Null), []);
        }
        let off = json!({"command": ["codex-persistent-mcp"], "enabled": false});
        let expected = [("opencode.a.off".to_owned(), true)];
        assert_eq!(complaints(Client::OpenCode, off, Value::Null), expected);
        assert_eq!(complaints(Client::Cursor, json!({"command": "node"}), Value::Null), []);
    }
}
