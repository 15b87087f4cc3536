//! Reads Codex's own record of a session, the "rollout" file. Reading is tolerant; only
//! [`super::resume_list`] ever writes to a record.
//!
//! The file is `sessions/YYYY/MM/DD/rollout-<local time>-<session id>.jsonl` in Codex's home, with one JSON
//! object per line. The format read here is that of Codex 0.77 to 0.171: each turn has a `turn_context` with
//! `cwd` and `sandbox_policy.type`, `token_count` events with the session's total, from 0.100 on a
//! `task_started` at its start, and the user's message, whose position in the turn differs between versions.
//! The file is read from its end, so that the cost does not grow with the session.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::model::effective::{Effective, sandbox};
use crate::model::model_name::{Model, ReasoningEffort};
use crate::model::sandbox::Sandbox;
use crate::model::session_id::SessionId;
use crate::model::usage::Usage;
use crate::system::bounded::open_file;
use crate::system::reverse_lines::ReverseLines;

/// The state of a session according to its record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Record {
    /// The directory of the last turn that was not a one-off, or of the last turn if all were.
    pub(crate) working_dir: Option<PathBuf>,
    /// The sandbox of the last turn that was not a one-off.
    pub(crate) sandbox: Option<Sandbox>,
    /// Whether directory and sandbox are complete. If so, a missing sandbox means that no turn has set one;
    /// else it may be recorded in an unknown form.
    pub(crate) settled: bool,
    /// The model of the same turn as the sandbox, and its reasoning effort.
    pub(crate) model: Option<Model>,
    pub(crate) effort: Option<ReasoningEffort>,
    /// Tokens of the whole session.
    pub(crate) usage: Option<Usage>,
}

/// Finds the record of `session`. Searches the newest days first.
pub(crate) fn find(codex_home: &Path, session: SessionId) -> Option<PathBuf> {
    let ending = format!("-{session}.jsonl");
    newest_first(&codex_home.join("sessions"))
        .flat_map(|year| newest_first(&year))
        .flat_map(|month| newest_first(&month))
        .flat_map(|day| newest_first(&day))
        .find(|path| path.as_os_str().as_encoded_bytes().ends_with(ending.as_bytes()))
}

fn newest_first(directory: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(directory)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    entries.sort_unstable_by(|a, b| b.cmp(a));
    entries.into_iter()
}

/// Reads a record. `is_one_off` says, given the user's message, whether its turn leaves the
/// session's directory and sandbox unchanged.
pub(crate) fn read(record: File, is_one_off: fn(&str) -> bool) -> io::Result<Record> {
    let mut lines = ReverseLines::new(record)?;
    let mut fold = Fold::default();
    while let Some(line) = lines.next_line()? {
        if let Some(line) = Line::decode(line) {
            fold.take(line, is_one_off);
        }
        if fold.settled && fold.record.usage.is_some() {
            break;
        }
    }
    Ok(fold.finish())
}

/// The settings in force in the last turn of the record at `path`. Ignores the first `before` bytes.
pub(crate) fn effective(path: &Path, before: u64) -> io::Result<Option<Effective>> {
    last(path, before, b"\"turn_context\"", |line| {
        (line["type"] == "turn_context").then(|| Effective::read(&line["payload"]))
    })
}

/// How full a session's context window was after the model's last answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ContextFill {
    /// Number of tokens in the context.
    pub(crate) used: u64,
    /// Size of the model's context window, in tokens.
    pub(crate) window: u64,
}

impl ContextFill {
    /// The fill level in percent.
    pub(crate) fn percent(self) -> u64 {
        self.used.saturating_mul(100) / self.window
    }
}

/// Reads from the record at `path` how full the context is, if that is recorded.
pub(crate) fn context_fill(path: &Path) -> io::Result<Option<ContextFill>> {
    last(path, 0, b"\"token_count\"", fill_in)
}

/// Reads from the record at `path` how many tokens the session has used, if that is recorded.
pub(crate) fn tokens_used(path: &Path) -> io::Result<Option<u64>> {
    last(path, 0, b"\"token_count\"", |line| {
        let total = &line["payload"]["info"]["total_token_usage"];
        Some(total["input_tokens"].as_u64()?.saturating_add(total["output_tokens"].as_u64()?))
    })
}

/// The value of the last line of the record at `path`, after its first `before` bytes, for which `read`
/// returns one. Lines that do not contain `mark` are skipped.
fn last<T>(
    path: &Path,
    before: u64,
    mark: &[u8],
    read: impl Fn(&Value) -> Option<T>,
) -> io::Result<Option<T>> {
    let mut lines = ReverseLines::after(open_file(path)?, before)?;
    while let Some(line) = lines.next_line()? {
        // Most lines are long, irrelevant and not worth parsing as JSON.
        if memchr::memmem::find(line, mark).is_none() {
            continue;
        }
        let found = serde_json::from_slice(line).ok().as_ref().and_then(&read);
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn fill_in(line: &Value) -> Option<ContextFill> {
    let payload = &line["payload"];
    if payload["type"] != "token_count" {
        return None;
    }
    let last = &payload["info"]["last_token_usage"];
    let used = last["total_tokens"].as_u64().or_else(|| {
        Some(last["input_tokens"].as_u64()?.saturating_add(last["output_tokens"].as_u64()?))
    })?;
    let window = payload["info"]["model_context_window"].as_u64().filter(|window| *window > 0)?;
    Some(ContextFill { used, window })
}

/// A relevant line.
#[derive(Debug)]
enum Line {
    TurnContext(Context),
    Total(Usage),
    /// The user's message as a separate event (up to 0.120), which precedes the turn's context up to 0.100.
    MessageFirst(String),
    /// The user's message as an item (from 0.153 on), which follows the turn's context.
    Message(String),
    TurnHead,
}

#[derive(Debug, Clone, Default)]
struct Context {
    working_dir: Option<PathBuf>,
    sandbox: Option<Sandbox>,
    model: Option<Model>,
    effort: Option<ReasoningEffort>,
}

impl Line {
    fn decode(line: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Kind<'a> {
            #[serde(borrow, rename = "type")]
            kind: &'a str,
        }
        // Most lines are irrelevant, and their type is at the start.
        match serde_json::from_slice::<Kind<'_>>(line).ok()?.kind {
            "turn_context" | "session_meta" | "event_msg" => {}
            _ => return None,
        }
        let value: Value = serde_json::from_slice(line).ok()?;
        let payload = &value["payload"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match value["type"].as_str()? {
            "turn_context" => Some(Self::TurnContext(Context {
                working_dir: payload["cwd"].as_str().map(PathBuf::from),
                sandbox: sandbox(payload),
                model: Model::parse(payload["model"].as_str().unwrap_or_default()).ok(),
                effort: ReasoningEffort::parse(payload["effort"].as_str().unwrap_or_default()).ok(),
            })),
            "session_meta" => Some(Self::TurnHead),
            _ => match payload["type"].as_str()? {
                "token_count" => {
                    Usage::deserialize(&payload["info"]["total_token_usage"]).ok().map(Self::Total)
                }
                "user_message" => Some(Self::MessageFirst(text(&payload["message"]))),
                "item_completed" if payload["item"]["type"] == "UserMessage" => {
                    Some(Self::Message(text(&payload["item"]["content"][0]["text"])))
                }
                "task_started" => Some(Self::TurnHead),
                _ => None,
            },
        }
    }
}

/// Folds the lines of a record, last to first.
#[derive(Default)]
struct Fold {
    record: Record,
    /// Whether the turn that determines directory and sandbox has been found.
    settled: bool,
    /// Whether the sandbox of that turn cannot be read.
    unreadable: bool,
    /// The context of the turn being read.
    context: Option<Context>,
    one_off: bool,
}

impl Fold {
    fn take(&mut self, line: Line, is_one_off: fn(&str) -> bool) {
        match line {
            Line::Total(usage) => {
                self.record.usage.get_or_insert(usage);
            }
            Line::TurnContext(context) => {
                self.context.get_or_insert(context);
            }
            Line::Message(message) => self.one_off |= is_one_off(&message),
            Line::MessageFirst(message) => {
                self.one_off |= is_one_off(&message);
                if self.context.is_some() {
                    self.end_turn();
                }
            }
            Line::TurnHead => self.end_turn(),
        }
    }

    fn end_turn(&mut self) {
        let one_off = std::mem::take(&mut self.one_off);
        let Some(context) = self.context.take() else { return };
        if self.settled {
            return;
        }
        if !one_off {
            self.settled = true;
            self.unreadable = context.sandbox.is_none();
            self.record.sandbox = context.sandbox;
            (self.record.model, self.record.effort) = (context.model, context.effort);
            self.record.working_dir = context.working_dir.or(self.record.working_dir.take());
        } else if self.record.working_dir.is_none() {
            self.record.working_dir = context.working_dir;
        }
    }

    fn finish(mut self) -> Record {
        self.end_turn();
        self.record.settled = self.record.working_dir.is_some() && !self.unreadable;
        self.record
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD_ORDER: [&str; 4] = ["user", "context", "count", ""];
    const NEW_ORDER: [&str; 4] = ["head", "context", "user", "count"];

    /// The record of one turn, with the lines in the given order.
    fn turn(order: [&str; 4], prompt: &str, cwd: &str, sandbox: &str, total: u64) -> String {
        let newer = order == NEW_ORDER;
        order
            .iter()
            .filter_map(|part| match *part {
                "head" => Some(r#"{"type":"event_msg","payload":{"type":"task_started"}}"#.into()),
                "user" if newer => Some(format!(
                    r#"{{"type":"event_msg","payload":{{"type":"item_completed","item":{{"type":"UserMessage","content":[{{"text":"{prompt}"}}]}}}}}}"#
                )),
                "user" => Some(format!(
                    r#"{{"type":"event_msg","payload":{{"type":"user_message","message":"{prompt}"}}}}"#
                )),
                "context" => Some(format!(
                    r#"{{"type":"turn_context","payload":{{"cwd":"{cwd}","sandbox_policy":{{"type":"{sandbox}"}}}}}}"#
                )),
                "count" => Some(format!(
                    r#"{{"type":"event_msg","payload":{{"type":"token_count","info":{{"total_token_usage":{{"input_tokens":{total}}}}}}}}}"#
                )),
                _ => None,
            })
            .fold(String::new(), |all, line: String| all + &line + "\n")
    }

    fn record_of(lines: &str) -> Record {
        let mut fold = Fold::default();
        for line in lines.lines().rev().filter_map(|line| Line::decode(line.as_bytes())) {
            fold.take(line, |message| message.starts_with("once"));
        }
        fold.finish()
    }

    #[test]
    fn a_one_off_turn_leaves_directory_and_sandbox_as_they_were_in_either_order() {
        for order in [OLD_ORDER, NEW_ORDER] {
            let record = record_of(
                &(turn(order, "work", "/a", "workspace-write", 5)
                    + &turn(order, "once", "/b", "read-only", 9)
                    + &turn(order, "once more", "/c", "read-only", 12)),
            );
            assert_eq!(record.working_dir.as_deref(), Some(Path::new("/a")));
            assert_eq!(record.sandbox, Some(Sandbox::WorkspaceWrite));
            assert_eq!(record.usage.map(|usage| usage.input_tokens), Some(12));
        }
    }

    #[test]
    fn a_session_of_one_off_turns_alone_has_a_directory_and_no_sandbox() {
        for order in [OLD_ORDER, NEW_ORDER] {
            let record = record_of(
                &(turn(order, "once", "/b", "read-only", 9)
                    + &turn(order, "once", "/c", "read-only", 12)),
            );
            assert_eq!(record.working_dir.as_deref(), Some(Path::new("/c")));
            assert_eq!((record.sandbox, record.settled), (None, true));
        }
    }

    #[test]
    fn what_cannot_be_read_is_passed_over() {
        let lines = format!("{{\n[]\n{}garbage\n", turn(NEW_ORDER, "work", "/a", "novel", 5));
        let record = record_of(&lines);
        assert_eq!(record.working_dir.as_deref(), Some(Path::new("/a")));
        assert_eq!((record.sandbox, record.settled), (None, false));
    }

    #[test]
    fn the_context_is_as_full_as_the_last_count_that_knows_its_window() {
        let count = |info: Value| serde_json::json!({"type": "event_msg", "payload": {"type": "token_count", "info": info}});
        let fill = |info: Value| fill_in(&count(info)).map(ContextFill::percent);
        let usage = serde_json::json!({"input_tokens": 20, "output_tokens": 5});
        let known = serde_json::json!({"last_token_usage": usage, "model_context_window": 100});
        assert_eq!(fill(known), Some(25));
        let total = serde_json::json!({"last_token_usage": {"total_tokens": 30}, "model_context_window": 90});
        assert_eq!(fill(total), Some(33));
        assert_eq!(fill(serde_json::json!({"last_token_usage": usage})), None);
        assert_eq!(fill(Value::Null), None);
    }
}
