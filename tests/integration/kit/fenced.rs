//! A home with an allowed folder, one outside, and links from one to the other; with a server that is
//! limited to the allowed one, and a server that is not.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::kit::real::{PICTURE, obey};
use crate::kit::setup::{error_text, field, home, real};
use crate::support::client::Server;
use crate::support::model::Model;
use crate::support::real_codex::Home;

pub const DIRS: &str = "CODEX_PERSISTENT_MCP_ALLOWED_DIRS";

/// A text of sessions outside, which must not show inside.
pub const SECRET: &str = "the vault";

pub fn folder(path: &Path) -> PathBuf {
    fs::create_dir_all(path).expect("the test's folder is writable");
    path.to_owned()
}

pub fn link(to: &Path, path: PathBuf) -> PathBuf {
    symlink(to, &path).expect("a link can be made");
    path
}

pub struct Fenced {
    pub model: Model,
    pub home: Home,
    pub allowed: PathBuf,
    pub outside: PathBuf,
}

impl Fenced {
    pub fn new() -> Self {
        let model = Model::start(obey);
        let home = home(&model.url());
        let allowed = folder(&home.project().join("allowed"));
        folder(&allowed.join("inner"));
        let outside = folder(&home.project().join("outside"));
        folder(&home.project().join("allowed-2"));
        link(&outside, allowed.join("out"));
        link(&allowed.join("out"), allowed.join("out-again"));
        link(&allowed, outside.join("in"));
        fs::write(outside.join("a.png"), PICTURE).expect("writable");
        fs::write(allowed.join("a.png"), PICTURE).expect("writable");
        link(&outside.join("a.png"), allowed.join("b.png"));
        link(&allowed.join("a.png"), outside.join("b.png"));
        Self { model, home, allowed, outside }
    }

    /// A server that allows everything.
    pub fn free(&self) -> Server {
        real(&self.home).env("CODEX_PERSISTENT_MCP_MAX_SANDBOX", "danger-full-access").start()
    }

    /// A server whose callers are limited to the allowed folder.
    pub fn server(&self) -> Server {
        real(&self.home).env(DIRS, &self.allowed).start()
    }

    pub fn escapes(&self) -> Vec<PathBuf> {
        vec![
            self.outside.clone(),
            self.home.project().into(),
            "/".into(),
            self.home.project().join("allowed-2"),
            self.allowed.join("out"),
            self.allowed.join("out-again"),
            self.allowed.join(".."),
            self.allowed.join("inner/../../outside"),
            self.allowed.join("out/../allowed-2"),
        ]
    }

    /// The ids of all jobs on the disk.
    pub fn jobs(&self) -> Vec<String> {
        let jobs = fs::read_dir(self.home.state().join("jobs")).into_iter().flatten().flatten();
        jobs.map(|job| job.file_name().to_string_lossy().into_owned()).collect()
    }
}

/// Starts a session in a folder and returns its id.
pub fn start_session(server: &Server, prompt: &str, cwd: &Path) -> String {
    let arguments = json!({"prompt": prompt, "cwd": cwd, "sandbox": "workspace-write"});
    field(&server.call("codex_chat", &arguments), "session_id").to_owned()
}

/// Resumes a session in another folder, in a fork if `fork`, and returns the id of the session that ran.
pub fn resume_in(server: &Server, session: &str, cwd: &Path, fork: bool) -> String {
    let arguments = json!({"prompt": "go on", "session_id": session, "cwd": cwd, "fork": fork});
    field(&server.call("codex_chat", &arguments), "session_id").to_owned()
}

/// Expects an answer that refuses `field` because of the allowed folders, without a word of what is
/// outside.
pub fn assert_outside(answer: &Value, field: &str) {
    let text = error_text(answer);
    assert!(text.starts_with(&format!("not_allowed: {field} ")), "{text}");
    assert!(text.contains(DIRS), "{text}");
    assert!(!text.contains(SECRET), "{text}");
}

/// Expects both tools that may write to refuse a call at once, by the name of its field.
pub fn assert_refused(server: &Server, arguments: &Value, field: &str, setting: &str) {
    for tool in ["codex_chat", "job_start"] {
        let answer = server.call(tool, arguments);
        assert_eq!(answer["isError"], true, "{tool} {arguments} was not refused: {answer}");
        let text = error_text(&answer);
        let begin = format!("not_allowed: {field} ");
        assert!(text.starts_with(&begin) && text.contains(setting), "{tool} {arguments}: {text}");
    }
}
