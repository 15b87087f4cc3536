//! Homes, servers that are ready to be started, and reading their results.

#![allow(dead_code, reason = "each platform uses a part of it")]

use std::io::Write;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

#[cfg(unix)]
use crate::support::client::{Builder, Server};
use crate::support::environment::clean;
use crate::support::real_codex::Home;
#[cfg(unix)]
use crate::support::real_codex::{Release, install_release};
#[cfg(unix)]
use crate::support::scripted_codex;

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_codex-persistent-mcp");

/// The folder for files of tests. It is not in the system's temporary directory, which Codex warns about.
pub fn scratch() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// Whether a protected folder is in `/tmp`, as it is where the checkout or its target folder is there.
/// Then the server has `/tmp` denied in all turns.
pub fn slash_tmp_is_denied() -> bool {
    let real = |path: &Path| path.canonicalize().expect("it exists");
    let tmp = real(Path::new("/tmp"));
    [scratch(), Path::new(PROGRAM)].iter().any(|path| real(path).starts_with(&tmp))
}

/// A home for the real Codex, with its model at `model_url`. Codex reads no shell files there: processes
/// that these start would look like leftovers of Codex.
pub fn home(model_url: &str) -> Home {
    let home = Home::new(scratch(), model_url);
    home.append_config("features.shell_snapshot = false\n");
    home
}

/// A server that runs the newest pinned Codex by its native program, in the home's project.
#[cfg(unix)]
pub fn real(home: &Home) -> Builder {
    real_release(home, Release::Newest)
}

/// A server that runs this release of Codex by its native program, in the home's project.
#[cfg(unix)]
pub fn real_release(home: &Home, release: Release) -> Builder {
    real_with(home, &install_release(release).native)
}

/// A server that runs the real Codex by this program.
#[cfg(unix)]
pub fn real_with(home: &Home, codex: &Path) -> Builder {
    with_codex(home, Path::new(PROGRAM), codex)
}

/// This command as a server, which runs the newest pinned Codex, in the home's project.
#[cfg(unix)]
pub fn real_command(home: &Home, command: &Path) -> Builder {
    with_codex(home, command, &install_release(Release::Newest).native)
}

#[cfg(unix)]
fn with_codex(home: &Home, command: &Path, codex: &Path) -> Builder {
    Server::builder(command, home.user())
        .env("CODEX_BIN", codex)
        .env("CODEX_HOME", home.path())
        .env("CODEX_PERSISTENT_MCP_STATE_DIR", home.state())
        .cwd(home.project())
}

/// A server that runs the scripted Codex, in the home's project.
#[cfg(unix)]
pub fn scripted(home: &Home) -> Builder {
    real_with(home, &scripted_codex())
}

/// Reports that something is not tested on this machine. It bypasses the test runner, which hides the
/// output of passing tests.
pub fn skipped(why: &str) {
    let mut stderr = std::io::stderr();
    writeln!(stderr, "SKIPPED: {why}").expect("standard error can be written");
}

/// Runs git in a directory, without any settings of the user.
///
/// # Panics
/// When it fails.
pub fn git(dir: &Path, arguments: &[&str]) -> String {
    let output = git_command(dir).args(arguments).output().expect("git is installed");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?}: {stderr}");
    String::from_utf8(output.stdout).expect("git writes text").trim().to_owned()
}

/// The command that [`git`] runs, without the arguments.
pub fn git_command(dir: &Path) -> Command {
    let mut command = Command::new("git");
    clean(&mut command, scratch())
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .args(["-c", "user.name=A", "-c", "user.email=a@example.org"])
        .arg("-C")
        .arg(dir);
    command
}

/// The command by which a user takes over a session in this home.
pub fn resume_command(home: &Home, session: &str) -> String {
    let path = home.path().display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    let path = if path.chars().all(is_plain) { path } else { format!("'{path}'") };
    format!("CODEX_HOME={path} codex resume {session}")
}

/// A prompt by which the scripted Codex plays these steps.
pub fn script(steps: &Value) -> String {
    format!("SCRIPT: {steps}")
}

/// The text of a result that is an error.
///
/// # Panics
/// When it is not an error, or has structured content that says something else.
pub fn error_text(result: &Value) -> &str {
    assert_eq!(result["isError"], true, "this is no error: {result}");
    let text = result["content"][0]["text"].as_str().expect("an error is text");
    assert_structure_agrees(result, text);
    text
}

/// Checks that the structured content of an error, which only some clients get, says what its text does.
#[track_caller]
pub fn assert_structure_agrees(result: &Value, text: &str) {
    let structure = &result["structuredContent"];
    if structure.is_null() {
        return;
    }
    let part = |value: &Value| value.as_str().expect("it is text").trim_end_matches('.').to_owned();
    let error = &structure["error"];
    let head = format!(
        "{}: {}.\n\nNext: {}",
        part(&error["kind"]),
        part(&error["message"]),
        part(&error["next"])
    );
    assert!(text.starts_with(&head), "{head}\nis not how this begins: {text}");
    for name in ["session_id", "resume_command"] {
        if let Some(value) = structure[name].as_str() {
            assert!(text.contains(&format!("\n{name}: {value}\n")), "{name}: {result}");
        }
    }
}

/// The structured content of a result that is a success.
///
/// # Panics
/// When it is an error.
pub fn content(result: &Value) -> &Value {
    assert_ne!(result["isError"], true, "this is an error: {result}");
    &result["structuredContent"]
}

/// A text field of a success.
pub fn field<'a>(result: &'a Value, name: &str) -> &'a str {
    content(result)[name].as_str().unwrap_or_else(|| panic!("there is no text {name} in {result}"))
}
