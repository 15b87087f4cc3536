//! Man pages, made from the command line.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use clap_mangen::Man;

use super::CommandLine;
use super::error::{Error, Result, finish};
use super::output::note;

/// Which page.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  codex-persistent-mcp man | man -l -\n  codex-persistent-mcp man chat | man -l -\n  \
                        codex-persistent-mcp man --dir ~/.local/share/man/man1"
)]
pub(super) struct Arguments {
    /// The command that the page is about [default: the program]
    #[arg(value_name = "COMMAND")]
    command: Option<String>,

    /// Write the pages of all commands into this directory
    #[arg(long, value_name = "DIR", conflicts_with = "command", value_hint = clap::ValueHint::DirPath)]
    dir: Option<PathBuf>,
}

/// Prints or writes pages, and returns the exit status.
pub(super) fn run(arguments: &Arguments) -> u8 {
    finish(write(arguments).map(|()| 0))
}

fn write(arguments: &Arguments) -> Result<()> {
    let mut program = CommandLine::whole_command();
    program.build();
    if let Some(dir) = &arguments.dir {
        std::fs::create_dir_all(dir)?;
        clap_mangen::generate_to(program, dir)?;
        note(&format!("wrote the pages into {}", dir.display()));
        return Ok(());
    }
    let command = match &arguments.command {
        None => program,
        Some(name) => {
            let unknown = || Error::BadInput(format!("there is no command {name:?}"));
            let found = program.find_subcommand(name).filter(|found| !found.is_hide_set());
            let page = format!("{}-{name}", program.get_name());
            found.ok_or_else(unknown)?.clone().name(page)
        }
    };
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    Ok(io::stdout().lock().write_all(&page)?)
}
