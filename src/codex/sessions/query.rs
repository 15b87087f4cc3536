//! Which sessions a list contains.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use super::summary::Summary;
use crate::model::session_id::SessionId;
use crate::model::time::Time;
use crate::model::value::InvalidValue;

/// The `source` that selects sessions started by a tool of this program.
pub(crate) const BY_TOOLS: &str = "tools";

/// Selects sessions. All conditions must match.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    /// The session works in this directory.
    pub(crate) cwd: Option<PathBuf>,
    /// The session works in this directory or below it.
    pub(crate) within: Option<PathBuf>,
    /// The start of the first prompt contains this text, ignoring case.
    pub(crate) text: Option<String>,
    /// The session was started from this source. `None` matches all but the sessions of sub-agents.
    pub(crate) source: Option<String>,
    /// The last write was in this period.
    pub(crate) since: Option<Time>,
    pub(crate) until: Option<Time>,
    /// The session comes after this position in the list.
    pub(crate) cursor: Option<Cursor>,
    pub(crate) limit: usize,
    /// The sessions that the caller may see.
    pub(crate) access: Arc<dyn Access>,
}

impl Query {
    /// The first `limit` sessions of the user.
    pub(crate) fn first(limit: usize) -> Self {
        Self {
            cwd: None,
            within: None,
            text: None,
            source: None,
            since: None,
            until: None,
            cursor: None,
            limit,
            access: Arc::new(()),
        }
    }
}

/// Which sessions a caller may see.
pub(crate) trait Access: fmt::Debug + Send + Sync {
    /// Whether sessions in this directory may be visible at all.
    fn allows_dir(&self, dir: &Path) -> bool;
    /// Whether this session is visible. `record` is its file in the Codex home. Blocks on file I/O.
    fn allows_session(&self, home: &Path, session: SessionId, record: &Path) -> bool;
}

/// The owner of the sessions may see all of them.
impl Access for () {
    fn allows_dir(&self, _dir: &Path) -> bool {
        true
    }

    fn allows_session(&self, _home: &Path, _session: SessionId, _record: &Path) -> bool {
        true
    }
}

/// A position in the list, which grows at its start. Also defines the order of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cursor {
    pub(super) updated: Time,
    pub(super) id: SessionId,
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
        cursor.ok_or_else(|| InvalidValue("must be a cursor from an earlier answer".into()))
    }
}

/// A query prepared for matching.
pub(super) struct Matcher<'a> {
    query: &'a Query,
    home: &'a Path,
    /// The directory with symbolic links resolved, because Codex may have recorded that path.
    real_cwd: Option<PathBuf>,
    real_within: Option<PathBuf>,
    text: Option<String>,
}

impl<'a> Matcher<'a> {
    pub(super) fn new(query: &'a Query, home: &'a Path) -> Self {
        let real = |dir: &Option<PathBuf>| dir.as_ref().and_then(|dir| dir.canonicalize().ok());
        let (real_cwd, real_within) = (real(&query.cwd), real(&query.within));
        Self {
            query,
            home,
            real_cwd,
            real_within,
            text: query.text.as_ref().map(|text| text.to_lowercase()),
        }
    }

    /// Whether the position in the list and the time of the last write match.
    pub(super) fn matches_position(&self, at: Cursor) -> bool {
        let Query { since, until, cursor, .. } = self.query;
        cursor.is_none_or(|cursor| at < cursor)
            && since.is_none_or(|since| at.updated >= since)
            && until.is_none_or(|until| at.updated <= until)
    }

    /// Whether directory, source and text match.
    pub(super) fn matches(&self, summary: &Summary) -> bool {
        let Query { cwd, within, source, .. } = self.query;
        let matches_source = match source.as_deref() {
            None => !summary.is_inner(),
            Some(BY_TOOLS) => summary.tool.is_some(),
            source => summary.source.as_deref() == source,
        };
        matches_source
            && (cwd.is_none()
                || [cwd, &self.real_cwd].iter().any(|cwd| summary.cwd() == cwd.as_ref()))
            && (within.is_none()
                || [within, &self.real_within]
                    .into_iter()
                    .flatten()
                    .any(|within| summary.cwd().is_some_and(|cwd| cwd.starts_with(within))))
            && self.text.as_ref().is_none_or(|text| {
                summary.prompt.as_ref().is_some_and(|prompt| prompt.to_lowercase().contains(text))
            })
    }

    /// Whether the caller may see a session. Its record is read only if the summary does not already exclude
    /// it.
    pub(super) fn is_visible(&self, session: SessionId, path: &Path, summary: &Summary) -> bool {
        let access = &self.query.access;
        summary.dirs().all(|dir| access.allows_dir(dir))
            && access.allows_session(self.home, session, &self.home.join(path))
    }
}
