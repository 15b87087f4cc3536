//! What the program does: serving, or one of the commands beside it.

use std::future::Future;
use std::time::Duration;

use clap::Subcommand;
use tracing::level_filters::LevelFilter;

use super::doctor::{self, settings::Setting};
use super::{Said, chat, jobs, sessions};
use crate::job::{JobId, runner};
use crate::model::settings::{RUN_JOB, Settings};
use crate::server::life;
use crate::system::signals::Signals;

/// What to do instead of serving.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Asks Codex, as the tool codex_chat does
    Chat(chat::Arguments),
    /// Lists, shows, follows and cancels jobs
    Jobs(jobs::Arguments),
    /// Lists and shows the sessions in Codex's store, also those of your own terminal
    Sessions(sessions::Arguments),
    /// Looks for what is wrong here, and says what to do about it
    #[command(after_help = doctor::EXIT_STATUS)]
    Doctor(doctor::Arguments),
    /// Runs one job. The server starts this; it is nothing for people.
    #[command(name = RUN_JOB, hide = true)]
    RunJob {
        /// The job's name
        job: JobId,
    },
}

/// What is logged on standard error. A person who asked for something else wants no log between.
pub(super) fn log_level(command: Option<&Command>, debug: bool) -> LevelFilter {
    match command {
        _ if debug => LevelFilter::DEBUG,
        Some(Command::Chat(_) | Command::Jobs(_) | Command::Sessions(_) | Command::Doctor(_)) => {
            LevelFilter::WARN
        }
        Some(Command::RunJob { .. }) | None => LevelFilter::INFO,
    }
}

/// Does it, and returns the exit status.
pub(super) fn run(
    command: Option<Command>,
    settings: Settings,
    said: Said,
    table: Vec<Setting>,
) -> u8 {
    match command {
        None => {
            leave_at_last(life::AT_LAST);
            listening(|signals| life::serve(settings, signals))
        }
        Some(Command::RunJob { job }) => listening(|signals| runner::run(settings, job, signals)),
        Some(Command::Chat(arguments)) => chat::run(arguments, settings, said),
        Some(Command::Doctor(arguments)) => doctor::run(arguments, settings, table),
        // Without a runtime and without listening: signals end this process, and nothing else.
        Some(Command::Jobs(arguments)) => jobs::run(arguments, &settings),
        Some(Command::Sessions(arguments)) => sessions::run(arguments, &settings, said.cwd),
    }
}

/// Ends the process so long after a signal, whatever its runtime waits for: a disk that never answers
/// can be in the way of everything else.
fn leave_at_last(after: Duration) {
    let wait = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let signal = Signals::listen()?.next().await;
            tokio::time::sleep(after).await;
            std::process::exit(i32::from(signal.exit_status))
        })
    };
    let started = std::thread::Builder::new().name("signals".into()).spawn(move || {
        let waited: std::io::Result<()> = wait();
        if let Err(error) = waited {
            tracing::warn!(%error, "signals are not received in a thread of their own");
        }
    });
    if let Err(error) = started {
        tracing::warn!(%error, "signals are not received in a thread of their own");
    }
}

/// Runs something that signals do not end.
pub(super) fn listening<F: Future<Output = u8>>(work: impl FnOnce(Signals) -> F) -> u8 {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "the runtime cannot be started");
            return 1;
        }
    };
    let status = runtime.block_on(async {
        match Signals::listen() {
            Ok(signals) => work(signals).await,
            Err(error) => {
                tracing::error!(%error, "signals cannot be received");
                1
            }
        }
    });
    // Its threads are left behind: one is in a read of standard input, for ever.
    runtime.shutdown_background();
    status
}
