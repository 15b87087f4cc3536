//! What a caller asks of one turn, in types that cannot be wrong: checked here once, nowhere else.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::diff::Diff;
use super::options::Options;
use super::text::{Lines, told};

/// The longest prompt that Codex takes, in characters. Measured on 0.171: more is refused there as
/// `input_too_large`.
pub const MAX_PROMPT_CHARS: usize = 1_048_576;

/// The longest name of a model or a reasoning effort, in characters.
pub const MAX_NAME_CHARS: usize = 128;

/// The longest limit a call may set for itself: a day.
pub const MAX_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Why a value cannot be used. The message says what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", told(.0, Lines::Escaped))]
pub struct InvalidValue(pub(crate) String);

/// A session of Codex's (a "thread" in its own words). Always a UUID: Codex takes any other name on
/// `resume` for a wish to begin a new session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(Uuid);

impl FromStr for SessionId {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        Uuid::try_parse(text.trim()).map(Self).map_err(|_| {
            InvalidValue(
                "must be a session id as an earlier call returned it, a UUID such as \
                 0199a213-81c0-7800-8aa1-bbab2a035a53; leave it out to begin a new session"
                    .into(),
            )
        })
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(formatter)
    }
}

/// The text for Codex: not blank, at most [`MAX_PROMPT_CHARS`] characters. Its `Debug` form does not
/// show it, so that it cannot slip into a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Prompt(String);

impl Prompt {
    /// Checks the length.
    ///
    /// # Errors
    ///
    /// If the text is blank or too long.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidValue> {
        let text = text.into();
        if text.trim().is_empty() {
            return Err(InvalidValue("must not be empty".into()));
        }
        // A text has at most as many characters as bytes, so most are never counted.
        let length = if text.len() <= MAX_PROMPT_CHARS { 0 } else { text.chars().count() };
        if length > MAX_PROMPT_CHARS {
            return Err(InvalidValue(format!(
                "is {length} characters long, and Codex takes {MAX_PROMPT_CHARS} at most; \
                 put the rest into a file and name it"
            )));
        }
        Ok(Self(text))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Prompt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Prompt({} bytes)", self.0.len())
    }
}

/// A directory that exists, as an absolute path: so it can never be read as a flag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "PathBuf", into = "PathBuf")]
pub struct WorkingDir(PathBuf);

impl TryFrom<PathBuf> for WorkingDir {
    type Error = InvalidValue;

    /// One that was written down may be gone by now, which is told when it is used.
    fn try_from(path: PathBuf) -> Result<Self, InvalidValue> {
        if path.is_absolute() {
            Ok(Self(path))
        } else {
            Err(InvalidValue("must be an absolute path".into()))
        }
    }
}

impl From<WorkingDir> for PathBuf {
    fn from(dir: WorkingDir) -> Self {
        dir.0
    }
}

impl WorkingDir {
    /// One that is looked at only when its turn comes.
    pub(crate) fn named(path: impl AsRef<Path>) -> Result<Self, InvalidValue> {
        let absolute = std::path::absolute(path)
            .map_err(|_| InvalidValue("must be the path of a directory".into()))?;
        Ok(Self(absolute))
    }

    /// The root, which is there whatever else is not.
    pub(crate) fn root() -> Self {
        Self(std::path::absolute("/").unwrap_or_else(|_| "/".into()))
    }

    /// A directory that need not be there.
    #[cfg(test)]
    pub(crate) fn unchecked(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The path, which is absolute.
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

/// What the model's commands may do, in Codex's terms; more permission is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sandbox {
    /// Read files, write none.
    ReadOnly,
    /// Write inside the working directory.
    WorkspaceWrite,
    /// Everything that the user may do.
    DangerFullAccess,
}

impl Sandbox {
    /// All of them, from the least to the most permission.
    pub const ALL: [Self; 3] = [Self::ReadOnly, Self::WorkspaceWrite, Self::DangerFullAccess];

    /// The name in Codex's options and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::WorkspaceWrite => "workspace-write",
            Self::DangerFullAccess => "danger-full-access",
        }
    }
}

impl FromStr for Sandbox {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        Self::ALL.into_iter().find(|sandbox| sandbox.as_str() == text).ok_or_else(|| {
            InvalidValue("must be read-only, workspace-write or danger-full-access".into())
        })
    }
}

/// Which sandbox a turn runs in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SandboxChoice {
    /// The session's own; for a new session Codex's configured default.
    #[default]
    Inherit,
    /// This one, from now on for the session.
    Set(Sandbox),
    /// This one for this turn alone: later turns of the session are as if it had not been.
    Once(Sandbox),
}

/// The name of a model. Which names there are only Codex and its provider know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Model(String);

/// How hard the model thinks: `low`, `medium`, `high` and the like. Which words there are depends on
/// the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReasoningEffort(String);

impl Model {
    /// Checks that `text` can be the name of a model and can never be read as a flag.
    ///
    /// # Errors
    ///
    /// If it is empty, too long, or has characters that no model's name has.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        name(text, "._:/@+-").map(Self).ok_or_else(|| {
            InvalidValue(format!(
                "must be the name of a model: letters, digits and . _ : / @ + - after the first \
                 letter or digit, {MAX_NAME_CHARS} characters at most"
            ))
        })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl ReasoningEffort {
    /// Checks that `text` is one plain word, which needs no quoting in Codex's settings.
    ///
    /// # Errors
    ///
    /// If it is anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        name(text, "_-").map(Self).ok_or_else(|| {
            InvalidValue(
                "must be a word such as minimal, low, medium, high or xhigh, as the model offers"
                    .into(),
            )
        })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

pub(crate) fn name(text: &str, also: &str) -> Option<String> {
    let starts_well = text.starts_with(|first: char| first.is_ascii_alphanumeric());
    let fits = text.len() <= MAX_NAME_CHARS
        && text.chars().all(|char| char.is_ascii_alphanumeric() || also.contains(char));
    (starts_well && fits).then(|| text.to_owned())
}

/// How long a call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From the call to the end of the turn, waiting in the queue included.
    pub total: Duration,
    /// Without any event of Codex's, while no command or tool call of its is in progress.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { total: Duration::from_secs(30 * 60), idle: Duration::from_secs(10 * 60) }
    }
}

/// One turn to run: a prompt, in a new session or in an old one.
#[derive(Debug, Clone)]
pub struct TurnRequest {
    pub(crate) prompt: Prompt,
    pub(crate) session: Option<SessionId>,
    pub(crate) working_dir: Option<WorkingDir>,
    pub(crate) sandbox: SandboxChoice,
    /// Whether to go on in a copy of the session.
    pub(crate) fork: bool,
    /// Whether to go on in the last session of the directory.
    pub(crate) continue_last: bool,
    /// Whether the session is one that was found so.
    pub(crate) found_last: bool,
    pub(crate) options: Options,
    /// What is reviewed, which git must know.
    pub(crate) diff: Option<Diff>,
    pub(crate) total: Option<Duration>,
    pub(crate) idle: Option<Duration>,
    /// Whether it goes before all others that wait for its session.
    pub(crate) in_front: bool,
}

impl TurnRequest {
    /// A turn in a new session, with everything else as configured.
    pub fn new(prompt: Prompt) -> Self {
        Self {
            prompt,
            session: None,
            working_dir: None,
            sandbox: SandboxChoice::default(),
            fork: false,
            continue_last: false,
            found_last: false,
            options: Options::default(),
            diff: None,
            total: None,
            idle: None,
            in_front: false,
        }
    }

    /// Goes on with this session.
    #[must_use]
    pub fn resume(mut self, session: impl Into<Option<SessionId>>) -> Self {
        self.session = session.into();
        self
    }

    /// Works in this directory, instead of the session's own or the configured one.
    #[must_use]
    pub fn working_dir(mut self, working_dir: impl Into<Option<WorkingDir>>) -> Self {
        self.working_dir = working_dir.into();
        self
    }

    /// Runs in this sandbox.
    #[must_use]
    pub fn sandbox(mut self, sandbox: SandboxChoice) -> Self {
        self.sandbox = sandbox;
        self
    }

    /// Asks this model.
    #[must_use]
    pub fn model(mut self, model: impl Into<Option<Model>>) -> Self {
        self.options.model = model.into();
        self
    }

    /// Thinks this hard.
    #[must_use]
    pub fn reasoning_effort(mut self, effort: impl Into<Option<ReasoningEffort>>) -> Self {
        self.options.reasoning_effort = effort.into();
        self
    }

    /// Goes on in a copy of the session, which stays as it is; it may be busy meanwhile.
    #[must_use]
    pub fn fork(mut self, fork: bool) -> Self {
        self.fork = fork;
        self
    }

    /// Goes on in the last session that a process with the same state folder had in the directory.
    #[must_use]
    pub fn continue_last(mut self, continue_last: bool) -> Self {
        self.continue_last = continue_last;
        self
    }

    /// Runs with these options, in place of all that were set before.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Has git asked whether it knows this, before Codex is.
    pub(crate) fn diff(mut self, diff: Option<Diff>) -> Self {
        self.diff = diff;
        self
    }

    /// The session that the turn is one of from its start. A copy is a new one.
    pub(crate) fn continues(&self) -> Option<SessionId> {
        self.session.filter(|_| !self.fork)
    }

    /// Limits the whole call, instead of the configured limit.
    #[must_use]
    pub fn total_limit(mut self, total: impl Into<Option<Duration>>) -> Self {
        self.total = total.into();
        self
    }

    /// Limits silence, instead of the configured limit.
    #[must_use]
    pub fn idle_limit(mut self, idle: impl Into<Option<Duration>>) -> Self {
        self.idle = idle.into();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_uuid_is_a_session() {
        let id: SessionId =
            "0199A213-81C0-7800-8AA1-BBAB2A035A53".parse().expect("upper case is the same id");
        assert_eq!(id.to_string(), "0199a213-81c0-7800-8aa1-bbab2a035a53");
        for wrong in ["", "--last", "my-session", "0199a213-81c0-7800-8aa1"] {
            assert!(wrong.parse::<SessionId>().is_err(), "{wrong:?} is no session");
        }
    }

    #[test]
    fn no_name_can_be_a_flag_or_a_second_setting() {
        for wrong in ["", "-m", "--help", "a b", "a\"b", "a\nb", "é", &"x".repeat(129)] {
            assert!(Model::parse(wrong).is_err(), "{wrong:?} is no model");
            assert!(ReasoningEffort::parse(wrong).is_err(), "{wrong:?} is no effort");
        }
        assert!(Model::parse("openrouter/gpt-5.1:free").is_ok());
    }

    #[test]
    fn a_prompt_is_measured_in_characters() {
        assert!(Prompt::new("é".repeat(MAX_PROMPT_CHARS)).is_ok());
        assert!(Prompt::new("é".repeat(MAX_PROMPT_CHARS + 1)).is_err());
        assert!(Prompt::new(" \n").is_err());
    }
}
