//! What all clients have in common: which of their servers is this program, and how long they wait.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::check::Check;
use crate::cli::clients::{Client, Place, Setup, Start, is_same, is_this};
use crate::cli::{as_server, mcp_server};
use crate::model::outcome::duration;
use crate::model::settings::Settings;
use crate::settings::{self, Former, Kind, Setting};

const NAME: &str = env!("CARGO_PKG_NAME");

/// The shortest timeout that a client should have, as `docs/clients/README.md` says.
const ENOUGH: Duration = Duration::from_secs(60 * 60);

/// A server in a client's configuration that is this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    client: Client,
    /// Where it is, if it is among the servers of a file that this program can change.
    place: Option<Place>,
    pub(super) name: String,
    pub(super) file: PathBuf,
    command: String,
    arguments: Vec<String>,
    /// The variables that the client sets for the server.
    variables: Vec<(String, String)>,
}

impl Entry {
    /// An entry as the client's file has it. `None` if the server is not this program: neither its command nor one of
    /// its arguments names it.
    pub(super) fn read(client: Client, name: &str, file: &Path, server: &Value) -> Option<Self> {
        let texts = |name: &str| {
            let values = server.get(name).and_then(Value::as_array).into_iter().flatten();
            values.filter_map(|value| value.as_str().map(str::to_owned))
        };
        let (command, arguments): (String, Vec<String>) = match server.get("command")? {
            Value::String(command) => (command.clone(), texts("args").collect()),
            // As opencode has it.
            _ => (texts("command").next()?, texts("command").skip(1).collect()),
        };
        let is_entry = is_this(&command) || arguments.iter().any(|word| is_this(word));
        let variables = ["env", "environment"].into_iter().filter_map(|name| server.get(name));
        let variables = variables.filter_map(Value::as_object).flatten();
        let variables = variables
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect();
        let (name, file) = (name.to_owned(), file.to_owned());
        is_entry.then_some(Self { client, place: None, name, file, command, arguments, variables })
    }

    /// The same, in a place that this program can change.
    pub(super) fn at(self, place: &Place) -> Self {
        Self { place: Some(place.clone()), ..self }
    }

    /// What makes the fixes of this entry. `default` is the timeout of a call that it has by itself.
    pub(super) fn repair(&self, default: Duration, passed_on: &[&str]) -> Option<Setup> {
        let passed_on = passed_on.iter().map(|name| (*name).to_owned()).collect();
        let least = self.call_limit(default);
        let place = self.place.clone()?;
        Some(Setup::at(self.client, place, &self.name, &Start::of_this(), passed_on, least))
    }

    pub(super) fn sets(&self, variable: &str) -> bool {
        self.variables.iter().any(|(name, _)| name == variable)
    }

    /// Its name and its file.
    pub(super) fn place(&self) -> String {
        format!("{} in {}", self.name, self.file.display())
    }

    /// The timeout of a call, as the entry's flags and variables set it.
    pub(super) fn call_limit(&self, default: Duration) -> Duration {
        let settings = |name| settings::all().find(|setting| setting.flag == name);
        let Some(Setting { flag, variable, kind: Kind::Duration { range, .. }, former, .. }) =
            settings("timeout")
        else {
            return default;
        };
        let is_successor = self.arguments.iter().any(|word| word == mcp_server::NAME);
        let default = if is_successor { Settings::default().job_limits.total } else { default };
        let present = |text: &str| range.read(text).ok();
        let before = |text: &str, former: &Former| range.read_number(text, former.unit).ok();
        let former = former.as_ref();
        let by_flag = || self.flag(flag).as_deref().and_then(present);
        let by_former_flag = || former.and_then(|former| before(&self.flag(former.flag)?, former));
        let by_variable = || self.variable(variable).and_then(present);
        let by_former_variable =
            || former.and_then(|former| before(self.variable(former.variable)?, former));
        by_flag()
            .or_else(by_former_flag)
            .or_else(by_variable)
            .or_else(by_former_variable)
            .unwrap_or(default)
    }

    /// The value of a flag among the arguments.
    fn flag(&self, flag: &str) -> Option<String> {
        self.arguments.iter().enumerate().find_map(|(at, argument)| {
            match argument.strip_prefix("--")?.strip_prefix(flag)? {
                "" => self.arguments.get(at + 1).cloned(),
                rest => rest.strip_prefix('=').map(str::to_owned),
            }
        })
    }

    fn variable(&self, variable: &str) -> Option<&str> {
        let found = self.variables.iter().find(|(name, _)| name == variable);
        found.map(|(_, value)| value.as_str())
    }

    /// Warnings if the client will not find the program, or finds another copy of it, and a problem if the program does
    /// not serve it with these arguments and variables.
    pub(super) fn start_checks(&self, id: &str, limit: Duration) -> Vec<Check> {
        let mut checks = Vec::new();
        let this = std::env::current_exe().ok();
        match which::which(&self.command) {
            Err(_) => {
                let summary =
                    format!("{}: the command {} was not found", self.place(), self.command);
                let fix = match &this {
                    Some(program) => format!("set it to the full path: {}", program.display()),
                    None => "set it to the full path of the program".into(),
                };
                let check = Check::warning(format!("{id}.command"), summary, fix);
                checks.push(check.repaired_by(self.repair(limit, &[])));
            }
            Ok(found) => {
                let is_other =
                    is_this(&self.command) && this.is_some_and(|this| !is_same(&found, &this));
                if is_other {
                    let found = found.display();
                    let summary = format!("{} starts another copy: {found}", self.place());
                    let fix = format!("check that one with `{found} doctor`, or set up this one");
                    checks.push(Check::warning(format!("{id}.command"), summary, fix));
                }
            }
        }
        let problems = as_server::problems(self.own_arguments(), &self.variables);
        if !problems.is_empty() {
            let summary = format!("{} does not start: {}", self.place(), problems.join("; "));
            let fix = format!("correct its arguments or variables; `{NAME} help settings` has all");
            checks.push(Check::problem(format!("{id}.settings"), summary, fix));
        }
        checks
    }

    /// The arguments of this program, without those of a program that starts it.
    fn own_arguments(&self) -> &[String] {
        let at = self.arguments.iter().position(|word| is_this(word));
        match at.filter(|_| !is_this(&self.command)) {
            Some(at) => &self.arguments[at + 1..],
            None => &self.arguments,
        }
    }

    /// A warning if the client has it switched off.
    pub(super) fn off_check(&self, id: &str, client: &str, server: &Value) -> Option<Check> {
        let is = |name: &str, value| server.get(name).and_then(Value::as_bool) == Some(value);
        let fix = match (is("enabled", false), is("disabled", true)) {
            (true, _) => "enabled to true",
            (_, true) => "disabled to false",
            _ => return None,
        };
        let summary = format!("{client} has {} switched off", self.place());
        let fix = format!("set {fix} in {}", self.place());
        Some(Check::warning(format!("{id}.off"), summary, fix))
    }

    /// A warning if the client does not wait as long as a call may take. `fix` says how to set a timeout.
    pub(super) fn time_check(
        &self,
        id: &str,
        client: &str,
        waits: Duration,
        limit: Duration,
        fix: impl FnOnce(Duration) -> String,
    ) -> Option<Check> {
        let default = limit;
        let limit = self.call_limit(limit);
        (waits < limit).then(|| {
            let summary = format!(
                "{client} times out a call after {}, but a call may take {}: {}",
                duration(waits),
                duration(limit),
                self.place()
            );
            let check = Check::warning(format!("{id}.timeout"), summary, fix(limit.max(ENOUGH)));
            check.repaired_by(self.repair(default, &[]))
        })
    }

    /// The check that every entry has. `timeout` describes the client's timeout for a call.
    pub(super) fn check(&self, id: &str, client: &str, timeout: Option<&str>) -> Check {
        let names: Vec<&str> = self.variables.iter().map(|(name, _)| name.as_str()).collect();
        let flags = self.arguments.iter().filter(|word| word.starts_with("--"));
        let flags: Vec<&str> = flags.filter_map(|word| word.split('=').next()).collect();
        let timeout = timeout.map(|timeout| format!(", {timeout}")).unwrap_or_default();
        let mut check = Check::ok(id, format!("{client} has {}{timeout}", self.place()));
        for (what, words) in [("variables", names), ("flags", flags)] {
            if !words.is_empty() {
                check = check.with(what, words);
            }
        }
        check
    }
}

/// A client's timeout for a call, as a phrase.
pub(super) fn timeout(after: Duration) -> String {
    format!("with a timeout of {}", duration(after))
}

/// The project of a directory, as both clients see it: the repository around it.
pub(super) fn project_of(dir: &Path) -> &Path {
    dir.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(dir)
}

/// The warning if no client has the server.
pub(super) fn no_client() -> Check {
    let fix = format!("run `{NAME} setup` to see the clients, then `{NAME} setup CLIENT`");
    Check::warning("clients", "no client is configured with this server here", fix)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_entry_is_known_by_its_program_and_has_its_own_limit() {
        let entry = |command: &str, arguments: &[&str], millis: &str| {
            let variables = json!({"CODEX_PERSISTENT_MCP_TIMEOUT_MS": millis});
            let server = json!({"command": command, "args": arguments, "env": variables});
            Entry::read(Client::Claude, "a", Path::new("f"), &server)
        };
        assert_eq!(entry("node", &["server.js"], ""), None);
        let default = Duration::from_secs(9);
        let limit =
            |entry: Option<Entry>| entry.expect("it is this").call_limit(default).as_millis();
        assert_eq!(limit(entry("/usr/bin/codex-persistent-mcp", &[], "")), 9_000);
        let hours = limit(entry("codex-persistent-mcp", &["-c", "a=b", "mcp-server"], ""));
        assert_eq!(hours, 4 * 60 * 60 * 1_000);
        assert_eq!(limit(entry("env", &["A=b", "codex-persistent-mcp"], "5000")), 5_000);
        let flags = ["--debug", "--timeout-ms", "4000"];
        assert_eq!(limit(entry("codex-persistent-mcp.exe", &flags, "5000")), 4_000);
        assert_eq!(limit(entry("codex-persistent-mcp", &["--timeout-ms=3000"], "")), 3_000);
        assert_eq!(limit(entry("codex-persistent-mcp", &["--timeout=2s"], "5000")), 2_000);
        let flags = ["--timeout-ms", "4000", "--timeout", "1m"];
        assert_eq!(limit(entry("codex-persistent-mcp", &flags, "")), 60_000);
    }

    #[test]
    fn the_arguments_are_read_by_the_program_itself() {
        let problems = |server: Value| {
            let entry = Entry::read(Client::Cursor, "a", Path::new("f"), &server);
            let checks = entry.expect("it is this").start_checks("a", ENOUGH);
            let problems = checks.into_iter().filter(|check| check.id == "a.settings");
            problems.map(|check| check.summary).collect::<Vec<_>>()
        };
        let wrapped = json!({"command": "env", "args": ["A=b", "x/codex-persistent-mcp", "serve"]});
        assert_eq!(problems(wrapped), [""; 0]);
        let wrong = json!({"command": ["codex-persistent-mcp", "--timeout", "hush"],
                           "environment": {"CODEX_PERSISTENT_MCP_MAX_DEPTH": "hush"}});
        let found = problems(wrong);
        assert!(found.len() == 1 && found[0].contains("--timeout"), "{found:?}");
        assert!(found[0].contains("MAX_DEPTH") && !found[0].contains("hush"), "{found:?}");
    }
}
