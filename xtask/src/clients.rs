//! `cargo xtask clients`: brings the clients that this program is for, and has each call it.
//!
//! Each runs with the real Codex, in a home directory of its own, with what its page in `docs/clients/` shows. The models of
//! both are a stand-in.

mod bring;
mod checks;
mod list;
mod model;
mod page;
mod process;
mod run;
mod server;
mod stage;
mod table;

use std::collections::BTreeMap;

use clap::Args;

use crate::Failure;
use list::{CLIENTS, Client};
use page::Page;
use run::{Seen, Setting};
use stage::Programs;

/// Brings the clients from npm and PyPI, and has each connect, list the tools and call one
#[derive(Debug, Args)]
pub struct Arguments {
    /// Clients, such as gemini, or gemini@0.61.0 for that version. Without any, all in their newest versions
    names: Vec<String>,
    /// Put the table of all clients into docs/compatibility.md
    #[arg(long, conflicts_with = "names")]
    write: bool,
}

/// What came of a client.
#[derive(Debug)]
struct Tried {
    client: &'static Client,
    version: Option<String>,
    seen: Seen,
    /// Why it did not pass.
    failure: Option<Failure>,
}

/// Tries the clients and prints the table.
///
/// # Errors
/// If a client failed or could not be had, or a page shows something that no client was tried with.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let chosen = chosen(&arguments.names)?;
    let programs = Programs::here()?;
    let tools = server::tools(&programs.server)?;
    let mut pages = BTreeMap::new();
    for client in CLIENTS {
        pages.insert(client.page, Page::read(client.page)?);
    }
    let mut all = Vec::new();
    for (client, version) in chosen {
        let tried = tried(client, version, &pages[client.page], &programs, &tools);
        match &tried.failure {
            Some(failure) => eprintln!("{}: {failure}", client.title),
            None => eprintln!("{}: passed", client.title),
        }
        all.push(tried);
    }
    println!("{}", table::table(&all));
    if arguments.write {
        table::write(&all)?;
    }
    let mut failures: Vec<_> = all.iter().filter_map(Tried::problem).collect();
    failures.extend(pages.iter().filter_map(|(name, page)| untried(name, page, &all)));
    // Below the table, because that may be all that a reader sees.
    for failure in &failures {
        println!("- {failure}");
    }
    if failures.is_empty() { Ok(()) } else { Err("not everything passed".to_owned()) }
}

impl Tried {
    /// In one line why it did not pass.
    fn problem(&self) -> Option<String> {
        let first = self.failure.as_ref()?.lines().next().unwrap_or_default();
        Some(format!("{}: {first}", self.client.title))
    }
}

fn tried(
    client: &'static Client,
    version: Option<&str>,
    page: &Page,
    programs: &Programs,
    tools: &[String],
) -> Tried {
    let folder = stage::target().join(client.name);
    let brought = match bring::bring(client.source, version, &folder) {
        Ok(brought) => brought,
        Err(failure) => {
            let failure = Some(format!("not available: {failure}"));
            return Tried { client, version: None, seen: Seen::default(), failure };
        }
    };
    let setting = Setting { page, folder: &folder, bin: brought.bin, programs, tools };
    let (seen, outcome) = setting.run(client.check);
    let outcome = outcome.and_then(|()| match client.limit {
        Some(limit) => setting.gives_up(client.check, limit),
        None => Ok(()),
    });
    Tried { client, version: Some(brought.version), seen, failure: outcome.err() }
}

/// What a page shows and no client was tried with, once all clients of the page have passed.
fn untried(name: &str, page: &Page, all: &[Tried]) -> Option<Failure> {
    let passed = |client: &Client| {
        all.iter().any(|tried| tried.client.name == client.name && tried.failure.is_none())
    };
    let clients = CLIENTS.iter().filter(|client| client.page == name);
    if !clients.clone().all(passed) {
        return None;
    }
    let programs: Vec<_> = clients.filter_map(|client| client.program).collect();
    let unused = page.unused(&programs);
    (!unused.is_empty()).then(|| format!("{name} shows what was not tried: {unused:?}"))
}

/// The clients with these names, and the versions that were asked for.
fn chosen(names: &[String]) -> Result<Vec<(&'static Client, Option<&str>)>, Failure> {
    if names.is_empty() {
        return Ok(CLIENTS.iter().map(|client| (client, None)).collect());
    }
    let known: Vec<_> = CLIENTS.iter().map(|client| client.name).collect();
    let mut found = Vec::new();
    for wanted in names {
        let (name, version) = match wanted.split_once('@') {
            Some((name, version)) => (name, Some(version)),
            None => (wanted.as_str(), None),
        };
        let client = CLIENTS.iter().find(|client| client.name == name);
        let client = client
            .ok_or_else(|| format!("no client is called {name}; there are {}", known.join(", ")))?;
        found.push((client, version));
    }
    Ok(found)
}
