//! Whether Codex is logged in, as far as it says so without a turn.

use std::time::Duration;

use toml::Table;

use super::check::{Check, listed};
use super::codex::Found;
use super::probe::{Output, ProbeError, probe};

/// It usually takes 20 ms: Codex reads a file.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Keys in the environment, which `codex login status` does not count (0.77 to 0.171).
const KEYS: [&str; 3] = ["OPENAI_API_KEY", "CODEX_API_KEY", "CODEX_ACCESS_TOKEN"];

const ID: &str = "login";

/// Runs `codex login status`, and checks what may replace a login.
pub(super) async fn examine(found: &Found, config: &Table) -> Check {
    let answer = probe(&found.program, &["login", "status"], ANSWER_WITHIN).await;
    judge(answer, config, super::is_set)
}

fn judge(
    answer: Result<Output, ProbeError>,
    config: &Table,
    is_set: impl Fn(&str) -> bool,
) -> Check {
    let live = format!("{} doctor --live", env!("CARGO_PKG_NAME"));
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            let summary = format!("it is unknown whether Codex is logged in: {error}");
            return Check::warning(ID, summary, format!("run `{live}`"));
        }
    };
    if answer.status.success() {
        // A part of the key follows.
        let said = answer.stderr.lines().next().unwrap_or_default();
        let said = said.split(" - ").next().unwrap_or_default().trim();
        return Check::ok(ID, if said.is_empty() { "Codex is logged in" } else { said });
    }
    if !answer.stderr.contains("Not logged in") {
        let summary = format!("`codex login status` failed: {}", answer.summary());
        return Check::warning(ID, summary, format!("run `{live}`"));
    }
    if let Some(check) = of_provider(config, &is_set) {
        return check;
    }
    let keys: Vec<&str> = KEYS.into_iter().filter(|key| is_set(key)).collect();
    if keys.is_empty() {
        let fix = "run `codex login`, or set an API key in the environment";
        return Check::warning(ID, "Codex is not logged in", fix);
    }
    let summary = format!("Codex is not logged in, but {} may replace the login", listed(keys));
    Check::warning(ID, summary, format!("check with `{live}`, or run `codex login`"))
}

/// The check for a provider that needs no login at OpenAI.
fn of_provider(config: &Table, is_set: impl Fn(&str) -> bool) -> Option<Check> {
    let name = config.get("model_provider")?.as_str()?;
    let provider = config.get("model_providers")?.get(name)?.as_table()?;
    if provider.get("requires_openai_auth").and_then(toml::Value::as_bool) == Some(true) {
        return None;
    }
    let key = provider.get("env_key").and_then(toml::Value::as_str);
    let missing = key.filter(|key| !is_set(key));
    Some(match missing {
        None => Check::ok(ID, format!("the provider {name} of config.toml needs no login")),
        Some(key) => {
            let summary = format!("the provider {name} of config.toml needs a key in {key}");
            Check::warning(ID, summary, format!("set {key}, for the server too"))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::check::Status;

    fn said(success: bool, stderr: &str, config: &str, set: &str) -> (Status, String) {
        let status = std::process::Command::new(if success { "true" } else { "false" });
        let status = { status }.status().expect("every system has these");
        let answer = Output { status, stdout: String::new(), stderr: stderr.into() };
        let config = config.parse().expect("it is TOML");
        let check = judge(Ok(answer), &config, |name| name == set);
        (check.status, check.summary)
    }

    #[test]
    fn nothing_of_a_key_is_shown() {
        let (status, summary) = said(true, "Logged in using an API key - sk-abcde***\n", "", "");
        assert_eq!((status, summary.as_str()), (Status::Ok, "Logged in using an API key"));
    }

    #[test]
    fn no_login_is_a_warning_unless_the_provider_wants_none() {
        let no = |config, set| said(false, "Not logged in\n", config, set);
        assert_eq!(no("", "").0, Status::Warning);
        assert!(no("", "CODEX_API_KEY").1.contains("CODEX_API_KEY"));
        let provider = "model_provider = \"x\"\nmodel_providers.x.env_key = \"X_KEY\"";
        assert_eq!(no(provider, "").0, Status::Warning);
        assert_eq!(no(provider, "X_KEY").0, Status::Ok);
        let openai = "model_provider = \"x\"\nmodel_providers.x.requires_openai_auth = true";
        assert_eq!(no(openai, "").0, Status::Warning);
    }
}
