//! Filling Codex's store: recorded sessions of several versions, and made ones.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::support::real_codex::Home;

/// The versions of Codex with recorded sessions.
pub const VERSIONS: [&str; 4] = ["0.77.0", "0.153.0", "0.169.0", "0.171.0"];

/// Puts the recorded sessions of a version of Codex into the store.
pub fn put_recorded(home: &Home, version: &str) {
    let records = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/records");
    copy(&records.join(version), home.path());
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the home is writable");
    for entry in fs::read_dir(from).expect("the records exist").flatten() {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("the home is writable");
        }
    }
}

/// A session to make.
#[derive(Clone)]
pub struct Made {
    pub number: usize,
    pub prompts: Vec<String>,
    pub cwd: String,
    pub source: Value,
    /// The time of its last change, in seconds after 2026-01-01.
    pub at: u64,
    pub archived: bool,
}

impl Made {
    /// The session of this number. A larger number is newer.
    pub fn new(number: usize) -> Self {
        Self {
            number,
            prompts: vec![format!("prompt {number}")],
            cwd: "/home/me/project".into(),
            source: "exec".into(),
            at: number as u64 * 3_600,
            archived: false,
        }
    }

    pub fn prompt(mut self, prompt: &str) -> Self {
        self.prompts = vec![prompt.into()];
        self
    }

    pub fn id(&self) -> String {
        format!("0199a213-81c0-7000-8000-{:012x}", self.number)
    }

    /// The time of its last change.
    pub fn time(&self) -> String {
        let day = Duration::from_secs(1_767_225_600); // 2026-01-01
        humantime::format_rfc3339_millis(
            SystemTime::UNIX_EPOCH + day + Duration::from_secs(self.at),
        )
        .to_string()
    }

    pub fn path(&self, home: &Home) -> PathBuf {
        let name = format!("rollout-2026-01-01T00-00-00-{}.jsonl", self.id());
        let folder = match self.archived {
            true => "archived_sessions".into(),
            false => format!("sessions/2026/01/{:02}", self.number % 28 + 1),
        };
        home.path().join(folder).join(name)
    }

    /// A line of the record.
    fn line(&self, kind: &str, payload: &Value) -> String {
        format!(
            "{{\"timestamp\":\"{}\",\"ordinal\":1,\"type\":\"{kind}\",\"payload\":{payload}}}\n",
            self.time()
        )
    }

    /// The lines of a turn, as 0.169 writes them.
    pub fn turn(&self, prompt: &str) -> String {
        let item = |item: Value| json!({"type": "item_completed", "item": item});
        let user =
            item(json!({"type": "UserMessage", "content": [{"type": "text", "text": prompt}]}));
        let reply = format!("re: {prompt}");
        let agent =
            item(json!({"type": "AgentMessage", "content": [{"type": "Text", "text": reply}]}));
        [
            self.line("event_msg", &json!({"type": "task_started"})),
            self.line("turn_context", &json!({"cwd": self.cwd, "model": "gpt-5.5"})),
            self.line("event_msg", &user),
            self.line("event_msg", &agent),
        ]
        .concat()
    }

    /// The whole record.
    pub fn record(&self) -> String {
        let meta = json!({
            "id": self.id(), "timestamp": self.time(), "cwd": self.cwd, "cli_version": "0.169.0",
            "source": self.source, "base_instructions": {"text": "You are Codex. ".repeat(20)},
        });
        let turns: String = self.prompts.iter().map(|prompt| self.turn(prompt)).collect();
        self.line("session_meta", &meta) + &turns
    }

    /// Writes the record.
    pub fn put(&self, home: &Home) {
        let path = self.path(home);
        fs::create_dir_all(path.parent().expect("it has a folder")).expect("the home exists");
        fs::write(path, self.record()).expect("the folder was just made");
    }

    /// Appends to the record.
    pub fn add(&self, home: &Home, text: &str) {
        let file = fs::OpenOptions::new().append(true).open(self.path(home));
        let mut file = file.expect("the record exists");
        file.write_all(text.as_bytes()).expect("the disk has room");
    }
}

/// The files of Codex's folders for sessions, with contents and times, to see that they do not change.
pub fn untouched(home: &Home) -> Vec<(PathBuf, Vec<u8>, SystemTime)> {
    let folders = ["sessions", "archived_sessions", "thread-writer-locks"];
    let mut folders: Vec<PathBuf> = folders.map(|folder| home.path().join(folder)).into();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            let modified = modified.expect("the file exists");
            if path.is_dir() {
                files.push((path.clone(), Vec::new(), modified));
                folders.push(path);
            } else {
                let content = fs::read(&path).unwrap_or_default();
                files.push((path, content, modified));
            }
        }
    }
    files.sort();
    files
}
