//! Checks which caller-supplied values may appear on Codex's command line: names, numbers, paths and
//! programs, but no text written for the model, because every user of the machine can read the command line
//! of a process. Pure.
//!
//! A setting whose value is text for the model is recognized by its key, since the text can be anything: at
//! any depth, as in `developer_instructions`, `auto_review.policy` or `features.….usage_hint_text` (Codex
//! 0.153 to 0.171). All other values are limited to a length too short for such a text.

use toml::Value;

use super::text::excerpt;
use super::value::{InvalidValue, name};

/// The one text setting that Codex can also read from a file.
pub(crate) const COMPACT_PROMPT: &str = "compact_prompt";

/// Maximum length of a string in a setting and of an argument, in bytes.
const MAX_LINE_BYTES: usize = 1_024;

/// If a part of a key contains one of these, its value is text for the model.
const TEXT_FRAGMENTS: &[&str] = &[
    "instructions",
    "prompt",
    "hint_text",
    "guidance",
    "startup_context",
    "preamble",
    "template",
    "reminder",
];
/// If a part of a key equals one of these, its value is text for the model.
const TEXT_KEYS: &[&str] =
    &["description", "policy", "policy_template", "policy_config", "extra_policy"];

/// If a key contains one of these, in any case, or ends with `key`, its value may be a secret.
const SECRET_FRAGMENTS: &[&str] =
    &["token", "secret", "password", "apikey", "authorization", "cookie"];

/// If a part of a key ends with one of these, its value only names the variable that holds the secret.
const VARIABLE_SUFFIXES: &[&str] = &["_env_var", "_env_vars", "env_key", "env_http_headers"];

/// If a key ends with one of these, its value only names a file that holds the text.
const PATH_SUFFIXES: &[&str] = &["_file", "_path", "_dir"];

/// Checks a setting with its parsed TOML value.
pub(crate) fn check_setting(key: &str, value: &Value) -> Result<(), InvalidValue> {
    let last = key.rsplit('.').next().unwrap_or_default();
    if key == last
        && let Value::String(text) = value
        && !is_text(key)
        && text.contains(char::is_whitespace)
        && !is_path(text)
    {
        return Err(InvalidValue(format!(
            "has a value for {} that must be {PLAIN_VALUE}",
            excerpt(key)
        )));
    }
    // Everything nested below a top-level text setting counts as part of that text.
    check(key, is_text(last), key == last && is_text(key), value)
}

/// Checks a setting of the operator: the same, and it must hold no secret. The message never has the value.
pub(crate) fn check_operator_setting(key: &str, value: &Value) -> Result<(), InvalidValue> {
    let (parents, last) = key.rsplit_once('.').unwrap_or(("", key));
    let named = parents.split('.').any(names_variables) || names_variables(last);
    let secret = if named { None } else { secret(key, is_secret(last), value) };
    let problem = match secret {
        Some(key) => {
            let key = excerpt(key);
            format!(
                "has {key}, which may be a secret and would be visible to other users on the command line"
            )
        }
        None => match check_setting(key, value) {
            Ok(()) => return Ok(()),
            Err(InvalidValue(problem)) => {
                // The rest says what a caller could do instead.
                problem.split(": ").next().unwrap_or_default().to_owned()
            }
        },
    };
    Err(InvalidValue(format!("{problem}: put it in Codex's config.toml, or in a profile there")))
}

/// The key of the first value that may be a secret. `is_secret`: the key of `value` says so.
fn secret(key: &str, is_secret_key: bool, value: &Value) -> Option<String> {
    match value {
        Value::String(text) => (is_secret_key && !text.is_empty()).then(|| key.to_owned()),
        Value::Array(values) => values.iter().find_map(|value| secret(key, is_secret_key, value)),
        Value::Table(table) => {
            let mut entries = table.iter().filter(|(part, _)| !names_variables(part));
            entries
                .find_map(|(part, value)| secret(&format!("{key}.{part}"), is_secret(part), value))
        }
        _ => None,
    }
}

fn is_secret(part: &str) -> bool {
    let part = part.to_ascii_lowercase();
    SECRET_FRAGMENTS.iter().any(|secret| part.contains(secret))
        || part.ends_with("_key")
        || part.ends_with("-key")
}

fn names_variables(part: &str) -> bool {
    VARIABLE_SUFFIXES.iter().any(|end| part.ends_with(end))
}

/// Describes the values that [`is_plain_value`] accepts.
pub(crate) const PLAIN_VALUE: &str = "a word, a number or a boolean";

/// Whether a value is a short word, a number or a boolean, which can neither hold text nor name a program.
pub(crate) fn is_plain_value(value: &Value) -> bool {
    match value {
        Value::Boolean(_) | Value::Integer(_) | Value::Float(_) => true,
        Value::String(text) => text.is_empty() || name(text, "._:/@+-").is_some(),
        Value::Datetime(_) | Value::Array(_) | Value::Table(_) => false,
    }
}

/// Checks a value recursively. `in_text`: `key` names a text for the model. `inherited`: so does every key
/// below it.
fn check(key: &str, in_text: bool, inherited: bool, value: &Value) -> Result<(), InvalidValue> {
    match value {
        Value::String(text) if in_text && !text.trim().is_empty() => Err(text_not_allowed(key)),
        Value::String(text) if !is_line(text) => Err(InvalidValue(format!(
            "has a value for {} that is not one line of at most {MAX_LINE_BYTES} bytes: \
             {ELSEWHERE}",
            excerpt(key)
        ))),
        Value::Array(values) => {
            values.iter().try_for_each(|value| check(key, in_text, inherited, value))
        }
        Value::Table(table) => table.iter().try_for_each(|(part, value)| {
            let in_text = is_text(part) || in_text && inherited;
            if !is_line(part) {
                return Err(text_not_allowed(key));
            }
            check(&format!("{key}.{part}"), in_text, inherited, value)
        }),
        _ => Ok(()),
    }
}

/// Checks an argument, which may be a setting (`-c key=value`, as one argument or as two).
pub(crate) fn check_argument(argument: &str) -> Result<(), InvalidValue> {
    let setting = ["--config=", "-c=", "-c"].iter().find_map(|flag| argument.strip_prefix(flag));
    let setting = setting.unwrap_or(argument).split_once('=').map(|(key, value)| {
        let table: Option<toml::Table> = format!("value = {value}").parse().ok();
        let value = table.and_then(|mut table| table.remove("value"));
        (key.trim(), value.unwrap_or_else(|| Value::from(setting_text(argument))))
    });
    let is_key = |key: &str| !key.is_empty() && !key.contains(char::is_whitespace);
    let is_option = argument.starts_with('-');
    match setting.filter(|(key, _)| is_key(key)) {
        _ if !is_line(argument) => Err(InvalidValue(format!(
            "has an argument that is not one line of at most {MAX_LINE_BYTES} bytes: {ELSEWHERE}"
        ))),
        Some((key, value)) => check_setting(key.trim_start_matches('-'), &value),
        None if !is_option && argument.contains(char::is_whitespace) && !is_path(argument) => {
            Err(InvalidValue(format!(
                "has an argument that is not an option, a word or a path: {ELSEWHERE}"
            )))
        }
        None => Ok(()),
    }
}

/// The raw value of a setting. Codex uses it as a string if it is not valid TOML.
fn setting_text(argument: &str) -> &str {
    argument.split_once('=').map_or("", |(_, value)| value)
}

/// Says where text for the model belongs instead.
const ELSEWHERE: &str = "text for the model belongs in the prompt or base_instructions";

fn text_not_allowed(key: &str) -> InvalidValue {
    let key_shown = excerpt(key);
    let elsewhere = match key {
        COMPACT_PROMPT => "pass it in config, as a string",
        _ => "put it in the prompt or base_instructions",
    };
    InvalidValue(format!(
        "has {key_shown}, which is text for the model and would be visible to other users on the \
         command line: {elsewhere}"
    ))
}

fn is_text(part: &str) -> bool {
    let is_path = PATH_SUFFIXES.iter().any(|end| part.ends_with(end));
    !is_path && (TEXT_FRAGMENTS.iter().any(|text| part.contains(text)) || TEXT_KEYS.contains(&part))
}

/// Whether the value of a setting with this name is the path of a file or folder.
pub(crate) fn is_path_setting(name: &str) -> bool {
    name == "model_catalog_json" || PATH_SUFFIXES.iter().any(|end| name.ends_with(end))
}

fn is_path(text: &str) -> bool {
    ["/", "./", "../", "~/", "\\\\"].iter().any(|start| text.starts_with(start))
        || text.get(1..3) == Some(":\\")
}

fn is_line(text: &str) -> bool {
    text.len() <= MAX_LINE_BYTES && !text.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::value::MAX_NAME_CHARS;
    use serde_json::json;

    fn setting(key: &str, value: serde_json::Value) -> bool {
        check_setting(key, &Value::try_from(value).expect("representable in TOML")).is_ok()
    }

    #[test]
    fn file_names_and_empty_values_do_not_count_as_text() {
        assert!(setting("model_instructions_file", json!("/a b/c.md")));
        assert!(setting("developer_instructions", json!("")));
        assert!(setting("include_permissions_instructions", json!(false)));
        assert!(!setting("developer_instructions", json!("x")));
        assert!(!setting("a.b.developer_instructions", json!("x")));
        assert!(!setting("compact_prompt", json!({"a": ["x"]})));
        assert!(!setting("a", json!({"x\ny": 1})));
    }

    #[test]
    fn programs_and_servers_are_allowed() {
        let server =
            json!({"command": "sh", "args": ["-c", "sleep 1; exec it"], "env": {"A": "b c"}});
        assert!(setting("mcp_servers.prompts", server.clone()));
        assert!(setting("mcp_servers", json!({"prompts": server})));
        assert!(setting("notify", json!(["sh", "-c", "echo it is done"])));
        assert!(setting("openai_base_url", json!("http://127.0.0.1:1/v1?a=b")));
        assert!(!setting("some_new_setting", json!("Please dig.")));
    }

    #[test]
    fn an_argument_must_be_an_option_word_path_or_setting() {
        for fine in [
            "--ephemeral",
            "-cmodel=x",
            "a.b=\"c d\"",
            "/a b/c",
            "--output-schema=/a b",
            "review",
            "-c",
            "--config=include_permissions_instructions=true",
        ] {
            assert_eq!(check_argument(fine), Ok(()), "{fine}");
        }
        for text in [
            "Please dig.",
            "-cdeveloper_instructions=dig",
            " developer_instructions = dig now",
            "x={y={policy=\"dig\"}}",
            "service_tier=Please dig.",
            "--a\nb",
        ] {
            assert!(check_argument(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_plain_value_is_short() {
        let is_plain =
            |value: serde_json::Value| is_plain_value(&Value::try_from(value).expect("TOML"));
        assert!([json!("low"), json!(1), json!(true), json!("")].into_iter().all(is_plain));
        assert!(!is_plain(json!("a b")) && !is_plain(json!(["low"])));
        assert!(!is_plain(json!("x".repeat(MAX_NAME_CHARS + 1))));
    }
}
