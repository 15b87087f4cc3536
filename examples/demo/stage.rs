//! Sets up the demonstration: the server's program, a Codex, and a simulated model or a login.

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

/// The environment of the demonstration. Everything created for it is removed on drop.
pub struct Stage {
    pub story: &'static Story,
    pub server: PathBuf,
    codex: Option<PathBuf>,
    made: Option<(Model, Home)>,
}

impl Stage {
    /// The real Codex with a simulated model.
    pub fn stand_in(screen: &Screen) -> Result<Self> {
        if !real_codex::is_installed() {
            screen.say("Getting the pinned Codex by npm, once: about 100 MB to download ...");
        }
        let installed = real_codex::try_install()?;
        screen.done(&format!("{}, as pinned in tests/codex", version(&installed.script)?));

        let model = Model::start(story::play);
        let home = Home::new(&target_directory()?.join("tmp"), &model.url());
        // The user's shell startup files must not affect this.
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

    /// The command that starts the server, as in a client's configuration.
    pub fn server_command(&self) -> Command {
        let mut command = Command::new(&self.server);
        // Sessions start in the current directory.
        command.env_remove("CODEX_MCP_CWD");
        if let (Some(codex), Some((_, home))) = (&self.codex, &self.made) {
            // Neither the user's regular settings for the server nor their shell startup files must affect
            // this.
            clean(&mut command, home.user())
                .env("CODEX_BIN", codex)
                .env("CODEX_HOME", home.path())
                .env("CODEX_PERSISTENT_MCP_STATE_DIR", home.state())
                .current_dir(home.project());
        }
        command
    }

    /// Removes everything that was created and reports errors, which dropping does not.
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

/// Builds the server's program with the same profile as this one.
fn server(screen: &Screen) -> Result<PathBuf> {
    let directory = profile_directory()?;
    let program = directory.join(format!("{SERVER}{}", env::consts::EXE_SUFFIX));
    // `cargo run --example` does not build the package's programs, or leaves outdated ones. If cargo is not
    // available, the existing program is used.
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
        // Makes the server share its built dependencies with the demonstration.
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

/// `target/release` or `target/debug`, which contains the folder of examples that this program is in.
fn profile_directory() -> Result<PathBuf> {
    let this = env::current_exe()?;
    let directory = this.parent().and_then(Path::parent);
    Ok(directory.ok_or("this program is not where cargo puts examples")?.to_owned())
}

fn target_directory() -> Result<PathBuf> {
    let profile = profile_directory()?;
    Ok(profile.parent().ok_or("this program is not where cargo puts examples")?.to_owned())
}
