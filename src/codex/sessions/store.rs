//! Codex's store of sessions: finds records, reads them and lists them.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::index::IndexFile;
use super::lines::Lines;
use super::listing::{Listing, Page, Session, resume_command};
use super::query::{Matcher, Query};
use super::scan::{IndexUpdate, Missed, Scan, lock};
use super::summary::Summary;
use super::walk::{ARCHIVED, RecordFile, session_id_in, walk};
use crate::codex::home::codex_home;
use crate::codex::rollout;
use crate::model::session_id::SessionId;
use crate::system::bounded::open_file;

/// Codex's store of sessions. Every method blocks on file I/O.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    home: Option<PathBuf>,
    state_dir: Option<PathBuf>,
}

impl Store {
    pub(crate) fn new(state_dir: Option<&Path>) -> Self {
        Self { home: codex_home(), state_dir: state_dir.map(Path::to_owned) }
    }

    /// The Codex home.
    pub(crate) fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    /// The path of a session's record.
    pub(crate) fn find(&self, session: SessionId) -> Option<PathBuf> {
        let home = self.home()?;
        rollout::find(home, session).or_else(|| {
            let mut found = None;
            self.visit_names(|path, id| {
                if id == session {
                    found = Some(path.to_owned());
                }
                found.is_none()
            });
            Some(home.join(found?))
        })
    }

    /// The shell command with which a user can resume a session. `path` is its record.
    pub(crate) fn resume_command(&self, session: SessionId, path: &Path) -> String {
        let archived = self.home().map(|home| home.join(ARCHIVED));
        resume_command(session, archived.is_some_and(|archived| path.starts_with(archived)))
    }

    /// Calls `visit` for each record until it returns false. Only names are read.
    pub(crate) fn visit_names(&self, mut visit: impl FnMut(&Path, SessionId) -> bool) {
        let Some(home) = self.home() else { return };
        walk(home, |folder| {
            let mut records = folder.records.iter();
            records
                .all(|RecordFile { path, .. }| session_id_in(path).is_none_or(|id| visit(path, id)))
        });
    }

    /// Reads the record at `path` and returns what a list shows of the session.
    pub(crate) fn session(&self, path: &Path) -> io::Result<Option<Session>> {
        let mut summary = Summary::default();
        let mut lines = Lines::new(open_file(path)?, 0)?;
        while let Some(line) = lines.next_line(&|| false)? {
            summary.take(&line);
        }
        let home = self.home().unwrap_or(Path::new(""));
        Ok(Session::from_summary(path.strip_prefix(home).unwrap_or(path), summary))
    }

    /// A page of the sessions that match the query. Records that are not read before the timeout expires or
    /// `is_stopped` returns true are reported as missed, and the next call reads them.
    pub(crate) fn list(
        &self,
        query: &Query,
        timeout: Duration,
        is_stopped: &dyn Fn() -> bool,
    ) -> Listing {
        let Some(home) = self.home() else { return Listing::default() };
        let until = Instant::now() + timeout;
        let is_over = || Instant::now() >= until || is_stopped();
        let index = self.state_dir.as_deref().map(|state_dir| IndexFile::new(state_dir, home));
        let matcher = Matcher::new(query, home);
        let mut page = Page::new(query);
        let scan = |page: &mut Page, reader, update| {
            let scan = Scan { home, reader, update, is_over: &is_over, missed: Missed::default() };
            scan.run(&mut |entry| page.offer(&matcher, entry))
        };
        let cached = || index.as_ref().map(IndexFile::read);
        if index.is_some()
            && let Some(missed) =
                scan(&mut page, cached(), IndexUpdate::Skip { files: 0, bytes: 0 })
            && !page.is_broken
        {
            return page.finish(missed);
        }
        // Much is new. Take the lock if possible, so that only one process reads it and updates the index.
        let lock = index.as_ref().and_then(|index| lock(index, &is_over));
        let writer = index.as_ref().filter(|_| lock.is_some()).and_then(|index| index.write().ok());
        let reader = cached().filter(|_| !page.is_broken);
        page = Page::new(query);
        let missed = scan(&mut page, reader, IndexUpdate::Write(writer)).unwrap_or_default();
        drop(lock);
        page.finish(missed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use uuid::Uuid;

    fn record(home: &Path, turns: usize) -> SessionId {
        let id: SessionId = Uuid::now_v7().to_string().parse().expect("a UUID");
        let line = |kind: &str, payload: &str| {
            format!(r#"{{"timestamp":"2026-01-01T00:00:00Z","type":"{kind}","payload":{payload}}}"#)
        };
        let head = line("event_msg", r#"{"type":"task_started"}"#);
        let filler = line("response_item", &format!(r#"{{"type":"x{}"}}"#, "x".repeat(100_000)));
        let meta = line("session_meta", &format!(r#"{{"id":"{id}"}}"#));
        let turns = format!("{head}\n{filler}\n").repeat(turns);
        let folder = home.join("sessions/2026/01/01");
        std::fs::create_dir_all(&folder).expect("a fresh folder");
        std::fs::write(folder.join(format!("rollout-{id}.jsonl")), format!("{meta}\n{turns}"))
            .expect("there is room");
        id
    }

    #[test]
    fn a_scan_that_is_stopped_anywhere_is_continued_by_the_next() {
        let folder = crate::testing::scratch().join(format!("sessions-{}", Uuid::new_v4()));
        let home = folder.join("codex");
        let ids: Vec<SessionId> = (0..50).map(|_| record(&home, 3)).collect();
        let store = Store { home: Some(home), state_dir: Some(folder.join("state")) };
        let query = Query::first(100);
        let hour = Duration::from_secs(3_600);
        let none = store.list(&query, Duration::ZERO, &|| false);
        assert_eq!((none.sessions.len(), none.missed.unread), (0, 50));
        let mut scans = 0;
        let listing = loop {
            // Sometimes in the middle of a record and sometimes between two.
            let patience = Cell::new(700 + scans);
            let is_stopped = || {
                patience.set(patience.get() - 1);
                patience.get() <= 0
            };
            let listing = store.list(&query, hour, &is_stopped);
            scans += 1;
            if listing.missed.unread == 0 {
                break listing;
            }
        };
        let entries = std::fs::read_dir(folder.join("state")).expect("it is there").count();
        std::fs::remove_dir_all(&folder).expect("it is ours");
        assert_eq!(entries, 2, "an index and its lock, and nothing half written");
        assert!(scans > 1, "it was stopped");
        let mut found: Vec<SessionId> = listing.sessions.iter().map(|session| session.id).collect();
        found.sort_unstable();
        assert_eq!(found, ids);
        assert!(listing.sessions.iter().all(|session| session.summary.turns == 3));
    }
}
