//! `hook`: what Claude Code runs at certain moments, as `plugin/hooks/claude.json` says. It passes a JSON object on
//! standard input and takes one from standard output.
//!
//! A hook must not be in the way: whatever is missing, it prints nothing and succeeds.

mod jobs;
mod memory;
mod review;
mod work;

use std::io::{self, Read};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::Value;

use crate::model::settings::Settings;
use crate::model::working_dir::WorkingDir;

/// The longest input, in bytes: it has Claude's last message.
const MAX_INPUT: u64 = 8 << 20;

/// The variable in which Claude Code names the project, which is not the current directory after a `cd`.
const PROJECT: &str = "CLAUDE_PROJECT_DIR";

/// What to do.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    hook: Hook,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum Hook {
    /// Tells of the jobs of this project that ended since the last time
    Jobs,
    /// Before Claude stops, has its changes reviewed
    Review,
}

/// What Claude Code passes. Seen in 2.1.332.
#[derive(Debug, Deserialize)]
struct Input {
    hook_event_name: String,
    session_id: String,
    cwd: PathBuf,
    /// Whether Claude works because a hook did not let it stop.
    #[serde(default)]
    stop_hook_active: bool,
    last_assistant_message: Option<String>,
}

/// Runs the hook, and returns the exit status, which is always 0.
pub(super) fn run(arguments: &Arguments, mut settings: Settings) -> u8 {
    let Some(input) = read() else { return 0 };
    let folder = std::env::var_os(PROJECT).map_or_else(|| input.cwd.clone(), PathBuf::from);
    let Ok(project) = WorkingDir::existing(folder) else { return 0 };
    settings.working_dir = project;
    match arguments.hook {
        Hook::Jobs => jobs::run(&input, &settings),
        Hook::Review => review::run(input, settings),
    }
    0
}

fn read() -> Option<Input> {
    let mut text = Vec::new();
    io::stdin().lock().take(MAX_INPUT).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Tells Claude Code what to do. It may have gone.
fn answer(answer: &Value) {
    use io::Write;
    drop(writeln!(io::stdout().lock(), "{answer}"));
}
