//! Folds a record, line by line, into what a list shows of the session. The fold can be continued when the
//! record has grown. Pure.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::line::{Kind, decoded, message, time};
use super::lines::RawLine;
use crate::model::prompt_envelope;
use crate::model::session_id::SessionId;
use crate::model::text::head;
use crate::model::time::Time;
use crate::model::usage::Usage;

/// Maximum length of the stored start of the first prompt, in characters. Searches cover only this part.
pub(crate) const PROMPT_CHARS: usize = 1_000;

/// Maximum length of other stored strings, in characters.
const WORD_CHARS: usize = 200;

/// The summary of a record so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Summary {
    /// `None` if the file is not a readable record.
    pub(crate) id: Option<SessionId>,
    pub(crate) created: Time,
    pub(crate) updated: Time,
    /// What started the session, as named by Codex: `exec`, `cli`, `vscode`, …, `subagent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<String>,
    /// The session that this one is a copy of. From 0.153 on, the copy does not repeat its contents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) forked_from: Option<SessionId>,
    /// The tool of this program that started the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tool: Option<String>,
    /// The start of the first prompt, without this program's header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) prompt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<String>,
    pub(crate) turns: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) usage: Option<Usage>,
    /// The directory in which the session started.
    #[serde(skip_serializing_if = "Option::is_none")]
    started_in: Option<PathBuf>,
    /// The directory of its last turn that was not a one-off.
    #[serde(skip_serializing_if = "Option::is_none")]
    works_in: Option<PathBuf>,
    #[serde(skip_serializing_if = "Turn::is_unknown")]
    turn: Turn,
}

/// The state of the turn being read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Turn {
    /// Whether the record marks the start of turns (from 0.100 on).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    headed: bool,
    /// The turn's directory, until its message has been read. Up to 0.100 the message comes first, later it
    /// does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<PathBuf>,
    /// Whether the turn leaves the session's directory unchanged. `None` until its message has been read.
    #[serde(skip_serializing_if = "Option::is_none")]
    one_off: Option<bool>,
}

impl Turn {
    fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Deserialize)]
struct MetaLine {
    payload: Meta,
}

/// The relevant part of the first line, without the long instructions.
#[derive(Deserialize)]
struct Meta {
    id: Option<SessionId>,
    timestamp: Option<String>,
    cwd: Option<PathBuf>,
    #[serde(default)]
    source: Value,
    originator: Option<String>,
    forked_from_id: Option<SessionId>,
}

impl Summary {
    /// The directory that a resumed turn works in by default.
    pub(crate) fn cwd(&self) -> Option<&PathBuf> {
        self.works_in.as_ref().or(self.started_in.as_ref())
    }

    /// Some of the directories that the session has worked in.
    pub(crate) fn dirs(&self) -> impl Iterator<Item = &PathBuf> {
        self.works_in.iter().chain(&self.started_in)
    }

    /// Whether another session created it, for example for a sub-agent.
    pub(crate) fn is_inner(&self) -> bool {
        matches!(self.source.as_deref(), Some("subagent" | "internal"))
    }

    /// Adds the next line.
    pub(super) fn take(&mut self, line: &RawLine<'_>) {
        if let Some(time) = time(line) {
            self.updated = time;
        }
        match Kind::of(line) {
            // Up to 0.120 a copy repeats the record of its original, including this line.
            Kind::Meta if self.id.is_none() => self.take_meta(line),
            Kind::TurnHead => {
                self.turn = Turn { headed: true, ..Turn::default() };
                self.turns += 1;
            }
            Kind::TurnContext => self.take_context(line),
            Kind::User => self.take_message(line),
            Kind::TokenCount => {
                let total = decoded(line)
                    .map(|line| Usage::deserialize(&line["payload"]["info"]["total_token_usage"]));
                self.usage = total.and_then(Result::ok).or(self.usage);
            }
            _ => {}
        }
    }

    fn take_meta(&mut self, line: &RawLine<'_>) {
        let Ok(MetaLine { payload }) = serde_json::from_slice(line.bytes) else { return };
        self.id = payload.id;
        self.created = payload.timestamp.as_deref().and_then(Time::parse).unwrap_or(self.updated);
        self.started_in = payload.cwd;
        self.source = match (source(&payload.source), payload.originator.as_deref()) {
            // This program changed the source for Codex's own list, see [`crate::codex::resume_list`]. A
            // cached summary may be from before that.
            (Some(word), Some("codex_exec")) if word == "cli" => Some("exec".into()),
            (source, _) => source,
        };
        self.forked_from = payload.forked_from_id;
    }

    fn take_context(&mut self, line: &RawLine<'_>) {
        let Some(line) = decoded(line) else { return };
        let text = |name: &str| line["payload"][name].as_str();
        if let Some(model) = text("model") {
            self.model = Some(head(model, WORD_CHARS));
        }
        self.turn.context = text("cwd").map(PathBuf::from);
        self.settle();
    }

    fn take_message(&mut self, line: &RawLine<'_>) {
        let Some(message) = message(line) else { return };
        self.turn.one_off = Some(prompt_envelope::is_one_off(&message));
        if !self.turn.headed {
            self.turns += 1;
        }
        self.settle();
        if self.prompt.is_none() {
            let sent = prompt_envelope::caller_text(&message);
            self.tool = sent.tool.map(|tool| head(tool, WORD_CHARS));
            self.prompt = Some(head(sent.text.trim(), PROMPT_CHARS));
        }
    }

    /// Applies the directory of a turn once its message is known too.
    fn settle(&mut self) {
        if let Some(one_off) = self.turn.one_off
            && let Some(context) = self.turn.context.take()
            && !one_off
        {
            self.works_in = Some(context);
        }
    }
}

/// The name of what started a session. Some sources are an object, such as `{"subagent": …}`.
fn source(value: &Value) -> Option<String> {
    let word = match value {
        Value::String(word) => word,
        Value::Object(fields) => fields.keys().next()?,
        _ => return None,
    };
    Some(head(word, WORD_CHARS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::path::Path;

    fn fold(lines: &[(&str, Value)]) -> Summary {
        let mut summary = Summary::default();
        for (kind, payload) in lines {
            let line =
                json!({"timestamp": "2026-01-01T00:00:00Z", "type": kind, "payload": payload});
            let bytes = line.to_string().into_bytes();
            summary.take(&RawLine { start: 0, end: 0, bytes: &bytes, is_whole: true });
            // As if the summary were cached after each line.
            let kept = serde_json::to_vec(&summary).expect("it can be written");
            assert_eq!(serde_json::from_slice::<Summary>(&kept).expect("and read"), summary);
        }
        summary
    }

    fn meta(id: u8) -> (&'static str, Value) {
        let id = format!("0199a213-81c0-7000-8000-0000000000{id:02}");
        ("session_meta", json!({"id": id, "cwd": "/begun"}))
    }

    fn user(text: &str) -> (&'static str, Value) {
        ("event_msg", json!({"type": "user_message", "message": text}))
    }

    fn context(cwd: &str) -> (&'static str, Value) {
        ("turn_context", json!({"cwd": cwd, "model": "m"}))
    }

    #[test]
    fn a_session_works_where_its_last_turn_was_that_was_no_review() {
        let head = || ("event_msg", json!({"type": "task_started"}));
        let review = "[MCP request x | tool: codex_guard_plan | origin: y]\n";
        let old = [user("work"), context("/a"), user(review), context("/b"), context("/b")];
        let new = [head(), context("/a"), user("work"), head(), context("/b"), user(review)];
        for turns in [&old[..], &new] {
            let summary = fold(&[&[meta(1)], turns].concat());
            assert_eq!(
                (summary.cwd().map(PathBuf::as_path), summary.turns),
                (Some(Path::new("/a")), 2)
            );
        }
        assert_eq!(
            fold(&[meta(1), user(review), context("/b")]).cwd().map(PathBuf::as_path),
            Some(Path::new("/begun"))
        );
    }

    #[test]
    fn a_fork_that_repeats_the_session_it_comes_from_is_itself() {
        let summary = fold(&[meta(1), meta(2), user("first"), user("second")]);
        assert_eq!(summary.id.map(|id| id.to_string().ends_with("01")), Some(true));
        assert_eq!((summary.prompt.as_deref(), summary.turns), (Some("first"), 2));
    }

    #[test]
    fn the_originator_may_be_an_object() {
        for (source, word, is_inner) in [
            (json!("vscode"), Some("vscode"), false),
            (json!({"subagent": {"other": "guardian"}}), Some("subagent"), true),
            (json!(7), None, false),
        ] {
            let mut meta = meta(1);
            meta.1["source"] = source;
            let summary = fold(&[meta]);
            assert_eq!((summary.source.as_deref(), summary.is_inner()), (word, is_inner));
        }
    }

    #[test]
    fn a_session_added_to_codex_s_list_is_distinguished_from_one_of_the_terminal() {
        for (originator, word) in [("codex_exec", "exec"), ("codex-tui", "cli"), ("", "cli")] {
            let mut meta = meta(1);
            meta.1["source"] = "cli".into();
            meta.1["originator"] = originator.into();
            assert_eq!(fold(&[meta]).source.as_deref(), Some(word), "{originator}");
        }
    }
}
