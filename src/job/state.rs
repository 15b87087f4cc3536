//! The state of a job: the fold of its log, also saved in a file of its own so that nobody has to
//! read the whole log. Pure.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::TITLE_CHARS;
use super::activity::Activity;
use super::inbox::JobOptions;
use super::notifications::Notification;
use super::process::ProcessId;
use super::record::JobEvent;
use super::session_origin::SessionOrigin;
use super::status::{JobError, Status};
use crate::model::changed_files::ChangedFiles;
use crate::model::event::Event;
use crate::model::job_id::JobId;
use crate::model::session_id::SessionId;
use crate::model::text::head;
use crate::model::time::Time;
use crate::model::usage::Usage;

/// How much of a result a notification has, in characters.
const RESULT_CHARS: usize = 2_000;

/// A prompt that was taken out of the inbox.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TakenPrompt {
    pub(crate) id: Uuid,
    /// Its start, for display.
    pub(crate) text: String,
}

/// How the last turn ended, or the last prompt that never became a turn.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LastEnd {
    pub(crate) status: Status,
    /// The start of the prompt.
    pub(crate) prompt: Option<String>,
}

/// Everything that is known about a job.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) job_id: JobId,
    pub(crate) label: Option<String>,
    /// The start of the last prompt, for display.
    pub(crate) prompt: String,
    pub(crate) status: Status,
    pub(crate) session_id: Option<SessionId>,
    /// Where that session comes from.
    #[serde(default, rename = "began")]
    pub(crate) origin: SessionOrigin,
    pub(crate) cwd: Option<PathBuf>,
    pub(crate) created_at: Time,
    pub(crate) started_at: Option<Time>,
    pub(crate) ended_at: Option<Time>,
    /// The number of turns that have started.
    pub(crate) turns: u64,
    pub(crate) result: Option<String>,
    /// The result as JSON, if that was requested.
    #[serde(default)]
    pub(crate) output: Option<Value>,
    /// The settings that were in force in the last turn, from Codex's record.
    #[serde(default)]
    pub(crate) effective: Option<Value>,
    /// The files that its last turn changed.
    #[serde(default)]
    pub(crate) files_changed: ChangedFiles,
    pub(crate) error: Option<JobError>,
    pub(crate) warnings: Vec<String>,
    /// Tokens of all turns of the job, as far as Codex reported them.
    pub(crate) usage: Option<Usage>,
    /// Tokens of its session after the last completed turn.
    #[serde(default)]
    pub(crate) session_usage: Option<Usage>,
    pub(crate) activity: Activity,
    /// The number of the last line of the log that is folded in here, and the length of the log up
    /// to it, in bytes.
    pub(crate) cursor: u64,
    pub(crate) log_bytes: u64,
    /// The last prompt that was taken out of the inbox.
    pub(crate) last_prompt: Option<Uuid>,
    /// Prompts that were taken but whose turns have not started, in order.
    #[serde(default)]
    pub(crate) waiting: Vec<TakenPrompt>,
    /// The prompt of the running turn.
    #[serde(default, rename = "at_work")]
    pub(crate) current_prompt: Option<TakenPrompt>,
    /// What ended last, and how.
    #[serde(default)]
    pub(crate) last_end: Option<LastEnd>,
    /// Ends up to this line of the log have their notifications.
    pub(crate) announced: u64,
    /// The last line of the log with an end.
    pub(crate) to_announce: u64,
    /// Notifications still to be written.
    #[serde(default, rename = "untold")]
    pub(crate) pending_notifications: Vec<Notification>,
    /// The line of the log with the first end, which is the end of a task.
    #[serde(default)]
    pub(crate) first_end: Option<u64>,
    /// The last process that was started to run the job.
    pub(crate) runner: Option<ProcessId>,
    /// The Codex of its last turn, so that a process that finds the job's process gone can stop it.
    #[serde(default)]
    pub(crate) codex: Option<ProcessId>,
    /// Whether the job's process was started but is not running the job yet: it will take what is
    /// in the inbox.
    #[serde(default)]
    pub(crate) starting: bool,
    pub(crate) codex_home: Option<PathBuf>,
    /// The options of its further turns.
    #[serde(rename = "lasting")]
    pub(crate) job_options: JobOptions,
}

impl State {
    /// A job to which nothing has happened yet.
    pub(crate) fn new(job_id: JobId) -> Self {
        Self {
            job_id,
            label: None,
            prompt: String::new(),
            status: Status::Queued,
            session_id: None,
            origin: SessionOrigin::default(),
            cwd: None,
            created_at: Time::default(),
            started_at: None,
            ended_at: None,
            turns: 0,
            result: None,
            output: None,
            effective: None,
            files_changed: ChangedFiles::default(),
            error: None,
            warnings: Vec::new(),
            usage: None,
            session_usage: None,
            activity: Activity::default(),
            cursor: 0,
            log_bytes: 0,
            last_prompt: None,
            waiting: Vec::new(),
            current_prompt: None,
            last_end: None,
            announced: 0,
            to_announce: 0,
            pending_notifications: Vec::new(),
            first_end: None,
            runner: None,
            codex: None,
            starting: false,
            codex_home: None,
            job_options: JobOptions::default(),
        }
    }

    /// Applies an event of Codex.
    pub(crate) fn apply_event(&mut self, cursor: u64, at: Time, event: &Event) {
        self.cursor = cursor;
        if let Event::ThreadStarted { thread_id } = event
            && let Ok(session) = thread_id.parse()
        {
            self.session_id = Some(session);
        }
        self.activity.apply_event(at, event, self.turns > 1);
    }

    /// Applies an event of the job.
    pub(crate) fn apply(&mut self, cursor: u64, at: Time, event: &JobEvent) {
        self.fold(cursor, at, event);
        let (status, notify) = match event {
            JobEvent::Ended { status, notify, .. } => (*status, *notify),
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
        if notify {
            self.pending_notifications.push(self.notification(status, at));
        } else if self.pending_notifications.is_empty() {
            self.announced = cursor;
        }
    }

    fn fold(&mut self, cursor: u64, at: Time, event: &JobEvent) {
        self.cursor = cursor;
        match event {
            JobEvent::Created {
                label,
                prompt,
                cwd,
                session_id,
                origin,
                codex_home,
                job_options,
            } => {
                self.job_options = job_options.clone();
                self.created_at = at;
                self.label.clone_from(label);
                self.prompt.clone_from(prompt);
                self.cwd.clone_from(cwd);
                self.session_id = *session_id;
                self.origin = *origin;
                self.codex_home.clone_from(codex_home);
                self.activity.note(at, "waiting to start");
            }
            JobEvent::Prompt { id, text, interrupt: _ } => {
                self.last_prompt = Some(*id);
                self.waiting.push(TakenPrompt { id: *id, text: head(text, TITLE_CHARS) });
                if self.status.has_ended() {
                    self.status = Status::Queued;
                    self.ended_at = None;
                    self.error = None;
                    self.prompt.clone_from(text);
                    self.activity.note(at, "waiting to start");
                }
            }
            JobEvent::Running { cwd, prompt } => {
                self.current_prompt = self.take_waiting(*prompt);
                self.status = Status::Running;
                self.started_at.get_or_insert(at);
                self.turns += 1;
                self.error = None;
                // Those of the turn before. This one may end without saying anything of its own.
                self.files_changed = ChangedFiles::default();
                self.warnings.clear();
                self.cwd = Some(cwd.clone());
                self.activity.turn_started(at);
            }
            JobEvent::Skipped { .. } => self.activity.last_activity_at = at,
            JobEvent::Ended {
                status,
                prompt,
                notify: _,
                more,
                session_id,
                result,
                error,
                usage,
                session_usage,
                warnings,
                output,
                effective,
                files_changed,
            } => {
                let is_turn = self.end_prompt(*prompt, *status);
                self.status = match (more, &self.current_prompt) {
                    (false, _) => *status,
                    (true, None) => Status::Queued,
                    (true, Some(_)) => Status::Running,
                };
                self.ended_at = (!more).then_some(at);
                self.error.clone_from(error);
                if is_turn || self.current_prompt.is_none() {
                    self.files_changed.clone_from(files_changed);
                    self.warnings.clone_from(warnings);
                }
                if !is_turn {
                    if self.current_prompt.is_none() {
                        self.activity.turn_ended(at, status.as_str());
                    }
                    return;
                }
                self.session_id = session_id.or(self.session_id);
                if result.is_some() {
                    self.result.clone_from(result);
                    self.output.clone_from(output);
                }
                self.effective.clone_from(effective);
                self.session_usage = session_usage.or(self.session_usage);
                self.usage = match (self.usage, usage) {
                    (Some(before), Some(usage)) => Some(before.plus(*usage)),
                    (before, usage) => usage.or(before),
                };
                self.activity.turn_ended(at, status.as_str());
            }
            JobEvent::Interrupted { error } => {
                self.end_prompt(None, Status::Interrupted);
                self.status = Status::Interrupted;
                self.ended_at = Some(at);
                self.error = Some(error.clone());
                self.activity.turn_ended(at, "interrupted");
            }
        }
    }

    /// Removes a waiting prompt. Without an id, the first one.
    fn take_waiting(&mut self, id: Option<Uuid>) -> Option<TakenPrompt> {
        let at = match id {
            Some(id) => self.waiting.iter().position(|waiting| waiting.id == id)?,
            None if self.waiting.is_empty() => return None,
            None => 0,
        };
        Some(self.waiting.remove(at))
    }

    /// Records the end of a prompt; without an id, of the running turn's. Returns whether it had
    /// become a turn.
    fn end_prompt(&mut self, id: Option<Uuid>, status: Status) -> bool {
        let is_turn = match (&self.current_prompt, id) {
            (Some(current_prompt), Some(id)) => current_prompt.id == id,
            (Some(_), None) => true,
            (None, _) => false,
        };
        let ended = if is_turn { self.current_prompt.take() } else { self.take_waiting(id) };
        self.last_end = Some(LastEnd { status, prompt: ended.map(|prompt| prompt.text) });
        is_turn || id.is_none()
    }

    /// Whether Codex keeps a record of the job's session. A session that existed before the job has
    /// one.
    pub(crate) fn has_record(&self) -> bool {
        !self.job_options.is_ephemeral() || matches!(self.origin, SessionOrigin::Existing(_))
    }

    /// Whether a prompt was taken out of the inbox and has not ended.
    pub(crate) fn has_taken(&self, id: Uuid) -> bool {
        let mut open = self.waiting.iter().chain(&self.current_prompt);
        self.last_prompt == Some(id) || open.any(|prompt| prompt.id == id)
    }

    /// Whether a job has ended for good: no process is about to run it, all its prompts have ended,
    /// and all notifications are written.
    pub(crate) fn is_settled(&self) -> bool {
        let is_over = self.status.has_ended() && !self.starting;
        is_over && self.waiting.is_empty() && !self.has_pending_notifications()
    }

    /// The notification for the job's last end.
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

    /// Whether the job has nothing left to do: every prompt that was sent to it has ended.
    pub(crate) fn is_idle(&self) -> bool {
        self.status.has_ended() && !self.starting && self.waiting.is_empty()
    }

    /// Whether a notification is still to be written.
    pub(crate) fn has_pending_notifications(&self) -> bool {
        !self.pending_notifications.is_empty() || self.to_announce > self.announced
    }
}
