//! What a job is at: the fold of its log, also kept in a file of its own so that nobody has to read
//! the whole log. Pure.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::TITLE_CHARS;
use super::activity::Activity;
use super::began::Began;
use super::inbox::Lasting;
use super::notifications::Notification;
use super::process::ProcessId;
use super::record::JobEvent;
use super::status::{JobError, Status};
use crate::model::event::Event;
use crate::model::job_id::JobId;
use crate::model::session_id::SessionId;
use crate::model::text::head;
use crate::model::time::Time;
use crate::model::usage::Usage;

/// How much of a result is told, in characters.
const RESULT_CHARS: usize = 2_000;

/// A prompt that was taken out of the inbox.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Prompted {
    pub(crate) id: Uuid,
    /// Its beginning, for people.
    pub(crate) text: String,
}

/// How the last turn, or the last prompt that became none, ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LastEnd {
    pub(crate) status: Status,
    /// The beginning of the prompt.
    pub(crate) prompt: Option<String>,
}

/// All that is known of a job.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) job_id: JobId,
    pub(crate) label: Option<String>,
    /// The beginning of the last prompt, for people.
    pub(crate) prompt: String,
    pub(crate) status: Status,
    pub(crate) session_id: Option<SessionId>,
    /// What that session is.
    #[serde(default)]
    pub(crate) began: Began,
    pub(crate) cwd: Option<PathBuf>,
    pub(crate) created_at: Time,
    pub(crate) started_at: Option<Time>,
    pub(crate) ended_at: Option<Time>,
    /// Turns that were begun.
    pub(crate) turns: u64,
    pub(crate) result: Option<String>,
    /// The result as JSON, if it was asked for so.
    #[serde(default)]
    pub(crate) output: Option<Value>,
    /// What was in force in the last turn, from Codex's record.
    #[serde(default)]
    pub(crate) effective: Option<Value>,
    pub(crate) error: Option<JobError>,
    pub(crate) warnings: Vec<String>,
    /// Tokens of all turns of the job, as far as Codex said.
    pub(crate) usage: Option<Usage>,
    /// Tokens of its session, as of its last turn that was completed.
    #[serde(default)]
    pub(crate) session_usage: Option<Usage>,
    pub(crate) activity: Activity,
    /// The number of the last line of the log that is folded in here, and how many bytes that is.
    pub(crate) cursor: u64,
    pub(crate) log_bytes: u64,
    /// The last prompt that was taken out of the inbox.
    pub(crate) last_prompt: Option<Uuid>,
    /// The prompts that were taken and whose turns have not begun, in order.
    #[serde(default)]
    pub(crate) waiting: Vec<Prompted>,
    /// The prompt of the turn that runs.
    #[serde(default)]
    pub(crate) at_work: Option<Prompted>,
    /// What ended last, and how.
    #[serde(default)]
    pub(crate) last_end: Option<LastEnd>,
    /// The turns that were told of as notifications, up to this line of the log.
    pub(crate) announced: u64,
    /// The last line of the log that is to be told of.
    pub(crate) to_announce: u64,
    /// The ends that nobody was told of yet.
    #[serde(default)]
    pub(crate) untold: Vec<Notification>,
    /// The line of the log with the first end: what a task ended with.
    #[serde(default)]
    pub(crate) first_end: Option<u64>,
    /// The process that runs the job, or did.
    pub(crate) runner: Option<ProcessId>,
    /// The Codex of its last turn, so that whoever finds the job's process gone can stop it.
    #[serde(default)]
    pub(crate) codex: Option<ProcessId>,
    /// Whether that process was started and has not begun: it will take what is in the inbox.
    #[serde(default)]
    pub(crate) starting: bool,
    pub(crate) codex_home: Option<PathBuf>,
    /// What its further turns run with.
    pub(crate) lasting: Lasting,
}

impl State {
    /// A job of which nothing has happened yet.
    pub(crate) fn new(job_id: JobId) -> Self {
        Self {
            job_id,
            label: None,
            prompt: String::new(),
            status: Status::Queued,
            session_id: None,
            began: Began::default(),
            cwd: None,
            created_at: Time::default(),
            started_at: None,
            ended_at: None,
            turns: 0,
            result: None,
            output: None,
            effective: None,
            error: None,
            warnings: Vec::new(),
            usage: None,
            session_usage: None,
            activity: Activity::default(),
            cursor: 0,
            log_bytes: 0,
            last_prompt: None,
            waiting: Vec::new(),
            at_work: None,
            last_end: None,
            announced: 0,
            to_announce: 0,
            untold: Vec::new(),
            first_end: None,
            runner: None,
            codex: None,
            starting: false,
            codex_home: None,
            lasting: Lasting::default(),
        }
    }

    /// Takes in an event of Codex's.
    pub(crate) fn take_event(&mut self, cursor: u64, at: Time, event: &Event) {
        self.cursor = cursor;
        if let Event::ThreadStarted { thread_id } = event
            && let Ok(session) = thread_id.parse()
        {
            self.session_id = Some(session);
        }
        self.activity.take_event(at, event, self.turns > 1);
    }

    /// Takes in something about the job.
    pub(crate) fn take(&mut self, cursor: u64, at: Time, event: &JobEvent) {
        self.take_in(cursor, at, event);
        let (status, told) = match event {
            JobEvent::Ended { status, told, .. } => (*status, *told),
            JobEvent::Interrupted { .. } => (Status::Interrupted, true),
            JobEvent::Created { .. }
            | JobEvent::Prompt { .. }
            | JobEvent::Running { .. }
            | JobEvent::Skipped { .. } => return,
        };
        if self.turns <= 1 {
            self.first_end.get_or_insert(cursor);
        }
        self.to_announce = cursor;
        if told {
            self.untold.push(self.notification(status, at));
        } else if self.untold.is_empty() {
            self.announced = cursor;
        }
    }

    fn take_in(&mut self, cursor: u64, at: Time, event: &JobEvent) {
        self.cursor = cursor;
        match event {
            JobEvent::Created { label, prompt, cwd, session_id, began, codex_home, lasting } => {
                self.lasting = lasting.clone();
                self.created_at = at;
                self.label.clone_from(label);
                self.prompt.clone_from(prompt);
                self.cwd.clone_from(cwd);
                self.session_id = *session_id;
                self.began = *began;
                self.codex_home.clone_from(codex_home);
                self.activity.note(at, "waiting to start");
            }
            JobEvent::Prompt { id, text, interrupt: _ } => {
                self.last_prompt = Some(*id);
                self.waiting.push(Prompted { id: *id, text: head(text, TITLE_CHARS) });
                if self.status.has_ended() {
                    self.status = Status::Queued;
                    self.ended_at = None;
                    self.error = None;
                    self.prompt.clone_from(text);
                    self.activity.note(at, "waiting to start");
                }
            }
            JobEvent::Running { cwd, prompt } => {
                self.at_work = self.take_waiting(*prompt);
                self.status = Status::Running;
                self.started_at.get_or_insert(at);
                self.turns += 1;
                self.error = None;
                self.cwd = Some(cwd.clone());
                self.activity.turn_begins(at);
            }
            JobEvent::Skipped { .. } => self.activity.last_activity_at = at,
            JobEvent::Ended {
                status,
                prompt,
                told: _,
                more,
                session_id,
                result,
                error,
                usage,
                session_usage,
                warnings,
                output,
                effective,
            } => {
                let is_turn = self.end_prompt(*prompt, *status);
                self.status = match (more, &self.at_work) {
                    (false, _) => *status,
                    (true, None) => Status::Queued,
                    (true, Some(_)) => Status::Running,
                };
                self.ended_at = (!more).then_some(at);
                self.error.clone_from(error);
                if !is_turn {
                    if self.at_work.is_none() {
                        self.activity.turn_ends(at, status.as_str());
                    }
                    return;
                }
                self.session_id = session_id.or(self.session_id);
                if result.is_some() {
                    self.result.clone_from(result);
                    self.output.clone_from(output);
                }
                self.effective.clone_from(effective);
                self.warnings.clone_from(warnings);
                self.session_usage = session_usage.or(self.session_usage);
                self.usage = match (self.usage, usage) {
                    (Some(before), Some(usage)) => Some(before.plus(*usage)),
                    (before, usage) => usage.or(before),
                };
                self.activity.turn_ends(at, status.as_str());
            }
            JobEvent::Interrupted { error } => {
                self.end_prompt(None, Status::Interrupted);
                self.status = Status::Interrupted;
                self.ended_at = Some(at);
                self.error = Some(error.clone());
                self.activity.turn_ends(at, "interrupted");
            }
        }
    }

    /// Takes a prompt out of those that wait; the first one if it is not known which.
    fn take_waiting(&mut self, id: Option<Uuid>) -> Option<Prompted> {
        let at = match id {
            Some(id) => self.waiting.iter().position(|waiting| waiting.id == id)?,
            None if self.waiting.is_empty() => return None,
            None => 0,
        };
        Some(self.waiting.remove(at))
    }

    /// Takes note of the end of a prompt; of that of the running turn if it is not known which. Says
    /// whether it had become a turn.
    fn end_prompt(&mut self, id: Option<Uuid>, status: Status) -> bool {
        let is_turn = match (&self.at_work, id) {
            (Some(at_work), Some(id)) => at_work.id == id,
            (Some(_), None) => true,
            (None, _) => false,
        };
        let ended = if is_turn { self.at_work.take() } else { self.take_waiting(id) };
        self.last_end = Some(LastEnd { status, prompt: ended.map(|prompt| prompt.text) });
        is_turn || id.is_none()
    }

    /// Whether Codex keeps a record of the job's session: of one that it was given it has one.
    pub(crate) fn is_kept(&self) -> bool {
        !self.lasting.is_ephemeral() || matches!(self.began, Began::In(_))
    }

    /// Whether a prompt was taken out of the inbox and has not ended.
    pub(crate) fn has_taken(&self, id: Uuid) -> bool {
        let mut open = self.waiting.iter().chain(&self.at_work);
        self.last_prompt == Some(id) || open.any(|prompt| prompt.id == id)
    }

    /// Whether nothing is left to find out about a job that has ended: nobody is on the way to run
    /// it, all its prompts have ended, and all ends were told.
    pub(crate) fn is_settled(&self) -> bool {
        let is_over = self.status.has_ended() && !self.starting;
        is_over && self.waiting.is_empty() && !self.is_unannounced()
    }

    /// What is to be told of a job's last ending.
    pub(super) fn notification(&self, status: Status, at: Time) -> Notification {
        let head = |text: &String| head(text, RESULT_CHARS);
        Notification {
            job_id: self.job_id,
            label: self.label.clone(),
            status,
            at,
            turn: self.turns,
            prompt: self.last_end.as_ref().and_then(|end| end.prompt.clone()),
            session_id: self.session_id,
            result: self.result.as_ref().filter(|_| self.error.is_none()).map(head),
            error: self.error.clone().map(|error| JobError {
                partial_reply: error.partial_reply.as_ref().map(head),
                ..error
            }),
            event: self.to_announce,
        }
    }

    /// Whether there is an ending that nobody was told of.
    pub(crate) fn is_unannounced(&self) -> bool {
        !self.untold.is_empty() || self.to_announce > self.announced
    }
}
