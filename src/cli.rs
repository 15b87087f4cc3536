//! The program: its commands, its flags, and its exit status.

mod advice;
mod chat;
mod command;
mod doctor;
mod error;
mod flags;
mod follow;
mod format;
mod jobs;
mod output;
mod report;
mod runtime;
mod serve;
mod sessions;
mod style;
mod table;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser};

use crate::system::log;
use flags::Flags;

/// MCP server that delegates work to OpenAI's Codex CLI in sessions that are never lost.
///
/// Speaks MCP on standard input and output, and logs on standard error. Add it to a client:
/// claude mcp add codex-persistent -- codex-persistent-mcp
#[derive(Parser)]
#[command(name = "codex-persistent-mcp", version, max_term_width = 100)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<command::Command>,

    #[command(flatten)]
    flags: Flags,
}

/// Runs the program with the arguments and the environment of this process, and returns its exit status.
/// A wrong flag or variable is reported on standard error, with exit status 2.
pub fn run() -> ExitCode {
    let mut command = CommandLine::command();
    let parsed = command
        .try_get_matches_from_mut(std::env::args_os())
        .and_then(|matches| CommandLine::from_arg_matches(&matches));
    let CommandLine { command: action, flags } = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return flags::print(&command, error).into(),
    };
    let settings = flags.settings();
    let logging = &settings.logging;
    let level = command::log_level(action.as_ref(), logging.debug);
    let log = match log::start(level, logging.file.as_deref()) {
        Ok(log) => log,
        Err(problem) => {
            let error = flags::unusable(&mut command, "log-file", &problem);
            return flags::print(&command, error).into();
        }
    };
    let status = command::run(action, settings, &flags);
    drop(log);
    ExitCode::from(status)
}
