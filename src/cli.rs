//! The program: its commands, its flags, and its exit status.

mod advice;
mod as_server;
mod chat;
mod clients;
mod codex_flags;
mod command;
mod complete;
mod demo;
mod doctor;
mod error;
mod flags;
mod follow;
mod format;
mod hook;
mod intro;
mod jobs;
mod lenient;
mod man;
mod mcp_server;
mod output;
#[cfg(test)]
mod page;
mod read;
mod render;
mod report;
mod runtime;
mod serve;
mod sessions;
mod setup;
mod style;
mod table;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser};

#[cfg(unix)]
use crate::system::launcher;
use crate::system::log;
use codex_flags::CodexFlags;
use flags::Flags;

/// MCP server that gives agents OpenAI's Codex, in sessions that are never lost.
///
/// A client starts it without arguments, and speaks MCP with it on standard input and output.
#[derive(Parser)]
#[command(name = "codex-persistent-mcp", version, max_term_width = 100, after_help = AFTER_HELP)]
#[command(help_template = TEMPLATE)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<command::Command>,

    /// Flags of `codex` before the command `mcp-server`.
    #[command(flatten)]
    codex: CodexFlags,

    #[command(flatten)]
    flags: Flags,
}

/// Without options: they are settings, which are listed apart, and two that everybody knows.
const TEMPLATE: &str = "\
{about-with-newline}
{usage-heading} {usage}

Commands:
{subcommands}{after-help}";

const AFTER_HELP: &str = "\
Examples:
  codex-persistent-mcp setup codex
  codex-persistent-mcp chat \"why is the upload flaky?\"

Options of a command: COMMAND -h · settings: help settings · version: -V";

impl CommandLine {
    /// Reads the arguments and the environment of this process. An error is printed, and is the exit status.
    fn read() -> Result<Self, u8> {
        // Most clients start the server without further arguments, and wait for it. Building clap's command takes
        // longer than everything else until the first answer.
        if let Some(command) = command::plain_server(std::env::args_os().skip(1))
            && let Some(flags) = Flags::from_variables(std::env::var_os)
        {
            return Ok(Self { command, codex: CodexFlags::default(), flags });
        }
        let mut command = Self::whole_command();
        command
            .try_get_matches_from_mut(std::env::args_os())
            .and_then(|matches| Self::from_arg_matches(&matches))
            .and_then(Self::complete)
            .or_else(|error| match lenient::read(std::env::args_os()) {
                Some(line) if error.use_stderr() => Ok(line),
                _ => Err(flags::print(&command, error)),
            })
    }

    /// Clap's command. Its help leaves out the flags that are for `mcp-server` alone, and the settings, which are
    /// listed apart.
    fn whole_command() -> clap::Command {
        let is_apart = |argument: &clap::Arg| {
            CodexFlags::IDS.contains(&argument.get_id().as_str()) || argument.is_global_set()
        };
        let command = Self::command().mut_args(|argument| {
            let hide = is_apart(&argument);
            if hide { argument.hide(true) } else { argument }
        });
        command.mut_subcommand("settings", |settings| settings.override_help(flags::list()))
    }

    /// Gives the flags before `mcp-server` to it.
    fn complete(mut self) -> Result<Self, clap::Error> {
        let before = std::mem::take(&mut self.codex);
        match &mut self.command {
            _ if before.is_empty() => Ok(self),
            Some(command::Command::McpServer(arguments)) => {
                arguments.after(before);
                Ok(self)
            }
            _ => {
                let problem = "-c, -p, -m, -s, -a, -C, --enable, --disable and --strict-config before a command \
                               belong to the command mcp-server";
                Err(Self::command().error(ErrorKind::ArgumentConflict, problem))
            }
        }
    }
}

/// Runs the program with the arguments and the environment of this process, and returns its exit status.
/// A wrong flag or variable is reported on standard error, with exit status 2.
pub fn run() -> ExitCode {
    if complete::answer() {
        return ExitCode::SUCCESS;
    }
    let CommandLine { command: mut action, flags, .. } = match CommandLine::read() {
        Ok(command_line) => command_line,
        Err(exit_status) => return exit_status.into(),
    };
    if action.is_none() && intro::is_wanted() {
        return intro::run().into();
    }
    #[cfg(unix)]
    launcher::watch();
    let settings = match command::settings(action.as_ref(), &flags) {
        Ok(settings) => settings,
        Err(unusable) => {
            let mut command = CommandLine::command();
            let error = unusable.to_error(&mut command);
            return flags::print(&command, error).into();
        }
    };
    let logging = &settings.logging;
    let level = command::log_level(action.as_ref(), logging.debug);
    let log = match log::start(level, logging.file.as_deref()) {
        Ok(log) => Some(log),
        Err(problem) => {
            if let Some(command::Command::Doctor(doctor)) = &mut action {
                doctor.add_wrong("log-file", &problem);
                None
            } else {
                let mut command = CommandLine::command();
                let error = flags::unusable(&mut command, "log-file", &problem);
                return flags::print(&command, error).into();
            }
        }
    };
    let status = command::run(action, settings, &flags);
    drop(log);
    ExitCode::from(status)
}
