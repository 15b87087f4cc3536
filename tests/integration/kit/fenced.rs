//! A home with a folder that is allowed, one that is not, and ways from one to the other; and a server
//! that keeps to it beside one that does not.

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

/// What is said outside, and must not be heard inside.
pub const SECRET: &str = "the vault";

pub fn folder(path: &Path) -> PathBuf {
    fs::create_dir_all(path).expect("the test's folder can be written");
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

    /// A server without any limit.
    pub fn free(&self) -> Server {
        real(&self.home).env("CODEX_PERSISTENT_MCP_MAX_SANDBOX", "danger-full-access").start()
    }

    /// A server whose callers may go into the allowed folder alone.
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

    /// The jobs that lie on the disk.
    pub fn jobs(&self) -> Vec<String> {
        let jobs = fs::read_dir(self.home.state().join("jobs")).into_iter().flatten().flatten();
        jobs.map(|job| job.file_name().to_string_lossy().into_owned()).collect()
    }
}

/// Begins a session in a folder.
pub fn start_session(server: &Server, prompt: &str, cwd: &Path) -> String {
    let arguments = json!({"prompt": prompt, "cwd": cwd, "sandbox": "workspace-write"});
    field(&server.call("codex_chat", &arguments), "session_id").to_owned()
}

/// Goes on in a session in another folder, in a copy if `fork`, and returns the session that it was.
pub fn resume_in(server: &Server, session: &str, cwd: &Path, fork: bool) -> String {
    let arguments = json!({"prompt": "go on", "session_id": session, "cwd": cwd, "fork": fork});
    field(&server.call("codex_chat", &arguments), "session_id").to_owned()
}

/// Tells that an answer refuses `field` because of the allowed folders, and tells nothing of what is
/// outside.
pub fn assert_outside(answer: &Value, field: &str) {
    let text = error_text(answer);
    assert!(text.starts_with(&format!("not_allowed: {field} ")), "{text}");
    assert!(text.contains(DIRS), "{text}");
    assert!(!text.contains(SECRET), "{text}");
}

/// A call of either tool that may write is refused, by name and at once.
pub fn assert_refused(server: &Server, arguments: &Value, field: &str, setting: &str) {
    for tool in ["codex_chat", "job_start"] {
        let answer = server.call(tool, arguments);
        assert_eq!(answer["isError"], true, "{tool} {arguments} was not refused: {answer}");
        let text = error_text(&answer);
        let begin = format!("not_allowed: {field} ");
        assert!(text.starts_with(&begin) && text.contains(setting), "{tool} {arguments}: {text}");
    }
}
