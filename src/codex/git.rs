//! Questions to git about a folder that a turn may have written.
//!
//! Whoever writes a repository also writes its configuration, and that names programs: to fetch what
//! the repository lacks, to watch its files, to be run at this or that. Git is asked so that it runs
//! none of them, and reads and holds no more than an honest repository needs. What hangs all the same,
//! such as at a pipe in place of a file, is killed, with all that it has started.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::process::Command;

use super::helper::{self, Answer};
use super::watchdog::Watchdog;

/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// The most memory that git may take at a time: an object of some kilobytes can be one of gigabytes
/// when it is unpacked. No commit is that long.
const MAX_ALLOCATION: &str = "128m";

/// What is said on each command line, where it is more than what the repository says. A bare
/// repository is one only if it is called so: any folder can be made to look like one.
const OVERRULED: &[&str] = &[
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "protocol.allow=never",
    "safe.bareRepository=explicit",
];

/// The same as variables. Git fetches an object that is asked for and not there, from wherever the
/// repository says; older versions (before 2.44) know no way to turn that off, but may be kept from
/// all protocols. Its messages are recognised, so they must be in one language.
const VARIABLES: &[(&str, &str)] = &[
    ("GIT_NO_LAZY_FETCH", "1"),
    ("GIT_ALLOW_PROTOCOL", ""),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_ALLOC_LIMIT", MAX_ALLOCATION),
    ("LC_ALL", "C"),
];

/// A git, and who ends it if this process is killed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Git<'a> {
    /// An absolute path, of a file that no turn can write.
    pub(crate) program: &'a Path,
    pub(crate) watchdog: &'a Watchdog,
}

impl Git<'_> {
    /// What git says in this folder, or why it refuses. Dropped before its end, it kills git.
    ///
    /// # Errors
    ///
    /// If git cannot be started, takes too long, or does not stop talking.
    pub(crate) async fn ask(
        &self,
        dir: &Path,
        arguments: &[&str],
    ) -> io::Result<Result<String, String>> {
        let command = self.command(dir, arguments);
        let answer = helper::ask(command, self.watchdog, ANSWER_WITHIN).await;
        let Answer { status, stdout, stderr } =
            answer.map_err(|error| io::Error::new(error.kind(), format!("git: {error}")))?;
        let said = if status.success() { Ok(stdout) } else { Err(stderr) };
        Ok(said.map(trimmed).map_err(trimmed))
    }

    fn command(&self, dir: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.program);
        // Of a hook, of a person's terminal, or of whoever started the client: they can put
        // another repository, other settings, and other programs in the place of git's own.
        let inherited = std::env::vars_os().map(|(name, _)| name);
        for name in inherited.filter(|name| name.as_encoded_bytes().starts_with(b"GIT_")) {
            command.env_remove(name);
        }
        command.envs(VARIABLES.iter().copied()).arg("-C").arg(dir).arg("--no-pager");
        for setting in OVERRULED {
            command.args(["-c", setting]);
        }
        command.args(arguments).current_dir("/");
        command
    }
}

fn trimmed(text: String) -> String {
    text.trim().to_owned()
}
