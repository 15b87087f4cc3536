//! `doctor`: what may be wrong here, and what to do about it. A file for each topic: each finds out
//! what is, and judges that apart.

mod ask;
mod check;
mod claude;
mod clients;
mod codex;
mod codex_client;
mod file;
mod home;
mod live;
mod login;
mod report;
mod sandbox;
pub(super) mod settings;
mod state;
mod work;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::error::{Error, finish};
use super::runtime::listening;
use crate::model::outcome::duration;
use crate::model::settings::Settings;
use crate::system::signals::Signals;
use crate::turn::Codex;
use check::{Check, Status};
use home::Home;
use report::Report;
use settings::Setting;

/// How long Codex may take to end that is stopped: longer than its ladder of signals.
const STOP_WITHIN: Duration = Duration::from_secs(7);

/// What the help says of the exit status.
pub(super) const EXIT_STATUS: &str = "Exits with 0 if there is no problem (a warning is none), 1 if there is one, 2 if the input was \
     wrong.";

/// What is looked at.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Also ask Codex, with one short turn in a new session, and let it look at the network
    #[arg(long)]
    live: bool,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Looks at everything, and returns the exit status.
pub(super) fn run(arguments: Arguments, settings: Settings, table: Vec<Setting>) -> u8 {
    listening(|signals| look(arguments, settings, table, signals))
}

async fn look(
    arguments: Arguments,
    settings: Settings,
    table: Vec<Setting>,
    mut signals: Signals,
) -> u8 {
    let codex = Codex::new(settings);
    let mut report = Report::new(arguments.json);
    let looked = tokio::select! {
        biased;
        signal = signals.next() => Err(signal),
        told = examine(&codex, table, arguments.live, &mut report) => Ok(told),
    };
    match looked {
        Ok(told) => finish(told.and_then(|()| report.end()).map_err(Error::from)),
        Err(signal) => {
            codex.shutdown();
            codex.finished(STOP_WITHIN).await;
            signal.exit_status
        }
    }
}

/// Tells each thing as soon as it is known.
async fn examine(
    codex: &Codex,
    table: Vec<Setting>,
    live: bool,
    report: &mut Report,
) -> io::Result<()> {
    let settings = codex.settings().clone();
    let (home_check, home) = apart(home::examine).await;
    let (codex_check, found) = codex::examine(&settings.codex_bin).await;
    report.add([codex_check])?;
    if let Some(found) = &found {
        report.add([login::examine(found, &home.config).await])?;
        report.add([sandbox::examine(found, settings.policy.max_sandbox).await])?;
    }
    report.add([home_check])?;
    report.add(apart(move || at_rest(&settings, &table, &home)).await)?;
    if live && let Some(found) = &found {
        report.announce(&format!("asking Codex, for {} at most", duration(live::TURN_WITHIN)));
        let turn = live::turn(codex).await;
        let works = turn.iter().all(|check| check.status != Status::Problem);
        report.add(turn)?;
        report.add(live::own_doctor(found, works).await)?;
    }
    Ok(())
}

/// What lies on the disk.
fn at_rest(settings: &Settings, table: &[Setting], home: &Home) -> Vec<Check> {
    let limit = settings.limits.total;
    let dir = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let mut checks = settings::examine(table);
    checks.extend(state::examine(settings.state_dir.as_deref()));
    checks.extend(work::jobs(settings));
    checks.extend(work::calls(settings));
    checks.extend(work::sessions(home));
    let mut clients = claude::examine(&dir, limit);
    clients.extend(codex_client::examine(&dir, home, table, limit));
    if clients.is_empty() {
        clients.push(clients::nobody());
    }
    checks.extend(clients);
    checks
}

/// Does something that blocks so that signals are still heard.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

/// Whether a variable is set to anything.
fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}
