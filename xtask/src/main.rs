//! The tasks of the repository that are no part of the program. `cargo xtask --help` lists them.

mod book;
mod clients;
mod codex;
mod command;
mod generated;
mod package;
mod repository;
mod version;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What a task reports when it fails: a sentence for the person who started it.
type Failure = String;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    Codex(codex::Arguments),
    Book(book::Arguments),
    Clients(clients::Arguments),
    Package(package::Arguments),
    Version(version::Arguments),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Codex(arguments) => codex::run(&arguments),
        Task::Book(arguments) => book::run(&arguments),
        Task::Clients(arguments) => clients::run(&arguments),
        Task::Package(arguments) => package::run(&arguments),
        Task::Version(arguments) => version::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}
