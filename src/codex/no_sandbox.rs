//! Commands that did not run because their sandbox could not be made on this machine. Pure.
//!
//! All that is seen of it is an output that is not the command's: of bubblewrap, which makes the sandbox; of
//! the helper of Codex's that starts bubblewrap and closes system calls, which panics; or of Codex itself,
//! which does not start that helper on WSL 1 (all three on 0.153, 0.169 and 0.171).

use serde::{Deserialize, Serialize};

use crate::model::text::head_on_one_line;

/// How much is kept of what was said, in characters.
const MAX_SAID: usize = 300;

/// Programs that say the same when they are what the model runs.
const OWN: [&str; 3] = ["bwrap", "bubblewrap", "flatpak"];

/// The helper's words where the sandbox was made, and what was to run in it is not there.
const MADE: &str = "Failed to execvp";

/// How many commands did not run, and what was said instead of the first one's output.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NotRun {
    pub(crate) count: u64,
    pub(crate) said: String,
}

impl NotRun {
    /// Takes in one more.
    pub(crate) fn take(&mut self, said: &str) {
        self.count += 1;
        if self.said.is_empty() {
            said.clone_into(&mut self.said);
        }
    }

    /// What is known from two who tell of the same turn.
    pub(super) fn join(&mut self, other: Self) {
        self.count = self.count.max(other.count);
        if self.said.is_empty() {
            self.said = other.said;
        }
    }
}

/// What was said instead, in one line, if a command did not run because its sandbox could not be made. A
/// command in which one of the programs is named that make sandboxes is taken to have run.
pub(crate) fn said(command: &str, output: &str, exit_code: Option<i64>) -> Option<String> {
    if exit_code == Some(0) || OWN.iter().any(|own| command.contains(own)) {
        return None;
    }
    let output = output.trim_start();
    let said =
        of_bubblewrap(output).or_else(|| of_helper(output)).or_else(|| of_codex(output, exit_code));
    Some(head_on_one_line(said?, MAX_SAID))
}

fn of_bubblewrap(output: &str) -> Option<&str> {
    output.starts_with("bwrap: ").then(|| output.lines().next())?
}

/// `thread 'main' (2) panicked at linux-sandbox/src/launcher.rs:68:13:`, and the reason in the next line.
fn of_helper(output: &str) -> Option<&str> {
    let mut lines = output.lines();
    let panic = lines.next()?;
    let is_helper =
        panic.starts_with("thread '") && panic.contains("panicked at linux-sandbox/src/");
    lines.next().filter(|reason| is_helper && !reason.starts_with(MADE))
}

/// `exec_command failed: CreateProcess { message: "UnsupportedOperation(\"Codex's Linux sandbox …\")" }`.
fn of_codex(output: &str, exit_code: Option<i64>) -> Option<&str> {
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
    fn whoever_makes_the_sandbox_is_heard() {
        let wsl = "exec_command failed: CreateProcess { message: \"UnsupportedOperation(\\\"Codex's Linux \
                   sandbox uses bubblewrap, which is not supported on WSL1.\\\")\" }";
        for (output, exit_code, heard) in [
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
            assert_eq!(said("ls", output, exit_code).as_deref(), Some(heard));
        }
    }

    #[test]
    fn a_command_is_not_taken_for_what_makes_the_sandbox() {
        let not_there = "\nthread 'main' (2) panicked at linux-sandbox/src/linux_run_main.rs:1361:5:\n\
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
            ("zsh -c ls", not_there, Some(101)),
            ("ls", "exec_command failed: CreateProcess { message: \"No such file\" }", None),
            ("grep x", "a: Codex's Linux sandbox uses bubblewrap, which is not supported\n", None),
        ] {
            assert_eq!(said(command, output, exit_code), None, "{command}: {output}");
        }
    }
}
