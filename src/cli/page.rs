//! `docs/commands.md`, generated from the command line. A test fails when the committed page is stale.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

use clap::{Arg, Command};

use super::CommandLine;

/// Refreshes the page.
const REFRESH: &str = "REFRESH_DOCS=1 cargo test --lib commands_page";

const HEAD: &str = "\
Without a command the program is the MCP server, which clients start. In a terminal it says instead what to type.

`-h` of each command shows its options and examples. [Settings](settings.md) are flags of every command and
environment variables; `codex-persistent-mcp help settings` lists them. A duration is one or more numbers with
units: `90s`, `30m`, `2h 30m`, `14d`.

An id of a job or session may be shortened to 4 or more characters of its start or end. If several match, the
error lists them.

Tables are as wide as the terminal. Elsewhere, such as in a pipe, they have whole ids and no colors; `--json`
prints one object per line for scripts. `NO_COLOR`, `CLICOLOR_FORCE` and `COLUMNS` are obeyed.

`chat` reads standard input if it is a pipe, a socket or a file: at most 8 MiB, to its end. What it reads comes
after the words of the command line. With `</dev/null` it reads nothing.
";

#[test]
fn the_commands_page_is_what_the_help_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/commands.md");
    let page = page();
    if env::var_os("REFRESH_DOCS").is_some() {
        fs::write(&path, &page).expect("the checkout is writable");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == page, "docs/commands.md is stale. Refresh it: {REFRESH}");
}

fn page() -> String {
    let mut program = CommandLine::whole_command();
    program.build();
    let mut page = format!(
        "# Commands\n\n<!-- Generated: change the commands in src/cli, then run `{REFRESH}`. -->\n\n{HEAD}"
    );
    for command in shown(&program) {
        section(&mut page, command, 2);
        for action in shown(command) {
            section(&mut page, action, 3);
        }
    }
    page
}

/// The commands that the help shows, without `help`.
fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    let commands = command.get_subcommands();
    commands.filter(|command| !command.is_hide_set() && command.get_name() != "help")
}

fn section(page: &mut String, command: &Command, level: usize) {
    let name = command.get_bin_name().unwrap_or_default();
    let short = name.strip_prefix(concat!(env!("CARGO_PKG_NAME"), " ")).unwrap_or(name);
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let stop = if about.ends_with(['.', '…']) { "" } else { "." };
    write!(page, "\n{} {short}\n\n{about}{stop}\n", "#".repeat(level)).expect("a string takes all");
    let aliases: Vec<String> =
        command.get_visible_aliases().map(|alias| format!("`{alias}`")).collect();
    if !aliases.is_empty() {
        writeln!(page, "\nAlso: {}.", aliases.join(", ")).expect("a string takes all");
    }
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim();
    write!(page, "\n```text\n{usage}\n```\n").expect("a string takes all");
    let arguments: Vec<&Arg> = command
        .get_arguments()
        .filter(|argument| !argument.is_hide_set() && argument.get_id() != "help")
        .collect();
    if !arguments.is_empty() {
        page.push_str("\n| argument | |\n|---|---|\n");
    }
    for argument in arguments {
        let row = format!("`{}` | {}", spelled(argument).replace('|', "\\|"), about_of(argument));
        writeln!(page, "| {row} |").expect("a string takes all");
    }
    if let Some(after) = command.get_after_long_help().or_else(|| command.get_after_help()) {
        page.push_str(&prose(&after.to_string()));
    }
}

/// The argument as it is typed: `-m, --model <MODEL>`.
fn spelled(argument: &Arg) -> String {
    // Clap writes `--model <MODEL>`, and `[PROMPT]...` for a positional argument.
    match argument.get_short() {
        Some(short) if argument.get_long().is_some() => format!("-{short}, {argument}"),
        _ => argument.to_string(),
    }
}

fn about_of(argument: &Arg) -> String {
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let help = help.replace('|', "\\|").replace('<', "\\<");
    let defaults = argument.get_default_values();
    if defaults.is_empty() || !argument.get_action().takes_values() {
        return help;
    }
    let defaults: Vec<_> = defaults.iter().map(|value| value.to_string_lossy()).collect();
    format!("{help} [default: {}]", defaults.join(", "))
}

/// What stands after the options: indented lines become a block of code.
fn prose(text: &str) -> String {
    let mut page = String::new();
    let mut is_code = false;
    let mut is_paragraph = false;
    for line in text.lines() {
        let code = line.strip_prefix("  ");
        if code.is_some() != is_code {
            page.push_str(if is_code { "```\n" } else { "\n```text\n" });
            is_code = !is_code;
        }
        match code {
            Some(code) => page += &format!("{}\n", with_comment(code)),
            None if line.is_empty() => {}
            None => {
                page.push_str(if is_paragraph { "" } else { "\n" });
                page += &format!("{}\n", line.replace('<', "\\<"));
            }
        }
        is_paragraph = code.is_none() && !line.is_empty();
    }
    if is_code {
        page.push_str("```\n");
    }
    page
}

/// A line of code, in which what is said about a command is a comment.
fn with_comment(code: &str) -> String {
    match code.split_once("  ") {
        Some((command, about)) if command.starts_with(env!("CARGO_PKG_NAME")) => {
            format!("{command}  # {}", about.trim_start())
        }
        _ => code.to_owned(),
    }
}
