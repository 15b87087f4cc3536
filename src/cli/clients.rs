//! The clients that can be set up: where each keeps its servers, and what an entry of this program looks like.

mod edit;
mod file;
mod json;
mod toml;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value, json};

pub(super) use edit::{Done, Setup};

/// The name of the entry.
pub(super) const ENTRY: &str = "codex-persistent";

/// How long a client should wait for a call, if it does not wait long by itself.
const TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// A client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Client {
    Claude,
    Codex,
    Cursor,
    VsCode,
    Zed,
    Gemini,
    OpenCode,
    Windsurf,
}

/// The form of a client's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// JSON, in which there may be comments.
    Json,
    Toml,
}

/// Where a client keeps its servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: PathBuf,
    pub(super) form: Form,
    /// The key of the object with all servers.
    pub(super) servers: &'static str,
}

impl Client {
    pub(super) const ALL: [Self; 8] = [
        Self::Claude,
        Self::Codex,
        Self::Cursor,
        Self::VsCode,
        Self::Zed,
        Self::Gemini,
        Self::OpenCode,
        Self::Windsurf,
    ];

    /// The word for it on the command line.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
            Self::Cursor => "cursor",
            Self::VsCode => "vscode",
            Self::Zed => "zed",
            Self::Gemini => "gemini",
            Self::OpenCode => "opencode",
            Self::Windsurf => "windsurf",
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Claude => "Claude Code",
            Self::Codex => "Codex",
            Self::Cursor => "Cursor",
            Self::VsCode => "VS Code",
            Self::Zed => "Zed",
            Self::Gemini => "Gemini CLI",
            Self::OpenCode => "opencode",
            Self::Windsurf => "Windsurf",
        }
    }

    /// The file of the user with its servers. `None` without a home directory.
    pub(super) fn place(self) -> Option<Place> {
        let home = std::env::home_dir().filter(|home| home.is_absolute())?;
        let variable = |name: &str| {
            std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute())
        };
        let config = || variable("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"));
        let json = |file: PathBuf, servers| Place { file, form: Form::Json, servers };
        Some(match self {
            Self::Claude => {
                let dir = variable("CLAUDE_CONFIG_DIR").unwrap_or_else(|| home.clone());
                json(dir.join(".claude.json"), "mcpServers")
            }
            Self::Codex => {
                let dir = variable("CODEX_HOME").unwrap_or_else(|| home.join(".codex"));
                Place { file: dir.join("config.toml"), form: Form::Toml, servers: "mcp_servers" }
            }
            Self::Cursor => json(home.join(".cursor/mcp.json"), "mcpServers"),
            Self::VsCode => json(code_folder(&home, config()).join("User/mcp.json"), "servers"),
            Self::Zed => json(config().join("zed/settings.json"), "context_servers"),
            Self::Gemini => json(home.join(".gemini/settings.json"), "mcpServers"),
            Self::OpenCode => {
                let dir = config().join("opencode");
                let with_comments = dir.join("opencode.jsonc");
                let file =
                    if with_comments.exists() { with_comments } else { dir.join("opencode.json") };
                json(file, "mcp")
            }
            Self::Windsurf => json(home.join(".codeium/windsurf/mcp_config.json"), "mcpServers"),
        })
    }

    /// The entry for this program, started by this command. `passed_on` are the variables that a client passes on
    /// only if they are named.
    pub(super) fn entry(self, command: &str, passed_on: &[&str]) -> Map<String, Value> {
        let entry = match self {
            Self::Claude | Self::VsCode => json!({"type": "stdio", "command": command, "args": []}),
            Self::Cursor | Self::Windsurf => json!({"command": command, "args": []}),
            Self::Zed => json!({"source": "custom", "command": command, "args": [], "env": {}}),
            Self::Gemini => {
                json!({"command": command, "args": [], "timeout": TIMEOUT.as_millis() as u64})
            }
            Self::OpenCode => json!({"type": "local", "command": [command], "enabled": true}),
            Self::Codex => {
                // Its default is 300 s, and `codex exec` denies tools that may change files unless they are approved
                // beforehand.
                let mut entry = json!({
                    "command": command,
                    "tool_timeout_sec": TIMEOUT.as_secs(),
                    "default_tools_approval_mode": "approve",
                });
                if !passed_on.is_empty() {
                    entry["env_vars"] = passed_on.into();
                }
                entry
            }
        };
        match entry {
            Value::Object(entry) => entry,
            _ => Map::new(),
        }
    }

    /// The client's own command that does nearly the same, if it has one.
    pub(super) fn own_command(self, command: &str) -> Option<String> {
        match self {
            Self::Claude => Some(format!("claude mcp add -s user {ENTRY} -- {command}")),
            Self::Codex => Some(format!("codex mcp add {ENTRY} -- {command}")),
            Self::Gemini => Some(format!("gemini mcp add -s user {ENTRY} {command}")),
            Self::VsCode => {
                let entry = json!({"name": ENTRY, "type": "stdio", "command": command});
                Some(format!("code --add-mcp '{entry}'"))
            }
            Self::Cursor | Self::Zed | Self::OpenCode | Self::Windsurf => None,
        }
    }
}

/// The folder of VS Code's user, as its documentation of `mcp.json` has it.
fn code_folder(home: &std::path::Path, config: PathBuf) -> PathBuf {
    if cfg!(target_os = "macos") {
        return home.join("Library/Application Support/Code");
    }
    let roaming = std::env::var_os("APPDATA").map(PathBuf::from).filter(|_| cfg!(windows));
    roaming.unwrap_or(config).join("Code")
}
