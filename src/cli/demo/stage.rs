//! Where the demonstration takes place: a Codex, a model, and folders of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::client::Result;
use super::model::Model;
use super::screen::Screen;
use super::story::{self, Story};
use crate::codex::locate::locate;
use crate::model::settings::Settings;

/// The Codex that npm brings if there is none.
const PACKAGE: &str = "@openai/codex@0.171.0";

pub(super) struct Stage {
    pub(super) story: &'static Story,
    /// Which Codex and model there are, in a phrase.
    pub(super) about: String,
    codex: PathBuf,
    made: Option<(TempDir, Model)>,
}

impl Stage {
    /// The real Codex with a stand-in model, in a folder that is removed on drop.
    pub(super) fn stand_in(settings: &Settings, screen: &Screen) -> Result<Self> {
        let codex = match locate(&settings.codex_bin, None) {
            Some(program) => program.found_at,
            None => installed(screen)?,
        };
        let model = Model::start(story::play)?;
        let folder = tempfile::Builder::new().prefix("demo-").tempdir_in(cache()?)?;
        for name in ["codex", "project", "user", "state"] {
            std::fs::create_dir(folder.path().join(name))?;
        }
        story::write_project(&folder.path().join("project"))?;
        std::fs::write(folder.path().join("codex/config.toml"), config(&model.url()))?;
        let about = format!("{}, with a stand-in model at {}", version(&codex)?, model.url());
        Ok(Self { story: &story::STAND_IN, about, codex, made: Some((folder, model)) })
    }

    /// The user's own Codex, model and login, in the current directory.
    pub(super) fn live(settings: &Settings) -> Result<Self> {
        let codex = locate(&settings.codex_bin, None)
            .ok_or("there is no Codex: npm install -g @openai/codex, or set CODEX_BIN")?;
        let about = format!("{}, your own, with your login", version(&codex.found_at)?);
        Ok(Self { story: &story::LIVE, about, codex: codex.found_at, made: None })
    }

    /// The command that starts the server, as in a client's configuration.
    pub(super) fn server_command(&self) -> Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.env("CODEX_BIN", &self.codex).env_remove("CODEX_MCP_CWD");
        if let Some((folder, _)) = &self.made {
            // Neither the user's settings nor the startup files of their shell matter here.
            for (name, _) in std::env::vars_os() {
                if name.to_string_lossy().starts_with("CODEX_PERSISTENT_MCP_") {
                    command.env_remove(name);
                }
            }
            let folder = folder.path();
            command
                .env("HOME", folder.join("user"))
                .env("CODEX_HOME", folder.join("codex"))
                .env("CODEX_PERSISTENT_MCP_STATE_DIR", folder.join("state"))
                .current_dir(folder.join("project"));
        }
        Ok(command)
    }

    /// Removes what was made, and reports errors, which dropping does not.
    pub(super) fn clear(self) -> Result<()> {
        Ok(self.made.map_or(Ok(()), |(folder, _model)| folder.close())?)
    }
}

/// A folder that lasts: Codex warns of a home in the system's temporary one.
fn cache() -> Result<PathBuf> {
    let home = || std::env::home_dir().map(|home| home.join(".cache"));
    let named = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = named.filter(|path| path.is_absolute()).or_else(home);
    let cache = cache.map(|cache| cache.join(env!("CARGO_PKG_NAME")));
    match cache {
        Some(cache) if std::fs::create_dir_all(&cache).is_ok() => Ok(cache),
        // A home that cannot be written.
        _ => Ok(std::env::temp_dir()),
    }
}

/// The Codex that npm has installed for this program, now or before.
fn installed(screen: &Screen) -> Result<PathBuf> {
    let folder = cache()?.join("codex");
    let codex =
        folder.join("node_modules/.bin").join(if cfg!(windows) { "codex.cmd" } else { "codex" });
    if codex.exists() {
        return Ok(codex);
    }
    screen
        .say(&format!("There is no Codex on the PATH: getting {PACKAGE} by npm, about 100 MB ..."));
    std::fs::create_dir_all(&folder)?;
    let output = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" })
        .args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"])
        .arg(&folder)
        .arg(PACKAGE)
        .output()
        .map_err(|error| format!("there is no Codex, and npm does not start ({error}): install Node.js, which brings npm, or Codex"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("npm cannot install Codex: {}", said.trim()).into());
    }
    Ok(codex)
}

fn version(codex: &Path) -> Result<String> {
    let output = Command::new(codex).arg("--version").output()?;
    match String::from_utf8_lossy(&output.stdout).trim() {
        "" => Err(format!("{} does not tell its version", codex.display()).into()),
        version => Ok(version.to_owned()),
    }
}

fn config(model: &str) -> String {
    format!(
        "model = \"gpt-5.5\"\n\
         model_provider = \"stand-in\"\n\
         check_for_update_on_startup = false\n\
         analytics.enabled = false\n\
         features.shell_snapshot = false\n\
         model_providers.stand-in.name = \"stand-in\"\n\
         model_providers.stand-in.base_url = \"{model}\"\n\
         model_providers.stand-in.wire_api = \"responses\"\n\
         model_providers.stand-in.request_max_retries = 0\n\
         model_providers.stand-in.stream_max_retries = 0\n"
    )
}
