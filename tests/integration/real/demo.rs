//! The demonstration, as a user who has Codex but no account sees it.

use std::fs;
use std::process::{Command, Stdio};

use crate::kit::setup::{PROGRAM, scratch};
use crate::support::environment::clean;
use crate::support::real_codex::install;

#[test]
fn the_demonstration_shows_a_session_that_outlives_its_server_and_leaves_nothing_behind() {
    let home = scratch().join(format!("demo-home-{}", std::process::id()));
    drop(fs::remove_dir_all(&home));
    fs::create_dir_all(&home).expect("the scratch directory is writable");
    let mut command = Command::new(PROGRAM);
    let output = clean(&mut command, &home)
        .arg("demo")
        .env("CODEX_BIN", &install().script)
        // The settings of a user must not matter.
        .env("CODEX_PERSISTENT_MCP_TOOLS", "core")
        .current_dir(&home)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let shown = String::from_utf8_lossy(&output.stdout);
    let steps = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{shown}\n{steps}");
    for words in [
        "a stand-in model at http://127.0.0.1:",
        "codex_sessions",
        "verdict   revise",
        "SIGKILL: the server is gone",
        "Your first question was: \"What does this project do",
        "setup claude",
    ] {
        assert!(shown.contains(words), "{words} is not in {shown}");
    }
    assert!(steps.contains("$ cat total.py"), "{steps}");
    assert!(!shown.contains('\u{1b}') && !steps.contains('\u{1b}'), "it is no terminal");
    let left = fs::read_dir(home.join(".cache/codex-persistent-mcp")).expect("it was made");
    assert_eq!(left.count(), 0, "the folder of the demonstration is left behind");
    fs::remove_dir_all(home).expect("it is ours");
}
