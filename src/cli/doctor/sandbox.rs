//! Whether Codex can create a sandbox on this machine for the commands of its turns.

use std::time::Duration;

use super::check::Check;
use super::codex::Found;
use super::probe::{Output, ProbeError, probe};
use crate::codex::sandbox_failure;
use crate::codex::version::Version;
use crate::model::policy;
use crate::model::sandbox::Sandbox;
use crate::turn::advice;

/// It usually takes 100 ms.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Runs a command that does nothing in a read-only sandbox, in a directory without configuration. The syntax
/// is the same from 0.153 to 0.171; earlier versions also need the name of the system.
const NOTHING: [&str; 9] = ["sandbox", "-P", ":read-only", "-C", "/", "--", "/bin/sh", "-c", ":"];

const ID: &str = "sandbox";

/// Has Codex create a sandbox, and do nothing in it.
pub(super) async fn examine(found: &Found, most: Sandbox) -> Check {
    if !cfg!(unix) || found.version < Version::SANDBOX_COMMAND {
        return Check::ok(ID, "not checked: this Codex has no command that creates a sandbox");
    }
    let mut program = found.program.clone();
    // Codex takes the program that creates the sandbox from the PATH, and runs it outside of one.
    if let Ok(path) = std::env::join_paths(&found.folders) {
        program.environment.push(("PATH".into(), Some(path)));
    }
    judge(probe(&program, &NOTHING, ANSWER_WITHIN).await, most)
}

fn judge(answer: Result<Output, ProbeError>, most: Sandbox) -> Check {
    let unknown = |what: String| {
        let by_hand = format!("run `codex {}` to see the error", NOTHING.join(" "));
        Check::warning(
            ID,
            format!("it is unknown whether a sandbox can be created: {what}"),
            by_hand,
        )
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return unknown(error.to_string()),
    };
    if answer.status.success() {
        return Check::ok(ID, "Codex can run commands in a sandbox");
    }
    let code = answer.status.code().map(i64::from);
    let Some(said) = sandbox_failure::message("", &answer.stderr, code) else {
        return unknown(answer.summary());
    };
    let summary = format!("no sandbox can be created, so Codex's commands will not run: {said}");
    let fix = format!(
        "{}; if this machine is itself an isolated container, you can instead set {}=danger-full-access, \
         and have calls request it",
        advice::sandbox(&said),
        policy::MAX_SANDBOX
    );
    match most {
        // Commands of calls with full access still run.
        Sandbox::DangerFullAccess => Check::warning(ID, summary, fix),
        Sandbox::ReadOnly | Sandbox::WorkspaceWrite => Check::problem(ID, summary, fix),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::cli::doctor::check::Status;
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    fn judged(code: i32, stderr: &str, most: Sandbox) -> Check {
        let status = ExitStatus::from_raw(code << 8);
        judge(Ok(Output { status, stdout: String::new(), stderr: stderr.into() }), most)
    }

    #[test]
    fn only_what_makes_the_sandbox_says_that_none_can_be_made() {
        let most = Sandbox::WorkspaceWrite;
        assert_eq!(judged(0, "a warning", most).status, Status::Ok);
        let none = judged(1, "bwrap: setting up uid map: Permission denied\n", most);
        assert_eq!(none.status, Status::Problem);
        assert!(none.summary.ends_with("bwrap: setting up uid map: Permission denied"));
        assert!(none.fix.is_some_and(|fix| fix.contains("apparmor_restrict_unprivileged_userns")));
        assert_eq!(judged(1, "Error loading config.toml", most).status, Status::Warning);
    }

    #[test]
    fn it_is_no_problem_where_calls_may_go_without() {
        let said = "bwrap: pivot_root: Invalid argument\n";
        assert_eq!(judged(1, said, Sandbox::DangerFullAccess).status, Status::Warning);
    }
}
