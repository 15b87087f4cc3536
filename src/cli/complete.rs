//! Completions for shells: of commands and flags, and of the ids of jobs and sessions.
//!
//! A script registers this program with the shell. To complete a line, the shell runs the program with the
//! variable [`VARIABLE`] and gets the candidates (clap_complete's engine).

use std::io::{self, Write};
use std::time::Duration;

use clap::Args;
use clap_complete::CompletionCandidate;
use clap_complete::env::{CompleteEnv, Shells};

use super::CommandLine;
use super::error::{Error, finish};
use super::flags::Flags;
use super::format::head;
use crate::admission::scope::Scope;
use crate::codex::sessions::{Query, Store};
use crate::job::Jobs;
use crate::model::settings::Settings;

/// Names the shell that asks for candidates.
const VARIABLE: &str = "CODEX_PERSISTENT_MCP_COMPLETE";

/// How many ids are offered, and how long records are read for them.
const MAX_IDS: usize = 50;
const READ_WITHIN: Duration = Duration::from_millis(300);

/// How much of a prompt is shown beside an id, in characters.
const TITLE: usize = 60;

const AFTER_HELP: &str = "\
Add one of these to the startup file of your shell:
  bash        source <(codex-persistent-mcp completions bash)
  zsh         source <(codex-persistent-mcp completions zsh)
  fish        codex-persistent-mcp completions fish | source
  powershell  codex-persistent-mcp completions powershell | Out-String | Invoke-Expression";

/// The shell to complete for.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// bash, zsh, fish, powershell or elvish
    #[arg(value_name = "SHELL", value_parser = ["bash", "zsh", "fish", "powershell", "elvish"])]
    shell: String,
}

/// Prints the script for a shell, and returns the exit status.
pub(super) fn run(arguments: &Arguments) -> u8 {
    let mut script = Vec::new();
    let written = match Shells::builtins().completer(&arguments.shell) {
        Some(completer) => {
            let name = env!("CARGO_PKG_NAME");
            // Functions of the script are called after it, and bash refuses a hyphen in some of these names.
            let function = name.replace('-', "_");
            completer.write_registration(VARIABLE, &function, name, name, &mut script)
        }
        None => Err(io::ErrorKind::Unsupported.into()),
    };
    finish(
        written
            .and_then(|()| io::stdout().lock().write_all(&script))
            .map(|()| 0)
            .map_err(Error::Output),
    )
}

/// Answers a shell that asks for candidates. Returns whether one did.
pub(super) fn answer() -> bool {
    if std::env::var_os(VARIABLE).is_none_or(|shell| shell.is_empty()) {
        return false;
    }
    let complete = CompleteEnv::with_factory(CommandLine::whole_command).var(VARIABLE);
    // An error here would only disturb the line that the user is typing.
    let current_dir = std::env::current_dir().ok();
    complete.try_complete(std::env::args_os(), current_dir.as_deref()).unwrap_or(true)
}

/// The newest jobs.
pub(super) fn jobs() -> Vec<CompletionCandidate> {
    let settings = settings();
    let jobs = Jobs::new(&settings, Scope::unrestricted());
    let states = jobs.list(MAX_IDS, |_| true, |_| true).unwrap_or_default();
    let candidate = |state: &crate::job::State| {
        let title = state.label.as_ref().unwrap_or(&state.prompt);
        let about = format!("{}: {}", state.status.as_str(), head(title, TITLE));
        CompletionCandidate::new(state.job_id.to_string()).help(Some(about.into()))
    };
    states.iter().map(candidate).collect()
}

/// The sessions that were last written.
pub(super) fn sessions() -> Vec<CompletionCandidate> {
    let store = Store::new(settings().state_dir.as_deref());
    let query = Query::first(MAX_IDS);
    let sessions = store.list(&query, READ_WITHIN, &|| false).sessions;
    let candidate = |session: &crate::codex::sessions::Session| {
        let prompt = session.summary.prompt.as_deref().unwrap_or_default();
        let about = head(prompt, TITLE);
        CompletionCandidate::new(session.id.to_string()).help(Some(about.into()))
    };
    sessions.iter().map(candidate).collect()
}

/// The settings by variables alone: the line is not whole yet.
fn settings() -> Settings {
    Flags::from_variables(std::env::var_os).unwrap_or_default().settings()
}
