//! The program: flags and environment, made into checked settings, and what it exits with.

mod advice;
mod chat;
mod command;
mod doctor;
mod error;
mod follow;
mod jobs;
mod report;
mod runtime;
mod serve;
mod sessions;
mod table;
mod words;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgAction, CommandFactory, FromArgMatches, Parser};

use crate::model::limits::{Limits, MAX_LIMIT};
use crate::model::model_name::Model;
use crate::model::policy;
use crate::model::policy::{CommandEnvironment, NestedMcp, Policy};
use crate::model::sandbox::Sandbox;
use crate::model::settings::Retention;
use crate::model::settings::{Logging, Origin, Settings};
use crate::model::text::excerpt;
use crate::model::working_dir::WorkingDir;
use crate::system::log;

/// MCP server that delegates work to OpenAI's Codex CLI in sessions that are never lost.
///
/// Speaks MCP on standard input and output, and logs on standard error. Add it to a client:
/// claude mcp add codex-persistent -- codex-persistent-mcp
#[derive(Debug, Parser)]
#[command(name = "codex-persistent-mcp", version, max_term_width = 100)]
struct Flags {
    #[command(subcommand)]
    command: Option<command::Command>,

    /// The Codex to run: a name on the PATH, or a path
    #[arg(long, global = true, env = "CODEX_BIN", value_name = "PROGRAM", default_value = "codex")]
    codex_bin: OsString,

    /// Where new sessions work if a call does not say [default: the current directory]
    #[arg(long, global = true, env = "CODEX_MCP_CWD", value_name = "DIR")]
    cwd: Option<PathBuf>,

    /// Who Codex is told the prompts come from
    #[arg(long, global = true, env = "CODEX_PERSISTENT_MCP_ORIGIN", value_name = "NAME", default_value = env!("CARGO_PKG_NAME"))]
    origin: String,

    /// Limit for a whole call, in milliseconds
    #[arg(long, global = true, env = "CODEX_PERSISTENT_MCP_TIMEOUT_MS", value_name = "MS", default_value_t = millis(Limits::default().total))]
    timeout_ms: u64,

    /// Limit for Codex's silence while no command or tool call of its is in progress, in milliseconds
    #[arg(long, global = true, env = "CODEX_PERSISTENT_MCP_IDLE_TIMEOUT_MS", value_name = "MS", default_value_t = millis(Limits::default().idle))]
    idle_timeout_ms: u64,

    /// How long to wait for a session that a person has open, in milliseconds
    #[arg(
        long,
        global = true,
        env = "CODEX_PERSISTENT_MCP_BUSY_WAIT_MS",
        value_name = "MS",
        default_value_t = 30_000
    )]
    busy_wait_ms: u64,

    /// How many calls run at a time, those of the user's other servers included
    #[arg(
        long,
        global = true,
        env = "CODEX_PERSISTENT_MCP_MAX_CONCURRENT",
        value_name = "N",
        default_value_t = 8
    )]
    max_concurrent: usize,

    /// How many calls wait beyond that before further ones are refused
    #[arg(
        long,
        global = true,
        env = "CODEX_PERSISTENT_MCP_MAX_QUEUED",
        value_name = "N",
        default_value_t = 64
    )]
    max_queued: usize,

    /// Where jobs and the line of calls are kept [default: codex-persistent-mcp in $XDG_STATE_HOME]
    #[arg(long, global = true, env = "CODEX_PERSISTENT_MCP_STATE_DIR", value_name = "DIR")]
    state_dir: Option<PathBuf>,

    /// Limit for a turn of a job, in milliseconds
    #[arg(long, global = true, env = "CODEX_PERSISTENT_MCP_JOB_TIMEOUT_MS", value_name = "MS", default_value_t = millis(Settings::default().job_limits.total))]
    job_timeout_ms: u64,

    /// Limit for Codex's silence in a job, in milliseconds
    #[arg(long, global = true, env = "CODEX_PERSISTENT_MCP_JOB_IDLE_TIMEOUT_MS", value_name = "MS", default_value_t = millis(Settings::default().job_limits.idle))]
    job_idle_timeout_ms: u64,

    /// How long ended jobs are kept, in hours
    #[arg(long, global = true, env = "CODEX_PERSISTENT_MCP_JOB_KEEP_HOURS", value_name = "HOURS", default_value_t = 14 * 24)]
    job_keep_hours: u32,

    /// How large all ended jobs together may be, in MiB
    #[arg(
        long,
        global = true,
        env = "CODEX_PERSISTENT_MCP_JOB_KEEP_MB",
        value_name = "MIB",
        default_value_t = 1024
    )]
    job_keep_mb: u32,

    /// Answer codex_chat with a task to clients that take one
    #[arg(long, global = true, env = "CODEX_PERSISTENT_MCP_TASKS", value_name = "BOOL", action = ArgAction::Set,
          num_args = 0..=1, default_value = "true", default_missing_value = "true", value_parser = BoolishValueParser::new())]
    tasks: bool,

    /// Put sessions into the list of plain `codex resume`, by a change of one word in their records
    #[arg(long, global = true, env = "CODEX_PERSISTENT_MCP_LIST_SESSIONS", value_name = "BOOL", action = ArgAction::Set,
          num_args = 0..=1, default_value = "false", default_missing_value = "true", value_parser = BoolishValueParser::new())]
    list_sessions: bool,

    /// The highest sandbox that a call may have: read-only, workspace-write or danger-full-access
    #[arg(long, global = true, env = policy::MAX_SANDBOX, value_name = "SANDBOX", default_value = "workspace-write",
          value_parser = str::parse::<Sandbox>)]
    max_sandbox: Sandbox,

    /// Folders that directories and images of calls must lie in, in the form of PATH [default: no limit]
    #[arg(long, global = true, env = policy::ALLOWED_DIRS, value_name = "DIRS")]
    allowed_dirs: Option<OsString>,

    /// Models that calls may ask for, with commas between [default: all]
    #[arg(long, global = true, env = policy::ALLOWED_MODELS, value_name = "MODELS", value_delimiter = ',',
          value_parser = Model::parse)]
    allowed_models: Vec<Model>,

    /// Let calls set settings of Codex's that cannot get around the sandbox
    #[arg(long, global = true, env = policy::ALLOW_CONFIG, value_name = "BOOL", action = ArgAction::Set,
          num_args = 0..=1, default_value = "true", default_missing_value = "true", value_parser = BoolishValueParser::new())]
    allow_config: bool,

    /// Let calls add arguments for codex exec that cannot get around the sandbox
    #[arg(long, global = true, env = policy::ALLOW_EXTRA_ARGUMENTS, value_name = "BOOL", action = ArgAction::Set,
          num_args = 0..=1, default_value = "false", default_missing_value = "true", value_parser = BoolishValueParser::new())]
    allow_extra_arguments: bool,

    /// How deep Codexes may start each other by this program
    #[arg(long, global = true, env = policy::MAX_DEPTH, value_name = "N", default_value_t = 1)]
    max_depth: u32,

    /// Which of its configured MCP servers Codex starts: inherit, none, or names with commas between
    #[arg(long, global = true, env = policy::NESTED_MCP, value_name = "NAMES", default_value = "inherit",
          value_parser = str::parse::<NestedMcp>)]
    nested_mcp: NestedMcp,

    /// What commands in a sandbox get of the environment: configured (as Codex is) or plain (no secrets)
    #[arg(long, global = true, env = policy::COMMAND_ENVIRONMENT, value_name = "WHICH", default_value = "configured",
          value_parser = str::parse::<CommandEnvironment>)]
    command_environment: CommandEnvironment,

    /// Log in detail, with what Codex writes on standard error
    #[arg(long, global = true, env = "CODEX_PERSISTENT_MCP_DEBUG", value_name = "BOOL", action = ArgAction::Set,
          num_args = 0..=1, default_value = "false", default_missing_value = "true", value_parser = BoolishValueParser::new())]
    debug: bool,

    /// Append the detailed log to this file, which only you can read
    #[arg(long, global = true, env = "CODEX_PERSISTENT_MCP_LOG_FILE", value_name = "FILE")]
    log_file: Option<PathBuf>,
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Which settings stand on the command line: there they are meant for what is asked now.
#[derive(Debug, Clone, Copy)]
struct Said {
    cwd: bool,
    timeout: bool,
    idle_timeout: bool,
}

/// A setting that cannot be used: which, and what would be right.
struct WrongSetting {
    flag: &'static str,
    variable: &'static str,
    problem: String,
}

impl Flags {
    fn allowed_dirs(&self) -> Result<Vec<WorkingDir>, String> {
        let dirs = self.allowed_dirs.iter().flat_map(|dirs| std::env::split_paths(dirs));
        dirs.filter(|dir| !dir.as_os_str().is_empty())
            .map(|dir| WorkingDir::existing(dir).map_err(|problem| problem.to_string()))
            .collect()
    }

    fn settings(&self) -> Result<Settings, WrongSetting> {
        let wrong = |flag, variable, problem: String| WrongSetting { flag, variable, problem };
        let limit = |flag, variable, value: u64| match Duration::from_millis(value) {
            limit if value > 0 && limit <= MAX_LIMIT => Ok(limit),
            _ => Err(wrong(flag, variable, format!("must be from 1 to {}", MAX_LIMIT.as_millis()))),
        };
        if self.codex_bin.is_empty() {
            return Err(wrong("--codex-bin", "CODEX_BIN", "must not be empty".into()));
        }
        if !(1..=1_000).contains(&self.max_concurrent) {
            let problem = "must be from 1 to 1000".into();
            return Err(wrong("--max-concurrent", "CODEX_PERSISTENT_MCP_MAX_CONCURRENT", problem));
        }
        if self.max_queued > 10_000 {
            let problem = "must be from 0 to 10000".into();
            return Err(wrong("--max-queued", "CODEX_PERSISTENT_MCP_MAX_QUEUED", problem));
        }
        if Duration::from_millis(self.busy_wait_ms) > MAX_LIMIT {
            let problem = format!("must be from 0 to {}", MAX_LIMIT.as_millis());
            return Err(wrong("--busy-wait-ms", "CODEX_PERSISTENT_MCP_BUSY_WAIT_MS", problem));
        }
        let defaults = Settings::default();
        Ok(Settings {
            codex_bin: self.codex_bin.clone(),
            working_dir: match &self.cwd {
                Some(cwd) => WorkingDir::existing(cwd)
                    .map_err(|problem| wrong("--cwd", "CODEX_MCP_CWD", problem.to_string()))?,
                None => defaults.working_dir,
            },
            origin: Origin::parse(&self.origin).map_err(|problem| {
                wrong("--origin", "CODEX_PERSISTENT_MCP_ORIGIN", problem.to_string())
            })?,
            limits: Limits {
                total: limit("--timeout-ms", "CODEX_PERSISTENT_MCP_TIMEOUT_MS", self.timeout_ms)?,
                idle: limit(
                    "--idle-timeout-ms",
                    "CODEX_PERSISTENT_MCP_IDLE_TIMEOUT_MS",
                    self.idle_timeout_ms,
                )?,
            },
            job_limits: Limits {
                total: limit(
                    "--job-timeout-ms",
                    "CODEX_PERSISTENT_MCP_JOB_TIMEOUT_MS",
                    self.job_timeout_ms,
                )?,
                idle: limit(
                    "--job-idle-timeout-ms",
                    "CODEX_PERSISTENT_MCP_JOB_IDLE_TIMEOUT_MS",
                    self.job_idle_timeout_ms,
                )?,
            },
            retention: Retention {
                age: Duration::from_secs(u64::from(self.job_keep_hours) * 60 * 60),
                bytes: u64::from(self.job_keep_mb) << 20,
            },
            busy_wait: Duration::from_millis(self.busy_wait_ms),
            max_concurrent: self.max_concurrent,
            max_queued: self.max_queued,
            state_dir: match &self.state_dir {
                Some(dir) => Some(std::path::absolute(dir).map_err(|error| {
                    wrong("--state-dir", "CODEX_PERSISTENT_MCP_STATE_DIR", error.to_string())
                })?),
                None => defaults.state_dir,
            },
            logging: Logging {
                debug: self.debug,
                file: match &self.log_file {
                    Some(file) => Some(std::path::absolute(file).map_err(|error| {
                        wrong("--log-file", "CODEX_PERSISTENT_MCP_LOG_FILE", error.to_string())
                    })?),
                    None => None,
                },
            },
            tasks: self.tasks,
            list_sessions: self.list_sessions,
            policy: Policy {
                max_sandbox: self.max_sandbox,
                allowed_dirs: self
                    .allowed_dirs()
                    .map_err(|problem| wrong("--allowed-dirs", policy::ALLOWED_DIRS, problem))?,
                allowed_models: self.allowed_models.clone(),
                allow_config: self.allow_config,
                allow_extra_arguments: self.allow_extra_arguments,
                max_depth: self.max_depth,
                nested_mcp: self.nested_mcp.clone(),
                command_environment: self.command_environment,
            },
        })
    }
}

/// Keeps what was typed, or stands in a variable, from commanding the terminal. Clap quotes it.
fn tame(message: &mut clap::Error) {
    let quoted: Vec<(ContextKind, ContextValue)> = message
        .context()
        .filter_map(|(kind, value)| match value {
            ContextValue::String(text) => Some((kind, ContextValue::String(excerpt(text)))),
            ContextValue::Strings(texts) => {
                Some((kind, ContextValue::Strings(texts.iter().map(excerpt).collect())))
            }
            _ => None,
        })
        .collect();
    for (kind, value) in quoted {
        message.insert(kind, value);
    }
}

/// Adds to clap's message on a wrong value the variable that may be its source: clap names the flag
/// alone.
fn name_variable(message: &mut clap::Error) {
    let Some(ContextValue::String(flag)) = message.get(ContextKind::InvalidArg) else { return };
    let mut command = Flags::command();
    command.build();
    let setting = command.get_arguments().find(|setting| setting.to_string() == *flag);
    if let Some(variable) = setting.and_then(|setting| setting.get_env()) {
        let tip = format!("it is set by this flag or by the variable {}", variable.display());
        message.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
}

/// Runs the program: reads the command line, does what it says, and says what to exit with. A wrong flag or
/// variable is told on standard error, with exit status 2.
pub fn run() -> ExitCode {
    let mut command = Flags::command();
    let parsed = command.try_get_matches_from_mut(std::env::args_os()).and_then(|matches| {
        let flags = Flags::from_arg_matches(&matches)?;
        let is_said = |flag| matches.value_source(flag) == Some(ValueSource::CommandLine);
        let said = Said {
            cwd: is_said("cwd"),
            timeout: is_said("timeout_ms"),
            idle_timeout: is_said("idle_timeout_ms"),
        };
        Ok((flags, said, matches))
    });
    let (flags, said, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(mut message) => {
            tame(&mut message);
            name_variable(&mut message);
            let code = u8::try_from(message.exit_code()).unwrap_or(2);
            // Nothing can be done about a standard error that cannot be written.
            drop(message.print());
            return ExitCode::from(code);
        }
    };
    let settings = match flags.settings() {
        Ok(settings) => settings,
        Err(WrongSetting { flag, variable, problem }) => {
            let message = format!("{flag} (or {variable}) {problem}");
            drop(Flags::command().error(ErrorKind::ValueValidation, message).print());
            return ExitCode::from(2);
        }
    };
    let log = match log::start(
        command::log_level(flags.command.as_ref(), flags.debug),
        flags.log_file.as_deref(),
    ) {
        Ok(log) => log,
        Err(error) => {
            let message = format!("--log-file (or CODEX_PERSISTENT_MCP_LOG_FILE) {error}");
            drop(Flags::command().error(ErrorKind::Io, message).print());
            return ExitCode::from(2);
        }
    };
    let table = doctor::settings::in_force(&command, &matches);
    let status = command::run(flags.command, settings, said, table);
    drop(log);
    ExitCode::from(status)
}
