//! Property tests of the argument list: whatever a caller passes, parsing the list as strictly as Codex does
//! must yield exactly what was requested.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};
use toml::Table;

use super::{Files, Invocation, Session};
use crate::codex::version::Version;
use crate::model::model_name::{Model, ReasoningEffort};
use crate::model::options::{ApprovalPolicy, Image, Options, Override, WebSearch};
use crate::model::policy::Policy;
use crate::model::prompt::Prompt;
use crate::model::request::TurnRequest;
use crate::model::sandbox::Sandbox;
use crate::model::working_dir::WorkingDir;

/// A setting that overrides those of the call.
const IMPOSED: &str = "approval_policy";

const SESSION: &str = "0199a213-81c0-7800-8aa1-bbab2a035a53";

/// Texts that have broken argument lists before, or would do the most damage if they did.
const HOSTILE: &str = include_str!("../../../tests/fixtures/hostile.json");

static TEXTS: LazyLock<Vec<String>> =
    LazyLock::new(|| serde_json::from_str(HOSTILE).expect("a list of texts"));

/// The path of a directory with any valid name.
fn path() -> impl Strategy<Value = String> {
    text().prop_filter_map("no path", |name| (!name.contains('\0')).then(|| format!("/d/{name}")))
}

/// An image whose path passes the checks.
fn image() -> impl Strategy<Value = Image> {
    path().prop_filter_map("no picture", |path| {
        let whole = !path.contains(',');
        whole.then(|| serde_json::from_value(json!(path)).expect("it is a path"))
    })
}

/// Any text, with a bias towards hostile ones.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        proptest::sample::select(TEXTS.as_slice()),
        "[a-zA-Z0-9_.-]{1,20}",
        "-{0,2}[a-z]{1,10}=?[a-z\"']{0,10}",
    ]
}

/// Any JSON.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((text(), inner), 0..4).prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}

/// A setting as a caller may write it, with its intended value. Biased towards allowed keys.
fn setting() -> impl Strategy<Value = (Override, Value)> {
    let key = prop_oneof![
        text(),
        Just("model_verbosity".to_owned()),
        Just("developer_instructions".to_owned()),
        Just("sandbox_workspace_write.network_access".to_owned()),
    ];
    (key, json_value()).prop_filter_map("no setting", |(key, value)| {
        Some((Override::new(&key, &value).ok()?, value))
    })
}

prop_compose! {
    /// All options of a caller that pass the checks, and the intended values of the settings.
    fn options()(
        model in option::of(text()),
        reasoning_effort in option::of(text()),
        profile in option::of(text()),
        settings in vec(setting(), 0..4),
        approval_policy in option::of(proptest::sample::select(ApprovalPolicy::ALL)),
        add_dirs in vec(path(), 0..3),
        images in vec(image(), 0..3),
        web_search in option::of(proptest::sample::select(WebSearch::ALL)),
        extra_arguments in vec(
            prop_oneof![text(), Just("--ephemeral".to_owned()), Just("--ignore-rules".to_owned())],
            0..3,
        ),
    ) -> (Options, Vec<Value>) {
        let (config, meant) = settings.into_iter().unzip();
        let options = Options {
            model: model.and_then(|text| Model::parse(&text).ok()),
            reasoning_effort: reasoning_effort.and_then(|text| ReasoningEffort::parse(&text).ok()),
            profile: profile.and_then(|text| text.parse().ok()),
            config,
            compact_prompt: None,
            approval_policy,
            add_dirs: add_dirs.into_iter().map(WorkingDir::unchecked).collect(),
            images,
            output_schema: None,
            web_search,
            base_instructions: None,
            developer_instructions: None,
            extra_arguments: extra_arguments.iter().flat_map(|text| text.parse()).collect(),
        };
        (options, meant)
    }
}

/// A parsed argument list.
#[derive(Debug, Default, PartialEq)]
struct Parsed {
    flags: Vec<String>,
    /// Options with a value, in order; a list of images has one entry for each.
    values: Vec<(String, PathBuf)>,
    subcommand: Option<(String, String)>,
}

impl Parsed {
    fn all(&self, flag: &str) -> Vec<&PathBuf> {
        self.values.iter().filter(|(name, _)| name == flag).map(|(_, value)| value).collect()
    }

    /// Each setting: its key, and its single value when parsed like Codex does.
    fn settings(&self) -> Vec<(String, toml::Value)> {
        let read = |setting: &PathBuf| {
            let setting = setting.to_str().expect("settings are text");
            let (key, value) = setting.split_once('=').expect("a setting has a value");
            let mut table: Table =
                format!("_x_ = {value}").parse().unwrap_or_else(|e| panic!("{setting:?}: {e}"));
            let value = table.remove("_x_").expect("that key was written");
            assert!(table.is_empty(), "{setting:?} says more than one thing");
            (key.to_owned(), value)
        };
        self.all("-c").into_iter().map(read).collect()
    }
}

/// Parses an argument list like `codex exec` does: everything that starts with `-` is an option, values must
/// not start with it, and `-i` takes all arguments up to the next option, split at commas.
fn parse(arguments: &[std::ffi::OsString]) -> Result<Parsed, String> {
    const FLAGS: &[&str] =
        &["--skip-git-repo-check", "--json", "--ignore-rules", "--ephemeral", "--strict-config"];
    const VALUES: &[&str] = &["-C", "-s", "-m", "-c", "--profile", "--add-dir", "--output-schema"];
    let is_option = |argument: &OsStr| argument != "-" && argument.as_bytes().starts_with(b"-");
    let mut parsed = Parsed::default();
    let mut rest = arguments.iter().map(AsRef::<OsStr>::as_ref).peekable();
    if rest.next() != Some("exec".as_ref()) {
        return Err("it does not begin with exec".into());
    }
    while let Some(argument) = rest.next() {
        let text = argument.to_str().ok_or_else(|| format!("{argument:?} is no text"))?;
        match text {
            "-" if rest.peek().is_none() => return Ok(parsed),
            "-i" => {
                while let Some(values) = rest.next_if(|next| !is_option(next)) {
                    for value in values.as_bytes().split(|byte| *byte == b',') {
                        parsed.values.push(("-i".into(), OsStr::from_bytes(value).into()));
                    }
                }
            }
            "resume" | "fork" if parsed.subcommand.is_none() => {
                let session = rest.next().and_then(OsStr::to_str).unwrap_or_default();
                parsed.subcommand = Some((text.into(), session.into()));
            }
            _ if parsed.subcommand.is_some() => return Err(format!("{text:?} after a subcommand")),
            _ if FLAGS.contains(&text) => parsed.flags.push(text.into()),
            _ if VALUES.contains(&text) => {
                let value = rest.next().ok_or_else(|| format!("{text} has no value"))?;
                if is_option(value) {
                    return Err(format!("{text} takes {value:?} for an option"));
                }
                if text != "-c"
                    && parsed.values.iter().any(|(name, _)| name == text && text != "--add-dir")
                {
                    return Err(format!("{text} is there twice"));
                }
                parsed.values.push((text.into(), value.into()));
            }
            _ => return Err(format!("{text:?} is no option and no subcommand")),
        }
    }
    Err("the prompt is not read from standard input".into())
}

fn parsed_for(
    options: &Options,
    session: Session,
    confined: bool,
    version: Version,
) -> Result<Parsed, String> {
    let imposed = [(IMPOSED.to_owned(), "never".into())];
    let invocation = Invocation {
        working_dir: &WorkingDir::existing("/").expect("the root exists"),
        sandbox: Some(Sandbox::ReadOnly),
        ignore_rules: confined,
        defaults: &[],
        imposed: if confined { &imposed } else { &[] },
        options,
        files: &Files {
            image_aliases: Vec::new(),
            output_schema: Some("/state/a b,\"c\"/schema.json".into()),
            base_instructions: Some("/state/a b,\"c\"\n/instructions.md".into()),
            compact_prompt: Some("/state/a b,\"c\"\n/compact.md".into()),
            developer_message: None,
        },
        session,
        version: Some(version),
    };
    parse(&invocation.arguments())
}

fn session() -> impl Strategy<Value = Session> {
    let id = || SESSION.parse().expect("a UUID");
    prop_oneof![Just(Session::New), Just(Session::Resume(id())), Just(Session::Fork(id()))]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Even a caller who may set everything cannot turn one setting into two, or a value into a flag.
    #[test]
    fn the_arguments_contain_exactly_what_was_requested(
        (mut options, meant) in options(),
        session in session(),
        confined in any::<bool>(),
        old in any::<bool>(),
    ) {
        // These are passed on unchanged where everything is allowed.
        options.extra_arguments.clear();
        let version = if old { Version(0, 77) } else { Version(0, 169) };
        let parsed = parsed_for(&options, session, confined, version).map_err(TestCaseError::fail)?;

        let ignore_rules: &[&str] = if confined && !old { &["--ignore-rules"] } else { &[] };
        prop_assert_eq!(&parsed.flags, &[&["--skip-git-repo-check", "--json"], ignore_rules].concat());
        prop_assert_eq!(parsed.all("-s"), ["read-only".as_ref() as &std::path::Path]);
        prop_assert_eq!(parsed.all("-C"), ["/".as_ref() as &std::path::Path]);
        let one = |text: Option<&str>| text.map(PathBuf::from).into_iter().collect::<Vec<_>>();
        let model = one(options.model.as_ref().map(Model::as_str));
        prop_assert_eq!(parsed.all("-m"), model.iter().collect::<Vec<_>>());
        let profile = one(options.profile.as_ref().map(|profile| profile.as_str()));
        prop_assert_eq!(parsed.all("--profile"), profile.iter().collect::<Vec<_>>());
        let dirs: Vec<_> = options.add_dirs.iter().map(|dir| dir.as_path()).collect();
        prop_assert_eq!(parsed.all("--add-dir"), dirs);
        let images: Vec<_> = options.images.iter().map(|image| image.as_path()).collect();
        prop_assert_eq!(parsed.all("-i"), images);
        let expected = match session {
            Session::New => None,
            Session::Resume(_) => Some("resume"),
            Session::Fork(_) => Some("fork"),
        };
        prop_assert_eq!(parsed.subcommand.clone(), expected.map(|word| (word.into(), SESSION.into())));

        let settings = parsed.settings();
        for (at, (asked, meant)) in options.config.iter().zip(&meant).enumerate() {
            prop_assert_eq!(&settings[at].0, asked.key());
            let meant = toml::Value::try_from(meant).expect("it was checked");
            prop_assert_eq!(&settings[at].1, &meant);
        }
        let ours: Vec<&str> =
            settings[options.config.len()..].iter().map(|(key, _)| key.as_str()).collect();
        let mut expected = Vec::new();
        expected.extend(options.reasoning_effort.as_ref().map(|_| "model_reasoning_effort"));
        expected.extend(options.approval_policy.map(|_| "approval_policy"));
        if options.web_search.is_some() {
            expected.extend(old.then_some("tools.web_search").into_iter().chain(["web_search"]));
        }
        expected.push(if old { "experimental_instructions_file" } else { "model_instructions_file" });
        expected.extend(["compact_prompt", "experimental_compact_prompt_file"]);
        if confined {
            expected.push(IMPOSED);
        }
        prop_assert_eq!(ours, expected);
    }

    /// Nothing that a restrictive policy lets through could open the sandbox.
    #[test]
    fn allowed_options_cannot_open_the_sandbox(
        (mut options, _) in options(),
        session in session(),
    ) {
        let policy = Policy { allow_extra_arguments: true, ..Policy::default() };
        let passes = |options: Options| {
            let prompt = Prompt::new("hello").expect("a prompt");
            policy.check(&TurnRequest::new(prompt).options(options)).is_ok()
        };
        // Check each separately, because hardly any combination would pass.
        options.extra_arguments.retain(|argument| {
            let extra_arguments = vec![argument.clone()];
            passes(Options { extra_arguments, ..Options::default() })
        });
        options.config.retain(|setting| {
            passes(Options { config: vec![setting.clone()], ..Options::default() })
        });
        // Parsing fails if anything unknown got through.
        let parsed = parsed_for(&options, session, true, Version(0, 169)).map_err(TestCaseError::fail)?;
        prop_assert!(parsed.flags.iter().any(|flag| flag == "--ignore-rules"));
        for (key, _) in &parsed.settings() {
            let root = key.split('.').next().unwrap_or_default();
            let opens = ["sandbox_", "mcp_", "notify", "hooks", "permissions", "projects", "features"];
            prop_assert!(!opens.iter().any(|word| root.starts_with(word)), "{key}");
        }
    }
}
