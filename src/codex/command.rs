//! The argument list for one run of Codex. Pure.

#[cfg(all(test, unix))]
mod properties;
mod redact;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub(crate) use redact::redact;

use super::developer_message::{self, When};
use super::setting::Setting;
use super::version::Version;
use crate::model::options::{Argument, Options, WebSearch};
use crate::model::sandbox::Sandbox;
use crate::model::session_id::SessionId;
use crate::model::working_dir::WorkingDir;

/// Options that Codex accepts only once.
const ONLY_ONCE: &[&str] =
    &["--skip-git-repo-check", "--json", "--ephemeral", "--strict-config", IGNORE_RULES];

/// The option that makes Codex ignore its rules files.
const IGNORE_RULES: &str = "--ignore-rules";

/// Which session a run works in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Session {
    New,
    Resume(SessionId),
    /// A copy of this session.
    Fork(SessionId),
}

/// Temporary files created for one run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Files {
    pub(crate) output_schema: Option<PathBuf>,
    pub(crate) base_instructions: Option<PathBuf>,
    pub(crate) compact_prompt: Option<PathBuf>,
    /// What a hook prints, and when.
    pub(crate) developer_message: Option<(PathBuf, When)>,
    /// Aliases for images whose path cannot be passed to Codex: the path and its alias.
    pub(crate) image_aliases: Vec<(PathBuf, PathBuf)>,
}

impl Files {
    /// The path by which an image is passed to Codex.
    fn image_path<'a>(&'a self, path: &'a Path) -> &'a Path {
        let alias = self.image_aliases.iter().find(|(original, _)| original == path);
        alias.map_or(path, |(_, alias)| alias)
    }
}

/// The command line of one run. It does not contain the prompt, which is passed on standard input, where it
/// cannot be mistaken for a flag or appear in the process list.
#[derive(Debug, Clone)]
pub(crate) struct Invocation<'a> {
    pub(crate) working_dir: &'a WorkingDir,
    pub(crate) sandbox: Option<Sandbox>,
    /// Whether Codex must ignore its rules files, which can let commands run outside the sandbox.
    pub(crate) ignore_rules: bool,
    /// Settings that the call may override.
    pub(crate) defaults: &'a [Setting],
    /// Settings that override those of the call.
    pub(crate) imposed: &'a [Setting],
    pub(crate) options: &'a Options,
    pub(crate) files: &'a Files,
    pub(crate) session: Session,
    pub(crate) version: Option<Version>,
}

impl Invocation<'_> {
    /// `exec … [resume <id> | fork <id>] -`. Options come before `resume` and `fork`, because Codex rejects
    /// most of them afterwards.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let mut list = ArgumentList(vec!["exec".into()]);
        // First, because any argument after an image that is not an option is taken for another image.
        for image in &self.options.images {
            list.pair("-i", self.files.image_path(image.as_path()));
        }
        list.0.extend(["--skip-git-repo-check".into(), "--json".into()]);
        list.pair("-C", self.working_dir.as_path());
        if let Some(sandbox) = self.sandbox {
            list.pair("-s", sandbox.as_str());
        }
        self.options(&mut list);
        let knows_rules = self.version.is_none_or(|version| version >= Version::IGNORE_RULES);
        if self.ignore_rules && knows_rules {
            list.push_once(IGNORE_RULES);
        }
        list.settings(self.imposed);
        if let Some((_, when)) = self.files.developer_message {
            list.settings(&developer_message::settings(when));
        }
        match self.session {
            Session::New => {}
            Session::Resume(session) => list.pair("resume", session.to_string()),
            Session::Fork(session) => list.pair("fork", session.to_string()),
        }
        list.0.push("-".into());
        list.0
    }

    fn options(&self, list: &mut ArgumentList) {
        let options = self.options;
        if let Some(model) = &options.model {
            list.pair("-m", model.as_str());
        }
        if let Some(profile) = &options.profile {
            list.pair("--profile", profile.as_str());
        }
        for dir in &options.add_dirs {
            list.pair("--add-dir", dir.as_path());
        }
        if let Some(schema) = &self.files.output_schema {
            list.pair("--output-schema", schema);
        }
        for argument in options.extra_arguments.iter().map(Argument::as_str) {
            match ONLY_ONCE.contains(&argument) {
                true => list.push_once(argument),
                false => list.0.push(argument.into()),
            }
        }
        list.settings(self.defaults);
        // If a key is set twice, the later one wins, so dedicated parameters override `config`.
        for setting in &options.config {
            list.pair("-c", setting.to_string());
        }
        if let Some(effort) = &options.reasoning_effort {
            list.set("model_reasoning_effort", effort.as_str());
        }
        if let Some(policy) = options.approval_policy {
            list.set("approval_policy", policy.as_str());
        }
        if let Some(search) = options.web_search {
            // Between 0.77 and 0.100 either setting may count: Codex ignores one that it does not know.
            if self.version.is_some_and(|version| version < Version::WEB_SEARCH) {
                let on = search != WebSearch::Disabled;
                list.pair("-c", format!("tools.web_search={on}"));
            }
            list.set("web_search", search.as_str());
        }
        if let Some(file) = &self.files.base_instructions {
            let old = self.version.is_some_and(|version| version < Version::INSTRUCTIONS_FILE);
            let key =
                if old { "experimental_instructions_file" } else { "model_instructions_file" };
            list.set(key, &file.to_string_lossy());
        }
        if let Some(file) = &self.files.compact_prompt {
            // A prompt in the user's configuration would override the file (0.77 to 0.171).
            list.set("compact_prompt", "");
            list.set("experimental_compact_prompt_file", &file.to_string_lossy());
        }
    }
}

struct ArgumentList(Vec<OsString>);

impl ArgumentList {
    fn pair(&mut self, flag: &str, value: impl AsRef<Path>) {
        self.0.extend([flag.into(), value.as_ref().into()]);
    }

    fn push_once(&mut self, flag: &str) {
        if !self.0.iter().any(|argument| argument == flag) {
            self.0.push(flag.into());
        }
    }

    fn settings(&mut self, settings: &[Setting]) {
        for (key, value) in settings {
            self.pair("-c", format!("{key}={value}"));
        }
    }

    /// Adds a setting with a string value, quoted for TOML.
    fn set(&mut self, key: &str, value: &str) {
        self.pair("-c", format!("{key}={}", toml::Value::from(value)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::model_name::{Model, ReasoningEffort};
    use crate::model::options::Override;
    use serde_json::json;

    const SESSION: &str = "0199a213-81c0-7800-8aa1-bbab2a035a53";

    fn arguments(confined: bool, options: &Options, session: Session, version: Version) -> String {
        let imposed = [("a.b".to_owned(), "c".into())];
        let invocation = Invocation {
            working_dir: &WorkingDir::existing("/").expect("the root exists"),
            sandbox: Some(Sandbox::WorkspaceWrite),
            ignore_rules: confined,
            defaults: &[],
            imposed: if confined { &imposed } else { &[] },
            options,
            files: &Files::default(),
            session,
            version: Some(version),
        };
        let line = invocation.arguments().join(" ".as_ref());
        line.into_string().expect("all of it is text")
    }

    #[test]
    fn options_come_before_resume_and_the_prompt_is_read_from_stdin() {
        let options = Options {
            model: Some(Model::parse("gpt-5").expect("a plain name")),
            reasoning_effort: Some(ReasoningEffort::parse("high").expect("a plain word")),
            ..Options::default()
        };
        let session = Session::Resume(SESSION.parse().expect("a UUID"));
        assert_eq!(
            arguments(false, &options, session, Version(0, 169)),
            format!(
                "exec --skip-git-repo-check --json -C / -s workspace-write -m gpt-5 \
                 -c model_reasoning_effort=\"high\" resume {SESSION} -"
            )
        );
    }

    #[test]
    fn a_confined_turn_ignores_rules_and_gets_the_imposed_settings() {
        let none = Options::default();
        let start = "exec --skip-git-repo-check --json -C / -s workspace-write";
        assert_eq!(
            arguments(true, &none, Session::New, Version(0, 169)),
            format!("{start} --ignore-rules -c a.b=\"c\" -")
        );
        assert_eq!(
            arguments(true, &none, Session::New, Version(0, 77)),
            format!("{start} -c a.b=\"c\" -")
        );
        assert_eq!(arguments(false, &none, Session::New, Version(0, 169)), format!("{start} -"));
    }

    #[test]
    fn parameters_override_config_and_are_spelled_as_the_version_expects() {
        let options = Options {
            config: vec![Override::new("web_search", &json!("cached")).expect("a key")],
            web_search: Some(WebSearch::Live),
            extra_arguments: vec!["--ephemeral".parse::<Argument>().expect("an argument")],
            ..Options::default()
        };
        let fork = Session::Fork(SESSION.parse().expect("a UUID"));
        let line = arguments(false, &options, fork, Version(0, 169));
        assert!(line.ends_with(&format!(
            "--ephemeral -c web_search=\"cached\" -c web_search=\"live\" fork {SESSION} -"
        )));
        let old = arguments(false, &options, Session::New, Version(0, 77));
        assert!(old.ends_with("-c tools.web_search=true -c web_search=\"live\" -"), "{old}");
    }
}
