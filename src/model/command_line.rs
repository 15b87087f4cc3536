//! What a caller says may stand on the command line of Codex: names, numbers, paths, programs. Not
//! what is written for the model: all users of the machine can read a command line. Pure.
//!
//! Settings that hold such a text are known by their names (those of Codex 0.153 to 0.171, at any
//! depth: `developer_instructions`, `auto_review.policy`, `features.….usage_hint_text`), because the
//! texts can be anything. All others are kept too short for one.

use toml::Value;

use super::text::shown;
use super::value::{InvalidValue, name};

/// The setting that Codex takes from a file too.
pub(crate) const COMPACT_PROMPT: &str = "compact_prompt";

/// The longest text in a setting, and the longest argument, in bytes.
const MAX_LINE_BYTES: usize = 1_024;

/// What a part of a key has, or is, whose value is a text for the model.
const TEXTS: &[&str] = &[
    "instructions",
    "prompt",
    "hint_text",
    "guidance",
    "startup_context",
    "preamble",
    "template",
    "reminder",
];
const TEXT_NAMES: &[&str] =
    &["description", "policy", "policy_template", "policy_config", "extra_policy"];

/// What a key ends with whose value only leads to a text.
const PATHS: &[&str] = &["_file", "_path", "_dir"];

/// Checks a setting, as TOML has it.
pub(crate) fn check_setting(key: &str, value: &Value) -> Result<(), InvalidValue> {
    let last = key.rsplit('.').next().unwrap_or_default();
    if key == last
        && let Value::String(text) = value
        && !is_text(key)
        && text.contains(char::is_whitespace)
        && !is_path(text)
    {
        return Err(InvalidValue(format!("has a value for {} that must be {WORD}", shown(key))));
    }
    // Below one that is known as a text, whatever there is would be a part of it.
    check(key, is_text(last), key == last && is_text(key), value)
}

/// What a setting may be that is harmless everywhere.
pub(crate) const WORD: &str = "a word, a number, or true or false";

/// Whether it is that.
pub(crate) fn is_word(value: &Value) -> bool {
    match value {
        Value::Boolean(_) | Value::Integer(_) | Value::Float(_) => true,
        Value::String(text) => text.is_empty() || name(text, "._:/@+-").is_some(),
        Value::Datetime(_) | Value::Array(_) | Value::Table(_) => false,
    }
}

fn check(key: &str, is_a_text: bool, to_the_end: bool, value: &Value) -> Result<(), InvalidValue> {
    match value {
        Value::String(text) if is_a_text && !text.trim().is_empty() => Err(no_text(key)),
        Value::String(text) if !is_line(text) => Err(InvalidValue(format!(
            "has a value for {} that is no line of {MAX_LINE_BYTES} bytes at most: {ELSEWHERE}",
            shown(key)
        ))),
        Value::Array(values) => {
            values.iter().try_for_each(|value| check(key, is_a_text, to_the_end, value))
        }
        Value::Table(table) => table.iter().try_for_each(|(part, value)| {
            let is_a_text = is_text(part) || is_a_text && to_the_end;
            if !is_line(part) {
                return Err(no_text(key));
            }
            check(&format!("{key}.{part}"), is_a_text, to_the_end, value)
        }),
        _ => Ok(()),
    }
}

/// Checks an argument, which may be a setting (`-c key=value`, in one word or in two).
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
            "has one that is no line of {MAX_LINE_BYTES} bytes at most: {ELSEWHERE}"
        ))),
        Some((key, value)) => check_setting(key.trim_start_matches('-'), &value),
        None if !is_option && argument.contains(char::is_whitespace) && !is_path(argument) => {
            Err(InvalidValue(format!(
                "has one that is neither an option nor a word nor a path: {ELSEWHERE}"
            )))
        }
        None => Ok(()),
    }
}

/// What Codex takes a value for that is no TOML.
fn setting_text(argument: &str) -> &str {
    argument.split_once('=').map_or("", |(_, value)| value)
}

/// Where a text for the model belongs.
const ELSEWHERE: &str = "a text for the model belongs into the prompt or base_instructions";

fn no_text(key: &str) -> InvalidValue {
    let key_shown = shown(key);
    let elsewhere = match key {
        COMPACT_PROMPT => "it belongs into config, as a text",
        _ => "put it into the prompt or base_instructions",
    };
    InvalidValue(format!(
        "has {key_shown}, a text for the model, which would stand on a command line for others to \
         read: {elsewhere}"
    ))
}

fn is_text(part: &str) -> bool {
    let is_path = PATHS.iter().any(|end| part.ends_with(end));
    !is_path && (TEXTS.iter().any(|text| part.contains(text)) || TEXT_NAMES.contains(&part))
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
        check_setting(key, &Value::try_from(value).expect("TOML can say it")).is_ok()
    }

    #[test]
    fn a_text_is_none_whose_name_leads_to_a_file_or_that_says_nothing() {
        assert!(setting("model_instructions_file", json!("/a b/c.md")));
        assert!(setting("developer_instructions", json!("")));
        assert!(setting("include_permissions_instructions", json!(false)));
        assert!(!setting("developer_instructions", json!("x")));
        assert!(!setting("a.b.developer_instructions", json!("x")));
        assert!(!setting("compact_prompt", json!({"a": ["x"]})));
        assert!(!setting("a", json!({"x\ny": 1})));
    }

    #[test]
    fn programs_and_servers_can_be_said() {
        let server =
            json!({"command": "sh", "args": ["-c", "sleep 1; exec it"], "env": {"A": "b c"}});
        assert!(setting("mcp_servers.prompts", server.clone()));
        assert!(setting("mcp_servers", json!({"prompts": server})));
        assert!(setting("notify", json!(["sh", "-c", "echo it is done"])));
        assert!(setting("openai_base_url", json!("http://127.0.0.1:1/v1?a=b")));
        assert!(!setting("some_new_setting", json!("Please dig.")));
    }

    #[test]
    fn an_argument_is_an_option_a_word_a_path_or_a_setting() {
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
    fn a_word_is_short() {
        let word = |value: serde_json::Value| is_word(&Value::try_from(value).expect("TOML"));
        assert!([json!("low"), json!(1), json!(true), json!("")].into_iter().all(word));
        assert!(!word(json!("a b")) && !word(json!(["low"])));
        assert!(!word(json!("x".repeat(MAX_NAME_CHARS + 1))));
    }
}
