//! The clients, in the order of the table.

use super::bring::Source;
use super::checks;
use super::run::Check;

/// A client that can be brought and run.
#[derive(Debug)]
pub struct Client {
    /// Its name on the command line, and of its folder.
    pub name: &'static str,
    pub title: &'static str,
    pub source: Source,
    /// Its page in `docs/clients/`.
    pub page: &'static str,
    /// The program that its page has commands of, if any.
    pub program: Option<&'static str>,
    /// How long it waits for a call by default.
    pub waits: &'static str,
    /// What changes that, if anything does.
    pub limit: Option<Limit>,
    pub special: &'static str,
    pub check: Check,
}

/// The setting for how long a client waits for a call.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// As the table shows it.
    pub setting: &'static str,
    /// A text of the page.
    pub line: &'static str,
    /// The same with 3 s, which is less than a slow answer of Codex takes.
    pub short: &'static str,
}

pub const CLIENTS: &[Client] = &[
    Client {
        name: "claude",
        title: "Claude Code",
        source: Source::Npm("@anthropic-ai/claude-code"),
        page: "claude-code.md",
        program: Some("claude"),
        waits: "28 h",
        limit: Some(Limit {
            setting: "\"timeout\": 3600000",
            line: "\"args\": []",
            short: "\"args\": [], \"timeout\": 3000",
        }),
        special: "lists the names only; its model loads a tool when it needs it. `codex_chat` is there from the start",
        check: checks::claude,
    },
    Client {
        name: "codex",
        title: "Codex",
        source: Source::Npm("@openai/codex"),
        page: "codex.md",
        program: Some("codex"),
        waits: "300 s",
        limit: Some(Limit {
            setting: "tool_timeout_sec = 3600",
            line: "tool_timeout_sec = 3600",
            short: "tool_timeout_sec = 3",
        }),
        special: "its model finds the tools with a search of its own",
        check: checks::codex,
    },
    Client {
        name: "gemini",
        title: "Gemini CLI",
        source: Source::Npm("@google/gemini-cli"),
        page: "gemini-cli.md",
        program: Some("gemini"),
        waits: "10 min",
        limit: Some(Limit {
            setting: "\"timeout\": 3600000",
            line: "\"timeout\": 3600000",
            short: "\"timeout\": 3000",
        }),
        special: "the folder must be trusted",
        check: checks::gemini,
    },
    Client {
        name: "opencode",
        title: "opencode",
        source: Source::Npm("opencode-ai"),
        page: "opencode.md",
        program: Some("opencode"),
        waits: "60 s after the last progress, so without a limit",
        limit: Some(Limit {
            setting: "\"timeout\": 3600000",
            line: "\"enabled\": true",
            short: "\"enabled\": true, \"timeout\": 3000",
        }),
        special: "its model gets the text block",
        check: checks::opencode,
    },
    Client {
        name: "continue",
        title: "Continue",
        source: Source::Npm("@continuedev/cli"),
        page: "continue.md",
        program: Some("cn"),
        waits: "60 s; cannot be raised",
        limit: None,
        special: "tools have no prefix; longer work must run in the background",
        check: checks::continue_cli,
    },
    Client {
        name: "cline",
        title: "Cline",
        source: Source::Npm("cline"),
        page: "cline.md",
        program: Some("cline"),
        waits: "60 s",
        limit: Some(Limit {
            setting: "\"timeout\": 3600",
            line: "\"timeout\": 3600",
            short: "\"timeout\": 3",
        }),
        special: "its model gets text and structure",
        check: checks::cline,
    },
    Client {
        name: "inspector",
        title: "MCP Inspector",
        source: Source::Npm("@modelcontextprotocol/inspector"),
        page: "sdks.md",
        program: Some("mcp-inspector"),
        waits: "60 s after the last progress, so without a limit",
        limit: None,
        special: "prints text and structure",
        check: checks::inspector,
    },
    Client {
        name: "typescript",
        title: "TypeScript SDK",
        source: Source::Npm("@modelcontextprotocol/sdk"),
        page: "sdks.md",
        program: None,
        waits: "60 s",
        limit: Some(Limit {
            setting: "timeout: 3_600_000",
            line: "timeout: 3_600_000",
            short: "timeout: 3_000",
        }),
        special: "passes on six variables of the environment",
        check: checks::typescript,
    },
    Client {
        name: "python",
        title: "Python SDK",
        source: Source::PyPi("mcp"),
        page: "sdks.md",
        program: None,
        waits: "without a limit",
        limit: None,
        special: "passes on six variables of the environment",
        check: checks::python,
    },
    Client {
        name: "fastmcp",
        title: "fastmcp",
        source: Source::PyPi("fastmcp"),
        page: "sdks.md",
        program: None,
        waits: "without a limit",
        limit: None,
        special: "passes on six variables of the environment",
        check: checks::fastmcp,
    },
    Client {
        name: "agents",
        title: "OpenAI Agents SDK",
        source: Source::PyPi("openai-agents"),
        page: "sdks.md",
        program: None,
        waits: "5 s",
        limit: Some(Limit {
            setting: "client_session_timeout_seconds=3600",
            line: "client_session_timeout_seconds=3600",
            short: "client_session_timeout_seconds=3",
        }),
        special: "its model gets the text block, and after a timeout no reason",
        check: checks::agents,
    },
    Client {
        name: "langchain",
        title: "LangChain",
        source: Source::PyPi("langchain-mcp-adapters"),
        page: "sdks.md",
        program: None,
        waits: "without a limit",
        limit: None,
        special: "starts the server anew for each call",
        check: checks::langchain,
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository;

    #[test]
    fn each_program_of_a_page_has_the_package_that_it_needs() {
        for client in CLIENTS.iter().filter(|client| client.program.is_none()) {
            let page = repository::read(&format!("docs/clients/{}", client.page));
            let install = match client.source {
                Source::Npm(package) => format!("`npm install {package}`"),
                Source::PyPi(package) => format!("`pip install {package}`"),
            };
            assert!(page.expect("it is there").contains(&install), "{install}");
        }
    }

    #[test]
    fn each_page_has_the_setting_for_how_long_its_client_waits() {
        for client in CLIENTS {
            let page = repository::read(&format!("docs/clients/{}", client.page));
            let page = page.expect("each client has a page");
            let Some(Limit { line, setting, .. }) = client.limit else { continue };
            assert_eq!(page.matches(line).count(), 1, "{} and {line}", client.page);
            let name = setting.split([':', ' ', '=']).next().unwrap_or_default();
            assert!(page.contains(name.trim_matches('"')), "{} and {name}", client.page);
        }
    }
}
