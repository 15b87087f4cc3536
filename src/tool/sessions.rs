//! The tools for Codex's own sessions: which there are, and what was said in one. They only read.

mod definition;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rmcp::model::{CallToolResult, ContentBlock, JsonObject, Tool as Definition};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::arguments::{Arguments, invalid};
use super::size_limit::structured;
use crate::admission::scope::Scope;
use crate::codex::sessions::transcript::{self, From, Include, Page, Wanted};
use crate::codex::sessions::view::listed;
use crate::codex::sessions::{Cursor, Query, Store};
use crate::job::Time;
use crate::model::outcome::FailureKind;
use crate::model::session_id::SessionId;
use crate::model::value::InvalidValue;
use crate::session::holder::is_written;

/// How long a call reads records that nobody has read before. The next call goes on.
const READ_WITHIN: Duration = Duration::from_secs(10);

/// How long a disk is waited for.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// The most entries of one answer.
const MAX_ENTRIES: u64 = 200;

/// A tool for sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionTool {
    List,
    Read,
}

impl SessionTool {
    /// All of them, in the order in which they are listed.
    pub(crate) const ALL: [Self; 2] = [Self::List, Self::Read];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::List => "codex_sessions",
            Self::Read => "codex_session_read",
        }
    }

    /// What clients are told of the tool.
    pub(crate) fn definition(self) -> &'static Definition {
        definition::of(self)
    }

    /// Answers a call.
    pub(crate) async fn call(
        self,
        arguments: JsonObject,
        store: &Store,
        scope: Scope,
        context: &RequestContext<RoleServer>,
    ) -> CallToolResult {
        let arguments = Arguments::of(self.name(), self.definition(), arguments);
        let stop = Stop::default();
        let answer = async {
            match (self, arguments?) {
                (Self::List, arguments) => list(arguments, store, scope, &stop).await,
                (Self::Read, arguments) => read(arguments, store, scope).await,
            }
        };
        let answer = tokio::select! {
            biased;
            () = context.ct.cancelled() => Err(cancelled()),
            answer = answer => answer,
        };
        match answer {
            Ok(content) => structured(content),
            Err(trouble) => CallToolResult::error(vec![ContentBlock::text(self.text(&trouble))]),
        }
    }

    /// The error as its reader needs it: what happened, and what to do next.
    fn text(self, trouble: &FailureKind) -> String {
        let name = self.name();
        let next = match trouble {
            FailureKind::BadInput { field, .. } => {
                format!("correct {field} and call {name} again.")
            }
            FailureKind::SessionNotFound { .. } => {
                "check the session_id; codex_sessions has all sessions. They are looked for in \
                 CODEX_HOME, so one made with another CODEX_HOME is not found."
                    .into()
            }
            FailureKind::NotAllowed { field, .. } => format!(
                "ask with another {field}, or have the person who runs this server allow it; \
                 codex_sessions has the sessions that can be read."
            ),
            _ => format!("call {name} again."),
        };
        format!("{}: {trouble}.\n\nNext: {next}\n", trouble.word())
    }
}

type Answer = Result<Map<String, Value>, FailureKind>;

/// Stops the reading of a call that nobody waits for any more.
#[derive(Default)]
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn cancelled() -> FailureKind {
    FailureKind::Cancelled { by: crate::model::outcome::CancelledBy::Caller }
}

/// Does what blocks where that is no harm.
async fn blocking<T: Send + 'static>(
    store: &Store,
    work: impl FnOnce(&Store) -> T + Send + 'static,
) -> Result<T, FailureKind> {
    let store = store.clone();
    match timeout(ANSWERS_WITHIN, tokio::task::spawn_blocking(move || work(&store))).await {
        Ok(done) => done.map_err(|error| FailureKind::Internal { message: error.to_string() }),
        Err(_) => {
            let message = "the disk that the sessions lie on does not answer".into();
            Err(FailureKind::Internal { message })
        }
    }
}

fn number(value: Option<u64>, default: usize) -> usize {
    value.map_or(default, |value| usize::try_from(value).unwrap_or(usize::MAX))
}

async fn list(mut arguments: Arguments, store: &Store, scope: Scope, stop: &Stop) -> Answer {
    let query = Query {
        cwd: arguments.optional_text("cwd")?.map(Into::into),
        text: arguments.optional_text("text")?,
        source: arguments.optional_text("source")?,
        since: arguments.parsed("since", str::parse::<Time>)?,
        until: arguments.parsed("until", str::parse::<Time>)?,
        cursor: arguments.parsed("cursor", str::parse::<Cursor>)?,
        limit: number(arguments.whole("limit", 1, MAX_ENTRIES)?, 20),
        access: Arc::new(scope.clone()),
    };
    arguments.end();
    let stopped = Arc::clone(&stop.0);
    let list = move |store: &Store| {
        query.cwd.as_ref().map_or(Ok(()), |cwd| scope.check_dir("cwd", cwd))?;
        let listing = store.list(&query, READ_WITHIN, &|| stopped.load(Ordering::Relaxed));
        let home = store.home();
        let shown = listing.sessions.iter().map(|session| {
            Value::Object(listed(session, home.and_then(|home| is_written(home, session.id))))
        });
        let mut content = Map::new();
        content.insert("sessions".into(), shown.collect());
        content.insert("more".into(), listing.cursor.is_some().into());
        content.extend(listing.cursor.map(|cursor| ("cursor".into(), cursor.to_string().into())));
        let warnings = listing.warnings(home);
        if !warnings.is_empty() {
            content.insert("warnings".into(), warnings.into());
        }
        Ok(content)
    };
    blocking(store, list).await?
}

async fn read(mut arguments: Arguments, store: &Store, scope: Scope) -> Answer {
    let session = arguments.required("session_id", str::parse::<SessionId>)?;
    let cursor = arguments.whole("cursor", 0, u64::MAX)?;
    let before = arguments.whole("before", 0, u64::MAX)?;
    let wanted = Wanted {
        from: from(cursor, before, arguments.flag("from_end")?)?,
        limit: number(arguments.whole("limit", 1, MAX_ENTRIES)?, 20),
        truncate: number(arguments.whole("truncate", 0, 1_000_000)?, 4_096),
        include: include(&arguments.texts("include")?)?,
    };
    arguments.end();
    let read = move |store: &Store| {
        let path = store.find(session).ok_or(FailureKind::SessionNotFound { session })?;
        scope.check_session("session_id", session, Some(&path))?;
        let page = transcript::page(&path, &wanted).map_err(|problem| match problem {
            transcript::Problem::BadInput { field, problem } => invalid(field, problem),
            unreadable @ transcript::Problem::Io(_) => {
                FailureKind::Internal { message: unreadable.to_string() }
            }
        })?;
        Ok(shown(session, page, store, &path))
    };
    blocking(store, read).await?
}

fn from(cursor: Option<u64>, before: Option<u64>, from_end: bool) -> Result<From, FailureKind> {
    match (cursor, before) {
        (Some(_), Some(_)) => {
            Err(invalid("before", InvalidValue("cannot be given together with cursor".into())))
        }
        (Some(_), None) if from_end => {
            Err(invalid("from_end", InvalidValue("cannot be given together with cursor".into())))
        }
        (None, Some(before)) => Ok(From::Before(before)),
        (None, None) if from_end => Ok(From::End),
        (cursor, None) => Ok(From::After(cursor.unwrap_or(0))),
    }
}

fn include(words: &[String]) -> Result<Include, FailureKind> {
    words.iter().try_fold(Include::default(), |include, word| {
        include.with(word).ok_or_else(|| {
            let words = Include::WORDS.join(", ");
            invalid("include", InvalidValue(format!("may have {words}, and has {word:?}")))
        })
    })
}

fn shown(session: SessionId, page: Page, store: &Store, path: &Path) -> Map<String, Value> {
    let mut content = Map::new();
    content.insert("session_id".into(), session.to_string().into());
    content.insert("entries".into(), page.entries.into());
    content.insert("cursor".into(), page.cursor.into());
    content.insert("more".into(), page.more.into());
    content.extend(page.before.map(|before| ("before".into(), before.into())));
    let busy = store.home().and_then(|home| is_written(home, session));
    content.extend(busy.map(|busy| ("busy".into(), busy.into())));
    content.insert("resume_command".into(), store.resume_command(session, path).into());
    content
}
