//! `setup`: adds this program to a client.

use std::io::{self, Write};

use clap::Args;

use super::clients::{Client, Done, Setup, Start, State};
use super::error::{Error, Result, finish};
use super::format::one_line;
use super::output::stdout;
use super::render::tilde;
use super::style::{BOLD, DIM, GREEN, PLAIN, RED, YELLOW, styled};

const AFTER_HELP: &str = "\
Examples:
  codex-persistent-mcp setup                  which clients there are, and which are set up
  codex-persistent-mcp setup codex            write the entry; the rest of the file stays
  codex-persistent-mcp setup codex --print    only show it
  codex-persistent-mcp setup codex --undo     remove it again

Clients: claude, codex, cursor, vscode, zed, gemini, opencode, windsurf";

/// Which client, and what to do.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// The client [default: list all]
    #[arg(value_name = "CLIENT", value_parser = words())]
    client: Option<String>,

    /// Print the entry, and change nothing
    #[arg(long, requires = "client")]
    print: bool,

    /// Remove the entry
    #[arg(long, requires = "client", conflicts_with = "print")]
    undo: bool,
}

fn words() -> clap::builder::PossibleValuesParser {
    Client::ALL.map(Client::word).into()
}

/// Runs the command, and returns the exit status.
pub(super) fn run(arguments: &Arguments) -> u8 {
    finish(dispatch(arguments).map(|()| 0))
}

fn dispatch(arguments: &Arguments) -> Result<()> {
    let wanted = Client::ALL.into_iter().find(|it| Some(it.word()) == arguments.client.as_deref());
    let Some(client) = wanted else { return list() };
    let start = Start::of_this();
    let setup = for_client(client, &start)?;
    if arguments.print {
        return print(client, &setup, &start);
    }
    let done = if arguments.undo { setup.undo() } else { setup.apply() };
    let done =
        done.map_err(|problem| Error::BadInput(one_line(&problem.to_string()).into_owned()))?;
    report(client, done, &start, arguments.undo)
}

/// The entry of a client.
pub(super) fn for_client(client: Client, start: &Start) -> Result<Setup> {
    Setup::new(client, start, super::doctor::passed_on())
        .map_err(|problem| Error::BadInput(problem.to_string()))
}

fn list() -> Result<()> {
    let mut out = stdout(false);
    let start = Start::of_this();
    for client in Client::ALL {
        let setup = for_client(client, &start)?;
        let file = &setup.place().file;
        let (style, state) = match setup.state() {
            Ok(State::Present { lacks }) if lacks.is_empty() => (GREEN, "set up".to_owned()),
            Ok(State::Present { lacks }) => {
                (YELLOW, format!("set up, but setup would correct {}", lacks.join(", ")))
            }
            Ok(State::Absent) if file.exists() => (PLAIN, "not set up".into()),
            Ok(State::Absent) => (DIM, "not set up, no file yet".into()),
            Err(problem) => (RED, problem.to_string()),
        };
        let word = styled(BOLD, &format!("{:<9}", client.word()));
        writeln!(out, "{word} {} {}", styled(style, &state), styled(DIM, &tilde(file)))?;
    }
    writeln!(out, "\nset one up: codex-persistent-mcp setup CLIENT   (--print: only show it)")?;
    Ok(out.flush()?)
}

fn print(client: Client, setup: &Setup, start: &Start) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}:\n\n{}", setup.place().file.display(), setup.example().trim_end())?;
    if let Some(own) = client.own_command(start) {
        writeln!(out, "\nor by {} itself:\n\n{own}", client.title())?;
    }
    Ok(out.flush()?)
}

fn report(client: Client, done: Done, start: &Start, undo: bool) -> Result<()> {
    let mut out = stdout(false);
    let title = client.title();
    match done {
        Done::Nothing { file } => {
            let what = if undo { "has no entry to remove" } else { "is already set up" };
            writeln!(out, "{title} {what}: {}", tilde(&file))?;
        }
        Done::Removed { file } => {
            writeln!(out, "removed {}, which had only this entry", tilde(&file))?;
        }
        Done::Written { file, backup, lines } => {
            writeln!(out, "changed {}", tilde(&file))?;
            for line in lines {
                let style = if line.starts_with('+') { GREEN } else { RED };
                writeln!(out, "  {}", styled(style, &one_line(&line)))?;
            }
            if let Some(backup) = backup {
                let kept = format!("the version before that is in {}", tilde(&backup));
                writeln!(out, "{}", styled(DIM, &kept))?;
            }
            if undo {
                writeln!(out, "restart {title}, which reads it at its start")?;
            } else {
                if is_build(start.program()) {
                    writeln!(out, "{}", styled(YELLOW, BUILD))?;
                }
                writeln!(out, "restart {title}, and say for example:")?;
                writeln!(out, "  “Ask Codex for a second opinion on this plan.”")?;
            }
        }
    }
    Ok(out.flush()?)
}

const BUILD: &str = "the entry names a build folder: once the program is installed (cargo install --path .), \
                     undo this, and run setup again";

/// Whether the command is in a folder that cargo builds in, and cleans.
fn is_build(command: &str) -> bool {
    let parts: Vec<_> = std::path::Path::new(command).components().collect();
    let is = |part: &std::path::Component<'_>, name: &str| part.as_os_str() == name;
    parts
        .windows(2)
        .any(|pair| is(&pair[0], "target") && (is(&pair[1], "debug") || is(&pair[1], "release")))
}
