//! The argument list of one run. Pure: no file, no process, no prompt.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::setting::Setting;
use super::version::Version;
use crate::model::options::{Argument, Options, WebSearch};
use crate::model::sandbox::Sandbox;
use crate::model::session_id::SessionId;
use crate::model::working_dir::WorkingDir;

/// Options that Codex takes once and no more.
const ONCE: &[&str] =
    &["--skip-git-repo-check", "--json", "--ephemeral", "--strict-config", IGNORE_RULES];

/// The option that leaves out Codex's rules.
const IGNORE_RULES: &str = "--ignore-rules";

/// How a run begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Session {
    New,
    Resume(SessionId),
    /// In a copy of this one.
    Fork(SessionId),
}

/// Files that are made for one run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Files {
    pub(crate) output_schema: Option<PathBuf>,
    pub(crate) base_instructions: Option<PathBuf>,
    pub(crate) compact_prompt: Option<PathBuf>,
    /// Other names for pictures that Codex could not be given by their own.
    pub(crate) pictures: Vec<(PathBuf, PathBuf)>,
}

impl Files {
    /// By which name Codex is told of a picture.
    fn picture<'a>(&'a self, path: &'a Path) -> &'a Path {
        let named = self.pictures.iter().find(|(own, _)| own == path);
        named.map_or(path, |(_, name)| name)
    }
}

/// What one run of Codex is told on its command line. The prompt is not a part of it: it goes to
/// standard input, where it can neither be read as a flag nor be seen in the process list.
#[derive(Debug, Clone)]
pub(crate) struct Invocation<'a> {
    pub(crate) working_dir: &'a WorkingDir,
    pub(crate) sandbox: Option<Sandbox>,
    /// Whether Codex's rules are left out, which let commands out of any sandbox.
    pub(crate) ignore_rules: bool,
    /// Settings that hold unless the call says otherwise.
    pub(crate) defaults: &'a [Setting],
    /// Settings that hold whatever the call says.
    pub(crate) imposed: &'a [Setting],
    pub(crate) options: &'a Options,
    pub(crate) files: &'a Files,
    pub(crate) session: Session,
    pub(crate) version: Option<Version>,
}

impl Invocation<'_> {
    /// `exec … [resume <id> | fork <id>] -`. Options stand before `resume` and `fork`: Codex refuses
    /// most of them after it.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let mut line = Line(vec!["exec".into()]);
        // First, because what follows a picture is taken for another one unless it is an option.
        for image in &self.options.images {
            line.pair("-i", self.files.picture(image.as_path()));
        }
        line.0.extend(["--skip-git-repo-check".into(), "--json".into()]);
        line.pair("-C", self.working_dir.as_path());
        if let Some(sandbox) = self.sandbox {
            line.pair("-s", sandbox.as_str());
        }
        self.options(&mut line);
        let knows_rules = self.version.is_none_or(|version| version >= Version::IGNORE_RULES);
        if self.ignore_rules && knows_rules {
            line.once(IGNORE_RULES);
        }
        line.settings(self.imposed);
        match self.session {
            Session::New => {}
            Session::Resume(session) => line.pair("resume", session.to_string()),
            Session::Fork(session) => line.pair("fork", session.to_string()),
        }
        line.0.push("-".into());
        line.0
    }

    fn options(&self, line: &mut Line) {
        let options = self.options;
        if let Some(model) = &options.model {
            line.pair("-m", model.as_str());
        }
        if let Some(profile) = &options.profile {
            line.pair("--profile", profile.as_str());
        }
        for dir in &options.add_dirs {
            line.pair("--add-dir", dir.as_path());
        }
        if let Some(schema) = &self.files.output_schema {
            line.pair("--output-schema", schema);
        }
        for argument in options.extra_arguments.iter().map(Argument::as_str) {
            match ONCE.contains(&argument) {
                true => line.once(argument),
                false => line.0.push(argument.into()),
            }
        }
        line.settings(self.defaults);
        // Of two settings of one key the later wins: a parameter of its own is more than `config`.
        for setting in &options.config {
            line.pair("-c", setting.to_string());
        }
        if let Some(effort) = &options.reasoning_effort {
            line.set("model_reasoning_effort", effort.as_str());
        }
        if let Some(policy) = options.approval_policy {
            line.set("approval_policy", policy.as_str());
        }
        let old = self.version.is_some_and(|version| version < Version::WEB_SEARCH);
        match options.web_search {
            // Before, there was the web or nothing.
            Some(search) if old => {
                let on = search != WebSearch::Disabled;
                line.pair("-c", format!("tools.web_search={on}"));
            }
            Some(search) => line.set("web_search", search.as_str()),
            None => {}
        }
        if let Some(file) = &self.files.base_instructions {
            let old = self.version.is_some_and(|version| version < Version::INSTRUCTIONS_FILE);
            let key =
                if old { "experimental_instructions_file" } else { "model_instructions_file" };
            line.set(key, &file.to_string_lossy());
        }
        if let Some(file) = &self.files.compact_prompt {
            // One that the person has configured would be stronger than a file (0.77 to 0.171).
            line.set("compact_prompt", "");
            line.set("experimental_compact_prompt_file", &file.to_string_lossy());
        }
    }
}

mod redact;

pub(crate) use redact::redacted;

struct Line(Vec<OsString>);

impl Line {
    fn pair(&mut self, flag: &str, value: impl AsRef<Path>) {
        self.0.extend([flag.into(), value.as_ref().into()]);
    }

    fn once(&mut self, flag: &str) {
        if !self.0.iter().any(|said| said == flag) {
            self.0.push(flag.into());
        }
    }

    fn settings(&mut self, settings: &[Setting]) {
        for (key, value) in settings {
            self.pair("-c", format!("{key}={value}"));
        }
    }

    /// A setting whose value is a text, quoted as TOML wants it.
    fn set(&mut self, key: &str, value: &str) {
        self.pair("-c", format!("{key}={}", toml::Value::from(value)));
    }
}

#[cfg(all(test, unix))]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::model_name::{Model, ReasoningEffort};
    use crate::model::options::Override;
    use serde_json::json;

    const SESSION: &str = "0199a213-81c0-7800-8aa1-bbab2a035a53";

    fn arguments(kept: bool, options: &Options, session: Session, version: Version) -> String {
        let imposed = [("a.b".to_owned(), "c".into())];
        let invocation = Invocation {
            working_dir: &WorkingDir::existing("/").expect("the root exists"),
            sandbox: Some(Sandbox::WorkspaceWrite),
            ignore_rules: kept,
            defaults: &[],
            imposed: if kept { &imposed } else { &[] },
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
    fn what_lets_commands_out_of_the_sandbox_is_turned_off_where_it_is_limited() {
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
    fn parameters_are_more_than_config_and_are_said_as_the_version_knows_them() {
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
        assert!(old.ends_with("-c tools.web_search=true -"), "{old}");
    }
}
