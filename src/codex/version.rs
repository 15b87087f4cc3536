//! The version of a Codex program, and which features each version has.

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

/// Timeout for `--version`. It takes about 10 ms, or 100 ms through the script of the npm package.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The major and minor number of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(pub(crate) u64, pub(crate) u64);

/// The versions from which on Codex has a feature: the lowest on which it was seen to work. 0.77 has none of
/// them.
impl Version {
    /// `exec fork`.
    pub(crate) const FORK: Self = Self(0, 153);
    /// `--ignore-rules`.
    pub(crate) const IGNORE_RULES: Self = Self(0, 153);
    /// Profiles in separate files.
    pub(crate) const PROFILE_FILES: Self = Self(0, 134);
    /// The setting `web_search`. 0.77 has `tools.web_search`, which 0.100 ignores.
    pub(crate) const WEB_SEARCH: Self = Self(0, 100);
    /// The setting `model_instructions_file`. Until then it was `experimental_instructions_file`, which is ignored since.
    pub(crate) const INSTRUCTIONS_FILE: Self = Self(0, 89);
    /// Hooks on the command line, with what they must be for Codex to trust them.
    pub(crate) const HOOKS: Self = Self(0, 153);
    /// Permission profiles (`default_permissions`).
    pub(crate) const PERMISSION_PROFILES: Self = Self(0, 153);
    /// The snapshot of the user's shell no longer leaks variables that commands must not receive.
    pub(crate) const CLEAN_SNAPSHOT: Self = Self(0, 169);
    /// The approval policy `untrusted` is rejected.
    pub(crate) const NO_UNTRUSTED: Self = Self(0, 153);
    /// `sandbox -P PROFILE -- COMMAND`, on every system.
    pub(crate) const SANDBOX_COMMAND: Self = Self(0, 153);
    /// `usage` counts the tokens of the whole session.
    pub(crate) const SESSION_USAGE: Self = Self(0, 100);

    /// The `doctor` command, which earlier versions take for a prompt.
    pub(crate) const DOCTOR: Self = Self(0, 153);
    /// The range of versions that this program is tested with.
    pub(crate) const TESTED: RangeInclusive<Self> = Self(0, 77)..=Self(0, 171);

    /// Parses the output of `codex --version` (`codex-cli 0.171.0`).
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

/// Caches the versions of programs. A program is queried once, and again after its file was replaced. Cheap
/// to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Versions(Arc<Mutex<Cache>>);

type Cache = HashMap<PathBuf, (Stamp, Option<Version>)>;

/// The size and modification time of a program.
type Stamp = (u64, Option<SystemTime>);

impl Versions {
    /// The version of a program, if it reports one.
    pub(crate) async fn of(&self, program: &Program, watchdog: &Watchdog) -> Option<Version> {
        let file = std::fs::metadata(&program.path).ok()?;
        let stamp = (file.len(), file.modified().ok());
        if let Some((cached, version)) = self.lock().get(&program.path)
            && *cached == stamp
        {
            return *version;
        }
        // Failures are not cached: the program may answer the next time.
        let version = query(program, watchdog).await?;
        self.lock().insert(program.path.clone(), (stamp, version));
        version
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Cache> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs `--version`. `Some(None)` if the output cannot be parsed, `None` if the program fails.
async fn query(program: &Program, watchdog: &Watchdog) -> Option<Option<Version>> {
    let mut command = Command::new(&program.path);
    set_variables(&mut command, program);
    command.arg("--version");
    match helper::run(command, watchdog, TIMEOUT).await {
        Ok(output) if output.status.success() => Some(Version::parse(&output.stdout)),
        Ok(output) => {
            tracing::debug!(status = %output.status, "Codex does not report its version");
            None
        }
        Err(error) => {
            tracing::debug!(%error, "Codex does not report its version");
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

    #[test]
    fn the_tested_versions_are_those_of_the_page() {
        let page = include_str!("../../docs/compatibility.md");
        let head = page.lines().find(|line| line.starts_with("| | ")).expect("it has a table");
        let versions: Vec<Version> = head.split('|').filter_map(Version::parse).collect();
        let ends = versions.first().zip(versions.last()).map(|(first, last)| *first..=*last);
        assert_eq!(ends, Some(Version::TESTED), "run cargo xtask codex --write");
    }

    #[test]
    fn the_newest_tested_version_is_the_pinned_one() {
        let manifest = include_str!("../../tests/codex/package.json");
        let manifest: serde_json::Value = serde_json::from_str(manifest).expect("it is JSON");
        let pinned = manifest["dependencies"]["@openai/codex"].as_str().and_then(Version::parse);
        assert_eq!(pinned.as_ref(), Some(Version::TESTED.end()));
    }
}
