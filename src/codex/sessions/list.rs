//! The list of sessions: which are wanted, the one that was written last first, a page at a time.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::index::{Entry, Place};
use super::lines::Lines;
use super::scan::{Missed, Saving, Scan, lock};
use super::summary::Summary;
use super::walk::{ARCHIVED, Found, session_in, walk};
use crate::codex::home::{codex_home, command_in_home};
use crate::codex::rollout;
use crate::model::session_id::SessionId;
use crate::model::text::excerpt;
use crate::model::time::Time;
use crate::model::value::InvalidValue;
use crate::system::bounded::open_file;

/// The word that asks for sessions that were begun by a tool of this program.
pub(crate) const BY_TOOLS: &str = "tools";

/// Codex's store. Every method blocks.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    home: Option<PathBuf>,
    state_dir: Option<PathBuf>,
}

/// Which sessions are wanted.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    /// Those that work in this directory.
    pub(crate) cwd: Option<PathBuf>,
    /// Those with this in the beginning of the first prompt, in whatever case.
    pub(crate) text: Option<String>,
    /// Those that were begun like this. Without it all but those that a session made for itself.
    pub(crate) source: Option<String>,
    /// Those that were written last in this time.
    pub(crate) since: Option<Time>,
    pub(crate) until: Option<Time>,
    /// Those after this one.
    pub(crate) cursor: Option<Cursor>,
    pub(crate) limit: usize,
    /// Those that whoever asks may know of.
    pub(crate) access: Arc<dyn Access>,
}

/// Which sessions somebody may know of.
pub(crate) trait Access: fmt::Debug + Send + Sync {
    /// Those that work in this directory, as far as it alone decides.
    fn allows_dir(&self, dir: &Path) -> bool;
    /// This one, whose record in this Codex home is given. Blocks on files.
    fn allows_session(&self, home: &Path, session: SessionId, record: &Path) -> bool;
}

/// The person whose sessions these are may know of all.
impl Access for () {
    fn allows_dir(&self, _dir: &Path) -> bool {
        true
    }

    fn allows_session(&self, _home: &Path, _session: SessionId, _record: &Path) -> bool {
        true
    }
}

/// A place in the list, which grows at its head. Also the order of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cursor {
    updated: Time,
    id: SessionId,
}

/// A session in the list.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) is_archived: bool,
    pub(crate) summary: Summary,
}

/// A page of the list.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) sessions: Vec<Session>,
    /// From where to go on, if there are more.
    pub(crate) cursor: Option<Cursor>,
    pub(crate) missed: Missed,
}

impl Store {
    pub(crate) fn new(state_dir: Option<&Path>) -> Self {
        Self { home: codex_home(), state_dir: state_dir.map(Path::to_owned) }
    }

    /// Where the sessions are.
    pub(crate) fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    /// The record of a session.
    pub(crate) fn find(&self, session: SessionId) -> Option<PathBuf> {
        let home = self.home()?;
        rollout::find(home, session).or_else(|| {
            let mut found = None;
            self.names(|path, id| {
                if id == session {
                    found = Some(path.to_owned());
                }
                found.is_none()
            });
            Some(home.join(found?))
        })
    }

    /// With which a person takes a session over whose record this is.
    pub(crate) fn resume_command(&self, session: SessionId, path: &Path) -> String {
        let archived = self.home().map(|home| home.join(ARCHIVED));
        resume_command(session, archived.is_some_and(|archived| path.starts_with(archived)))
    }

    /// Calls `visit` for each record, by name alone, as long as it returns true.
    pub(crate) fn names(&self, mut visit: impl FnMut(&Path, SessionId) -> bool) {
        let Some(home) = self.home() else { return };
        walk(home, |folder| {
            let mut records = folder.records.iter();
            records.all(|Found { path, .. }| session_in(path).is_none_or(|id| visit(path, id)))
        });
    }

    /// All that a list would show of one session.
    pub(crate) fn session(&self, path: &Path) -> io::Result<Option<Session>> {
        let mut summary = Summary::default();
        let mut lines = Lines::new(open_file(path)?, 0)?;
        while let Some(line) = lines.next_line(&|| false)? {
            summary.take(&line);
        }
        let home = self.home().unwrap_or(Path::new(""));
        Ok(Session::of(path.strip_prefix(home).unwrap_or(path), summary))
    }

    /// A page of the sessions that are wanted. What there is no time to read, or `is_stopped` has no
    /// patience for, is told as missed, and the next call goes on with it.
    pub(crate) fn list(
        &self,
        query: &Query,
        within: Duration,
        is_stopped: &dyn Fn() -> bool,
    ) -> Listing {
        let Some(home) = self.home() else { return Listing::default() };
        let until = Instant::now() + within;
        let is_over = || Instant::now() >= until || is_stopped();
        let place = self.state_dir.as_deref().map(|state_dir| Place::new(state_dir, home));
        let matcher = Matcher::new(query, home);
        let mut page = Page::new(query);
        let look = |page: &mut Page, reader, saving| {
            let look = Scan { home, reader, saving, is_over: &is_over, missed: Missed::default() };
            look.run(&mut |entry| page.offer(&matcher, entry))
        };
        let remembered = || place.as_ref().map(Place::read);
        if place.is_some()
            && let Some(missed) =
                look(&mut page, remembered(), Saving::Little { files: 0, bytes: 0 })
            && !page.is_broken
        {
            return page.finish(missed);
        }
        // There is much to read: alone, if that can be, so that it is read once and remembered.
        let lock = place.as_ref().and_then(|place| lock(place, &is_over));
        let writer = place.as_ref().filter(|_| lock.is_some()).and_then(|place| place.write().ok());
        let reader = remembered().filter(|_| !page.is_broken);
        page = Page::new(query);
        let missed = look(&mut page, reader, Saving::All(writer)).unwrap_or_default();
        drop(lock);
        page.finish(missed)
    }
}

/// A query, ready to be compared with.
struct Matcher<'a> {
    query: &'a Query,
    home: &'a Path,
    /// The directory by its other name, if it has one: Codex may have been started by that.
    also: Option<PathBuf>,
    text: Option<String>,
}

impl<'a> Matcher<'a> {
    fn new(query: &'a Query, home: &'a Path) -> Self {
        let also = query.cwd.as_ref().and_then(|cwd| cwd.canonicalize().ok());
        Self { query, home, also, text: query.text.as_ref().map(|text| text.to_lowercase()) }
    }

    /// Whether a session at this place in the list can be wanted.
    fn is_in_time(&self, at: Cursor) -> bool {
        let Query { since, until, cursor, .. } = self.query;
        cursor.is_none_or(|cursor| at < cursor)
            && since.is_none_or(|since| at.updated >= since)
            && until.is_none_or(|until| at.updated <= until)
    }

    fn matches(&self, summary: &Summary) -> bool {
        let Query { cwd, source, .. } = self.query;
        let is_of_source = match source.as_deref() {
            None => !summary.is_inner(),
            Some(BY_TOOLS) => summary.tool.is_some(),
            source => summary.source.as_deref() == source,
        };
        is_of_source
            && (cwd.is_none() || [cwd, &self.also].iter().any(|cwd| summary.cwd() == cwd.as_ref()))
            && self.text.as_ref().is_none_or(|text| {
                summary.prompt.as_ref().is_some_and(|prompt| prompt.to_lowercase().contains(text))
            })
    }

    /// Whether whoever asks may know of a session. Its record is looked at only if what is remembered of
    /// it does not tell.
    fn may_be_known(&self, session: SessionId, path: &Path, summary: &Summary) -> bool {
        let access = &self.query.access;
        summary.dirs().all(|dir| access.allows_dir(dir))
            && access.allows_session(self.home, session, &self.home.join(path))
    }
}

/// The part of the list that is wanted, and one session more if there is one.
struct Page {
    limit: usize,
    sessions: BTreeMap<Cursor, Session>,
    /// Whether something that is remembered cannot be read.
    is_broken: bool,
}

impl Page {
    fn new(query: &Query) -> Self {
        Self { limit: query.limit, sessions: BTreeMap::new(), is_broken: false }
    }

    fn offer(&mut self, matcher: &Matcher<'_>, entry: &Entry) {
        let Some(id) = entry.head.id else { return };
        let at = Cursor { updated: entry.head.updated, id };
        let is_full = self.sessions.len() > self.limit;
        let is_late = || self.sessions.first_key_value().is_some_and(|(last, _)| at < *last);
        if is_full && is_late() || !matcher.is_in_time(at) {
            return;
        }
        let Some(summary) = entry.summary() else {
            self.is_broken = true;
            return;
        };
        if matcher.matches(&summary) && matcher.may_be_known(id, &entry.head.path, &summary) {
            let session = Session::of(&entry.head.path, summary.into_owned());
            self.sessions.extend(session.map(|session| (at, session)));
        }
        if self.sessions.len() > self.limit.saturating_add(1) {
            self.sessions.pop_first();
        }
    }

    fn finish(mut self, missed: Missed) -> Listing {
        let has_more = self.sessions.len() > self.limit;
        if has_more {
            self.sessions.pop_first();
        }
        let cursor = self.sessions.first_key_value().map(|(last, _)| *last);
        Listing {
            sessions: self.sessions.into_values().rev().collect(),
            cursor: cursor.filter(|_| has_more),
            missed,
        }
    }
}

impl Session {
    fn of(path: &Path, summary: Summary) -> Option<Self> {
        Some(Self { id: summary.id?, is_archived: path.starts_with(ARCHIVED), summary })
    }

    /// With which a person takes it over.
    pub(crate) fn resume_command(&self) -> String {
        resume_command(self.id, self.is_archived)
    }
}

fn resume_command(session: SessionId, is_archived: bool) -> String {
    let resume = session.resume_command();
    if is_archived {
        let home = codex_home();
        let unarchive = command_in_home(home.as_deref(), &format!("codex unarchive {session}"));
        format!("{unarchive} && {resume}")
    } else {
        resume
    }
}

impl Listing {
    /// What its reader should know.
    pub(crate) fn warnings(&self, home: Option<&Path>) -> Vec<String> {
        let mut warnings = Vec::new();
        let Missed { unread, compressed } = self.missed;
        if unread > 0 {
            warnings.push(format!(
                "{unread} records are not read yet, so sessions may be missing; the same call again \
                 reads on"
            ));
        }
        if compressed > 0 {
            warnings.push(format!(
                "{compressed} sessions are left out: Codex has compressed their records"
            ));
        }
        let sessions = home.map(|home| home.join("sessions"));
        if let Some(sessions) = sessions.filter(|sessions| !sessions.is_dir()) {
            warnings.push(format!(
                "there is no folder {}: see CODEX_HOME",
                excerpt(sessions.display())
            ));
        }
        warnings
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.updated, self.id)
    }
}

impl FromStr for Cursor {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let cursor = text.split_once('/').and_then(|(updated, id)| {
            Some(Self { updated: Time::parse(updated)?, id: id.parse().ok()? })
        });
        cursor.ok_or_else(|| InvalidValue("must be the cursor of an earlier answer".into()))
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
    fn a_look_that_is_stopped_anywhere_is_gone_on_with_by_the_next() {
        let folder = crate::testing::scratch().join(format!("sessions-{}", Uuid::new_v4()));
        let home = folder.join("codex");
        let ids: Vec<SessionId> = (0..50).map(|_| record(&home, 3)).collect();
        let store = Store { home: Some(home), state_dir: Some(folder.join("state")) };
        let query = Query {
            cwd: None,
            text: None,
            source: None,
            since: None,
            until: None,
            cursor: None,
            limit: 100,
            access: Arc::new(()),
        };
        let hour = Duration::from_secs(3_600);
        let none = store.list(&query, Duration::ZERO, &|| false);
        assert_eq!((none.sessions.len(), none.missed.unread), (0, 50));
        let mut looks = 0;
        let listing = loop {
            // Now in the middle of a record and now between two.
            let patience = Cell::new(700 + looks);
            let is_stopped = || {
                patience.set(patience.get() - 1);
                patience.get() <= 0
            };
            let listing = store.list(&query, hour, &is_stopped);
            looks += 1;
            if listing.missed.unread == 0 {
                break listing;
            }
        };
        let entries = std::fs::read_dir(folder.join("state")).expect("it is there").count();
        std::fs::remove_dir_all(&folder).expect("it is ours");
        assert_eq!(entries, 2, "an index and its lock, and nothing half written");
        assert!(looks > 1, "it was stopped");
        let mut found: Vec<SessionId> = listing.sessions.iter().map(|session| session.id).collect();
        found.sort_unstable();
        assert_eq!(found, ids);
        assert!(listing.sessions.iter().all(|session| session.summary.turns == 3));
    }
}
