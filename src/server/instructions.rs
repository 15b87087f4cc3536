//! The server's instructions: when to use it, and how. They name only tools that the client sees.

use crate::model::tool_list::ToolList;

/// The first 250 characters say when to use this server: Codex shows them in its overview, and Claude
/// Code searches them for deferred tools. A part is said if its tools are listed.
const PARTS: [(&[&str], &str); 7] = [
    (&[], "Codex, OpenAI's coding agent, as a second agent."),
    (
        &["codex_chat"],
        " Use it for a second opinion, or to delegate a question or task (codex_chat).",
    ),
    (
        &["codex_guard_plan", "codex_guard_final"],
        " Have it review a plan before coding (codex_guard_plan) and finished work \
         (codex_guard_final).",
    ),
    (
        &["codex_chat", "codex_job_wait"],
        "\n\nFor work over 2 minutes call codex_chat with background, then codex_job_wait: a job \
         outlives this client.",
    ),
    (
        &["job_start", "job_wait"],
        "\n\nFor work over 2 minutes use job_start, then job_wait: a job outlives this client.",
    ),
    (
        &[],
        "\n\nCodex does not see this conversation: include everything it needs. Answers have a \
         session_id: pass it to continue that session, also after an error, a timeout or a restart.",
    ),
    (&["codex_sessions"], " codex_sessions finds earlier sessions, including the user's own."),
];

/// The instructions of a server that lists these tools.
pub(super) fn instructions(tools: &ToolList) -> String {
    let is_listed = |needed: &[&str]| needed.iter().all(|tool| tools.has(tool));
    PARTS.into_iter().filter(|(needed, _)| is_listed(needed)).map(|(_, part)| part).collect()
}

#[cfg(test)]
mod tests {
    use tiktoken_rs::o200k_base_singleton;

    use super::*;
    use crate::model::tool_list::TOOLS;

    /// The instructions with only these tools and sets listed.
    fn with(words: &[&str]) -> String {
        let mut tools = ToolList::default();
        for word in words {
            tools.add(word.parse().expect("it is known"));
        }
        instructions(&tools)
    }

    #[test]
    fn the_head_says_when_to_use_the_server_and_the_rest_how_to_wait() {
        let all = with(&[]);
        let head: String = all.chars().take(250).collect();
        for tool in ["codex_chat", "codex_guard_plan", "codex_guard_final"] {
            assert!(head.contains(tool), "{tool} is not in {head:?}");
        }
        assert!(all.contains("with background, then codex_job_wait"), "{all}");
        assert!(with(&["async"]).contains("job_start, then job_wait"));
    }

    #[test]
    fn they_are_short() {
        for set in ["default", "core", "async"] {
            let tokens = o200k_base_singleton().encode_ordinary(&with(&[set])).len();
            println!("{set}: {tokens} tokens of instructions");
            assert!(tokens <= 180, "{set}: {tokens} tokens");
        }
    }

    #[test]
    fn only_listed_tools_are_named() {
        for set in ["default", "core", "async", "codex_sessions", "codex_guard_plan"] {
            let mut tools = ToolList::default();
            tools.add(set.parse().expect("it is known"));
            let text = instructions(&tools);
            let words: Vec<&str> =
                text.split(|char: char| !char.is_ascii_lowercase() && char != '_').collect();
            let named = TOOLS.iter().filter(|tool| words.contains(*tool));
            assert_eq!(named.filter(|tool| !tools.has(tool)).count(), 0, "{set}: {text}");
        }
    }
}
