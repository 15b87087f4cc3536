//! What a call can set beside its prompt, in types that cannot be wrong. They can be written down, as
//! a job's are, and are checked anew when they are read.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::command_line;
use super::command_line::{check_argument, check_setting};
use super::model_name::{Model, ReasoningEffort};
use super::outcome::FailureKind;
use super::strict;
use super::text::shown;
use super::value::{InvalidValue, name};
use super::working_dir::WorkingDir;

/// The most entries of a list: directories, images, overrides, arguments.
pub const MAX_OPTION_ENTRIES: usize = 50;

/// The longest override, argument or JSON Schema, in bytes as Codex gets it.
pub const MAX_OPTION_BYTES: usize = 64 << 10;

/// The longest that all overrides together may be, and all arguments. Systems limit the whole command
/// line together with the environment: Linux to 2 MiB as a rule, macOS to 1 MiB.
pub const MAX_OPTIONS_BYTES: usize = 256 << 10;

/// What a turn runs with. What is left out is as Codex is configured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Options {
    /// The model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<Model>,
    /// How hard it thinks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<ReasoningEffort>,
    /// A profile of Codex's configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// Settings of Codex's for this turn (`-c`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub config: Vec<Override>,
    /// How the model is asked to sum a session up that has grown too long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compact_prompt: Option<String>,
    /// When Codex asks before it runs a command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval_policy: Option<ApprovalPolicy>,
    /// Directories that commands may write in, beside the one they work in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub add_dirs: Vec<WorkingDir>,
    /// Pictures that go with the prompt.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
    /// What the final message must look like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<OutputSchema>,
    /// Where the model searches the web.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub web_search: Option<WebSearch>,
    /// What Codex is told about itself, in place of its own instructions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_instructions: Option<String>,
    /// Further arguments for `codex exec`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extra_arguments: Vec<Argument>,
}

impl Options {
    /// What holds for the later turns of a job too, because Codex itself forgets it.
    pub(crate) fn lasting(&self) -> Self {
        Self { images: Vec::new(), output_schema: None, ..self.clone() }
    }

    /// Whether Codex keeps no record of a session that is begun with these.
    pub(crate) fn is_ephemeral(&self) -> bool {
        self.extra_arguments.iter().any(|argument| argument.as_str() == "--ephemeral")
    }

    /// Refuses what must not stand on a command line.
    pub(crate) fn check(&self) -> Result<(), FailureKind> {
        let bad = |field: &str, problem| FailureKind::BadInput { field: field.into(), problem };
        let check = |setting: &Override| check_setting(setting.key(), &setting.value()?);
        self.config.iter().try_for_each(check).map_err(|problem| bad("config", problem))?;
        let mut arguments = self.extra_arguments.iter().map(Argument::as_str);
        arguments.try_for_each(check_argument).map_err(|problem| bad("extra_arguments", problem))
    }
}

/// Types that are a text of a certain form, also where they are written down.
macro_rules! text_type {
    ($($type:ident: $parse:expr, $show:expr;)*) => {$(
        impl TryFrom<String> for $type {
            type Error = InvalidValue;

            fn try_from(text: String) -> Result<Self, InvalidValue> {
                let parse: fn(&str) -> Result<$type, InvalidValue> = $parse;
                parse(&text)
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                let show: fn(&$type) -> &str = $show;
                show(&value).to_owned()
            }
        }
    )*};
}

text_type! {
    Model: Model::parse, Model::as_str;
    ReasoningEffort: ReasoningEffort::parse, ReasoningEffort::as_str;
    Profile: str::parse, Profile::as_str;
    ApprovalPolicy: str::parse, |policy| policy.as_str();
    WebSearch: str::parse, |search| search.as_str();
    Argument: str::parse, Argument::as_str;
}

/// The name of a profile of Codex's.
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

/// A choice among a few words.
macro_rules! words {
    ($(#[$doc:meta])* $type:ident { $($(#[$about:meta])* $name:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub enum $type { $($(#[$about])* $name,)* }

        impl $type {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Codex's word for it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }
        }

        impl FromStr for $type {
            type Err = InvalidValue;

            fn from_str(text: &str) -> Result<Self, InvalidValue> {
                Self::ALL.iter().copied().find(|one| one.as_str() == text).ok_or_else(|| {
                    let all: Vec<&str> = Self::ALL.iter().map(|one| one.as_str()).collect();
                    InvalidValue(format!("must be one of {}", all.join(", ")))
                })
            }
        }
    };
}

words! {
    /// When Codex asks before it runs a command. Nobody answers in `codex exec`, so there a command
    /// that would have to be asked for is refused.
    ApprovalPolicy {
        /// It never asks.
        Never = "never",
        /// When the model thinks it should.
        OnRequest = "on-request",
        /// When a command failed in the sandbox.
        OnFailure = "on-failure",
        /// Before all but harmless commands. Newer versions of Codex no longer have it.
        Untrusted = "untrusted",
    }
}

words! {
    /// Where the model searches the web.
    WebSearch {
        /// Nowhere.
        Disabled = "disabled",
        /// In what the provider has stored.
        Cached = "cached",
        /// In what the provider has in its index.
        Indexed = "indexed",
        /// In the web.
        Live = "live",
    }
}

/// An argument for `codex exec`, passed on as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Argument(String);

impl Argument {
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
                "must be arguments of 1 to {MAX_OPTION_BYTES} bytes, without a null character"
            )));
        }
        Ok(Self(text.to_owned()))
    }
}

/// One setting of Codex's, as `-c key=value` takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    key: String,
    /// As TOML, on whose terms Codex reads it.
    value: String,
}

impl Override {
    /// Checks that `key` is one, with dots between its parts, and that TOML can say `value`. A turn with
    /// a value that is a text for the model is refused, as settings stand on a command line.
    ///
    /// # Errors
    ///
    /// If either is not so, or the whole is too long.
    pub fn new(key: &str, value: &Value) -> Result<Self, InvalidValue> {
        let part = |part: &str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
        };
        // With a dash in front it would be an option of its own.
        if key.starts_with('-') || !key.split('.').all(part) {
            let key = shown(format!("{key:?}"));
            return Err(InvalidValue(format!(
                "has {key}, which is no key of Codex's: letters, digits, _ and -, with dots between and no - in front"
            )));
        }
        let value = toml::Value::try_from(value).map_err(|_| {
            InvalidValue(format!(
                "has a value for {} that TOML cannot say, such as null",
                shown(key)
            ))
        })?;
        let value = value.to_string();
        if value.len() + key.len() > MAX_OPTION_BYTES {
            return Err(InvalidValue(format!(
                "has a value for {} of more than {MAX_OPTION_BYTES} bytes",
                shown(key)
            )));
        }
        Ok(Self { key: key.to_owned(), value })
    }

    /// The key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Whether the value is a single word, a number, or true or false.
    pub(crate) fn is_word(&self) -> bool {
        self.value().is_ok_and(|value| command_line::is_word(&value))
    }

    fn value(&self) -> Result<toml::Value, InvalidValue> {
        let table: Option<toml::Table> = format!("value = {}", self.value).parse().ok();
        let value = table.filter(|table| table.len() == 1).and_then(|mut it| it.remove("value"));
        value.ok_or_else(|| {
            InvalidValue(format!("has a value for {} that is not TOML", shown(&self.key)))
        })
    }
}

impl fmt::Display for Override {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}={}", self.key, self.value)
    }
}

/// Checks that texts are not too long together.
pub(crate) fn together<T>(
    texts: Vec<T>,
    length: impl Fn(&T) -> usize,
) -> Result<Vec<T>, InvalidValue> {
    if texts.iter().map(length).sum::<usize>() > MAX_OPTIONS_BYTES {
        return Err(InvalidValue(format!("must have {MAX_OPTIONS_BYTES} bytes together at most")));
    }
    Ok(texts)
}

/// A picture: an absolute path of a file that begins as a PNG, JPEG, GIF or WebP does. Codex itself
/// tells the model alone that it could not read one (measured on 0.77 to 0.171).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Image(PathBuf);

impl Image {
    /// One that is looked at only when its turn comes.
    pub(crate) fn named(path: impl AsRef<Path>) -> Result<Self, InvalidValue> {
        let path = path.as_ref();
        if !path.is_absolute() {
            return Err(InvalidValue(format!(
                "must be absolute paths, and {} is not one",
                shown(path.display())
            )));
        }
        Ok(Self(path.to_owned()))
    }

    /// The path, which is absolute.
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

/// A JSON Schema for the final message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OutputSchema(Map<String, Value>);

impl OutputSchema {
    /// Checks its size, and the rules of strict schemas, which the model's provider would refuse it
    /// for. What else it means is a matter between Codex and the provider.
    ///
    /// # Errors
    ///
    /// If it is too large, or breaks such a rule.
    pub fn new(schema: Map<String, Value>) -> Result<Self, InvalidValue> {
        let schema = Self(schema);
        if schema.to_json().len() > MAX_OPTION_BYTES {
            return Err(InvalidValue(format!("must have {MAX_OPTION_BYTES} bytes at most")));
        }
        match strict::broken_rule(&schema.0) {
            Some(problem) => Err(InvalidValue(problem)),
            None => Ok(schema),
        }
    }

    pub(crate) fn to_json(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_setting_is_one_key_and_one_value_of_toml() {
        let shown = |key: &str, value: Value| Override::new(key, &value).map(|it| it.to_string());
        let hostile = "x\"#y=1'''\"\"\"z\\";
        let table: toml::Table =
            shown("a-c", json!(hostile)).expect("a key").parse().expect("it is TOML");
        assert_eq!(table.get("a-c").and_then(toml::Value::as_str), Some(hostile));
        assert_eq!(table.len(), 1);
        assert_eq!(shown("a", json!({"b": [1, true]})), Ok("a={ b = [1, true] }".into()));
        for key in ["", "a b", "a=b", "a..b", ".a", "\"a\"", "a\n", "é", "-s"] {
            assert!(shown(key, json!(1)).is_err(), "{key:?} is no key");
        }
        assert!(shown("a", Value::Null).is_err());
    }

    #[test]
    fn options_are_checked_anew_when_they_are_read() {
        let written = json!({"model": "m", "web_search": "live", "config": [], "profile": "p"});
        let options: Options = serde_json::from_value(written).expect("all is well");
        assert_eq!(options.web_search, Some(WebSearch::Live));
        for wrong in
            [json!({"profile": "../x"}), json!({"web_search": "dead"}), json!({"model": "-m"})]
        {
            assert!(serde_json::from_value::<Options>(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
