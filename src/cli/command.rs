//! The commands. Without one, the program is the MCP server.

use std::ffi::OsString;
use std::io::Write;

use clap::Subcommand;
use tracing::level_filters::LevelFilter;

use super::codex_flags::Unusable;
use super::error::{Error, finish};
use super::flags::Flags;
use super::runtime::listening;
use super::{
    chat, complete, demo, doctor, flags, hook, jobs, man, mcp_server, read, serve, sessions, setup,
};
use crate::job::{JobId, runner};
use crate::model::settings::Settings;
use crate::settings::RUN_JOB;

/// What to do instead of serving MCP with the program's own tools.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serves MCP on standard input and output, or over HTTP (--http)
    Serve,
    /// Serves codex and codex-reply, in place of `codex mcp-server`
    #[command(name = mcp_server::NAME)]
    McpServer(mcp_server::Arguments),
    /// Adds this program to a client: claude, codex, cursor, zed, …
    Setup(setup::Arguments),
    /// Asks Codex; the reply goes to stdout, the steps to stderr
    Chat(chat::Arguments),
    /// Lists, shows, follows and cancels jobs
    Jobs(jobs::Arguments),
    /// Lists and shows all sessions in Codex's store
    Sessions(sessions::Arguments),
    /// Shows what Codex did: from a file, a job, or a session
    Read(read::Arguments),
    /// Shows this program at work, without an account
    Demo(demo::Arguments),
    /// Checks the installation, and shows how to fix problems
    #[command(after_help = doctor::EXIT_STATUS)]
    Doctor(doctor::Arguments),
    /// Lists all settings: flags and variables
    Settings,
    /// Prints the script that completes commands in a shell
    Completions(complete::Arguments),
    /// Prints man pages
    Man(man::Arguments),
    /// Does what the plugin of Claude Code does at certain moments. Only its hooks start it.
    #[command(hide = true)]
    Hook(hook::Arguments),
    /// Runs one job. Only this program itself starts it.
    #[command(name = RUN_JOB, hide = true)]
    RunJob {
        /// The job's id
        job: JobId,
    },
}

/// The command of a command line that no flag needs to be read for: the server, or `mcp-server`.
#[expect(clippy::option_option, reason = "no command is a command line too")]
pub(super) fn plain_server(
    mut arguments: impl Iterator<Item = OsString>,
) -> Option<Option<Command>> {
    match (arguments.next(), arguments.next()) {
        (None, _) => Some(None),
        (Some(name), None) if name == mcp_server::NAME => {
            Some(Some(Command::McpServer(mcp_server::Arguments::default())))
        }
        _ => None,
    }
}

fn print(text: &str) -> u8 {
    let mut out = std::io::stdout().lock();
    finish(write!(out, "{text}").map(|()| 0).map_err(Error::Output))
}

/// Whether this argument names a command that is not a server for a client.
pub(super) fn is_for_user(argument: &str) -> bool {
    let command = Command::augment_subcommands(clap::Command::new(""));
    let found = command.find_subcommand(argument);
    found.is_some_and(|found| !["serve", mcp_server::NAME].contains(&found.get_name()))
}

/// The settings of the command.
pub(super) fn settings(command: Option<&Command>, flags: &Flags) -> Result<Settings, Unusable> {
    match command {
        Some(Command::McpServer(arguments)) => arguments.settings(flags),
        _ => Ok(flags.settings()),
    }
}

/// The level of the log on standard error. Commands for the user log only warnings there.
pub(super) fn log_level(command: Option<&Command>, debug: bool) -> LevelFilter {
    match command {
        _ if debug => LevelFilter::DEBUG,
        Some(
            Command::Chat(_)
            | Command::Jobs(_)
            | Command::Sessions(_)
            | Command::Read(_)
            | Command::Doctor(_)
            | Command::Setup(_)
            | Command::Demo(_)
            | Command::Hook(_)
            | Command::Settings
            | Command::Completions(_)
            | Command::Man(_),
        ) => LevelFilter::WARN,
        Some(Command::Serve | Command::McpServer(_) | Command::RunJob { .. }) | None => {
            LevelFilter::INFO
        }
    }
}

/// Runs the command, and returns the exit status.
pub(super) fn run(command: Option<Command>, settings: Settings, flags: &Flags) -> u8 {
    let on_command_line = flags.on_command_line();
    match command {
        None | Some(Command::Serve | Command::McpServer(_)) => serve::run(settings),
        Some(Command::RunJob { job }) => listening(|signals| runner::run(settings, job, signals)),
        Some(Command::Chat(arguments)) => chat::run(arguments, settings, on_command_line),
        Some(Command::Doctor(arguments)) => {
            let in_force = doctor::settings::in_force(&settings, flags);
            doctor::run(arguments, settings, in_force)
        }
        Some(Command::Demo(arguments)) => demo::run(&arguments, &settings),
        Some(Command::Hook(arguments)) => hook::run(&arguments, settings),
        Some(Command::Setup(arguments)) => setup::run(&arguments),
        Some(Command::Settings) => print(&flags::list()),
        Some(Command::Completions(arguments)) => complete::run(&arguments),
        Some(Command::Man(arguments)) => man::run(&arguments),
        // Without a runtime and without handlers: a signal ends this process, and nothing else.
        Some(Command::Jobs(arguments)) => jobs::run(arguments, &settings),
        Some(Command::Read(arguments)) => read::run(arguments, &settings),
        Some(Command::Sessions(arguments)) => {
            sessions::run(arguments, &settings, on_command_line.cwd)
        }
    }
}
