//! Helpers for the real Codex: a model that obeys the prompt, Codex started by hand, and its records.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::support::environment::clean;
use crate::support::model::{Request, Response, echo};
use crate::support::real_codex::{self, Home, Release};

/// A picture of one red dot, as PNG.
pub const PICTURE: &[u8] =
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0\x90wS\xde\
    \0\0\0\x0cIDATx\xdac\xf8\xcf\xc0\0\0\x03\x01\x01\0\xf7\x03AC\0\0\0\0IEND\xaeB`\x82";

/// A model that hangs if the prompt contains `[hang]`, runs the command of a `[run …]` to its end and
/// replies with its output, and otherwise repeats the prompt.
pub fn obey(request: &Request) -> Response {
    let prompt = request.last_user_text();
    if prompt.contains("[hang]") {
        return Response::hang();
    }
    if let Some(command) = request.running_command() {
        return Response::wait_for_command(command);
    }
    match command(&prompt) {
        Some(_) if request.has_tool_output() => {
            Response::message(request.tool_outputs().join("\n"))
        }
        Some(command) => Response::shell(command),
        None => echo(request),
    }
}

/// The command of a `[run …]` in a prompt.
pub fn command(prompt: &str) -> Option<&str> {
    let (_, rest) = prompt.split_once("[run ")?;
    Some(rest.split_once(']')?.0)
}

/// A program that starts Codex by the script of its npm package, which the server would bypass.
pub fn by_script() -> PathBuf {
    real_codex::install();
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/codex/by-script")
}

/// A Codex that was started without the server. It is killed when this is dropped.
pub struct ByHand(Option<Child>);

impl ByHand {
    /// Starts `codex exec resume` with this prompt.
    pub fn resume(home: &Home, session: &str, prompt: &str) -> Self {
        Self::exec(home, &["resume", session, "-"], prompt)
    }

    /// Starts `codex exec` with these arguments and this prompt.
    pub fn exec(home: &Home, arguments: &[&str], prompt: &str) -> Self {
        Self::exec_release(home, Release::Newest, arguments, prompt)
    }

    /// As [`Self::exec`], with this release of Codex.
    pub fn exec_release(home: &Home, release: Release, arguments: &[&str], prompt: &str) -> Self {
        let codex = &real_codex::install_release(release).native;
        Self::exec_with(home, codex, arguments, prompt)
    }

    /// As [`Self::exec`], with this Codex.
    pub fn exec_with(home: &Home, codex: &Path, arguments: &[&str], prompt: &str) -> Self {
        let mut command = Self::command_with(home, codex);
        command.args(arguments);
        Self::start(command, prompt)
    }

    /// The command that [`Self::exec`] runs, for a test that adds to it.
    pub fn command(home: &Home, release: Release) -> Command {
        Self::command_with(home, &real_codex::install_release(release).native)
    }

    fn command_with(home: &Home, codex: &Path) -> Command {
        let mut command = Command::new(codex);
        clean(&mut command, home.user())
            .args(["exec", "--skip-git-repo-check", "--json"])
            .env("CODEX_HOME", home.path())
            .current_dir(home.project());
        command
    }

    /// Starts such a command with this prompt.
    pub fn start(mut command: Command, prompt: &str) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("Codex is installed");
        let mut stdin = child.stdin.take().expect("stdin is a pipe");
        stdin.write_all(prompt.as_bytes()).expect("Codex reads its input");
        Self(Some(child))
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.0.as_ref().expect("only finish takes it").id()
    }

    /// Waits for the end of its turn, which must succeed.
    pub fn finish(mut self) {
        let child = self.0.take().expect("only finish takes it");
        let Output { status, stdout, stderr } =
            child.wait_with_output().expect("Codex is a child of this process");
        let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert!(status.success(), "Codex ended with {status}:\n{stdout}\n{stderr}");
    }
}

impl Drop for ByHand {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _already_gone = child.kill();
            let _already_reaped = child.wait();
        }
    }
}

/// The lines of the session's record.
///
/// # Panics
/// When there is none.
pub fn record(home: &Home, session: &str) -> Vec<Value> {
    let path = home.rollout(session).unwrap_or_else(|| panic!("no record of {session}"));
    let text = fs::read_to_string(path).expect("the record is text");
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The directory and the sandbox of the session's last turn, as Codex recorded them.
pub fn last_turn(home: &Home, session: &str) -> (PathBuf, String) {
    let lines = record(home, session);
    let context = lines.iter().rev().find(|line| line["type"] == "turn_context");
    let context = &context.unwrap_or_else(|| panic!("no turn in {lines:?}"))["payload"];
    let sandbox = context["sandbox_policy"]["type"].as_str();
    let cwd = context["cwd"].as_str().expect("a turn has a directory");
    (cwd.into(), sandbox.unwrap_or_else(|| panic!("no sandbox in {context}")).to_owned())
}
