//! The events of one turn, from what `codex exec` prints and what is in the record. Pure.
//!
//! The record is the source if it has items (from 0.153 on): it knows more. What only the stream has comes from
//! there: that a step of a script has begun, reconnections, a plan that a script made, a failure that is not in
//! the record. Without such a record the stream is the source.

use serde_json::{Map, Value, json};

use super::steps::Steps;
use super::{CoreEvent, fields};
use crate::model::time::Time;

/// How many events of the stream wait to learn whether the record is the source.
const MAX_UNDECIDED: usize = 256;

/// The events of a turn, in order: `session_configured` first for a call of `codex`, and how the turn ended last.
#[derive(Debug)]
pub(crate) struct Merge {
    source: Source,
    /// Whether the first event says in which thread the turn is.
    announces: bool,
    prompt: String,
    /// What is known about the session without its record.
    known: Map<String, Value>,
    thread: Option<String>,
    /// The session as the stream, or a record without items, describes it.
    session: Option<CoreEvent>,
    steps: Steps,
    /// How many changes of the plan were recorded or sent, and printed.
    plans: (usize, usize),
    /// The start of the turn.
    turn: String,
    started_at: Value,
    /// How the turn ended, according to the source and to the stream.
    recorded_end: Option<CoreEvent>,
    printed_end: Option<CoreEvent>,
}

/// Where the events come from.
#[derive(Debug)]
enum Source {
    /// It is not known yet. These were printed.
    Undecided(Vec<CoreEvent>),
    Record,
    Stream,
}

/// How a turn ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// It was completed with this reply.
    Completed(String),
    /// It was stopped.
    Aborted,
    /// It failed with this message.
    Failed(String),
}

impl Merge {
    /// `prompt` is the message of the user. `announces`: the first event says in which thread the turn is.
    pub(crate) fn new(prompt: String, announces: bool) -> Self {
        Self {
            source: Source::Undecided(Vec::new()),
            announces,
            prompt,
            known: Map::new(),
            thread: None,
            session: None,
            steps: Steps::default(),
            plans: (0, 0),
            turn: String::new(),
            started_at: Value::Null,
            recorded_end: None,
            printed_end: None,
        }
    }

    /// Adds what is known about the session without its record: a field of `session_configured`.
    pub(crate) fn know(&mut self, field: &str, value: Value) {
        self.known.insert(field.to_owned(), value);
    }

    /// The thread, once Codex has opened it.
    pub(crate) fn thread(&self) -> Option<&str> {
        self.thread.as_deref()
    }

    /// Whether the record is the source, or may become it.
    pub(crate) fn reads_record(&self) -> bool {
        !matches!(self.source, Source::Stream)
    }

    /// Takes an event that was printed. What the record had by then must have been taken before.
    pub(crate) fn printed(&mut self, event: CoreEvent) -> Vec<CoreEvent> {
        match event.kind() {
            "session_configured" => {
                self.thread = event.field("thread_id").as_str().map(str::to_owned);
                self.session.get_or_insert(event);
                return Vec::new();
            }
            "error" | "task_complete" => {
                self.printed_end.get_or_insert(event);
                return Vec::new();
            }
            _ => {}
        }
        match &mut self.source {
            Source::Undecided(waiting) => {
                waiting.push(event);
                if waiting.len() > MAX_UNDECIDED { self.abandon_record() } else { Vec::new() }
            }
            Source::Record => self.hint(event).into_iter().collect(),
            Source::Stream => self.streamed(event),
        }
    }

    /// Takes what was added to the record. `has_items`: whether the record has all steps.
    pub(crate) fn recorded(&mut self, events: Vec<CoreEvent>, has_items: bool) -> Vec<CoreEvent> {
        let mut ready = Vec::new();
        for event in events {
            if !has_items {
                if event.kind() == "session_configured" {
                    self.session = Some(event);
                }
                ready.extend(self.abandon_record());
                continue;
            }
            let waiting = match &mut self.source {
                Source::Stream => continue,
                Source::Record => Vec::new(),
                Source::Undecided(waiting) => std::mem::take(waiting),
            };
            self.source = Source::Record;
            ready.extend(self.recorded_one(event));
            ready.extend(waiting.into_iter().filter_map(|printed| self.hint(printed)));
        }
        ready
    }

    /// Makes the stream the source, unless the record is: it says nothing, or cannot be read.
    pub(crate) fn abandon_record(&mut self) -> Vec<CoreEvent> {
        let Source::Undecided(waiting) = &mut self.source else { return Vec::new() };
        let waiting = std::mem::take(waiting);
        self.source = Source::Stream;
        let session = self.session.take().filter(|_| self.announces).map(|mut session| {
            for (field, value) in &self.known {
                session.msg.entry(field.clone()).or_insert_with(|| value.clone());
            }
            session
        });
        let streamed: Vec<CoreEvent> =
            waiting.into_iter().flat_map(|event| self.streamed(event)).collect();
        session.into_iter().chain(streamed).collect()
    }

    /// The stream is the source from now on, whatever the source was.
    pub(crate) fn lose_record(&mut self) -> Vec<CoreEvent> {
        let ready = self.abandon_record();
        self.source = Source::Stream;
        ready
    }

    /// What is left to send at the end of the turn. Nothing, if Codex opened no thread.
    pub(crate) fn end(&mut self, end: End) -> Vec<CoreEvent> {
        if self.thread.is_none() {
            return Vec::new();
        }
        let mut ready = self.abandon_record();
        let kind = match end {
            End::Completed(_) => "task_complete",
            End::Aborted => "turn_aborted",
            End::Failed(_) => "error",
        };
        let ends = [self.recorded_end.take(), self.printed_end.take()];
        let said = ends.into_iter().flatten().find(|said| said.kind() == kind);
        let last = said.unwrap_or_else(|| self.made(end));
        ready.push(self.in_turn(last));
        ready
    }

    fn recorded_one(&mut self, event: CoreEvent) -> Option<CoreEvent> {
        self.note_start(&event);
        match event.kind() {
            "session_configured" if !self.announces => None,
            "task_complete" | "error" | "turn_aborted" => {
                self.recorded_end.get_or_insert(event);
                None
            }
            "plan_update" => {
                self.plans.0 += 1;
                Some(event)
            }
            _ => self.steps.recorded(event),
        }
    }

    /// What an event of the stream adds to the record.
    fn hint(&mut self, event: CoreEvent) -> Option<CoreEvent> {
        let event = self.in_turn(event);
        match event.kind() {
            "stream_error" | "warning" => Some(event),
            "plan_update" => {
                self.plans.1 += 1;
                let is_new = self.plans.1 > self.plans.0;
                self.plans.0 = self.plans.0.max(self.plans.1);
                is_new.then_some(event)
            }
            "exec_command_begin" | "mcp_tool_call_begin" | "web_search_begin" => {
                self.steps.printed(event)
            }
            _ => None,
        }
    }

    /// An event of the stream, if that is the source. It lacks the message of the user.
    fn streamed(&mut self, event: CoreEvent) -> Vec<CoreEvent> {
        let is_start = event.kind() == "task_started";
        self.note_start(&event);
        let event = self.in_turn(event);
        let turn = event.turn.clone();
        let message = is_start.then(|| CoreEvent {
            turn,
            time: None,
            msg: fields(json!({
                "type": "user_message",
                "message": self.prompt,
                "images": [],
                "local_images": [],
                "audio": [],
                "local_audio": [],
                "text_elements": [],
            })),
        });
        [event].into_iter().chain(message.map(CoreEvent::shortened)).collect()
    }

    /// The event with the id of the turn: the stream has none.
    fn in_turn(&self, mut event: CoreEvent) -> CoreEvent {
        event.turn.clone_from(&self.turn);
        if event.msg.contains_key("turn_id") {
            event.msg.insert("turn_id".into(), self.turn.as_str().into());
        }
        event
    }

    fn note_start(&mut self, event: &CoreEvent) {
        if event.kind() == "task_started" {
            self.turn.clone_from(&event.turn);
            self.started_at = event.field("started_at").clone();
        }
    }

    /// The end of the turn, if neither source had it.
    fn made(&self, end: End) -> CoreEvent {
        let now = Time::now().0 / 1000;
        let started = self.started_at.as_u64();
        let mut times = Map::new();
        if let Some(started) = started {
            times.insert("started_at".into(), started.into());
        }
        times.insert("completed_at".into(), now.into());
        if let Some(started) = started {
            let duration = now.saturating_sub(started).saturating_mul(1000);
            times.insert("duration_ms".into(), duration.into());
        }
        let mut msg = fields(match end {
            End::Completed(reply) => {
                json!({ "type": "task_complete", "turn_id": self.turn, "last_agent_message": reply })
            }
            End::Aborted => {
                json!({ "type": "turn_aborted", "turn_id": self.turn, "reason": "interrupted" })
            }
            End::Failed(message) => {
                times.clear();
                json!({ "type": "error", "message": message, "codex_error_info": "other" })
            }
        });
        msg.extend(times);
        CoreEvent { turn: self.turn.clone(), time: None, msg }.shortened()
    }
}

#[cfg(test)]
mod tests;
