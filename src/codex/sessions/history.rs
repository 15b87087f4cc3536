//! Where sessions have worked, according to their records: all directories of a session, not only the last
//! one, and the sessions it is derived from.
//!
//! Seen on Codex 0.77 to 0.171: the `session_meta` and each `turn_context` have a `cwd`. From 0.153 on, a
//! copy names its original (`forked_from_id`) and has the directory it was created for, and the session of a
//! sub-agent also names its parent's (`parent_thread_id`). Before 0.153, a copy repeats the record of its
//! original, including the `session_meta`.

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

/// Maximum number of cached records. Evicted ones are read again.
const MAX_CACHED: usize = 10_000;

/// Where a session has worked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct History {
    /// Its directories. An empty path stands for a recorded one that could not be read.
    pub(crate) dirs: Vec<PathBuf>,
    /// The sessions whose history it includes.
    pub(crate) origins: Vec<SessionId>,
}

/// Reads the histories of sessions and caches them. Records only grow, so each is read on from where the last
/// read stopped. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Histories(Arc<Mutex<HashMap<(PathBuf, SessionId), Progress>>>);

/// The part of a record that has been read.
#[derive(Debug, Clone, Default)]
struct Progress {
    path: PathBuf,
    /// The file's inode number.
    number: u64,
    /// How much of the file has been read, in bytes.
    end: u64,
    history: History,
}

impl Histories {
    /// The history of a session in this Codex home. Searches for the record if it is not given. `None` if
    /// there is no readable record. Blocks on file I/O.
    pub(crate) fn of(
        &self,
        home: &Path,
        session: SessionId,
        record: Option<&Path>,
    ) -> Option<History> {
        let key = (home.to_owned(), session);
        let mut read = self.lock().get(&key).cloned().unwrap_or_default();
        if !read.path.is_file() || record.is_some_and(|record| record != read.path) {
            let path = record.map(Path::to_owned).or_else(|| find(home, session))?;
            read = Progress { path, ..Progress::default() };
        }
        if let Err(error) = read.catch_up() {
            tracing::debug!(%session, %error, "the record cannot be read");
            return None;
        }
        let history = read.history.clone();
        let mut all = self.lock();
        if all.len() >= MAX_CACHED {
            all.clear();
        }
        all.insert(key, read);
        Some(history)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(PathBuf, SessionId), Progress>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The path of a session's record, including archived ones.
fn find(home: &Path, session: SessionId) -> Option<PathBuf> {
    let ending = format!("-{session}.jsonl");
    let archived = || {
        let files = fs::read_dir(home.join(ARCHIVED)).into_iter().flatten().flatten();
        let mut paths = files.map(|file| file.path());
        paths.find(|path| path.as_os_str().as_encoded_bytes().ends_with(ending.as_bytes()))
    };
    rollout::find(home, session).or_else(archived)
}

impl Progress {
    /// Reads what was added since the last call.
    fn catch_up(&mut self) -> io::Result<()> {
        let found = Stamp::of(&self.path.metadata()?);
        if (found.number, found.size) == (self.number, self.end) {
            return Ok(());
        }
        let mut file = open_file(&self.path)?;
        let number = Stamp::of(&file.metadata()?).number;
        // A file that was replaced or rewritten is read from the start.
        if number != self.number || !is_line_start(&mut file, self.end)? {
            *self = Self { path: std::mem::take(&mut self.path), number, ..Self::default() };
        }
        let mut lines = Lines::new(file, self.end)?;
        while let Some(line) = lines.next_line(&|| false)? {
            self.end = line.end;
            self.history.take(&line);
        }
        Ok(())
    }
}

impl History {
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
    fn a_growing_record_is_read_incrementally_and_a_replaced_one_from_the_start() {
        let home = crate::testing::scratch().join(format!("places-{}", Uuid::new_v4()));
        let day = home.join("sessions/2026/01/01");
        fs::create_dir_all(&day).expect("a fresh folder");
        let id: SessionId = Uuid::now_v7().to_string().parse().expect("a UUID");
        let path = day.join(format!("rollout-x-{id}.jsonl"));
        let histories = Histories::default();
        let dirs = || histories.of(&home, id, None).map(|history| history.dirs);
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
    fn origins_are_collected() {
        let id = "0199a213-81c0-7000-8000-000000000001";
        let mut history = History::default();
        let mut take = |payload: Value| {
            let line = line("session_meta", &payload);
            history.take(&RawLine { start: 0, end: 0, bytes: line.as_bytes(), is_whole: true });
        };
        take(serde_json::json!({"cwd": "/a", "forked_from_id": id, "parent_thread_id": id}));
        take(serde_json::json!({"cwd": "/a", "forked_from_id": "nothing that can be read"}));
        assert_eq!(history.origins, [id.parse().expect("a UUID")]);
        assert_eq!(history.dirs, [Path::new("/a"), Path::new("")]);
    }
}
