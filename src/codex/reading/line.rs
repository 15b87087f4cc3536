//! Decodes a line of any form, each by itself, so that a file may mix them. Pure.
//!
//! The forms are `codex/event` notifications and the answers among them (MCP over standard output), events of
//! `codex exec --json`, and the lines of Codex's records. The caller knows one more: the lines of a job.

use std::collections::VecDeque;

use memchr::memmem;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::calls::Calls;
use super::entry::{Entry, What, name, text};
use super::values::{content, string, time};
use super::{event, exec, record};

/// How much of a line is searched for its kind before it is decoded, in bytes.
const HEAD: usize = 512;

/// Maximum number of requests whose sessions are remembered.
const MAX_REQUESTS: usize = 64;

/// Events that repeat others, or are of no interest, and are most of the bytes of a file.
const SKIPPED: [&str; 6] = [
    "raw_response_item",
    "raw_response_completed",
    "item_started",
    "agent_message_content_delta",
    "agent_message_delta",
    "exec_command_output_delta",
];

/// What a line is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decoded {
    /// It has a known form. There may be nothing of interest in it.
    Known(Vec<Entry>),
    /// It is JSON of an unknown form.
    Other,
    /// It is not JSON, because it is torn or something else altogether.
    NotJson,
    /// It is not even text.
    Binary,
    Blank,
}

/// A form that the caller knows. `None` if the line does not have it.
pub(crate) type Form = fn(&Value) -> Option<Vec<Entry>>;

/// Decodes lines in order.
pub(crate) struct Decoder {
    form: Form,
    calls: Calls,
    record: record::Decoder,
    /// The session of a run of `codex exec`, which only its first event names.
    session: Option<String>,
    /// The session of each request. Before 0.121 only the first event of a request names it.
    sessions: VecDeque<(String, String)>,
}

impl Decoder {
    pub(crate) fn new(form: Form) -> Self {
        Self {
            form,
            calls: Calls::default(),
            record: record::Decoder::default(),
            session: None,
            sessions: VecDeque::new(),
        }
    }

    /// Decodes a line without its line end.
    pub(crate) fn decode(&mut self, line: &[u8]) -> Decoded {
        if line.is_empty() {
            return Decoded::Blank;
        }
        if is_skipped(&line[..line.len().min(HEAD)]) {
            let is_json = serde_json::from_slice::<IgnoredAny>(line).is_ok();
            return if is_json { Decoded::Known(Vec::new()) } else { Decoded::NotJson };
        }
        let value: Value = match serde_json::from_slice(line) {
            Ok(value) => value,
            Err(_) if line.contains(&0) || std::str::from_utf8(line).is_err() => {
                return Decoded::Binary;
            }
            Err(_) => return Decoded::NotJson,
        };
        match self.entries(&value, line) {
            Some(mut entries) => {
                entries.iter_mut().for_each(|entry| self.calls.complete(entry));
                Decoded::Known(entries)
            }
            None => Decoded::Other,
        }
    }

    fn entries(&mut self, line: &Value, bytes: &[u8]) -> Option<Vec<Entry>> {
        if line["jsonrpc"].is_string() || line["method"].is_string() {
            let mut entry = message(line);
            if let Some(entry) = &mut entry {
                self.complete_session(entry);
            }
            return Some(entry.into_iter().collect());
        }
        if exec::is_event(line) {
            if let Some(session) = exec::session(line) {
                self.session = Some(session);
            }
            let session = self.session.clone();
            let entry = |what| Entry {
                at: None,
                request: None,
                session: session.clone(),
                is_of_call: false,
                what,
            };
            return Some(exec::whats(line).into_iter().map(entry).collect());
        }
        if let Some(entries) = (self.form)(line) {
            return Some(entries);
        }
        if record::is_line(line) {
            return Some(self.record.decode(line, bytes));
        }
        None
    }

    /// Adds the session that an earlier event of the request named.
    fn complete_session(&mut self, entry: &mut Entry) {
        let Some(request) = &entry.request else { return };
        let known = self.sessions.iter_mut().find(|(known, _)| known == request);
        match (&entry.session, known) {
            (None, known) => entry.session = known.map(|(_, session)| session.clone()),
            (Some(session), Some((_, known))) if known != session => known.clone_from(session),
            (Some(_), Some(_)) => {}
            (Some(session), None) => {
                if self.sessions.len() == MAX_REQUESTS {
                    self.sessions.pop_front();
                }
                self.sessions.push_back((request.clone(), session.clone()));
            }
        }
    }
}

/// Whether the kind of the line is one that need not be decoded.
fn is_skipped(head: &[u8]) -> bool {
    if let Some(at) = memmem::find(head, b"\"msg\":{\"type\":\"") {
        let kind = &head[at + b"\"msg\":{\"type\":\"".len()..];
        return SKIPPED.iter().any(|skipped| {
            kind.strip_prefix(skipped.as_bytes()).is_some_and(|rest| rest.starts_with(b"\""))
        });
    }
    // What a record has of the model's messages is there as events too.
    memmem::find(head, b"\"type\":\"response_item\",\"payload\":{\"type\":\"message\"").is_some()
        || memmem::find(head, b"\"type\":\"response_item\",\"payload\":{\"type\":\"reasoning\"")
            .is_some()
}

/// A message of MCP, from the server or to it.
fn message(line: &Value) -> Option<Entry> {
    let entry = |id: &Value, session: &Value, what| Entry {
        at: None,
        request: (!id.is_null()).then(|| name(&id.to_string())),
        session: session.as_str().map(name),
        is_of_call: true,
        what,
    };
    let params = &line["params"];
    match line["method"].as_str() {
        Some("codex/event") => {
            let msg = &params["msg"];
            let what = Some(msg).filter(|msg| !event::is_repeated(msg)).and_then(event::what)?;
            let meta = &params["_meta"];
            // Before 0.121 only this event names the session.
            let configured = (msg["type"] == "session_configured").then(|| &msg["session_id"]);
            let session = configured.unwrap_or(&meta["threadId"]);
            Some(Entry { at: time(msg), ..entry(&meta["requestId"], session, what) })
        }
        Some("tools/call") => {
            let prompt = params["arguments"]["prompt"].as_str().map(text);
            let what = What::Called { tool: name(string(&params["name"])), prompt };
            let session = ["threadId", "conversationId", "session_id"]
                .into_iter()
                .map(|name| &params["arguments"][name])
                .find(|id| id.is_string());
            Some(entry(&line["id"], session.unwrap_or(&Value::Null), what))
        }
        Some("notifications/cancelled") => {
            Some(entry(&params["requestId"], &Value::Null, What::Cancelled))
        }
        Some(_) => None,
        None => {
            let (what, session) = answer(line)?;
            Some(entry(&line["id"], session, what))
        }
    }
}

/// The answer to a call of a tool.
fn answer(line: &Value) -> Option<(What, &Value)> {
    let result = &line["result"];
    let structured = &result["structuredContent"];
    let session = ["threadId", "session_id"].into_iter().map(|name| &structured[name]);
    let session = session.into_iter().find(|id| id.is_string()).unwrap_or(&Value::Null);
    // The last form is that of 0.77 for a failed turn.
    let failed = [&line["error"]["message"], &result["error"]].into_iter().find_map(Value::as_str);
    if let Some(message) = failed {
        return Some((What::Answer { text: text(message), is_error: true }, session));
    }
    let text = content(&Some(&result["content"]).filter(|content| content.is_array())?.clone());
    Some((What::Answer { text, is_error: result["isError"] == true }, session))
}
