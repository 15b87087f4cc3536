//! Ways around the sandbox that need only what a turn may write. Each is tried twice with the real Codex:
//! by hand, where it must succeed, so that the attempt proves something; and through every tool of a server,
//! where it must fail.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::kit::play::with;
use crate::kit::real::{ByHand, last_turn, obey};
use crate::kit::setup::{content, field, git, home, real_release};
use crate::kit::wait::wait_for;
use crate::support::client::{Builder, Server};
use crate::support::model::Model;
use crate::support::real_codex::{Home, Release};

mod folders;
mod git;
mod machine;
mod programs;
mod secrets;
mod trust;

pub(crate) const MOST: &str = "CODEX_PERSISTENT_MCP_MAX_SANDBOX";

/// The releases on which each way is tried.
pub(crate) const RELEASES: [Release; 2] = [Release::Newest, Release::V0_169];

/// A model that obeys, a home for Codex and one for the user, and a file that shows that something ran
/// outside the sandbox.
pub(crate) struct Rig {
    pub(crate) model: Model,
    pub(crate) home: Home,
    pub(crate) release: Release,
    /// The user's home directory.
    pub(crate) user: PathBuf,
}

impl Rig {
    pub(crate) fn new(release: Release) -> Self {
        let model = Model::start(obey);
        let home = home(&model.url());
        let user = home.user().to_owned();
        Self { model, home, release, user }
    }

    /// A project that does not exist yet.
    pub(crate) fn project(&self) -> &Path {
        self.home.project()
    }

    /// The file that an escape makes. No sandbox allows that.
    pub(crate) fn mark(&self) -> PathBuf {
        self.home.project().with_file_name("mark")
    }

    /// A shell command that makes it.
    pub(crate) fn touch(&self) -> String {
        format!("touch {}", self.mark().display())
    }

    /// `codex exec` as a user starts it, in `dir`.
    pub(crate) fn by_hand(&self, dir: &Path) -> Command {
        let mut command = ByHand::command(&self.home, self.release);
        command.current_dir(dir);
        command
    }

    /// Runs it in this sandbox, and expects the escape to succeed.
    pub(crate) fn escapes(&self, mut command: Command, sandbox: &str, prompt: &str) {
        command.args(["-s", sandbox, "-"]);
        ByHand::start(command, prompt).finish();
        wait_for(&self.mark());
        fs::remove_file(self.mark()).expect("it was just made");
    }

    pub(crate) fn server(&self) -> Builder {
        real_release(&self.home, self.release)
    }

    /// Tries it through all tools, on a server with the default policy and on one that
    /// allows everything. `set` sets the environment of both.
    pub(crate) fn is_confined(&self, dir: &Path, prompt: &str, set: impl Fn(Builder) -> Builder) {
        let server = set(self.server()).start();
        let session = self.chat(&server, dir, prompt, "read-only");
        let resumed =
            json!({"prompt": prompt, "session_id": session, "sandbox": "workspace-write"});
        content(&server.call("codex_chat", &resumed));
        self.assert_confined("a resumed session");
        let job = json!({"prompt": prompt, "sandbox": "workspace-write", "cwd": dir});
        let job = content(&server.call("job_start", &job)).clone();
        let id = job["job_id"].as_str().expect("a job has an id");
        crate::kit::jobs::wait(&server, id, &job["notification_cursor"]);
        self.assert_confined("a job");
        self.guard(&server, "codex_guard_final", &json!({"change_summary": prompt, "cwd": dir}));

        let open = set(self.server().env(MOST, "danger-full-access")).start();
        self.chat(&open, dir, prompt, "workspace-write");
        let plan = json!({"requirements": "none", "plan": prompt, "cwd": dir});
        self.guard(&open, "codex_guard_plan", &plan);
    }

    fn chat(&self, server: &Server, dir: &Path, prompt: &str, sandbox: &str) -> String {
        let arguments = json!({"prompt": prompt, "sandbox": sandbox, "cwd": dir});
        let begun = server.call("codex_chat", &arguments);
        assert_eq!(content(&begun)["effective"]["sandbox"], sandbox, "{begun}");
        self.assert_confined(sandbox);
        field(&begun, "session_id").to_owned()
    }

    fn guard(&self, server: &Server, tool: &str, arguments: &serde_json::Value) {
        let answer = server.call(tool, arguments);
        assert_eq!(content(&answer)["effective"]["sandbox"], "read-only", "{answer}");
        self.assert_confined(tool);
    }

    fn assert_confined(&self, what: &str) {
        assert!(!self.mark().exists(), "{what} on {:?}", self.release);
    }
}

/// Makes a git repository with one commit.
pub(crate) fn repository(dir: &Path) {
    fs::create_dir_all(dir).expect("the test's folder is writable");
    git(dir, &["init", "-q"]);
    fs::write(dir.join("file"), "one\n").expect("writable");
    git(dir, &["add", "."]);
    git(dir, &["commit", "-q", "-m", "one"]);
}

/// Writes a file, and makes the folders around it.
pub(crate) fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("writable");
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// Writes a program.
pub(crate) fn program(path: &Path, script: &str) {
    write(path, &format!("#!/bin/sh\n{script}\n"));
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
}

/// These folders, and after them those of this process's own PATH.
pub(crate) fn path_with(folders: &[&Path]) -> std::ffi::OsString {
    let own = std::env::var_os("PATH").unwrap_or_default();
    let own = std::env::split_paths(&own).collect::<Vec<_>>();
    std::env::join_paths(folders.iter().map(|dir| dir.to_path_buf()).chain(own))
        .expect("no folder has a colon")
}
