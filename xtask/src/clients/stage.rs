//! Where a client runs: a home directory, a project, a PATH on which this program and Codex are, and the model of both.
//!
//! Codex finds its model in the home directory, as it would for a user, because not every client passes a variable on.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::model::Model;
use super::process::{self, Ran};
use crate::{Failure, command, repository};

/// How long one command of a client may take.
const BOUND: Duration = Duration::from_secs(150);

/// The programs that every client finds on its PATH.
#[derive(Debug)]
pub struct Programs {
    /// This program, as it was built for debugging.
    pub server: PathBuf,
    pub codex: PathBuf,
}

impl Programs {
    /// Builds this program, and finds the Codex that the tests are pinned to.
    ///
    /// # Errors
    /// If one of them cannot be built or installed.
    pub fn here() -> Result<Self, Failure> {
        let top = repository::path("").canonicalize().map_err(|error| error.to_string())?;
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--locked", "--bin", "codex-persistent-mcp"]);
        command::run(build.current_dir(&top))?;
        let codex = top.join("tests/codex/node_modules/.bin/codex");
        if !codex.exists() {
            let options = ["ci", "--no-audit", "--no-fund", "--ignore-scripts"];
            command::run(command::npm().args(options).current_dir(top.join("tests/codex")))?;
        }
        Ok(Self { server: top.join("target/debug/codex-persistent-mcp"), codex })
    }
}

/// A place for one run.
pub struct Stage {
    pub folder: PathBuf,
    pub model: Model,
    path: std::ffi::OsString,
}

impl Stage {
    /// Makes the folder anew, with everything in it.
    ///
    /// # Errors
    /// If a file cannot be made.
    pub fn new(folder: &Path, client: &Path, programs: &Programs) -> Result<Self, Failure> {
        // Another run may have left it.
        let _nothing_there = fs::remove_dir_all(folder);
        let stage = Self {
            folder: folder.to_owned(),
            model: Model::start()?,
            path: path(&[client, &folder.join("home/.local/bin")])?,
        };
        for name in ["home/.local/bin", "home/.codex", "project", "tmp"] {
            let folder = folder.join(name);
            fs::create_dir_all(&folder)
                .map_err(|error| format!("{}: {error}", folder.display()))?;
        }
        link(&programs.server, &folder.join("home/.local/bin/codex-persistent-mcp"))?;
        link(&programs.codex, &folder.join("home/.local/bin/codex"))?;
        stage.write(".codex/config.toml", &codex_config(&stage.model.url()))?;
        // Clients look for settings in the repository around a project, which must not be this one.
        stage.run(Command::new("git").args(["init", "--quiet"]))?;
        Ok(stage)
    }

    pub fn home(&self) -> PathBuf {
        self.folder.join("home")
    }

    /// A file of the home directory.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(&self, name: &str) -> Result<String, Failure> {
        fs::read_to_string(self.home().join(name)).map_err(|error| format!("~/{name}: {error}"))
    }

    /// Writes a file of the home directory.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<(), Failure> {
        let file = self.home().join(name);
        let made = file.parent().map_or(Ok(()), fs::create_dir_all);
        made.and_then(|()| fs::write(file, text)).map_err(|error| format!("~/{name}: {error}"))
    }

    /// Runs a line as a user would type it.
    ///
    /// # Errors
    /// If it takes too long.
    pub fn line(&self, line: &str, variables: &[(&str, &str)]) -> Result<Ran, Failure> {
        self.run(Command::new("sh").args(["-c", line]).envs(variables.iter().copied()))
    }

    /// Runs a command in the project.
    ///
    /// # Errors
    /// If it cannot be started, or takes too long.
    pub fn run(&self, command: &mut Command) -> Result<Ran, Failure> {
        let variables: Vec<_> = command
            .get_envs()
            .map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned)))
            .collect();
        command.env_clear();
        for (name, value) in variables {
            command.env(name, value.unwrap_or_default());
        }
        command
            .env("PATH", &self.path)
            .env("HOME", self.home())
            .env("TMPDIR", self.folder.join("tmp"))
            .env("LANG", "C.UTF-8")
            .env("SHELL", "/bin/sh")
            .env("NO_COLOR", "1")
            .current_dir(self.folder.join("project"));
        process::run(command, &self.folder, BOUND)
    }

    /// The ids of the sessions that Codex has recorded.
    pub fn sessions(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![self.home().join(".codex/sessions")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) {
                    let id = stem.len().checked_sub(UUID).and_then(|at| stem.get(at..));
                    found.extend(id.map(str::to_owned));
                }
            }
        }
        found
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // The folder stays if something in it cannot be removed. The next run removes it.
        let _left = fs::remove_dir_all(&self.folder);
    }
}

/// The length of an id, which ends the name of the file of a session.
const UUID: usize = 36;

/// These folders, that of Node, and the PATH of the user.
fn path(first: &[&Path]) -> Result<std::ffi::OsString, Failure> {
    let users = env::var_os("PATH").unwrap_or_default();
    let all = first.iter().map(|path| path.to_path_buf()).chain(env::split_paths(&users));
    env::join_paths(all).map_err(|error| error.to_string())
}

fn link(to: &Path, at: &Path) -> Result<(), Failure> {
    #[cfg(unix)]
    let linked = std::os::unix::fs::symlink(to, at);
    #[cfg(not(unix))]
    let linked = fs::copy(to, at);
    linked.map(drop).map_err(|error| format!("{}: {error}", at.display()))
}

fn codex_config(model: &str) -> String {
    format!(
        "model = \"gpt-5.5\"\n\
         model_provider = \"stand-in\"\n\
         check_for_update_on_startup = false\n\
         analytics.enabled = false\n\
         features.shell_snapshot = false\n\
         model_providers.stand-in.name = \"stand-in\"\n\
         model_providers.stand-in.base_url = \"{model}/v1\"\n\
         model_providers.stand-in.wire_api = \"responses\"\n\
         model_providers.stand-in.request_max_retries = 0\n\
         model_providers.stand-in.stream_max_retries = 0\n"
    )
}

/// Where clients are brought to.
pub fn target() -> PathBuf {
    let target = repository::path("target/clients");
    // A shorter name in messages, and the real one, which clients compare with.
    fs::create_dir_all(&target).and_then(|()| target.canonicalize()).unwrap_or(target)
}
