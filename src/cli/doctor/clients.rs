//! What all clients have in common: which of their servers is this program, and how long they wait.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::check::Check;
use crate::cli::mcp_server;
use crate::model::outcome::duration;
use crate::model::settings::Settings;
use crate::settings::{self, Former, Kind, Setting};

const NAME: &str = env!("CARGO_PKG_NAME");

/// The shortest timeout that a client should have, as the README says.
const ENOUGH: Duration = Duration::from_secs(60 * 60);

/// A server in a client's configuration that is this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) file: PathBuf,
    command: String,
    arguments: Vec<String>,
    /// The variables that the client sets for the server.
    variables: Vec<(String, String)>,
}

impl Entry {
    /// `None` if the server is not this program: neither its command nor one of its arguments names it.
    pub(super) fn new(
        name: &str,
        file: &Path,
        command: &str,
        arguments: Vec<String>,
        variables: Vec<(String, String)>,
    ) -> Option<Self> {
        let is_this = |word: &str| Path::new(word).file_stem().is_some_and(|stem| stem == NAME);
        let is_entry = is_this(command) || arguments.iter().any(|word| is_this(word));
        is_entry.then(|| Self {
            name: name.to_owned(),
            file: file.to_owned(),
            command: command.to_owned(),
            arguments,
            variables,
        })
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

    /// A warning if the client will not find the program.
    pub(super) fn command_check(&self, id: &str) -> Option<Check> {
        let is_found = which::which(&self.command).is_ok();
        (!is_found).then(|| {
            let summary = format!("{}: the command {} was not found", self.place(), self.command);
            let fix = match std::env::current_exe() {
                Ok(program) => format!("set it to the full path: {}", program.display()),
                Err(_) => "set it to the full path of the program".into(),
            };
            Check::warning(format!("{id}.command"), summary, fix)
        })
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
        let limit = self.call_limit(limit);
        (waits < limit).then(|| {
            let summary = format!(
                "{client} times out a call after {}, but a call may take {}: {}",
                duration(waits),
                duration(limit),
                self.place()
            );
            Check::warning(format!("{id}.timeout"), summary, fix(limit.max(ENOUGH)))
        })
    }

    /// The check that every entry has. `timeout` describes the client's timeout for a call.
    pub(super) fn check(&self, id: &str, client: &str, timeout: &str) -> Check {
        let names: Vec<&str> = self.variables.iter().map(|(name, _)| name.as_str()).collect();
        let flags = self.arguments.iter().filter(|word| word.starts_with("--"));
        let flags: Vec<&str> = flags.filter_map(|word| word.split('=').next()).collect();
        let mut check = Check::ok(id, format!("{client} has {}, {timeout}", self.place()));
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
    let fix = format!(
        "run `claude mcp add codex-persistent -- {NAME}`, or `codex mcp add codex-persistent -- {NAME}`"
    );
    Check::warning(
        "clients",
        "neither Claude Code nor Codex is configured with this server here",
        fix,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_known_by_its_program_and_has_its_own_limit() {
        let entry = |command: &str, arguments: &[&str], millis: &str| {
            let arguments = arguments.iter().map(|word| (*word).to_owned()).collect();
            let variable = ("CODEX_PERSISTENT_MCP_TIMEOUT_MS".to_owned(), millis.to_owned());
            Entry::new("a", Path::new("f"), command, arguments, vec![variable])
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
}
