//! `doctor`: finds problems, and says how to fix them. Each topic has a file, with one function that gathers
//! facts (`examine`) and a pure one that judges them (`judge`).

mod check;
mod claude;
mod clients;
mod codex;
mod codex_client;
mod editors;
mod file;
mod home;
mod layout;
mod live;
mod login;
mod plugins;
mod probe;
mod repair;
mod report;
mod sandbox;
pub(super) mod settings;
mod state;
mod work;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::error::{Error, finish};
use super::flags::WrongSetting;
use super::runtime::listening;
use crate::model::outcome::duration;
use crate::model::settings::Settings;
use crate::system::signals::Signals;
use crate::turn::Codex;
use check::{Check, Status};
use codex::Found;
use home::Home;
use report::{Form, Report};
use settings::Setting;

/// How long Codex may take to stop: longer than the sequence of signals that stops it.
const STOP_WITHIN: Duration = Duration::from_secs(7);

/// What the help says about the exit status.
pub(super) const EXIT_STATUS: &str = "Exits with 0 if there are no problems (warnings do not count), 1 if there are, \
     2 if the input is invalid.";

/// What to check, and how to print it.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Also run one short turn in a new session, and Codex's own doctor, which checks the network
    #[arg(long)]
    live: bool,

    /// Print one JSON object
    #[arg(long)]
    json: bool,

    /// Print every check and every setting
    #[arg(long, conflicts_with = "json")]
    all: bool,

    /// First fix what is safe to fix: entries in clients' files, rights on the state folder, unused files in it
    #[arg(long)]
    fix: bool,

    /// The settings that cannot be used.
    #[arg(skip)]
    pub(super) wrong: Vec<WrongSetting>,
}

impl Arguments {
    /// Adds a setting that turned out to be unusable after it was checked.
    pub(super) fn add_wrong(&mut self, flag: &str, problem: &str) {
        let name = format!("--{flag}");
        let setting = crate::settings::all().find(|setting| setting.flag == flag);
        let variable = setting.map(|setting| setting.variable).unwrap_or_default();
        let problem = format!("{name} (or {variable}) {problem}");
        self.wrong.push(WrongSetting { name, problem });
    }
}

/// Runs all checks, and returns the exit status.
pub(super) fn run(arguments: Arguments, settings: Settings, in_force: Vec<Setting>) -> u8 {
    listening(|signals| run_checks(arguments, settings, in_force, signals))
}

async fn run_checks(
    arguments: Arguments,
    settings: Settings,
    in_force: Vec<Setting>,
    mut signals: Signals,
) -> u8 {
    let codex = Codex::new(settings);
    let form = Form { json: arguments.json, all: arguments.all };
    let mut report = Report::new(form);
    let checked = tokio::select! {
        biased;
        signal = signals.next() => Err(signal),
        () = examine(&codex, &arguments, &in_force, &mut report) => Ok(()),
    };
    match checked {
        Ok(()) => finish(report.end().map_err(Error::from)),
        Err(signal) => {
            codex.shutdown();
            codex.finished(STOP_WITHIN).await;
            signal.exit_status
        }
    }
}

async fn examine(codex: &Codex, arguments: &Arguments, in_force: &[Setting], report: &mut Report) {
    let mut found = check_all(codex, arguments, in_force, report).await;
    if arguments.fix {
        let wanted = report.repairs();
        report.restart(blocking(move || repair::repair(wanted)).await);
        found = check_all(codex, arguments, in_force, report).await;
    }
    if let Some(found) = found.filter(|_| arguments.live) {
        report.announce(&format!(
            "running a turn of Codex, for at most {}",
            duration(live::TURN_WITHIN)
        ));
        let turn = live::turn(codex).await;
        let works = turn.iter().all(|check| check.status != Status::Problem);
        report.add(turn);
        report.add(live::own_doctor(&found, works).await);
    }
}

/// All checks but those that run a turn. Returns the Codex that was found.
async fn check_all(
    codex: &Codex,
    arguments: &Arguments,
    in_force: &[Setting],
    report: &mut Report,
) -> Option<Found> {
    let settings = codex.settings().clone();
    let (mut home_check, home) = blocking(home::examine).await;
    let (codex_check, found) = codex::examine(&settings.codex_bin).await;
    report.add([codex_check]);
    if let Some(found) = &found {
        match login::examine(found, &home.config).await {
            Ok(login) => {
                report.add([login]);
                report.add([sandbox::examine(found, settings.policy.max_sandbox).await]);
            }
            // Then Codex cannot say anything else.
            Err(refused) => home_check = home::refused(refused),
        }
    }
    report.add([home_check]);
    report.add(settings::judge_wrong(&arguments.wrong));
    let in_force = in_force.to_vec();
    report.add(blocking(move || check_disk(&settings, &in_force, &home)).await);
    found
}

/// The checks that read only the disk.
fn check_disk(settings: &Settings, in_force: &[Setting], home: &Home) -> Vec<Check> {
    let limit = settings.limits.total;
    let dir = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let mut checks = settings::examine(in_force);
    checks.extend(state::examine(settings.state_dir.as_deref()));
    checks.extend(work::jobs(settings));
    checks.extend(work::calls(settings));
    checks.extend(work::sessions(home));
    let mut clients = claude::examine(&dir, limit);
    clients.extend(codex_client::examine(&dir, home, in_force, limit));
    clients.extend(editors::examine(&dir, limit));
    clients.extend(plugins::examine(home, limit));
    if clients.is_empty() {
        clients.push(clients::no_client());
    }
    checks.extend(clients);
    checks
}

/// Runs blocking work on its own thread, so that signals are still handled.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

/// The variables that are set here and that Codex passes on only if they are named.
pub(super) fn passed_on() -> Vec<String> {
    let ours = crate::settings::all().map(|setting| setting.variable);
    let all = codex_client::WANTED.into_iter().chain(ours).filter(|name| is_set(name));
    all.map(str::to_owned).collect()
}

/// Whether a variable is set, and not empty.
fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}
