//! `codex_session_read`: a page of what was said and done in a session.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::{MAX_ENTRIES, blocking, number, unless_cancelled};
use crate::codex::sessions::Store;
use crate::codex::sessions::transcript::{self, Include, Page, PageRequest, Position};
use crate::model::outcome::FailureKind;
use crate::model::session_id::SessionId;
use crate::model::value::InvalidValue;
use crate::session::holder::is_written;
use crate::tool::arguments::{Result, invalid};
use crate::tool::definition::{Answer, Call, Effect, Services, Tool};
use crate::tool::error::Family;
use crate::tool::plain;
use crate::tool::schema::{boolean, closed, integer, objects, open, string, strings};

pub(in crate::tool) fn tool() -> Tool {
    Tool {
        name: "codex_session_read",
        title: "Read a Codex session",
        description: "Returns the messages of a session and, on request, what was done. A fork \
                      has only its own part; read forked_from for the rest.",
        input: closed(input(), &["session_id"]),
        output: open(output(), &["session_id", "entries", "cursor", "more"]),
        effect: Effect::Reads,
        family: Family::Session,
        plain: plain::json,
        search_hint: None,
        always_load: false,
        unlisted: Value::Null,
        run: |call| Box::pin(unless_cancelled(call.context, read(call))),
    }
}

fn input() -> Value {
    json!({
        "session_id": string("The session (UUID)."),
        "include": strings(&format!("What to include besides messages: {}.", Include::WORDS.join(", "))),
        "cursor": integer("Entries after this cursor. Default 0: from the start."),
        "from_end": boolean("The last entries. Default false."),
        "before": integer("The last entries before this value of an earlier answer."),
        "limit": integer("1 to 200 entries. Default 20."),
        "truncate": integer("Maximum characters per text; 0 for no limit. Default 4096."),
    })
}

fn output() -> Value {
    json!({
        "session_id": { "type": "string" },
        "entries": objects(),
        "cursor": integer("Pass it to read more."),
        "more": { "type": "boolean" },
        "before": integer("Pass it to read what came before."),
        "busy": { "type": "boolean" },
    })
}

async fn read(call: Call<'_>) -> Answer {
    page(call).await
}

/// The same for `codex_sessions`, whose cursor is text: it continues in the direction of the answer that it is
/// from.
pub(super) async fn read_on(mut call: Call<'_>) -> Answer {
    let is_backward = call.arguments.peek("from_end") == Some(&Value::Bool(true));
    if is_backward && call.arguments.has("cursor") {
        call.arguments.rename("cursor", "before");
        call.arguments.drop_argument("from_end");
    }
    let is_backward = is_backward || call.arguments.has("before");
    call.arguments.decode_number("cursor");
    call.arguments.decode_number("before");
    let mut content = page(call).await?;
    let before = content.shift_remove("before");
    let cursor = content.shift_remove("cursor");
    // From the end, the next page is what came before; at the start there is none.
    let next = if is_backward { before } else { cursor };
    content.extend(next.map(|next| ("cursor".to_owned(), next.to_string().into())));
    Ok(content)
}

async fn page(Call { mut arguments, services, .. }: Call<'_>) -> Answer {
    let Services { codex, store, .. } = services;
    let scope = codex.scope();
    let session = arguments.required("session_id", str::parse::<SessionId>)?;
    let cursor = arguments.whole("cursor", 0, u64::MAX)?;
    let before = arguments.whole("before", 0, u64::MAX)?;
    let wanted = PageRequest {
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
        Ok::<_, FailureKind>(shown(session, page, store, &path))
    };
    Ok(blocking(store, read).await??)
}

fn from(cursor: Option<u64>, before: Option<u64>, from_end: bool) -> Result<Position> {
    match (cursor, before) {
        (Some(_), Some(_)) => {
            Err(invalid("before", InvalidValue("cannot be combined with cursor".into())))
        }
        (Some(_), None) if from_end => {
            Err(invalid("from_end", InvalidValue("cannot be combined with cursor".into())))
        }
        (None, Some(before)) => Ok(Position::Before(before)),
        (None, None) if from_end => Ok(Position::End),
        (cursor, None) => Ok(Position::After(cursor.unwrap_or(0))),
    }
}

fn include(words: &[String]) -> Result<Include> {
    words.iter().try_fold(Include::default(), |include, word| {
        include.with(word).ok_or_else(|| {
            let words = Include::WORDS.join(", ");
            invalid("include", InvalidValue(format!("may have {words}, but has {word:?}")))
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
