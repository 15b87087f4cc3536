//! The options that a call can set besides its prompt. The types cannot hold an invalid value; they can be
//! stored, as jobs do, and are validated again when deserialized.

mod bounds;
mod choices;
mod config_override;
mod output_schema;
mod strict_schema;

use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use bounds::{MAX_OPTION_BYTES, MAX_OPTION_ENTRIES, MAX_OPTIONS_BYTES};
pub use choices::{ApprovalPolicy, WebSearch};
pub use config_override::Override;
pub use output_schema::OutputSchema;

use super::command_line::check_argument;
use super::model_name::{Model, ReasoningEffort};
use super::outcome::FailureKind;
use super::text::excerpt;
use super::value::{InvalidValue, name, string_conversions};
use super::working_dir::WorkingDir;

/// The options of a turn. Anything left unset is taken from Codex's configuration.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Options {
    /// The model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<Model>,
    /// The reasoning effort.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<ReasoningEffort>,
    /// The profile in Codex's configuration to use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// Overrides of Codex's settings for this turn (`-c`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub config: Vec<Override>,
    /// The prompt that asks the model to summarize a session that has grown too long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compact_prompt: Option<String>,
    /// When Codex asks for approval before it runs a command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval_policy: Option<ApprovalPolicy>,
    /// Directories that commands may write to in addition to the working directory.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub add_dirs: Vec<WorkingDir>,
    /// Images attached to the prompt.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
    /// The JSON Schema that the final message must match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<OutputSchema>,
    /// Whether and how the model searches the web.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub web_search: Option<WebSearch>,
    /// Instructions that replace Codex's built-in base instructions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_instructions: Option<String>,
    /// Instructions in a developer message, in place of those in Codex's configuration. Codex remembers them in
    /// the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub developer_instructions: Option<String>,
    /// Additional arguments for `codex exec`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extra_arguments: Vec<Argument>,
}

impl Options {
    /// The options that also apply to later turns of a job: all that Codex does not remember, except what belongs
    /// to one prompt.
    pub(crate) fn for_later_turns(&self) -> Self {
        Self {
            images: Vec::new(),
            output_schema: None,
            developer_instructions: None,
            ..self.clone()
        }
    }

    /// Whether Codex keeps no record of a session started with these options.
    pub(crate) fn is_ephemeral(&self) -> bool {
        self.extra_arguments.iter().any(|argument| argument.as_str() == "--ephemeral")
    }

    /// Rejects values that must not appear on a command line.
    pub(crate) fn check(&self) -> Result<(), FailureKind> {
        let bad = |field: &str, problem| FailureKind::BadInput { field: field.into(), problem };
        self.config
            .iter()
            .try_for_each(Override::check)
            .map_err(|problem| bad("config", problem))?;
        let mut arguments = self.extra_arguments.iter().map(Argument::as_str);
        arguments.try_for_each(check_argument).map_err(|problem| bad("extra_arguments", problem))
    }
}

string_conversions! {
    Profile: str::parse, Profile::as_str;
    Argument: str::parse, Argument::as_str;
}

/// The name of a profile in Codex's configuration: ASCII letters, digits, `_` and `-`, starting with a letter
/// or digit, at most 128 characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Profile(String);

impl Profile {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Profile {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        name(text, "_-").map(Self).ok_or_else(|| {
            InvalidValue("must be the name of a profile: letters, digits, _ and -".into())
        })
    }
}

/// An argument for `codex exec`, passed on unchanged: 1 to [`MAX_OPTION_BYTES`] bytes without a null
/// character.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Argument(String);

impl Argument {
    /// Codex's option to refuse settings that it does not know.
    pub(crate) fn strict_config() -> Self {
        Self("--strict-config".into())
    }

    /// The argument.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Argument {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        if text.is_empty() || text.len() > MAX_OPTION_BYTES || text.contains('\0') {
            return Err(InvalidValue(format!(
                "must have arguments of 1 to {MAX_OPTION_BYTES} bytes, without null characters"
            )));
        }
        Ok(Self(text.to_owned()))
    }
}

/// The absolute path of a PNG, JPEG, GIF or WebP file. The type is checked here because Codex reports an
/// unreadable image only to the model, not to the caller (seen on 0.77 to 0.171).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Image(PathBuf);

impl Image {
    /// Checks only that the path is absolute. The file is checked when the turn starts.
    pub(crate) fn from_absolute_path(path: impl AsRef<Path>) -> Result<Self, InvalidValue> {
        let path = path.as_ref();
        if !path.is_absolute() {
            return Err(InvalidValue(format!(
                "must be absolute paths, but {} is not",
                excerpt(path.display())
            )));
        }
        Ok(Self(path.to_owned()))
    }

    /// The path, which is absolute.
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

/// Checks that the texts have at most [`MAX_OPTIONS_BYTES`] bytes in total.
pub(crate) fn check_total_bytes<T>(
    texts: Vec<T>,
    length: impl Fn(&T) -> usize,
) -> Result<Vec<T>, InvalidValue> {
    if texts.iter().map(length).sum::<usize>() > MAX_OPTIONS_BYTES {
        return Err(InvalidValue(format!("must have at most {MAX_OPTIONS_BYTES} bytes in total")));
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn options_are_validated_when_deserialized() {
        let stored = json!({"model": "m", "web_search": "live", "config": [], "profile": "p"});
        let options: Options = serde_json::from_value(stored).expect("valid options");
        assert_eq!(options.web_search, Some(WebSearch::Live));
        for invalid in
            [json!({"profile": "../x"}), json!({"web_search": "dead"}), json!({"model": "-m"})]
        {
            assert!(serde_json::from_value::<Options>(invalid.clone()).is_err(), "{invalid}");
        }
    }
}
