//! `codex_sessions`: lists sessions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{MAX_ENTRIES, blocking, number, unless_cancelled};
use crate::codex::sessions::view::session_fields;
use crate::codex::sessions::{Cursor, Query, Store};
use crate::job::Time;
use crate::model::outcome::FailureKind;
use crate::session::holder::is_written;
use crate::tool::definition::{Answer, Call, Effect, Services, Tool};
use crate::tool::error::Family;
use crate::tool::plain;
use crate::tool::schema::{closed, integer, objects, open, string};

/// How long a call reads records that are not in the index yet. The next call continues.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

pub(in crate::tool) fn tool() -> Tool {
    Tool {
        name: "codex_sessions",
        title: "Find Codex sessions",
        description: "Lists all sessions in Codex's store, including the user's own, most \
                      recently written first. Pass a session_id to codex_chat to resume it, or to \
                      codex_session_read.",
        input: closed(input(), &[]),
        output: open(output(), &["sessions", "more"]),
        effect: Effect::Reads,
        family: Family::Session,
        plain: plain::json,
        search_hint: None,
        always_load: false,
        run: |call| Box::pin(unless_cancelled(call.context, list(call))),
    }
}

fn input() -> Value {
    json!({
        "cwd": string("Only sessions in this directory."),
        "text": string("Only sessions with this in the first 1000 characters of the first prompt, ignoring case."),
        "source": string("Only sessions started from: cli, exec, vscode …; tools: this server; subagent: another session (excluded by default)."),
        "since": string("Only sessions last written since this time: RFC 3339, or an age such as 2h or 3d."),
        "until": string("Only sessions last written until this time."),
        "limit": integer("1 to 200. Default 20."),
        "cursor": string("Sessions after this cursor of an earlier answer."),
    })
}

fn output() -> Value {
    json!({
        "sessions": objects(),
        "more": { "type": "boolean" },
        "cursor": string("Pass it to get more."),
        "warnings": { "type": "array", "items": { "type": "string" } },
    })
}

/// Stops the reading of a call when the call is dropped.
#[derive(Default)]
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

async fn list(Call { mut arguments, services, .. }: Call<'_>) -> Answer {
    let Services { codex, store, .. } = services;
    let scope = codex.scope();
    let stop = Stop::default();
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
        let listing = store.list(&query, READ_TIMEOUT, &|| stopped.load(Ordering::Relaxed));
        let home = store.home();
        let shown = listing.sessions.iter().map(|session| {
            Value::Object(session_fields(
                session,
                home.and_then(|home| is_written(home, session.id)),
            ))
        });
        let mut content = Map::new();
        content.insert("sessions".into(), shown.collect());
        content.insert("more".into(), listing.cursor.is_some().into());
        content.extend(listing.cursor.map(|cursor| ("cursor".into(), cursor.to_string().into())));
        let warnings = listing.warnings(home);
        if !warnings.is_empty() {
            content.insert("warnings".into(), warnings.into());
        }
        Ok::<_, FailureKind>(content)
    };
    Ok(blocking(store, list).await??)
}
