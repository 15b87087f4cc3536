//! What every API has in common: what the model is shown, and what it does next.

use std::time::Duration;

use serde_json::{Value, json};

/// With this a user tells the model of a client to call `codex_chat` with the rest of the line.
pub const ASK: &str = "Ask Codex: ";

/// With this the model of Codex begins its reply. The rest is the prompt.
pub const REPLY: &str = "echo: ";

/// A prompt with this word is answered after [`SLOW`].
pub const SLOWLY: &str = "slowly";

/// Longer than the shortest default timeout of a client, and than the timeouts that the checks set.
const SLOW: Duration = Duration::from_secs(8);

const TOOL: &str = "codex_chat";

/// With this the model of Codex finds the tools that Codex defers.
pub const SEARCH: &str = "tool_search";

/// A request to a model.
#[derive(Debug, Clone, Default)]
pub struct Turn {
    /// The names of the tools that it may call.
    pub tools: Vec<String>,
    /// What it was told, in order: by the user, and by the client, which adds texts of its own.
    pub user: Vec<String>,
    /// The tools that were called so far.
    pub called: Vec<String>,
    /// What they returned.
    pub results: Vec<String>,
}

/// What the model does.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Say(String),
    Call { tool: String, arguments: Value },
}

impl Turn {
    /// What the model does next.
    pub fn step(&self) -> Step {
        let Some(prompt) = self.asked() else {
            return Step::Say(format!("{REPLY}{}", self.prompt()));
        };
        if self.called.iter().any(|name| name.ends_with(TOOL)) {
            let result = self.results.last().map(String::as_str).unwrap_or_default();
            return Step::Say(format!("done: {result}"));
        }
        if let Some(tool) = self.tools.iter().find(|name| name.ends_with(TOOL)) {
            return Step::Call { tool: tool.clone(), arguments: json!({"prompt": prompt}) };
        }
        let is_new = self.called.is_empty() && self.tools.iter().any(|name| name == SEARCH);
        if is_new {
            let arguments = json!({"query": "codex", "limit": 20});
            return Step::Call { tool: SEARCH.to_owned(), arguments };
        }
        Step::Say(format!("there is no {TOOL} among {:?}", self.tools))
    }

    /// The prompt for Codex that the user asked for.
    pub fn asked(&self) -> Option<&str> {
        let (_, prompt) = self.user.iter().rev().find_map(|text| text.split_once(ASK))?;
        // Clients put the text of a user into tags and JSON.
        prompt.split(['\n', '<', '"']).next()
    }

    /// The last line of what the user said. This program puts lines with dashes around a prompt.
    fn prompt(&self) -> &str {
        let mut lines = self.user.last().map_or("", String::as_str).lines().rev();
        lines.find(|line| !line.is_empty() && !line.starts_with("---")).unwrap_or_default()
    }

    /// How long the model thinks.
    pub fn delay(&self) -> Duration {
        let is_slow = self.asked().is_none() && self.prompt().contains(SLOWLY);
        if is_slow { SLOW } else { Duration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(tools: &[&str], user: &str, called: &[&str]) -> Turn {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Turn {
            tools: owned(tools),
            user: vec![user.to_owned()],
            called: owned(called),
            results: vec!["it said hello".to_owned(); called.len()],
        }
    }

    #[test]
    fn the_model_of_a_client_calls_and_reports() {
        let prompt = "Ask Codex: Say hello.\n</user>";
        let tool = "mcp__x__codex_chat".to_owned();
        let call = Step::Call { tool, arguments: json!({"prompt": "Say hello."}) };
        assert_eq!(turn(&["Read", "mcp__x__codex_chat"], prompt, &[]).step(), call);
        let done = turn(&["mcp__x__codex_chat"], prompt, &["mcp__x__codex_chat"]).step();
        assert_eq!(done, Step::Say("done: it said hello".to_owned()));
        assert!(matches!(turn(&["Read"], prompt, &[]).step(), Step::Say(_)));
    }

    #[test]
    fn the_model_of_codex_echoes_and_may_be_slow() {
        let fast = turn(
            &["shell"],
            "From an agent.\n\n--- 1 request ---\nSay hello.\n--- 1 end ---\n",
            &[],
        );
        assert_eq!(fast.step(), Step::Say("echo: Say hello.".to_owned()));
        assert_eq!(fast.delay(), Duration::ZERO);
        assert_eq!(turn(&["shell"], "Say hello slowly.", &[]).delay(), SLOW);
        assert_eq!(turn(&[], "Ask Codex: Say hello slowly.", &[]).delay(), Duration::ZERO);
    }
}
