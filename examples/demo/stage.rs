//! What the demonstration stands on: the server's program, a Codex, and a model or a login.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::client::Result;
use crate::environment::clean;
use crate::model::Model;
use crate::real_codex::{self, Home};
use crate::screen::Screen;
use crate::story::{self, Story};

const SERVER: &str = "codex-persistent-mcp";

/// All of it. What was made for the demonstration is removed when this is dropped.
pub struct Stage {
    pub story: &'static Story,
    pub server: PathBuf,
    codex: Option<PathBuf>,
    made: Option<(Model, Home)>,
}

impl Stage {
    /// The real Codex, on a model that is played here.
    pub fn stand_in(screen: &Screen) -> Result<Self> {
        if !real_codex::is_installed() {
            screen.say("Getting the pinned Codex by npm, once: about 100 MB to download ...");
        }
        let installed = real_codex::try_install()?;
        screen.done(&format!("{}, as pinned in tests/codex", version(&installed.script)?));

        let model = Model::start(story::play);
        let home = Home::new(&target_directory()?.join("tmp"), &model.url());
        // The user's own shell files have no place in this.
        home.append_config("features.shell_snapshot = false");
        story::write_project(home.project())?;
        screen.done(&format!("a stand-in for the model, at {}", model.url()));
        Ok(Self {
            story: &story::STAND_IN,
            server: server(screen)?,
            codex: Some(installed.script),
            made: Some((model, home)),
        })
    }

    /// The user's own Codex, model and login, in the current directory.
    pub fn live(screen: &Screen) -> Result<Self> {
        let codex = env::var_os("CODEX_BIN").unwrap_or_else(|| "codex".into());
        let version = version(Path::new(&codex)).map_err(|problem| {
            format!("{problem}\nInstall Codex (npm install -g @openai/codex) or set CODEX_BIN.")
        })?;
        screen.done(&format!("{version}, your own, with your login"));
        let server = server(screen)?;
        Ok(Self { story: &story::LIVE, server, codex: None, made: None })
    }

    /// The command that starts the server, as it would stand in a client's configuration.
    pub fn server_command(&self) -> Command {
        let mut command = Command::new(&self.server);
        // Sessions begin in the current directory.
        command.env_remove("CODEX_MCP_CWD");
        if let (Some(codex), Some((_, home))) = (&self.codex, &self.made) {
            // Settings that the user has made for the server's daily work, and what their shell files
            // say, are not for this.
            clean(&mut command, home.user())
                .env("CODEX_BIN", codex)
                .env("CODEX_HOME", home.path())
                .env("CODEX_PERSISTENT_MCP_STATE_DIR", home.state())
                .current_dir(home.project());
        }
        command
    }

    /// Removes what was made, and makes sure of it. After an error the drop of it all has to do.
    pub fn clear(self) -> Result<()> {
        let Some((_model, home)) = self.made else { return Ok(()) };
        let path = home.path().to_owned();
        drop(home);
        if path.exists() {
            Err(format!("{} is still there", path.display()).into())
        } else {
            Ok(())
        }
    }
}

fn version(codex: &Path) -> Result<String> {
    let output = Command::new(codex)
        .arg("--version")
        .output()
        .map_err(|error| format!("{} cannot be started: {error}", codex.display()))?;
    match String::from_utf8_lossy(&output.stdout).trim() {
        "" => Err(format!("{} does not tell its version", codex.display()).into()),
        version => Ok(version.to_owned()),
    }
}

/// The server's program, built with the profile that this one was built with.
fn server(screen: &Screen) -> Result<PathBuf> {
    let directory = profile_directory()?;
    let program = directory.join(format!("{SERVER}{}", env::consts::EXE_SUFFIX));
    // `cargo run` builds examples without the package's programs, or leaves old ones. Where cargo is
    // not at work, what is there has to do.
    let cargo = env::var_os("CARGO");
    if cargo.is_none() && program.is_file() {
        return Ok(program);
    }
    let profile = match directory.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(other) => other,
    };
    if !program.is_file() {
        screen.say("Building the server ...");
    }
    let status = Command::new(cargo.unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--profile", profile, "--bin", SERVER])
        // With this the server shares its dependencies with the demonstration, instead of having
        // them built once more.
        .args(["--example", "demo"])
        .arg("--target-dir")
        .arg(target_directory()?)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .map_err(|error| format!("cargo cannot be started: {error}"))?;
    if !status.success() {
        return Err("the server cannot be built; cargo says why above".into());
    }
    Ok(program)
}

/// `target/release` or `target/debug`: this program is in a folder of examples there.
fn profile_directory() -> Result<PathBuf> {
    let this = env::current_exe()?;
    let directory = this.parent().and_then(Path::parent);
    Ok(directory.ok_or("this program is not where cargo puts examples")?.to_owned())
}

fn target_directory() -> Result<PathBuf> {
    let profile = profile_directory()?;
    Ok(profile.parent().ok_or("this program is not where cargo puts examples")?.to_owned())
}
