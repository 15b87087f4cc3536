//! A page of the list of sessions.

use std::collections::BTreeMap;
use std::path::Path;

use super::index::Entry;
use super::query::{Cursor, Matcher, Query};
use super::scan::Missed;
use super::summary::Summary;
use super::walk::ARCHIVED;
use crate::codex::home::{codex_home, command_in_home};
use crate::model::session_id::SessionId;
use crate::model::text::excerpt;

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
    /// Where the next page starts, if there is one.
    pub(crate) cursor: Option<Cursor>,
    /// The records that were not read.
    pub(crate) missed: Missed,
}

impl Session {
    /// `path` is relative to Codex's home. `None` if the record has no session id.
    pub(super) fn from_summary(path: &Path, summary: Summary) -> Option<Self> {
        Some(Self { id: summary.id?, is_archived: path.starts_with(ARCHIVED), summary })
    }

    /// The shell command with which a user can resume the session.
    pub(crate) fn resume_command(&self) -> String {
        resume_command(self.id, self.is_archived)
    }
}

/// The shell command with which a user can resume a session.
pub(super) fn resume_command(session: SessionId, is_archived: bool) -> String {
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
    /// Warnings about missing sessions. `home` is the Codex home.
    pub(crate) fn warnings(&self, home: Option<&Path>) -> Vec<String> {
        let mut warnings = Vec::new();
        let Missed { unread, compressed } = self.missed;
        if unread > 0 {
            warnings.push(format!(
                "{unread} records have not been read yet, so sessions may be missing. Repeat the call to \
                 read more."
            ));
        }
        if compressed > 0 {
            warnings.push(format!(
                "{compressed} sessions are missing, because Codex has compressed their records."
            ));
        }
        let sessions = home.map(|home| home.join("sessions"));
        if let Some(sessions) = sessions.filter(|sessions| !sessions.is_dir()) {
            warnings.push(format!(
                "There is no folder {}. Check CODEX_HOME.",
                excerpt(sessions.display())
            ));
        }
        warnings
    }
}

/// Collects one page of sessions, and one more to detect whether there is a next page.
pub(super) struct Page {
    limit: usize,
    sessions: BTreeMap<Cursor, Session>,
    /// Whether the index has an entry that cannot be read.
    pub(super) is_broken: bool,
}

impl Page {
    pub(super) fn new(query: &Query) -> Self {
        Self { limit: query.limit, sessions: BTreeMap::new(), is_broken: false }
    }

    /// Adds the session of an entry if it matches and belongs to the page.
    pub(super) fn offer(&mut self, matcher: &Matcher<'_>, entry: &Entry) {
        let Some(id) = entry.head.id else { return };
        let at = Cursor { updated: entry.head.updated, id };
        let is_full = self.sessions.len() > self.limit;
        let is_after_last = || self.sessions.first_key_value().is_some_and(|(last, _)| at < *last);
        if is_full && is_after_last() || !matcher.matches_position(at) {
            return;
        }
        let Some(summary) = entry.summary() else {
            self.is_broken = true;
            return;
        };
        if matcher.matches(&summary) && matcher.is_visible(id, &entry.head.path, &summary) {
            let session = Session::from_summary(&entry.head.path, summary.into_owned());
            self.sessions.extend(session.map(|session| (at, session)));
        }
        if self.sessions.len() > self.limit.saturating_add(1) {
            self.sessions.pop_first();
        }
    }

    pub(super) fn finish(mut self, missed: Missed) -> Listing {
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
