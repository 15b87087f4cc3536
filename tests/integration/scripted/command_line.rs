//! What the program says about itself: the help of each command, the bare program in a terminal, man pages.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::kit::cli::{self, Ran, in_terminal_of, on_terminal_of, run_with};
use crate::kit::play::Stage;
use crate::kit::setup::PROGRAM;
use crate::kit::store::Made;
use crate::support::scripted_codex;

/// The rows of a small terminal.
const ROWS: usize = 24;

fn program(stage: &Stage, arguments: &[&str]) -> Command {
    cli::program(&stage.home, &scripted_codex(), arguments)
}

fn run(stage: &Stage, arguments: &[&str]) -> Ran {
    cli::run(program(stage, arguments))
}

/// The names in the list of commands of a help.
fn commands_in(help: &str) -> Vec<String> {
    let list = help.split("\nCommands:\n").nth(1).expect("the help lists commands");
    let list = list.split("\n\n").next().expect("a list has an end");
    let names = list.lines().filter_map(|line| {
        let name = line.strip_prefix("  ")?.split(' ').next()?;
        (!name.is_empty()).then(|| name.to_owned())
    });
    names.filter(|name| name != "help").collect()
}

#[test]
fn the_short_help_of_a_command_fits_a_small_terminal() {
    let stage = Stage::new();
    let help = |arguments: &[&str], columns: &str| {
        let mut command = program(&stage, arguments);
        let ran = cli::run(std::mem::replace(
            command.arg("-h").env("COLUMNS", columns),
            Command::new(PROGRAM),
        ));
        assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), ""), "{arguments:?}");
        ran.stdout
    };
    for columns in ["80", "100"] {
        let of_program = help(&[], columns);
        let names = commands_in(&of_program);
        assert!(names.iter().any(|name| name == "completions"), "{names:?}");
        for name in names {
            let of_command = help(&[&name], columns);
            // Settings are listed apart.
            let is_list = name == "settings";
            assert_eq!(of_command.contains("--http-token-file"), is_list, "{of_command}");
            let rows = of_command.lines().count();
            if !is_list {
                assert!(rows <= ROWS, "{name} at {columns} columns: {rows} rows\n{of_command}");
            }
            if of_command.contains("\nCommands:\n") {
                for action in commands_in(&of_command) {
                    let of_action = help(&[&name, &action], columns);
                    let rows = of_action.lines().count();
                    assert!(rows <= ROWS, "{name} {action}: {rows} rows\n{of_action}");
                }
            }
        }
    }
}

#[test]
fn no_help_and_no_error_has_the_value_of_a_variable() {
    let stage = Stage::new();
    let secret = "nobody-else-sees-this";
    for arguments in [
        &["-h"][..],
        &["--help"],
        &["help", "settings"],
        &["settings"],
        &["chat", "--help"],
        &["jobs", "show", "--help"],
        &["chat", "--unknown"],
        &["man"],
        &["completions", "bash"],
    ] {
        let mut command = program(&stage, arguments);
        for name in ["CODEX_PERSISTENT_MCP_HTTP_TOKEN", "OPENAI_API_KEY", "CODEX_API_KEY"] {
            command.env(name, secret);
        }
        command.env("CODEX_PERSISTENT_MCP_ORIGIN", secret);
        let ran = cli::run(command);
        assert!(!ran.stdout.contains(secret), "{arguments:?}: {}", ran.stdout);
        assert!(!ran.stderr.contains(secret), "{arguments:?}: {}", ran.stderr);
    }
}

#[test]
fn the_bare_program_in_a_terminal_says_what_to_type_and_serves_elsewhere() {
    let stage = Stage::new();
    for columns in [50, 80, 140] {
        let (shown, status) = in_terminal_of(columns, program(&stage, &[]));
        assert_eq!(status, Some(0), "{shown}");
        for word in ["MCP server", "setup", "demo", "doctor", "chat", "jobs", "help"] {
            assert!(shown.contains(word), "{word} is not in {shown}");
        }
        let widest = shown.lines().map(|line| plain(line).chars().count()).max();
        assert!(widest.is_some_and(|widest| widest <= usize::from(columns)), "{shown}");
    }
    let initialize = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {},
        "clientInfo": {"name": "c", "version": "1"}}});
    let served = run_with(program(&stage, &[]), &format!("{initialize}\n"));
    assert_eq!(served.status, Some(0), "{}", served.stderr);
    assert_eq!(cli::parsed(&served.stdout)[0]["id"], 1);
}

/// A line without colours.
fn plain(line: &str) -> String {
    let mut plain = String::new();
    for (at, part) in line.split('\u{1b}').enumerate() {
        plain += if at == 0 { part } else { part.split_once('m').map_or("", |(_, text)| text) };
    }
    plain
}

#[test]
fn a_misspelt_command_or_option_comes_with_a_suggestion() {
    let stage = Stage::new();
    for (arguments, tip) in [
        (&["chatt"][..], "'chat'"),
        (&["jobs", "folow"], "'follow'"),
        (&["chat", "--sesion", "x", "y"], "'--session'"),
        (&["jobs", "--timout", "1m"], "'--timeout'"),
    ] {
        let ran = run(&stage, arguments);
        assert_eq!((ran.status, ran.stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(ran.stderr.contains(tip), "{tip} is not in {}", ran.stderr);
    }
}

#[test]
fn man_pages_come_out_of_the_program() {
    let stage = Stage::new();
    for (arguments, title) in [
        (&["man"][..], "codex-persistent-mcp"),
        (&["man", "chat"], "codex-persistent-mcp-chat"),
        (&["man", "jobs"], "codex-persistent-mcp-jobs"),
    ] {
        let ran = run(&stage, arguments);
        assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), ""), "{arguments:?}");
        let title = format!(".TH {title} 1");
        assert!(ran.stdout.contains(&title), "{title} is not in {}", ran.stdout);
    }
    for name in ["run-job", "never-heard-of"] {
        let ran = run(&stage, &["man", name]);
        assert_eq!((ran.status, ran.stdout.as_str()), (Some(2), ""), "{name}");
        assert!(ran.stderr.contains(name), "{}", ran.stderr);
    }
    let dir = stage.home.path().join("man1");
    let ran = run(&stage, &["man", "--dir", dir.to_str().expect("test paths are text")]);
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    let pages: Vec<String> = fs::read_dir(&dir)
        .expect("the directory was made")
        .map(|page| page.expect("it is readable").file_name().to_string_lossy().into_owned())
        .collect();
    for page in ["", "-chat", "-jobs", "-jobs-follow", "-sessions-show"] {
        let page = format!("codex-persistent-mcp{page}.1");
        assert!(pages.contains(&page), "{page} is not in {pages:?}");
    }
    assert!(!pages.iter().any(|page| page.contains("run-job")), "{pages:?}");
    // Each page is one that man can set without a complaint.
    for page in pages {
        let set = Command::new("groff")
            .args(["-Kutf8", "-man", "-ww", "-Tutf8"])
            .arg(dir.join(&page))
            .stdout(Stdio::null())
            .output();
        match set {
            Ok(set) => assert_eq!(String::from_utf8_lossy(&set.stderr), "", "{page}"),
            Err(_) => return eprintln!("groff is not installed: the pages were not set"),
        }
    }
}

#[test]
fn the_list_of_sessions_fits_the_terminal() {
    let stage = Stage::new();
    for number in 1..4 {
        let prompt = format!("名前を直す {number} {}", "and more ".repeat(40));
        Made::new(number).prompt(&prompt).put(&stage.home);
    }
    for columns in [50, 80, 140] {
        let (shown, status) = on_terminal_of(columns, program(&stage, &["sessions", "list"]));
        assert_eq!(status, Some(0), "{shown}");
        assert_eq!(shown.lines().count(), 4, "{shown}");
        for line in shown.lines() {
            let width = unicode_width::UnicodeWidthStr::width(&*plain(line));
            assert!(width <= usize::from(columns), "{columns}: {line}");
        }
        let row = shown.lines().nth(1).expect("there are sessions");
        assert!(row.contains("名前を直す 3") && row.ends_with('…'), "{shown}");
        assert_eq!(row.contains("project"), columns > 50, "{shown}");
    }
}
