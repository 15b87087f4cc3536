//! Which version of Codex a program is, and what came with which.

use std::collections::HashMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::process::Command;

use super::helper;
use super::locate::Program;
use super::process::set_variables;
use super::watchdog::Watchdog;

/// How long the answer may take. It takes some 10 ms, through the npm package's script 100 ms.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// The major and minor number of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(pub(crate) u64, pub(crate) u64);

/// What Codex does not have from its beginning. Each number is the lowest on which it was seen to
/// work; 0.77 has none of it.
impl Version {
    /// `exec fork`.
    pub(crate) const FORK: Self = Self(0, 153);
    /// `--ignore-rules`.
    pub(crate) const IGNORE_RULES: Self = Self(0, 153);
    /// Profiles as files of their own.
    pub(crate) const PROFILE_FILES: Self = Self(0, 134);
    /// The setting `web_search`.
    pub(crate) const WEB_SEARCH: Self = Self(0, 153);
    /// The setting `model_instructions_file`.
    pub(crate) const INSTRUCTIONS_FILE: Self = Self(0, 153);
    /// Permission profiles (`default_permissions`).
    pub(crate) const PERMISSION_PROFILES: Self = Self(0, 153);
    /// The snapshot of the user's shell holds no variable that commands do not get.
    pub(crate) const CLEAN_SNAPSHOT: Self = Self(0, 169);
    /// The approval policy `untrusted` is refused.
    pub(crate) const NO_UNTRUSTED: Self = Self(0, 153);
    /// `sandbox -P PROFILE -- COMMAND`, on every system.
    pub(crate) const SANDBOX_COMMAND: Self = Self(0, 153);
    /// `usage` counts the session's tokens.
    pub(crate) const SESSION_USAGE: Self = Self(0, 100);

    /// `doctor`, which before is taken for a prompt.
    pub(crate) const DOCTOR: Self = Self(0, 153);
    /// The oldest and the newest of those that this program is tested with.
    pub(crate) const TESTED: RangeInclusive<Self> = Self(0, 77)..=Self(0, 171);

    /// From `codex --version` (`codex-cli 0.171.0`).
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split_whitespace().last()?.split('.');
        Some(Self(numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.0, self.1)
    }
}

/// The versions of the programs that were asked. A program is asked once, and again when its file was
/// replaced. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Versions(Arc<Mutex<Asked>>);

type Asked = HashMap<PathBuf, (Stamp, Option<Version>)>;

/// The length of a program and when it was written.
type Stamp = (u64, Option<SystemTime>);

impl Versions {
    /// The version of a program, if it says.
    pub(crate) async fn of(&self, program: &Program, watchdog: &Watchdog) -> Option<Version> {
        let file = std::fs::metadata(&program.path).ok()?;
        let stamp = (file.len(), file.modified().ok());
        if let Some((asked, version)) = self.lock().get(&program.path)
            && *asked == stamp
        {
            return *version;
        }
        // Whoever does not answer now may do so the next time.
        let version = ask(program, watchdog).await?;
        self.lock().insert(program.path.clone(), (stamp, version));
        version
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Asked> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the program says its version is, which may make no sense. `None` if it says nothing.
async fn ask(program: &Program, watchdog: &Watchdog) -> Option<Option<Version>> {
    let mut command = Command::new(&program.path);
    set_variables(&mut command, program);
    command.arg("--version");
    match helper::ask(command, watchdog, ANSWER_WITHIN).await {
        Ok(answer) if answer.status.success() => Some(Version::parse(&answer.stdout)),
        Ok(answer) => {
            tracing::debug!(status = %answer.status, "Codex does not tell its version");
            None
        }
        Err(error) => {
            tracing::debug!(%error, "Codex does not tell its version");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_last_word() {
        assert_eq!(Version::parse("codex-cli 0.77.0\n"), Some(Version(0, 77)));
        assert_eq!(Version::parse("codex-cli 0.170.0-alpha.2\n"), Some(Version(0, 170)));
        assert_eq!(Version::parse("what?"), None);
    }
}
