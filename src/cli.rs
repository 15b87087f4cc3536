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
mod mcp_server;
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

impl CommandLine {
    /// Reads the arguments and the environment of this process. An error is printed, and is the exit status.
    fn read() -> Result<Self, u8> {
        // Most clients start the server without arguments, and wait for it. Building clap's command takes longer
        // than everything else until the first answer.
        if std::env::args_os().len() < 2
            && let Some(flags) = Flags::from_variables(std::env::var_os)
        {
            return Ok(Self { command: None, flags });
        }
        let mut command = Self::command();
        command
            .try_get_matches_from_mut(std::env::args_os())
            .and_then(|matches| Self::from_arg_matches(&matches))
            .map_err(|error| flags::print(&command, error))
    }
}

/// Runs the program with the arguments and the environment of this process, and returns its exit status.
/// A wrong flag or variable is reported on standard error, with exit status 2.
pub fn run() -> ExitCode {
    let CommandLine { command: action, flags } = match CommandLine::read() {
        Ok(command_line) => command_line,
        Err(exit_status) => return exit_status.into(),
    };
    let settings = flags.settings();
    let logging = &settings.logging;
    let level = command::log_level(action.as_ref(), logging.debug);
    let log = match log::start(level, logging.file.as_deref()) {
        Ok(log) => log,
        Err(problem) => {
            let mut command = CommandLine::command();
            let error = flags::unusable(&mut command, "log-file", &problem);
            return flags::print(&command, error).into();
        }
    };
    let status = command::run(action, settings, &flags);
    drop(log);
    ExitCode::from(status)
}
