//! Which Codex is installed, and whether it runs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::check::Check;
use super::probe::{Output, ProbeError, probe};
use crate::admission::protected_folders::ProtectedFolders;
use crate::cli::advice::advice;
use crate::codex::locate::{Program, locate};
use crate::codex::process::is_of_program;
use crate::codex::version::Version;

/// It usually takes 10 ms, and 100 ms through the script of the npm package.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

const ID: &str = "codex";

/// A Codex that runs.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) program: Program,
    pub(super) version: Version,
    /// The folders of the PATH whose programs may run outside of a sandbox.
    pub(super) folders: Vec<PathBuf>,
}

/// Finds Codex, and has it print its version.
pub(super) async fn examine(codex_bin: &OsStr) -> (Check, Option<Found>) {
    let mut protected = ProtectedFolders::new(std::env::home_dir().as_deref());
    let (_, folders) = protected.add_program_folders();
    let Some(program) = locate(codex_bin, Some(&folders)) else {
        return (missing(codex_bin), None);
    };
    let answer = probe(&program, &["--version"], ANSWER_WITHIN).await;
    let (check, version) = judge(&program.found_at, &program.path, answer);
    (check, version.map(|version| Found { program, version, folders }))
}

fn missing(codex_bin: &OsStr) -> Check {
    let path = PathBuf::from(codex_bin);
    let name = codex_bin.to_string_lossy();
    // A name is searched on the PATH. Anything else is a path.
    if path.components().count() > 1 && path.exists() {
        let fix = format!("make it executable (chmod +x {name}), or set another with --codex-bin");
        return Check::problem(ID, format!("{name} is not an executable program"), fix);
    }
    if let Some(found) = locate(codex_bin, None) {
        let found = found.found_at.display();
        let summary = format!("{found} is in a folder that turns may write to, so it is not run");
        return Check::problem(ID, summary, format!("to run it anyway, set CODEX_BIN={found}"));
    }
    let summary = format!("there is no program {name}");
    Check::problem(ID, summary, advice("codex_not_found", None))
}

fn judge(
    named: &Path,
    started: &Path,
    answer: Result<Output, ProbeError>,
) -> (Check, Option<Version>) {
    let by_hand = format!("{} --version", named.display());
    let broken = |what: String| {
        let fix = format!(
            "run `{by_hand}` to see the error; reinstall Codex (npm install -g @openai/codex), or set \
             another program with --codex-bin or CODEX_BIN"
        );
        (Check::problem(ID, format!("{} is broken: {what}", named.display()), fix), None)
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(ProbeError::NotStarted(error)) if !is_of_program(&error) => {
            let summary = format!("{} cannot be started: {error}", named.display());
            return (Check::problem(ID, summary, advice("cannot_start", None)), None);
        }
        Err(error) => return broken(error.to_string()),
    };
    let said = answer.stdout.trim();
    let Some(version) = Version::parse(said).filter(|_| answer.status.success()) else {
        return broken(answer.summary());
    };
    let number = said.split_whitespace().last().unwrap_or_default();
    let how = if named == started { "" } else { ", an npm script, started natively" };
    let place = format!("Codex {number}, {}{how}", named.display());
    let (oldest, newest) = (Version::TESTED.start(), Version::TESTED.end());
    let check = if version < *oldest {
        let summary = format!("{place}, which is older than the oldest tested version, {oldest}");
        Check::warning(ID, summary, "update Codex: npm install -g @openai/codex")
    } else if version > *newest {
        Check::ok(ID, place).noting(format!(
            "Codex {version} is newer than {newest}, the newest version that this program was tested with; it is \
             used like that one"
        ))
    } else {
        Check::ok(ID, place)
    };
    let check = check
        .with("version", number)
        .with("program", named.to_string_lossy())
        .with("started", started.to_string_lossy());
    (check, Some(version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::check::Status;

    fn status_of(stdout: &str) -> (Status, Option<Version>) {
        let answer = Output {
            status: std::process::ExitStatus::default(),
            stdout: stdout.into(),
            stderr: String::new(),
        };
        let (check, version) = judge(Path::new("/a"), Path::new("/a"), Ok(answer));
        (check.status, version)
    }

    #[test]
    fn an_old_codex_is_a_warning_and_a_new_one_is_not() {
        assert_eq!(status_of("codex-cli 0.76.1\n"), (Status::Warning, Some(Version(0, 76))));
        assert_eq!(status_of("codex-cli 0.77.0\n"), (Status::Ok, Some(Version(0, 77))));
        assert_eq!(status_of("codex-cli 1.2.0\n"), (Status::Ok, Some(Version(1, 2))));
        assert_eq!(status_of("v20\n"), (Status::Problem, None));
    }
}
