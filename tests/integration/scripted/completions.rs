//! Completions in real shells.

use std::process::Command;

use serde_json::json;

use super::commands::run;
use crate::kit::cli::{self, wait_nothing_left};
use crate::kit::play::Stage;
use crate::kit::setup::{PROGRAM, script};
use crate::support::scripted_codex;

/// What bash does when a user types the words and presses Tab: it calls the function that the script registered, and
/// reads `COMPREPLY`. A script that bash cannot read ends it.
const BASH: &str = r#"
set -eu
script=$(codex-persistent-mcp completions bash)
eval "$script"
set +u
function=$(complete -p codex-persistent-mcp | sed 's/.*-F \([^ ]*\) .*/\1/')
COMP_WORDS=(codex-persistent-mcp "$@")
COMP_CWORD=$#
COMP_TYPE=9
"$function" codex-persistent-mcp "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\n' "${COMPREPLY[@]}"
"#;

/// A shell that finds the program under its name.
fn shell(stage: &Stage, shell: &str, arguments: &[&str]) -> Command {
    let bin = stage.home.path().join("bin");
    let link = bin.join("codex-persistent-mcp");
    if !link.exists() {
        std::fs::create_dir_all(&bin).expect("the home is writable");
        std::os::unix::fs::symlink(PROGRAM, link).expect("the home is writable");
    }
    let mut command = cli::command(&stage.home, &scripted_codex(), shell, arguments);
    let others = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{others}", bin.display()));
    command
}

fn is_installed(shell: &str) -> bool {
    let is_there = Command::new(shell).arg("--version").output().is_ok();
    if !is_there {
        eprintln!("{shell} is not installed: its completions were not tried");
    }
    is_there
}

/// The candidates that bash gets for the last of these words.
fn in_bash(stage: &Stage, words: &[&str]) -> Vec<String> {
    let arguments = [&["--norc", "--noprofile", "-c", BASH, "bash"], words].concat();
    let ran = cli::run(shell(stage, "bash", &arguments));
    assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), ""), "{words:?}: {}", ran.stdout);
    // Without candidates for a value come the options.
    let found =
        ran.stdout.lines().filter(|found| words.last() != Some(&"") || !found.starts_with('-'));
    found.filter(|found| !found.is_empty()).map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_options_and_values() {
    let stage = Stage::new();
    for (words, expected) in [
        (&["ch"][..], "chat"),
        (&["jobs", "fol"], "follow"),
        (&["jobs", "st"], "stop"),
        (&["sessions", "sh"], "show"),
        (&["chat", "--sand"], "--sandbox"),
        (&["chat", "--time"], "--timeout"),
        (&["completions", "fi"], "fish"),
    ] {
        let found = in_bash(&stage, words);
        assert!(found.iter().any(|found| found == expected), "{words:?}: {found:?}");
    }
    let commands = in_bash(&stage, &[""]);
    assert!(!commands.iter().any(|command| command == "run-job"), "{commands:?}");
}

#[test]
fn bash_completes_ids_of_jobs_and_sessions() {
    let stage = Stage::new();
    assert_eq!(in_bash(&stage, &["jobs", "show", ""]), [""; 0], "there are no jobs");
    let steps = json!([{"started": {}}, {"reply": "done"}]);
    let started = run(&stage, &["chat", "--detach", &script(&steps)]);
    assert_eq!(started.status, Some(0), "{}", started.stderr);
    let id = started.stdout.trim();
    assert_eq!(run(&stage, &["jobs", "follow", id]).status, Some(0));
    wait_nothing_left(&stage.home);
    for action in ["show", "follow", "cancel", "rm"] {
        assert_eq!(in_bash(&stage, &["jobs", action, ""]), [id]);
        assert_eq!(in_bash(&stage, &["jobs", action, &id[..9]]), [id]);
        assert_eq!(in_bash(&stage, &["jobs", action, "zzzz"]), [""; 0]);
    }
    let session = crate::kit::store::Made::new(1);
    session.put(&stage.home);
    for words in [&["chat", "--session", ""][..], &["sessions", "show", ""]] {
        assert_eq!(in_bash(&stage, words), [session.id()], "{words:?}");
    }
}

#[test]
fn other_shells_take_their_scripts() {
    let stage = Stage::new();
    let tries: [(&str, &[&str], &str); 3] = [
        (
            "zsh",
            &["-f", "-c"],
            "autoload -Uz compinit && compinit -D && source <(codex-persistent-mcp completions zsh) \
             && print -r -- ${_comps[codex-persistent-mcp]}",
        ),
        (
            "fish",
            &["--no-config", "-c"],
            "codex-persistent-mcp completions fish | source; complete -C 'codex-persistent-mcp ch'",
        ),
        (
            "pwsh",
            &["-NoProfile", "-Command"],
            "codex-persistent-mcp completions powershell | Out-String | Invoke-Expression; \
             (TabExpansion2 'codex-persistent-mcp ch' 23).CompletionMatches.CompletionText",
        ),
    ];
    for (name, arguments, text) in tries {
        if !is_installed(name) {
            continue;
        }
        let ran = cli::run(shell(&stage, name, &[arguments, &[text]].concat()));
        assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), ""), "{name}: {}", ran.stdout);
        let expected = if name == "zsh" { "_clap_dynamic_completer" } else { "chat" };
        assert!(ran.stdout.contains(expected), "{name}: {}", ran.stdout);
    }
    let unknown = run(&stage, &["completions", "tcsh"]);
    assert_eq!((unknown.status, unknown.stdout.as_str()), (Some(2), ""), "{}", unknown.stderr);
}
