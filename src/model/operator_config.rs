//! What the operator sets for Codex on this program's own command line, as `codex mcp-server` took it. Pure.
//!
//! It is parsed and merged as Codex does that (read in its source, seen on 0.153 and 0.171): a key is split at
//! its dots, a value that is not TOML is a string, and the later of two settings wins.

use std::path::Path;

use toml::{Table, Value};

use super::command_line::{COMPACT_PROMPT, check_operator_setting, is_path_setting};
use super::options::{MAX_OPTIONS_BYTES, Profile};
use super::text::excerpt;
use super::value::InvalidValue;

/// The operator's settings of Codex, which hold for every turn unless the call sets something else. The policy
/// for calls does not apply to them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct OperatorConfig {
    /// As the table that Codex makes of them.
    table: Table,
    /// The profile of a call that names none.
    pub(crate) profile: Option<Profile>,
    /// The developer instructions of a new session whose call has none.
    pub(crate) developer_instructions: Option<String>,
    /// The compact prompt of a call that has none.
    pub(crate) compact_prompt: Option<String>,
    /// Whether Codex must refuse settings that it does not know.
    pub(crate) is_strict: bool,
}

impl OperatorConfig {
    /// Adds a setting from the command line, `key=value`.
    ///
    /// # Errors
    ///
    /// If it has no key or no `=`, or a value that must not be on a command line. The message has the key, but
    /// never the value.
    pub(crate) fn add(&mut self, text: &str) -> Result<(), InvalidValue> {
        let (key, value) = parse(text)?;
        self.set(&key, value)
    }

    /// Adds a setting.
    ///
    /// # Errors
    ///
    /// If its value must not be on a command line, or if all settings together are too long for one.
    pub(crate) fn set(&mut self, key: &str, value: Value) -> Result<(), InvalidValue> {
        let text = value.as_str().filter(|text| !text.trim().is_empty()).map(str::to_owned);
        match key {
            // These reach Codex in files.
            "developer_instructions" if value.is_str() => {
                self.developer_instructions = text;
                return Ok(());
            }
            COMPACT_PROMPT if value.is_str() => {
                self.compact_prompt = text;
                return Ok(());
            }
            // Codex up to 0.120 selects a profile by this setting too.
            "profile" if value.is_str() => {
                self.profile = text.map(|name| name.parse()).transpose()?;
                return Ok(());
            }
            _ => check_operator_setting(key, &value)?,
        }
        insert(&mut self.table, key, value);
        let length: usize = self.settings().map(|(key, value)| key.len() + value.len()).sum();
        if length > MAX_OPTIONS_BYTES {
            return Err(InvalidValue(format!(
                "makes the settings longer than {MAX_OPTIONS_BYTES} bytes: put them in Codex's config.toml"
            )));
        }
        Ok(())
    }

    /// Makes relative paths of files absolute, from the directory `base`. Codex itself would search them in the
    /// directory of each turn, where an earlier turn may have written them.
    pub(crate) fn resolve_paths(&mut self, base: &Path) {
        resolve(&mut self.table, base);
    }

    /// The settings as one table.
    pub(crate) fn table(&self) -> &Table {
        &self.table
    }

    /// The settings for Codex's command line: keys without dots, and values as TOML.
    fn settings(&self) -> impl Iterator<Item = (&str, String)> {
        self.table.iter().map(|(key, value)| (key.as_str(), value.to_string()))
    }
}

/// Reads `key=value`.
fn parse(text: &str) -> Result<(String, Value), InvalidValue> {
    let (key, value) = text
        .split_once('=')
        .map(|(key, value)| (key.trim(), value.trim()))
        .filter(|(key, _)| !key.is_empty())
        .ok_or_else(|| InvalidValue("must be KEY=VALUE".into()))?;
    // With a leading dash Codex would take it for an option.
    if key.starts_with('-') || key.contains(char::is_control) {
        let key = excerpt(key);
        return Err(InvalidValue(format!("must be KEY=VALUE, but {key} is no key of Codex")));
    }
    let parsed: Option<Table> = format!("value = {value}").parse().ok();
    let parsed = parsed.filter(|table| table.len() == 1).and_then(|mut it| it.remove("value"));
    let literal = || Value::from(value.trim_matches(['"', '\'']));
    Ok((key.to_owned(), parsed.unwrap_or_else(literal)))
}

/// Tables whose keys are names of variables.
const VARIABLES: &[&str] = &["env", "set"];

fn resolve(table: &mut Table, base: &Path) {
    for (key, value) in table {
        match value {
            Value::Table(inner) if !VARIABLES.contains(&key.as_str()) => resolve(inner, base),
            Value::String(path)
                if is_path_setting(key) && !path.is_empty() && !path.starts_with('~') =>
            {
                // An absolute path stays as it is.
                *path = base.join(&*path).to_string_lossy().into_owned();
            }
            _ => {}
        }
    }
}

/// Sets the value at a dotted key. What is in its way is replaced.
fn insert(table: &mut Table, key: &str, value: Value) {
    let Some((first, rest)) = key.split_once('.') else {
        table.insert(key.to_owned(), value);
        return;
    };
    let inner = table.entry(first).or_insert_with(|| Table::new().into());
    if !inner.is_table() {
        *inner = Table::new().into();
    }
    if let Value::Table(inner) = inner {
        insert(inner, rest, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(settings: &[&str]) -> OperatorConfig {
        let mut config = OperatorConfig::default();
        for setting in settings {
            config.add(setting).unwrap_or_else(|error| panic!("{setting}: {error}"));
        }
        config
    }

    fn table(toml: &str) -> Table {
        toml.parse().expect("the test's TOML is valid")
    }

    #[test]
    fn a_value_is_toml_or_else_a_literal_string() {
        for (setting, toml) in [
            ("model=gpt-5", "model = 'gpt-5'"),
            ("model=\"gpt-5\"", "model = 'gpt-5'"),
            (" model = 'gpt-5' ", "model = 'gpt-5'"),
            ("model=\"gpt-5", "model = 'gpt-5'"),
            ("a=b=c", "a = 'b=c'"),
            ("a=", "a = ''"),
            ("a=1", "a = 1"),
            ("a=0x10", "a = 16"),
            ("a=true", "a = true"),
            ("a=True", "a = 'True'"),
            ("a=[1, \"b\"]", "a = [1, 'b']"),
            ("a=[", "a = '['"),
            ("a={b=1,c={d=2}}", "a = {b = 1, c = {d = 2}}"),
            ("a.b.c=1", "a = {b = {c = 1}}"),
            // A line break cannot smuggle in a second setting.
            ("a=1\nsandbox_mode=2", "a = \"1\\nsandbox_mode=2\""),
        ] {
            let mut config = OperatorConfig::default();
            let added = config.add(setting);
            if setting.contains('\n') {
                assert!(added.is_err(), "{setting}");
                continue;
            }
            assert_eq!(added, Ok(()), "{setting}");
            assert_eq!(*config.table(), table(toml), "{setting}");
        }
    }

    #[test]
    fn later_settings_win_and_tables_are_merged() {
        let both = config(&["a.b=1", "a.c=2", "a.b=3", "d=1", "d.e=2"]);
        assert_eq!(*both.table(), table("a = {b = 3, c = 2}\nd = {e = 2}"));
        let replaced = config(&["a.b=1", "a={c=2}"]);
        assert_eq!(*replaced.table(), table("a = {c = 2}"));
    }

    #[test]
    fn a_setting_without_key_or_value_is_refused() {
        for wrong in ["", "x", "=1", " =1", "--yolo=1", "-s=x", "a\u{1b}=1"] {
            let error = OperatorConfig::default().add(wrong).expect_err(wrong).to_string();
            assert!(error.starts_with("must be KEY=VALUE"), "{wrong}: {error}");
        }
    }

    #[test]
    fn texts_and_secrets_are_refused_by_their_key_alone() {
        for (setting, key) in [
            ("instructions=Be xylophone", "instructions"),
            ("agents.a.developer_instructions=Be xylophone", "developer_instructions"),
            ("model_providers.a.experimental_bearer_token=xylophone", "bearer_token"),
            ("model_providers={a={http_headers={Authorization=\"xylophone\"}}}", "Authorization"),
            ("mcp_servers.a.env.GITHUB_TOKEN=xylophone", "GITHUB_TOKEN"),
            ("mcp_servers.a.env={API_KEY=\"xylophone\"}", "API_KEY"),
            ("mcp_servers.a.bearer_token=xylophone", "bearer_token"),
        ] {
            let error = OperatorConfig::default().add(setting).expect_err(setting).to_string();
            assert!(error.contains(key) && error.contains("config.toml"), "{error}");
            assert!(!error.contains("xylophone"), "{error}");
        }
        config(&[
            "model_providers.a.env_key=OPENAI_API_KEY",
            "mcp_servers.a.bearer_token_env_var=TOKEN",
            "mcp_servers.a.env_http_headers={X-Key=\"VARIABLE\"}",
            "mcp_servers.a.env.LANG=C",
            "tool_output_token_limit=100",
            "cli_auth_credentials_store=file",
            "model_instructions_file=/a b.md",
        ]);
    }

    #[test]
    fn a_relative_path_is_that_of_the_server() {
        let mut config = config(&[
            "model_instructions_file=a.md",
            "log_dir=/x",
            "model_catalog_json=~/m.json",
            "agents.a.config_file=../c",
            "mcp_servers.a={command=\"b\",env={x_path=\"p\"}}",
        ]);
        config.resolve_paths(Path::new("/d"));
        let expected = "model_instructions_file = '/d/a.md'\nlog_dir = '/x'\n\
                        model_catalog_json = '~/m.json'\nagents = {a = {config_file = '/d/../c'}}\n\
                        mcp_servers = {a = {command = 'b', env = {x_path = 'p'}}}";
        assert_eq!(*config.table(), table(expected));
    }

    #[test]
    fn all_settings_together_are_bounded() {
        let mut config = OperatorConfig::default();
        let value = "x".repeat(1_000);
        let refused =
            (0..1_000).find_map(|n| config.set(&format!("k{n}"), value.clone().into()).err());
        let error = refused.expect("they do not fit on a command line").to_string();
        assert!(error.contains("config.toml"), "{error}");
    }

    #[test]
    fn a_profile_and_texts_for_the_model_are_no_settings_on_a_command_line() {
        let config = config(&[
            "profile=fast",
            "developer_instructions=Be brief.\nIn French.",
            "compact_prompt=\"Sum up.\"",
        ]);
        assert_eq!(config.developer_instructions.as_deref(), Some("Be brief.\nIn French."));
        assert_eq!(config.compact_prompt.as_deref(), Some("Sum up."));
        assert!(config.table().is_empty());
        assert_eq!(config.profile.as_ref().map(Profile::as_str), Some("fast"));
    }
}
