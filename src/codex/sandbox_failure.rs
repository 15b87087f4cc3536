//! Detects commands that did not run because their sandbox could not be set up on this machine. Pure.
//!
//! The only evidence is an output that does not come from the command: from bubblewrap, which sets up the
//! sandbox; from Codex's helper, which starts bubblewrap and filters system calls, and panics; or from Codex
//! itself, which does not start that helper on WSL 1 (all three seen on 0.153, 0.169 and 0.171).

use serde::{Deserialize, Serialize};

use crate::model::text::head_on_one_line;

/// Maximum length of a message, in characters.
const MAX_MESSAGE_CHARS: usize = 300;

/// Programs that print the same messages when the model itself runs them.
const SANDBOX_PROGRAMS: [&str; 3] = ["bwrap", "bubblewrap", "flatpak"];

/// The helper's message if the sandbox was set up but the program to run in it does not exist.
const PROGRAM_NOT_FOUND: &str = "Failed to execvp";

/// The commands that did not run because of their sandbox.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SandboxFailures {
    pub(crate) count: u64,
    /// The message that replaced the first one's output.
    #[serde(rename = "said")]
    pub(crate) message: String,
}

impl SandboxFailures {
    /// Counts one more.
    pub(crate) fn add(&mut self, message: &str) {
        self.count += 1;
        if self.message.is_empty() {
            message.clone_into(&mut self.message);
        }
    }

    /// Merges two counts of the same turn, each of which may have missed something.
    pub(super) fn merge(&mut self, other: Self) {
        self.count = self.count.max(other.count);
        if self.message.is_empty() {
            self.message = other.message;
        }
    }
}

/// The message that replaced a command's output, in one line, if it did not run because its sandbox could not
/// be set up. A command that mentions one of [`SANDBOX_PROGRAMS`] is assumed to have run.
pub(crate) fn message(command: &str, output: &str, exit_code: Option<i64>) -> Option<String> {
    if exit_code == Some(0) || SANDBOX_PROGRAMS.iter().any(|name| command.contains(name)) {
        return None;
    }
    let output = output.trim_start();
    let message = from_bubblewrap(output)
        .or_else(|| from_helper(output))
        .or_else(|| from_codex(output, exit_code));
    Some(head_on_one_line(message?, MAX_MESSAGE_CHARS))
}

fn from_bubblewrap(output: &str) -> Option<&str> {
    output.starts_with("bwrap: ").then(|| output.lines().next())?
}

/// `thread 'main' (2) panicked at linux-sandbox/src/launcher.rs:68:13:`, and the reason in the next line.
fn from_helper(output: &str) -> Option<&str> {
    let mut lines = output.lines();
    let panic = lines.next()?;
    let is_helper =
        panic.starts_with("thread '") && panic.contains("panicked at linux-sandbox/src/");
    lines.next().filter(|reason| is_helper && !reason.starts_with(PROGRAM_NOT_FOUND))
}

/// `exec_command failed: CreateProcess { message: "UnsupportedOperation(\"Codex's Linux sandbox …\")" }`.
fn from_codex(output: &str, exit_code: Option<i64>) -> Option<&str> {
    let reason = output.strip_prefix("exec_command failed: ").filter(|_| exit_code.is_none())?;
    let at = reason.find("Codex's Linux sandbox uses bubblewrap")?;
    reason[at..].split(['\\', '"']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNAVAILABLE: &str = "\nthread 'main' (5969) panicked at linux-sandbox/src/launcher.rs:68:13:\n\
        bubblewrap is unavailable: no system bwrap was found on PATH\nstack backtrace:\n";

    #[test]
    fn messages_of_all_sandbox_programs_are_recognized() {
        let wsl = "exec_command failed: CreateProcess { message: \"UnsupportedOperation(\\\"Codex's Linux \
                   sandbox uses bubblewrap, which is not supported on WSL1.\\\")\" }";
        for (output, exit_code, expected) in [
            (
                "bwrap: pivot_root: Invalid argument\n",
                Some(1),
                "bwrap: pivot_root: Invalid argument",
            ),
            (
                UNAVAILABLE,
                Some(101),
                "bubblewrap is unavailable: no system bwrap was found on PATH",
            ),
            (UNAVAILABLE, None, "bubblewrap is unavailable: no system bwrap was found on PATH"),
            (wsl, None, "Codex's Linux sandbox uses bubblewrap, which is not supported on WSL1."),
            (
                "\nthread 'main' (1) panicked at linux-sandbox/src/linux_run_main.rs:221:13:\nerror applying \
                 Linux sandbox restrictions: Sandbox(SeccompInstall(Seccomp(Os { code: 22 })))\n",
                Some(101),
                "error applying Linux sandbox restrictions: Sandbox(SeccompInstall(Seccomp(Os { code: 22 })))",
            ),
        ] {
            assert_eq!(message("ls", output, exit_code).as_deref(), Some(expected));
        }
    }

    #[test]
    fn output_of_ordinary_commands_is_not_mistaken_for_a_failure() {
        let not_found = "\nthread 'main' (2) panicked at linux-sandbox/src/linux_run_main.rs:1361:5:\n\
                         Failed to execvp zsh: No such file or directory (os error 2)\n";
        let test =
            "running 1 test\nthread 'main' panicked at linux-sandbox/src/launcher.rs:68:13:\nno\n";
        let other = "thread 'main' panicked at src/main.rs:1:1:\nbubblewrap is unavailable\n";
        for (command, output, exit_code) in [
            (
                "bwrap --ro-bind / / true",
                "bwrap: No permissions to create a new namespace\n",
                Some(1),
            ),
            ("ls", "bwrap: a text\n", Some(0)),
            ("cat log", UNAVAILABLE, Some(0)),
            ("cargo test", test, Some(101)),
            ("cargo run", other, Some(101)),
            ("zsh -c ls", not_found, Some(101)),
            ("ls", "exec_command failed: CreateProcess { message: \"No such file\" }", None),
            ("grep x", "a: Codex's Linux sandbox uses bubblewrap, which is not supported\n", None),
        ] {
            assert_eq!(message(command, output, exit_code), None, "{command}: {output}");
        }
    }
}
