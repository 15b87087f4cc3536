//! A job's log for readers: every event as it came, or in a readable form.

use std::io;

use serde_json::{Map, Value, json};

use super::folder::Folder;
use super::log::LogReader;
use super::record::{JobEvent, Line};
use crate::codex::progress_text::without_shell;
use crate::model::error_code::headline;
use crate::model::event::{Event, Item, Phase};
use crate::model::text::{LineBreaks, excerpt, sanitize, shorten_strings};

/// How much of the log one page reads, in lines and in bytes, so that it takes milliseconds even if
/// few events match.
const MAX_LINES: usize = 20_000;
const MAX_BYTES: usize = 8 << 20;

/// The size at which a page ends, in bytes. A page has at least one event.
const PAGE_BYTES: usize = 200_000;

/// The longest text that is shown without truncation, in characters.
const MAX_TEXT: usize = 400_000;

/// Which events to return.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    /// Only events after this one.
    pub(crate) cursor: u64,
    pub(crate) limit: usize,
    /// Only events of these types, or all if empty.
    pub(crate) types: Vec<String>,
    /// The longest text, in characters, or 0 for no limit.
    pub(crate) truncate: usize,
    /// Return every event of Codex as it came.
    pub(crate) raw: bool,
}

/// Some events, and where to continue.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) events: Vec<Value>,
    pub(crate) cursor: u64,
    /// Whether there may be more by now.
    pub(crate) more: bool,
}

/// Reads a page. Blocks for milliseconds.
pub(crate) fn page(folder: &Folder, query: &Query) -> io::Result<Page> {
    let mut page = Page { cursor: query.cursor, ..Page::default() };
    let Some(mut log) = LogReader::after(&folder.log(), query.cursor)? else { return Ok(page) };
    let truncate = if query.truncate == 0 { MAX_TEXT } else { query.truncate };
    let (mut lines, mut bytes_read, mut shown) = (0, 0, 0);
    while let Some((cursor, bytes)) = log.next_line()? {
        let full = page.events.len() == query.limit || shown >= PAGE_BYTES;
        if full || lines == MAX_LINES || bytes_read >= MAX_BYTES {
            page.more = true;
            break;
        }
        lines += 1;
        bytes_read += bytes.len();
        page.cursor = cursor;
        let Ok(line) = serde_json::from_slice::<Line<'_>>(bytes) else { continue };
        let event =
            if query.raw { raw(&line, &query.types) } else { readable(&line, &query.types) };
        let Some(mut event) = event else { continue };
        let mut entry = Map::new();
        entry.insert("cursor".into(), cursor.into());
        entry.insert("at".into(), line.at().to_string().into());
        entry.insert("turn".into(), line.turn.into());
        shorten_strings(&mut event, truncate);
        match event {
            Value::Object(fields) if !query.raw => entry.extend(fields),
            event => drop(entry.insert("event".into(), event)),
        }
        let entry = Value::Object(entry);
        shown += entry.to_string().len();
        page.events.push(entry);
    }
    Ok(page)
}

fn wanted(types: &[String], names: &[&str]) -> bool {
    types.is_empty() || types.iter().any(|wanted| names.contains(&wanted.as_str()))
}

fn raw(line: &Line<'_>, types: &[String]) -> Option<Value> {
    let event: Value = match (&line.job, line.codex) {
        (Some(event), _) => json!(event),
        (None, Some(event)) => serde_json::from_str(event.get()).ok()?,
        (None, None) => return None,
    };
    let name = |value: &Value| value["type"].as_str().unwrap_or_default().to_owned();
    let (kind, item) = (name(&event), name(&event["item"]));
    wanted(types, &[&kind, &item]).then_some(event)
}

/// The readable form of an event, with its `type` and a `text`.
fn readable(line: &Line<'_>, types: &[String]) -> Option<Value> {
    let (kind, event) = match (&line.job, line.codex) {
        (Some(event), _) => about_job(line, event)?,
        (None, Some(codex)) => about_turn(&Event::decode(codex.get().as_bytes())?, codex.get())?,
        (None, None) => return None,
    };
    let names = [kind.as_str(), if line.codex.is_some() { "item.completed" } else { "job" }];
    if !wanted(types, &names) {
        return None;
    }
    let mut fields = Map::new();
    fields.insert("type".into(), kind.into());
    fields.extend(event);
    Some(Value::Object(fields))
}

type Shown = (String, Map<String, Value>);

fn text(kind: &str, text: impl Into<String>) -> Option<Shown> {
    let mut fields = Map::new();
    fields.insert("text".into(), text.into().into());
    Some((kind.to_owned(), fields))
}

fn about_job(line: &Line<'_>, event: &JobEvent) -> Option<Shown> {
    match event {
        JobEvent::Created { .. } => None,
        JobEvent::Prompt { text: prompt, interrupt, .. } => {
            let (kind, mut fields) = text("job.prompt", prompt)?;
            if *interrupt {
                fields.insert("interrupt".into(), true.into());
            }
            Some((kind, fields))
        }
        JobEvent::Running { cwd, .. } => {
            let cwd = sanitize(cwd.display(), LineBreaks::Escape);
            text("turn.running", format!("turn {} runs in {cwd}", line.turn))
        }
        JobEvent::Skipped { reason } => text("job.skipped", reason),
        JobEvent::Ended { status, error, .. } => {
            let how = match error {
                Some(error) => headline(&error.kind, &error.message),
                None => format!("turn {} {}", line.turn, status.as_str()),
            };
            let (kind, mut fields) = text("turn.ended", how)?;
            fields.insert("status".into(), status.as_str().into());
            Some((kind, fields))
        }
        JobEvent::Interrupted { error } => text("job.interrupted", &error.message),
    }
}

fn about_turn(event: &Event, raw: &str) -> Option<Shown> {
    match event {
        Event::ThreadStarted { thread_id } => {
            text("thread.started", format!("session {}", excerpt(thread_id)))
        }
        Event::Error { message } => text("error", message),
        Event::Item { phase, item, .. } => about_item(*phase, item, raw),
        // The job's own events report these.
        Event::TurnStarted
        | Event::TurnCompleted { .. }
        | Event::TurnFailed { .. }
        | Event::Unknown { .. } => None,
    }
}

/// Marks an event that was not in Codex's stream. Such events follow the others of their turn.
fn from_record(event: &Value) -> Option<(String, Value)> {
    event.get("from").map(|from| ("from".to_owned(), from.clone()))
}

fn about_item(phase: Phase, item: &Item, raw: &str) -> Option<Shown> {
    if let Item::TodoList { steps } = item {
        let lines: Vec<String> = steps
            .iter()
            .map(|step| format!("[{}] {}", if step.completed { 'x' } else { ' ' }, step.text))
            .collect();
        return text("todo_list", lines.join("\n"));
    }
    if phase != Phase::Completed {
        return None;
    }
    match item {
        Item::AgentMessage { text: message } => text("agent_message", message),
        Item::Reasoning { text: thought } => text("reasoning", thought),
        Item::Command { command, exit_code, .. } => {
            let (kind, mut fields) = text("command_execution", without_shell(command))?;
            fields.insert("exit_code".into(), json!(exit_code));
            let event: Value = serde_json::from_str(raw).unwrap_or_default();
            if let Some(output) = event["item"]["aggregated_output"].as_str() {
                fields.insert("output".into(), output.into());
            }
            fields.extend(from_record(&event));
            Some((kind, fields))
        }
        Item::FileChange { paths, made, .. } => {
            let (kind, mut fields) = text("file_change", paths.join("\n"))?;
            if !made {
                fields.insert("status".into(), "failed".into());
                let event: Value = serde_json::from_str(raw).unwrap_or_default();
                let output = event["item"].get("aggregated_output");
                fields.extend(output.map(|output| ("output".to_owned(), output.clone())));
                fields.extend(from_record(&event));
            }
            Some((kind, fields))
        }
        Item::McpToolCall { server, tool, .. } => text("mcp_tool_call", format!("{server}/{tool}")),
        Item::CollabToolCall { tool } => text("collab_tool_call", tool),
        Item::WebSearch { query } => text("web_search", query),
        Item::Error { message } => text("error", message),
        Item::Other { kind } => text(kind, ""),
        Item::TodoList { .. } => None,
    }
}
