//! What is known about sessions, from their turns here or from Codex's record.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::codex::rollout::{self, Record};
use crate::model::model_name::{Model, ReasoningEffort};
use crate::model::sandbox::Sandbox;
use crate::model::session_id::SessionId;
use crate::model::usage::Usage;
use crate::system::stamp::Unchanged;

/// How many sessions are remembered. The others are read again from Codex's record.
const REMEMBERED: usize = 1_000;

/// What a turn needs to know about the session that it resumes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SessionInfo {
    pub(crate) working_dir: Option<PathBuf>,
    pub(crate) sandbox: Option<Sandbox>,
    /// The model and the reasoning effort of its last turn that was not a one-off, by its record.
    pub(crate) model: Option<Model>,
    pub(crate) effort: Option<ReasoningEffort>,
    /// Tokens of the session before the next turn.
    pub(crate) usage: Option<Usage>,
    /// Whether both directory and sandbox are known.
    pub(crate) settled: bool,
    /// The length of its record before the next turn, in bytes.
    pub(crate) recorded: u64,
    /// Codex's record of the session, once found.
    pub(crate) record: Option<PathBuf>,
}

impl SessionInfo {
    /// The same for a copy of the session, which has a record of its own.
    pub(crate) fn of_copy(self) -> Self {
        Self { record: None, recorded: 0, ..self }
    }
}

/// The sessions that had a turn in this process. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sessions {
    remembered: Arc<Mutex<Remembered>>,
    /// Their records as they were last read.
    records: Unchanged<Record>,
}

#[derive(Debug, Default)]
struct Remembered {
    known: HashMap<SessionId, SessionInfo>,
    order: VecDeque<SessionId>,
}

impl Sessions {
    /// What is known about `session` before its next turn. Always reads Codex's record: if the user
    /// has continued the session in between, only the record has the right tokens. Blocks on files.
    pub(crate) fn look_up(
        &self,
        session: SessionId,
        codex_home: Option<&Path>,
        is_one_off: fn(&str) -> bool,
    ) -> SessionInfo {
        let remembered = self.lock().known.get(&session).cloned();
        let mut known = remembered.unwrap_or_default();
        if known.record.as_ref().is_none_or(|record| !record.exists()) {
            known.record = codex_home.and_then(|home| rollout::find(home, session));
        }
        let length = known.record.as_deref().and_then(|path| path.metadata().ok());
        known.recorded = length.map_or(0, |metadata| metadata.len());
        let read = |path| self.records.read(path, |record| rollout::read(record, is_one_off));
        let record = known.record.as_deref().map(read);
        match record {
            Some(Ok(record)) => {
                known.usage = record.usage.or(known.usage);
                (known.model, known.effort) = (record.model, record.effort);
                if !known.settled {
                    known.settled = record.settled;
                    known.working_dir = record.working_dir;
                    known.sandbox = record.sandbox;
                }
            }
            Some(Err(error)) => tracing::debug!(%session, %error, "the record cannot be read"),
            None => tracing::debug!(%session, "no record of the session was found"),
        }
        known
    }

    /// Remembers what a turn revealed about its session.
    pub(crate) fn remember(&self, session: SessionId, known: SessionInfo) {
        let mut remembered = self.lock();
        if remembered.known.insert(session, known).is_none() {
            remembered.order.push_back(session);
        }
        if remembered.order.len() > REMEMBERED
            && let Some(oldest) = remembered.order.pop_front()
        {
            remembered.known.remove(&oldest);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_of_too_many_sessions_is_forgotten() {
        let sessions = Sessions::default();
        let id = |number: usize| -> SessionId {
            format!("00000000-0000-7000-8000-{number:012}").parse().expect("a UUID")
        };
        let known = SessionInfo { settled: true, ..SessionInfo::default() };
        for number in 0..=REMEMBERED {
            sessions.remember(id(number), known.clone());
        }
        assert!(!sessions.look_up(id(0), None, |_| false).settled);
        assert!(sessions.look_up(id(1), None, |_| false).settled);
        assert_eq!(sessions.lock().known.len(), REMEMBERED);
    }
}
