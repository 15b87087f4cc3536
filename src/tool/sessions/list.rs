//! `codex_sessions`: lists sessions, or reads one.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{MAX_ENTRIES, blocking, number, read, unless_cancelled};
use crate::codex::sessions::view::session_fields;
use crate::codex::sessions::{Cursor, Query, Store};
use crate::job::Time;
use crate::model::outcome::FailureKind;
use crate::model::text::head_on_one_line;
use crate::model::value::InvalidValue;
use crate::session::holder::is_written;
use crate::tool::arguments::invalid;
use crate::tool::definition::{Answer, Call, Effect, Services, Tool};
use crate::tool::error::Family;
use crate::tool::plain;
use crate::tool::schema::{boolean, closed, integer, merged, objects, open, string, strings};

/// How long a call reads records that are not in the index yet. The next call continues.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest row as a line of text, in characters.
const LINE_CHARS: usize = 1_000;

pub(in crate::tool) fn tool() -> Tool {
    Tool {
        name: "codex_sessions",
        title: "Find Codex sessions",
        description: "Find Codex sessions, including the user's own from the terminal; with session_id \
                      read that one: messages, errors.",
        input: closed(input(), &[]),
        unlisted: unlisted(),
        output: open(output(), &[]),
        effect: Effect::Reads,
        family: Family::Session,
        plain: plain_text,
        search_hint: None,
        always_load: false,
        run: |call| Box::pin(unless_cancelled(call.context, find_or_read(call))),
    }
}

fn input() -> Value {
    json!({
        "session_id": string("Read this one"),
        "include": strings("Also commands, changes, reasoning, tools"),
        "text": string("Text in the first prompt"),
        "cwd": string("Worked in this directory. Default: the server's and those below it"),
        "all": boolean("Of all directories"),
        "source": string("exec, cli, vscode, …; tools: by this server; subagent"),
        "since": string("2h, 3d, 2026-01-31 or RFC 3339"),
        "until": string("Same forms"),
        "cursor": string("From the last answer, to read on"),
        "from_end": boolean("Start with the last entries"),
        "limit": integer("Default 20, at most 200"),
        "truncate": integer("Characters per text; 0: no limit. Default 4096"),
    })
}

/// What `codex_session_read` takes, too.
fn unlisted() -> Value {
    json!({ "before": integer("The entries before this value of an earlier answer.") })
}

fn output() -> Value {
    let described = |about: &str| merged(objects(), json!({ "description": about }));
    json!({
        "sessions": described("Most recently written first."),
        "entries": described("With session_id: what was said and, on request, done."),
        "more": boolean("Whether there is more to read."),
        "cursor": string("Pass it to get more."),
        "warnings": strings("What could not be read."),
    })
}

/// Parameters that need a session, and those that select among sessions.
const OF_ONE: [&str; 4] = ["include", "from_end", "truncate", "before"];
const OF_LIST: [&str; 6] = ["text", "cwd", "all", "source", "since", "until"];

async fn find_or_read(call: Call<'_>) -> Answer {
    let arguments = &call.arguments;
    let (others, problem) = match arguments.has("session_id") {
        true => (&OF_LIST[..], "cannot be combined with session_id: it selects among sessions"),
        false => (&OF_ONE[..], "requires session_id: it is about the entries of a session"),
    };
    if let Some(field) = others.iter().find(|name| arguments.has(name)) {
        return Err(invalid(field, InvalidValue(problem.into())).into());
    }
    if arguments.has("session_id") { read::read_on(call).await } else { list(call).await }
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
    let cwd = arguments.optional_text("cwd")?.map(PathBuf::from);
    let is_everywhere = arguments.flag("all")? || cwd.is_some();
    let here = codex.settings().working_dir.as_path();
    let query = Query {
        cwd,
        within: (!is_everywhere).then(|| here.to_owned()),
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
            let busy = home.and_then(|home| is_written(home, session.id));
            let mut row = session_fields(session, busy);
            // Whoever reads a session gets it.
            row.shift_remove("resume_command");
            Value::Object(row)
        });
        let mut content = Map::new();
        content.insert("sessions".into(), shown.collect());
        content.insert("more".into(), listing.cursor.is_some().into());
        content.extend(listing.cursor.map(|cursor| ("cursor".into(), cursor.to_string().into())));
        if listing.sessions.is_empty() && !is_everywhere {
            let next = "These were only the sessions of this directory: pass all, or another cwd.";
            content.insert("next".into(), next.into());
        }
        let warnings = listing.warnings(home);
        if !warnings.is_empty() {
            content.insert("warnings".into(), warnings.into());
        }
        Ok::<_, FailureKind>(content)
    };
    Ok(blocking(store, list).await??)
}

/// A list is a line for each session, and then what else a caller acts on.
fn plain_text(content: &Map<String, Value>) -> String {
    let Some(rows) = content.get("sessions").and_then(Value::as_array) else {
        return plain::json(content);
    };
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    if rows.is_empty() {
        lines.push("No sessions.".into());
    }
    let text = |name: &str| content.get(name).and_then(Value::as_str);
    let warnings = content.get("warnings").and_then(Value::as_array).into_iter().flatten();
    lines.extend(warnings.filter_map(Value::as_str).map(|warning| format!("warning: {warning}")));
    lines.extend(text("next").map(str::to_owned));
    lines.extend(text("cursor").map(|cursor| format!("[more with cursor {cursor}]")));
    lines.join("\n")
}

fn line(row: &Value) -> String {
    let parts = ["session_id", "updated_at", "cwd", "first_prompt"].map(|name| row[name].as_str());
    head_on_one_line(&parts.into_iter().flatten().collect::<Vec<_>>().join(" · "), LINE_CHARS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_a_line_for_each_session() {
        let row = json!({"session_id": "0199", "cwd": "/w", "first_prompt": "a\nb", "turns": 1});
        let content = json!({"sessions": [row], "more": true, "cursor": "c", "warnings": ["w"]});
        let text = plain_text(content.as_object().expect("an object"));
        assert_eq!(text, "0199 · /w · a b\nwarning: w\n[more with cursor c]");
        let text = plain_text(json!({"sessions": []}).as_object().expect("an object"));
        assert_eq!(text, "No sessions.");
    }
}
