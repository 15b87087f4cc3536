//! Whether Codex is logged in, as far as it says so without a turn.

use std::time::Duration;

use toml::Table;

use super::check::{Check, listed};
use super::codex::Found;
use super::probe::{Output, ProbeError, probe};
use crate::model::text::head_on_one_line;

/// It usually takes 20 ms: Codex reads a file.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Keys in the environment, which `codex login status` does not count (0.77 to 0.171).
const KEYS: [&str; 3] = ["OPENAI_API_KEY", "CODEX_API_KEY", "CODEX_ACCESS_TOKEN"];

/// How much of Codex's reason is shown, in characters.
const SHOWN: usize = 300;

const ID: &str = "login";

/// What Codex writes in front of the place and the reason if it refuses its configuration (0.153 to 0.171).
const REFUSED: &str = "Error loading configuration: ";

/// Codex does not start with its configuration: where, and why, in its words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused(pub(super) String);

/// Runs `codex login status`, and checks what may replace a login.
pub(super) async fn examine(found: &Found, config: &Table) -> Result<Check, Refused> {
    let answer = probe(&found.program, &["login", "status"], ANSWER_WITHIN).await;
    if let Ok(Output { status, stderr, .. }) = &answer
        && !status.success()
        && let Some(refused) = refused(stderr)
    {
        return Err(refused);
    }
    Ok(judge(answer, config, super::is_set))
}

fn refused(stderr: &str) -> Option<Refused> {
    let said = stderr.lines().find_map(|line| line.trim().strip_prefix(REFUSED))?;
    Some(Refused(head_on_one_line(&without_strings(said), SHOWN)))
}

/// The text with each string in double quotes blanked: it may be a secret of the file.
fn without_strings(text: &str) -> String {
    let mut parts: Vec<&str> = text.split('"').collect();
    // What follows the last of an odd number of quotes is no string.
    let pairs = (parts.len() - 1) / 2;
    for pair in 0..pairs {
        parts[2 * pair + 1] = "…";
    }
    parts.join("\"")
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
        let fix = "codex login, or set an API key in the environment";
        return Check::problem(ID, "Codex is not logged in", fix);
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
    fn a_refused_configuration_is_quoted_without_its_strings() {
        let said = |line: &str| refused(&format!("WARNING: x\n{REFUSED}{line}\n")).map(|it| it.0);
        let secret = "/c.toml:1:2: invalid type: string \"hush\", expected u64";
        let shown = "/c.toml:1:2: invalid type: string \"…\", expected u64";
        assert_eq!(said(secret).as_deref(), Some(shown));
        let unclosed = "/c.toml:1:9: invalid basic string, expected `\"`";
        assert_eq!(said(unclosed).as_deref(), Some(unclosed));
        assert_eq!(refused("Not logged in"), None);
    }

    #[test]
    fn no_login_is_a_problem_unless_the_provider_wants_none() {
        let no = |config, set| said(false, "Not logged in\n", config, set);
        assert_eq!(no("", "").0, Status::Problem);
        assert!(no("", "CODEX_API_KEY").1.contains("CODEX_API_KEY"));
        let provider = "model_provider = \"x\"\nmodel_providers.x.env_key = \"X_KEY\"";
        assert_eq!(no(provider, "").0, Status::Warning);
        assert_eq!(no(provider, "X_KEY").0, Status::Ok);
        let openai = "model_provider = \"x\"\nmodel_providers.x.requires_openai_auth = true";
        assert_eq!(no(openai, "").0, Status::Problem);
    }
}
