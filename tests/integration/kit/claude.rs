//! The real Claude Code, with the plugin and a stand-in for its model.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use super::cli::{self, Ran, run};
use super::plugin::{Have, PLUGIN, Programs, marketplace};
use crate::support::claude_model::ClaudeModel;
use crate::support::real_codex::{Home, install, install_npm};

/// A user who has Claude Code with the plugin.
pub struct Claude<'a> {
    home: &'a Home,
    programs: Programs,
    codex: PathBuf,
    allowed: &'static str,
}

impl<'a> Claude<'a> {
    /// Installs the plugin, with these options of it such as `review=true`.
    pub fn with_plugin(home: &'a Home, have: Have, options: &[&str]) -> Self {
        let programs = Programs::of(home, have);
        let claude = Self { home, programs, codex: install().native.clone(), allowed: "" };
        let folder = marketplace().to_str().expect("test paths are text");
        claude.succeeds(&["plugin", "marketplace", "add", folder]);
        let options = options.iter().flat_map(|option| ["--config", option]);
        let install: Vec<&str> = ["plugin", "install", PLUGIN].into_iter().chain(options).collect();
        claude.succeeds(&install);
        claude
    }

    /// With another Codex.
    pub fn codex(mut self, codex: impl Into<PathBuf>) -> Self {
        self.codex = codex.into();
        self
    }

    /// With a rule that allows these tools without asking.
    pub fn allowing(mut self, rule: &'static str) -> Self {
        self.allowed = rule;
        self
    }

    /// Lets Claude work on a prompt, and returns its last message.
    pub fn asked(&self, model: &ClaudeModel, prompt: &str) -> String {
        let mut command = self.command(&["-p", prompt, "--permission-mode", "acceptEdits"]);
        command
            .args(["--allowedTools", self.allowed])
            .env("ANTHROPIC_BASE_URL", model.url())
            .env("ANTHROPIC_API_KEY", "none");
        let Ran { status, stdout, stderr } = run(command);
        assert_eq!(status, Some(0), "{stdout}\n{stderr}");
        stdout.trim().to_owned()
    }

    /// The program in the environment of this user.
    pub fn program(&self, arguments: &[&str]) -> Command {
        let mut command = cli::program(self.home, &self.codex, arguments);
        command.env("PATH", self.programs.path());
        command
    }

    fn succeeds(&self, arguments: &[&str]) {
        let ran = run(self.command(arguments));
        assert_eq!(ran.status, Some(0), "{arguments:?}: {ran:?}");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = claude(self.home, arguments);
        command.env("CODEX_BIN", &self.codex).env("PATH", self.programs.path());
        command
    }
}

/// Claude Code in the home's project.
pub fn claude(home: &Home, arguments: &[&str]) -> Command {
    let temporary = home.user().join("tmp");
    fs::create_dir_all(&temporary).expect("writable");
    let program = program().to_str().expect("test paths are text");
    let mut command = cli::command(home, OsStr::new("codex").as_ref(), program, arguments);
    command
        .env("TMPDIR", temporary)
        .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
        .env("DISABLE_AUTOUPDATER", "1")
        // All tools are in each request, so a script need not search for them.
        .env("ENABLE_TOOL_SEARCH", "false");
    command
}

/// The native program of the pinned Claude Code, which its package would link when it is installed.
fn program() -> &'static PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let packages = install_npm("claude-code").join("@anthropic-ai");
        let packages = fs::read_dir(&packages).expect("it was installed").flatten();
        let programs = packages.map(|package| package.path().join("claude"));
        programs.into_iter().find(|path| path.is_file()).expect("it has a native program here")
    })
}

/// All texts of a request to Claude's model.
pub fn texts(request: &Value) -> String {
    request["messages"].to_string()
}
