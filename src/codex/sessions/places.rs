//! Where sessions have been, from their records: all directories of a session, not only the last one,
//! and the sessions that it comes from.
//!
//! Seen on Codex 0.77 to 0.171: the `session_meta` and each `turn_context` have a `cwd`. A copy names its
//! original (`forked_from_id`, from 0.153 on) and has whatever directory it was made for, and a
//! sub-agent's session names that of its parent too (`parent_thread_id`). Before, a copy repeats the
//! record of its original, `session_meta` and all.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::line::{Kind, decoded};
use super::lines::{Lines, RawLine, is_line_start};
use super::walk::{ARCHIVED, Stamp};
use crate::codex::rollout;
use crate::model::session_id::SessionId;
use crate::system::bounded::open_file;

/// How many records are remembered. What is forgotten is read again.
const REMEMBERED: usize = 10_000;

/// Where a session has been.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Been {
    /// Its directories. Where one is recorded that cannot be read, an empty path stands for it.
    pub(crate) dirs: Vec<PathBuf>,
    /// The sessions whose history is also its own.
    pub(crate) origins: Vec<SessionId>,
}

/// Reads records, and remembers what it has read: a record only grows. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places(Arc<Mutex<HashMap<(PathBuf, SessionId), Read>>>);

/// A record as far as it was read.
#[derive(Debug, Clone, Default)]
struct Read {
    path: PathBuf,
    /// The file's number, and how much of it was read, in bytes.
    number: u64,
    end: u64,
    been: Been,
}

impl Places {
    /// Where a session of this Codex home has been, whose record is looked for if it is not given;
    /// `None` if there is none that can be read. Blocks on files.
    pub(crate) fn of(
        &self,
        home: &Path,
        session: SessionId,
        record: Option<&Path>,
    ) -> Option<Been> {
        let key = (home.to_owned(), session);
        let mut read = self.lock().get(&key).cloned().unwrap_or_default();
        if !read.path.is_file() || record.is_some_and(|record| record != read.path) {
            let path = record.map(Path::to_owned).or_else(|| find(home, session))?;
            read = Read { path, ..Read::default() };
        }
        if let Err(error) = read.go_on() {
            tracing::debug!(%session, %error, "the record cannot be read");
            return None;
        }
        let been = read.been.clone();
        let mut all = self.lock();
        if all.len() >= REMEMBERED {
            all.clear();
        }
        all.insert(key, read);
        Some(been)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(PathBuf, SessionId), Read>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The record of a session, also if it is archived.
fn find(home: &Path, session: SessionId) -> Option<PathBuf> {
    let ending = format!("-{session}.jsonl");
    let archived = || {
        let files = fs::read_dir(home.join(ARCHIVED)).into_iter().flatten().flatten();
        let mut paths = files.map(|file| file.path());
        paths.find(|path| path.as_os_str().as_encoded_bytes().ends_with(ending.as_bytes()))
    };
    rollout::find(home, session).or_else(archived)
}

impl Read {
    /// Reads what is new.
    fn go_on(&mut self) -> io::Result<()> {
        let found = Stamp::of(&self.path.metadata()?);
        if (found.number, found.size) == (self.number, self.end) {
            return Ok(());
        }
        let mut file = open_file(&self.path)?;
        let number = Stamp::of(&file.metadata()?).number;
        // Another file in its place, or one that was written anew, is read from its beginning.
        if number != self.number || !is_line_start(&mut file, self.end)? {
            *self = Self { path: std::mem::take(&mut self.path), number, ..Self::default() };
        }
        let mut lines = Lines::new(file, self.end)?;
        while let Some(line) = lines.next_line(&|| false)? {
            self.end = line.end;
            self.been.take(&line);
        }
        Ok(())
    }
}

impl Been {
    fn take(&mut self, line: &RawLine<'_>) {
        let kind = Kind::of(line);
        if !matches!(kind, Kind::Meta | Kind::TurnContext) {
            return;
        }
        let line = decoded(line).unwrap_or_default();
        let text = |name: &str| line["payload"][name].as_str();
        let dir = PathBuf::from(text("cwd").unwrap_or_default());
        if !self.dirs.contains(&dir) {
            self.dirs.push(dir);
        }
        for origin in ["forked_from_id", "parent_thread_id"].map(|name| &line["payload"][name]) {
            match origin {
                Value::Null => {}
                origin => match origin.as_str().and_then(|id| id.parse().ok()) {
                    Some(id) if self.origins.contains(&id) => {}
                    Some(id) => self.origins.push(id),
                    None => self.dirs.push(PathBuf::new()),
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use uuid::Uuid;

    fn line(kind: &str, payload: &Value) -> String {
        let line = serde_json::json!({"timestamp": "x", "type": kind, "payload": payload});
        format!("{line}\n")
    }

    #[test]
    fn a_record_is_read_on_as_it_grows_and_anew_if_it_is_another() {
        let home = crate::testing::scratch().join(format!("places-{}", Uuid::new_v4()));
        let day = home.join("sessions/2026/01/01");
        fs::create_dir_all(&day).expect("a fresh folder");
        let id: SessionId = Uuid::now_v7().to_string().parse().expect("a UUID");
        let path = day.join(format!("rollout-x-{id}.jsonl"));
        let places = Places::default();
        let dirs = || places.of(&home, id, None).map(|been| been.dirs);
        assert_eq!(dirs(), None);
        let cwd = |cwd: &str| serde_json::json!({ "cwd": cwd });
        fs::write(&path, line("session_meta", &cwd("/a"))).expect("there is room");
        assert_eq!(dirs(), Some(vec!["/a".into()]));
        let mut file = fs::File::options().append(true).open(&path).expect("just made");
        let turn = line("turn_context", &cwd("/b"));
        let (head, tail) = turn.split_at(20);
        file.write_all(head.as_bytes()).expect("there is room");
        assert_eq!(dirs(), Some(vec!["/a".into()]), "a line is whole or nothing");
        file.write_all(tail.as_bytes()).expect("there is room");
        file.write_all(line("turn_context", &cwd("/a")).as_bytes()).expect("there is room");
        assert_eq!(dirs(), Some(vec!["/a".into(), "/b".into()]));
        fs::write(&path, line("session_meta", &cwd("/c"))).expect("there is room");
        assert_eq!(dirs(), Some(vec!["/c".into()]), "it was written anew");
        fs::create_dir(home.join(ARCHIVED)).expect("a fresh folder");
        fs::rename(&path, home.join(ARCHIVED).join(path.file_name().expect("a name")))
            .expect("on the same disk");
        assert_eq!(dirs(), Some(vec!["/c".into()]), "it was archived");
        fs::remove_dir_all(home).expect("it is ours");
    }

    #[test]
    fn the_sessions_that_it_comes_from_are_told() {
        let id = "0199a213-81c0-7000-8000-000000000001";
        let mut been = Been::default();
        let mut take = |payload: Value| {
            let line = line("session_meta", &payload);
            been.take(&RawLine { start: 0, end: 0, bytes: line.as_bytes(), is_whole: true });
        };
        take(serde_json::json!({"cwd": "/a", "forked_from_id": id, "parent_thread_id": id}));
        take(serde_json::json!({"cwd": "/a", "forked_from_id": "nothing that can be read"}));
        assert_eq!(been.origins, [id.parse().expect("a UUID")]);
        assert_eq!(been.dirs, [Path::new("/a"), Path::new("")]);
    }
}
