//! The clients that can be set up: where each keeps its servers, and what an entry of this program looks like.

mod edit;
mod file;
mod form;
mod json;
mod repair;
mod start;
mod toml;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value, json};

pub(super) use edit::{Done, Setup, State};
pub(super) use json::value as json_with_comments;
pub(super) use start::{Start, is_same, is_this};

/// The name of the entry.
pub(super) const ENTRY: &str = "codex-persistent";

/// How long a client should wait for a call, if it does not wait long by itself.
const TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// The variables that an entry of Codex names even if they are not set here: without them the server, and the Codex
/// that it starts, would work with another home or another login than the user.
const ALWAYS_PASSED_ON: [&str; 3] = ["CODEX_HOME", KEYS[0], KEYS[1]];

/// The variables with a key for Codex.
const KEYS: [&str; 2] = ["OPENAI_API_KEY", "CODEX_API_KEY"];

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

/// The unit of a timeout in a client's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    Milliseconds,
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
            Self::Zed => {
                let dir = if cfg!(windows) {
                    variable("APPDATA").unwrap_or_else(|| home.join("AppData/Roaming")).join("Zed")
                } else if cfg!(target_os = "macos") {
                    home.join(".config/zed")
                } else {
                    config().join("zed")
                };
                json(dir.join("settings.json"), "context_servers")
            }
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

    /// The file of a project with its servers, if the client has one. `root` is the project's folder.
    pub(super) fn place_in(self, root: &Path) -> Option<Place> {
        let json =
            |file: &str, servers| Some(Place { file: root.join(file), form: Form::Json, servers });
        match self {
            Self::Claude => json(".mcp.json", "mcpServers"),
            Self::Codex => Some(Place {
                file: root.join(".codex/config.toml"),
                form: Form::Toml,
                servers: "mcp_servers",
            }),
            Self::Cursor => json(".cursor/mcp.json", "mcpServers"),
            Self::VsCode => json(".vscode/mcp.json", "servers"),
            Self::Zed => json(".zed/settings.json", "context_servers"),
            Self::Gemini => json(".gemini/settings.json", "mcpServers"),
            Self::OpenCode => {
                let has_comments = root.join("opencode.jsonc").exists();
                json(if has_comments { "opencode.jsonc" } else { "opencode.json" }, "mcp")
            }
            Self::Windsurf => None,
        }
    }

    /// The field of an entry with the timeout of a call, and its unit, if the client has one.
    pub(super) fn timeout(self) -> Option<(&'static str, Unit)> {
        match self {
            Self::Claude | Self::Gemini => Some(("timeout", Unit::Milliseconds)),
            Self::Codex => Some(("tool_timeout_sec", Unit::Seconds)),
            Self::Zed => Some(("timeout", Unit::Seconds)),
            Self::Cursor | Self::VsCode | Self::OpenCode | Self::Windsurf => None,
        }
    }

    /// The fields without which the client does not work with this program.
    fn required(self) -> &'static [&'static str] {
        match self {
            Self::Codex => &["tool_timeout_sec", "default_tools_approval_mode", "env_vars"],
            // Without arguments Zed does not take the entry at all.
            Self::Zed => &["args", "timeout"],
            Self::Gemini => &["timeout"],
            Self::OpenCode => &["type"],
            Self::Claude | Self::Cursor | Self::VsCode | Self::Windsurf => &[],
        }
    }

    /// The entry for this program, started in this way. `passed_on` are the variables that are set here and that
    /// Codex passes on only if they are named; `timeout` is how long a client waits that does not wait long by itself.
    pub(super) fn entry(
        self,
        start: &Start,
        passed_on: &[String],
        timeout: Duration,
    ) -> Map<String, Value> {
        let (command, arguments) = (start.program(), start.arguments());
        let entry = match self {
            Self::Claude | Self::VsCode => {
                json!({"type": "stdio", "command": command, "args": arguments})
            }
            Self::Cursor | Self::Windsurf => json!({"command": command, "args": arguments}),
            // Its default is 60 s. `source` is for older versions; newer ones remove it.
            // `args` must be there (`ContextServerCommand` in zed-industries/zed).
            Self::Zed => {
                json!({"source": "custom", "command": command, "args": arguments, "env": {}})
            }
            // Its default is 10 minutes, and it removes variables that look like secrets, unless the entry names them (0.61).
            Self::Gemini => {
                let mut entry = json!({"command": command, "args": arguments});
                let keys = KEYS.into_iter().filter(|key| passed_on.iter().any(|name| name == key));
                let keys: Map<String, Value> =
                    keys.map(|key| (key.to_owned(), format!("${key}").into())).collect();
                if !keys.is_empty() {
                    entry["env"] = keys.into();
                }
                entry
            }
            // A call of 312 s went through without a timeout (1.18). Its own is for the start, too.
            Self::OpenCode => {
                let words: Vec<Value> = std::iter::once(command.into()).chain(arguments).collect();
                json!({"type": "local", "command": words, "enabled": true})
            }
            // Its default is 300 s, and `codex exec` denies tools that may change files unless they are approved
            // beforehand.
            Self::Codex => {
                let more = passed_on.iter().map(String::as_str);
                let more = more.filter(|name| !ALWAYS_PASSED_ON.contains(name));
                let variables: Vec<&str> = ALWAYS_PASSED_ON.into_iter().chain(more).collect();
                let mut entry = json!({"command": command});
                if !arguments.is_empty() {
                    entry["args"] = arguments.into();
                }
                entry["tool_timeout_sec"] = 0.into();
                entry["default_tools_approval_mode"] = "approve".into();
                entry["env_vars"] = variables.into();
                entry
            }
        };
        let mut entry = match entry {
            Value::Object(entry) => entry,
            _ => Map::new(),
        };
        if let Some((name, unit)) = self.timeout().filter(|_| self != Self::Claude) {
            entry.insert(name.to_owned(), unit.value(timeout));
        }
        entry
    }

    /// The client's own command that does nearly the same, if it has one.
    pub(super) fn own_command(self, start: &Start) -> Option<String> {
        let command = start.line();
        match self {
            Self::Claude => Some(format!("claude mcp add -s user {ENTRY} -- {command}")),
            Self::Codex => Some(format!("codex mcp add {ENTRY} -- {command}")),
            Self::Gemini => {
                let time = TIMEOUT.as_millis();
                Some(format!("gemini mcp add -s user --timeout {time} {ENTRY} {command}"))
            }
            Self::VsCode => {
                let mut entry = Map::from_iter([("name".to_owned(), Value::from(ENTRY))]);
                entry.extend(self.entry(start, &[], TIMEOUT));
                Some(format!("code --add-mcp '{}'", Value::from(entry)))
            }
            Self::Cursor | Self::Zed | Self::OpenCode | Self::Windsurf => None,
        }
    }
}

/// The folder of VS Code's user, as its documentation of `mcp.json` has it.
fn code_folder(home: &Path, config: PathBuf) -> PathBuf {
    if cfg!(target_os = "macos") {
        return home.join("Library/Application Support/Code");
    }
    let roaming = std::env::var_os("APPDATA").map(PathBuf::from).filter(|_| cfg!(windows));
    roaming.unwrap_or(config).join("Code")
}
