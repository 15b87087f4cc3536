//! What an entry lacks that a client needs to work with this program. Pure.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{Client, Unit, is_this};

/// An entry of another program.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Foreign {
    /// What it starts or connects to.
    pub(super) what: String,
}

/// The fields to set. What the user set stays, unless the client would not work with this program then.
///
/// `wanted` is the entry as it would be written. `least` is how long the client must wait for a call. `passed_on` are
/// the variables that Codex must pass on. `is_found` says whether a command can be started.
pub(super) fn missing(
    client: Client,
    existing: &Map<String, Value>,
    wanted: &Map<String, Value>,
    least: Duration,
    passed_on: &[String],
    is_found: impl Fn(&str) -> bool,
) -> Result<Map<String, Value>, Foreign> {
    let words = words(existing);
    if !words.iter().any(|word| is_this(word)) {
        let url = ["url", "httpUrl", "serverUrl"].iter().find_map(|name| existing.get(*name));
        let what = words.first().copied().or_else(|| url.and_then(Value::as_str));
        return Err(Foreign { what: what.unwrap_or("no command").to_owned() });
    }
    let mut fields = Map::new();
    let mut set = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
    if is_this(words[0]) && !is_found(words[0]) {
        match existing.get("command") {
            Some(Value::Array(command)) => {
                let own = wanted.get("command").and_then(Value::as_array).into_iter().flatten();
                set("command", own.chain(command.iter().skip(1)).cloned().collect());
            }
            _ => {
                set("command", wanted.get("command").cloned().unwrap_or_default());
                let before = wanted.get("args").and_then(Value::as_array);
                if let Some(before) = before.filter(|before| !before.is_empty()) {
                    let own = existing.get("args").and_then(Value::as_array).into_iter().flatten();
                    set("args", before.iter().chain(own).cloned().collect());
                }
            }
        }
    }
    for name in client.required() {
        if let Some(value) = wanted.get(*name).filter(|_| !existing.contains_key(*name)) {
            set(name, value.clone());
        }
    }
    if let Some((name, unit)) = client.timeout()
        && let Some(found) = existing.get(name).and_then(Value::as_f64)
        && found < unit.of(least)
    {
        set(name, unit.value(least.max(super::TIMEOUT)));
    }
    if client == Client::Codex {
        let mode = existing.get(APPROVAL);
        if mode.is_some_and(|mode| mode != "approve") {
            set(APPROVAL, "approve".into());
        }
        if existing.contains_key(VARIABLES) {
            let known = known(existing);
            let lost = passed_on.iter().filter(|name| !known.contains(&name.as_str()));
            let lost: Vec<Value> = lost.map(|name| name.as_str().into()).collect();
            if !lost.is_empty() {
                let all = existing.get(VARIABLES).and_then(Value::as_array);
                set(VARIABLES, all.into_iter().flatten().cloned().chain(lost).collect());
            }
        }
    }
    for (name, off) in [("enabled", false), ("disabled", true)] {
        if existing.get(name).and_then(Value::as_bool) == Some(off) {
            set(name, (!off).into());
        }
    }
    Ok(fields)
}

const APPROVAL: &str = "default_tools_approval_mode";
const VARIABLES: &str = "env_vars";

/// The command and its arguments.
fn words(entry: &Map<String, Value>) -> Vec<&str> {
    let of = |name| entry.get(name).map(std::slice::from_ref).unwrap_or_default();
    let words = of("command").iter().chain(of("args"));
    let words =
        words.flat_map(|value| value.as_array().map_or(std::slice::from_ref(value), |all| all));
    words.filter_map(Value::as_str).collect()
}

/// The variables that an entry passes on or sets.
fn known(entry: &Map<String, Value>) -> Vec<&str> {
    let passed = entry.get(VARIABLES).and_then(Value::as_array).into_iter().flatten();
    let passed = passed.filter_map(|value| value.as_str().or_else(|| value.get("name")?.as_str()));
    let set = entry.get("env").and_then(Value::as_object).into_iter().flatten();
    passed.chain(set.map(|(name, _)| name.as_str())).collect()
}

impl Unit {
    fn of(self, time: Duration) -> f64 {
        match self {
            Self::Seconds => time.as_secs_f64(),
            Self::Milliseconds => time.as_secs_f64() * 1_000.0,
        }
    }

    /// A timeout as a client's file has it.
    pub(in crate::cli) fn value(self, time: Duration) -> Value {
        match self {
            Self::Seconds => time.as_secs().into(),
            Self::Milliseconds => u64::try_from(time.as_millis()).unwrap_or(u64::MAX).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Start;
    use super::*;

    /// What is set in an entry of this client.
    fn set(client: Client, existing: Value) -> Result<Value, Foreign> {
        let object = |value: Value| value.as_object().expect("an object").clone();
        let passed_on = ["CODEX_HOME".to_owned()];
        let wanted =
            client.entry(&Start::plain("codex-persistent-mcp"), &passed_on, super::super::TIMEOUT);
        let least = Duration::from_secs(30 * 60);
        let is_found = |word: &str| !word.starts_with("/gone");
        let fields = missing(client, &object(existing), &wanted, least, &passed_on, is_found)?;
        Ok(Value::Object(fields))
    }

    #[test]
    fn what_the_user_set_stays_and_what_cuts_calls_off_does_not() {
        let this = "codex-persistent-mcp";
        for client in Client::ALL {
            let whole = client.entry(
                &Start::plain(this),
                &["CODEX_HOME".to_owned()],
                super::super::TIMEOUT,
            );
            assert_eq!(set(client, Value::Object(whole)), Ok(json!({})), "{client:?}");
        }
        let plain = json!({"command": this, "args": ["--debug"], "env": {"A": "b"}, "cwd": "/x"});
        for (client, missing) in [
            (Client::Claude, json!({})),
            (Client::Cursor, json!({})),
            (Client::Zed, json!({"timeout": 3600})),
            (Client::Gemini, json!({"timeout": 3_600_000})),
        ] {
            assert_eq!(set(client, plain.clone()), Ok(missing), "{client:?}");
        }
        let short = json!({"command": this, "timeout": 60_000});
        assert_eq!(set(Client::Claude, short), Ok(json!({"timeout": 3_600_000})));
        let long_enough = json!({"command": this, "timeout": 2_400_000});
        assert_eq!(set(Client::Gemini, long_enough), Ok(json!({})));
        let off = json!({"command": this, "disabled": true});
        assert_eq!(set(Client::Windsurf, off), Ok(json!({"disabled": false})));
    }

    #[test]
    fn codex_passes_on_what_is_set_here_beside_what_the_user_named() {
        let entry = |variables: Value| {
            json!({"command": "codex-persistent-mcp", "tool_timeout_sec": 300, "env": {"B": "c"},
                   "default_tools_approval_mode": "prompt", "env_vars": variables})
        };
        let fixed = json!({"tool_timeout_sec": 3600, "default_tools_approval_mode": "approve"});
        assert_eq!(set(Client::Codex, entry(json!([{"name": "CODEX_HOME"}]))), Ok(fixed.clone()));
        let mut with_variables = fixed;
        with_variables["env_vars"] = json!(["A", "CODEX_HOME"]);
        assert_eq!(set(Client::Codex, entry(json!(["A"]))), Ok(with_variables));
    }

    #[test]
    fn a_command_that_is_gone_is_replaced_by_npx_with_the_same_flags() {
        let gone = json!({"command": "/gone/codex-persistent-mcp", "args": ["--debug"]});
        let gone = gone.as_object().expect("an object");
        let wanted = Client::Cursor.entry(&Start::npx(), &[], super::super::TIMEOUT);
        let fields = missing(Client::Cursor, gone, &wanted, Duration::ZERO, &[], |_| false);
        let mut arguments = Start::npx().arguments();
        arguments.push("--debug".into());
        let fields = Value::Object(fields.expect("it is of this program"));
        assert_eq!(fields, json!({"command": Start::npx().program(), "args": arguments}));
    }

    #[test]
    fn a_command_that_is_gone_is_replaced_and_another_program_is_left_alone() {
        let gone = json!({"command": ["/gone/codex-persistent-mcp", "--debug"], "type": "local"});
        let mended = json!({"command": ["codex-persistent-mcp", "--debug"]});
        assert_eq!(set(Client::OpenCode, gone), Ok(mended));
        let wrapped = json!({"command": "env", "args": ["A=b", "/gone/codex-persistent-mcp"]});
        assert_eq!(set(Client::Cursor, wrapped), Ok(json!({})));
        let foreign = |what: &str| Err(Foreign { what: what.to_owned() });
        assert_eq!(set(Client::Cursor, json!({"command": "node"})), foreign("node"));
        assert_eq!(set(Client::Cursor, json!({"url": "http://h/mcp"})), foreign("http://h/mcp"));
        assert_eq!(set(Client::Cursor, json!({})), foreign("no command"));
    }
}
