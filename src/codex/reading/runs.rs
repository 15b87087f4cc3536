//! Folds entries into what each request has done, and what it does now. Pure, and bounded.

use std::collections::VecDeque;
use std::time::Duration;

use super::entry::{Entry, MAX_LISTED, Tokens, What, paths};
use super::repetition::Repetition;
use crate::model::text::hash;
use crate::model::time::Time;

/// Maximum number of requests to keep. Older ones are only counted.
const MAX_RUNS: usize = 200;

/// Maximum number of sessions whose tokens are kept.
const MAX_SESSIONS: usize = 200;

/// What all requests have done.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    pub(crate) runs: VecDeque<Run>,
    /// How many older ones are not in `runs`.
    pub(crate) forgotten: u64,
    /// Whether earlier entries were left out, which may have started a turn.
    pub(crate) is_partial: bool,
    /// The last token count of each session.
    pub(crate) tokens: VecDeque<(Option<String>, Tokens)>,
}

/// What a request, or a turn without one, has done.
#[derive(Debug, Default)]
pub(crate) struct Run {
    pub(crate) request: Option<String>,
    pub(crate) session: Option<String>,
    pub(crate) status: RunStatus,
    pub(crate) started: Option<Time>,
    pub(crate) last: Option<Time>,
    pub(crate) duration: Option<Duration>,
    pub(crate) commands: u64,
    pub(crate) commands_failed: u64,
    pub(crate) tools: u64,
    pub(crate) searches: u64,
    pub(crate) errors: u64,
    /// Distinct paths, up to [`MAX_LISTED`], as hashes.
    files: Vec<u64>,
    pub(crate) last_error: Option<String>,
    pub(crate) last_message: Option<String>,
    /// Done and all steps of the plan, and the first step that is not done.
    pub(crate) plan: Option<(usize, usize, Option<String>)>,
    /// What has started and not ended.
    pub(crate) open: VecDeque<Open>,
    /// Errors since the last progress.
    pub(crate) errors_in_a_row: u64,
    pub(crate) repetition: Repetition,
    /// Whether the start of its turn was seen. Records of 0.77 have neither the start nor the end of a turn.
    is_start_known: bool,
    /// Whether something of it is new to the user.
    pub(crate) is_new: bool,
}

/// Whether the entry can be the first one of a request. A remark begins none, and neither does the start of a
/// session in a form without requests.
fn begins(entry: &Entry) -> bool {
    match entry.what {
        What::Cancelled
        | What::Queued { .. }
        | What::Note { .. }
        | What::Tokens(_)
        | What::Warning { .. } => false,
        What::Session { .. } => entry.request.is_some(),
        _ => true,
    }
}

/// How far a request is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum RunStatus {
    #[default]
    Running,
    Completed,
    Failed,
    /// It was interrupted or cancelled.
    Aborted,
}

/// Something that has started and not ended.
#[derive(Debug)]
pub(crate) struct Open {
    call: String,
    pub(crate) what: String,
    pub(crate) is_approval: bool,
}

impl Runs {
    /// `is_new`: the entry is part of what the user has not seen yet.
    pub(crate) fn take(&mut self, entry: &Entry, is_new: bool) {
        let known = self.runs.iter().rposition(|run| {
            run.request == entry.request
                && (entry.request.is_some()
                    || entry.session.is_none()
                    || run.session == entry.session)
        });
        if let What::Tokens(tokens) = &entry.what {
            let of_run = known.and_then(|at| self.runs[at].session.clone());
            self.take_tokens(entry.session.clone().or(of_run), *tokens);
        }
        let at = match known.filter(|at| !self.runs[*at].is_followed_by(&entry.what)) {
            Some(at) => at,
            None if !begins(entry) => return,
            None => {
                // The next prompt is all that a record of 0.77 has of the end.
                if let Some(at) = known.filter(|at| !self.runs[*at].is_end_known()) {
                    self.runs[at].status = RunStatus::Completed;
                }
                self.begin(entry)
            }
        };
        self.runs[at].take(entry);
        self.runs[at].is_new = is_new;
    }

    fn begin(&mut self, entry: &Entry) -> usize {
        if self.runs.len() == MAX_RUNS {
            self.runs.pop_front();
            self.forgotten += 1;
        }
        self.runs.push_back(Run {
            request: entry.request.clone(),
            is_start_known: self.is_partial,
            ..Run::default()
        });
        self.runs.len() - 1
    }

    fn take_tokens(&mut self, session: Option<String>, mut tokens: Tokens) {
        let known = self.tokens.iter().position(|(known, _)| *known == session);
        if let Some((_, before)) = known.and_then(|at| self.tokens.remove(at)) {
            // `codex exec` does not report these.
            tokens.context = tokens.context.or(before.context);
            tokens.window = tokens.window.or(before.window);
        } else if self.tokens.len() == MAX_SESSIONS {
            self.tokens.pop_front();
        }
        self.tokens.push_back((session, tokens));
    }
}

impl Run {
    pub(crate) fn has_ended(&self) -> bool {
        self.status != RunStatus::Running
    }

    /// Whether its end would be known.
    pub(crate) fn is_end_known(&self) -> bool {
        self.is_start_known || self.request.is_some()
    }

    pub(crate) fn files_changed(&self) -> usize {
        self.files.len()
    }

    /// What became of it.
    pub(crate) fn phrase(&self) -> &'static str {
        match self.status {
            RunStatus::Running if self.is_end_known() => "running",
            RunStatus::Running => "without a recorded end",
            RunStatus::Completed => "completed",
            RunStatus::Failed => "failed",
            RunStatus::Aborted => "interrupted",
        }
    }

    /// Whether this is the first entry of the next request with the same id, or without one.
    fn is_followed_by(&self, what: &What) -> bool {
        match what {
            What::Called { .. } | What::TurnStarted { .. } | What::Session { .. } => {
                self.has_ended()
            }
            What::Prompt { .. } => !self.is_end_known() && self.last_message.is_some(),
            _ => false,
        }
    }

    fn take(&mut self, entry: &Entry) {
        self.session = entry.session.clone().or(self.session.take());
        self.started = self.started.or(entry.at);
        self.last = entry.at.or(self.last);
        if !matches!(
            entry.what,
            What::Error { .. } | What::Warning { .. } | What::Tokens(_) | What::Note { .. }
        ) {
            self.errors_in_a_row = 0;
        }
        match &entry.what {
            What::CommandBegan { call, command } => {
                self.begin(call, format!("running: {command}"), false);
            }
            What::ToolBegan { call, tool } => {
                self.begin(call, format!("calling {tool}"), false);
            }
            What::SearchBegan { call } => self.begin(call, "searching".into(), false),
            What::PatchBegan { call, .. } => self.begin(call, "editing".into(), false),
            What::Approval { call, of } => {
                self.begin(call, format!("approval of {of}"), true);
            }
            What::CommandEnded { call, command, exit_code, .. } => {
                self.end(call);
                self.commands += 1;
                self.commands_failed += u64::from(exit_code.is_some_and(|code| code != 0));
                if let Some(command) = command {
                    self.repetition.command(command);
                }
            }
            What::PatchEnded { call, files, applied, .. } => {
                self.end(call);
                if *applied {
                    for path in paths(files) {
                        let path = hash(path);
                        if self.files.len() < MAX_LISTED && !self.files.contains(&path) {
                            self.files.push(path);
                        }
                    }
                    // Files that change are progress.
                    self.repetition.clear();
                }
            }
            What::ToolEnded { call, tool, .. } => {
                self.end(call);
                self.tools += 1;
                self.repetition.tool(tool);
            }
            What::SearchEnded { call, .. } => {
                self.end(call);
                self.searches += 1;
            }
            What::Message { text } => {
                self.last_message = Some(text.clone());
                self.repetition.message(text);
            }
            What::Reasoning { text } => {
                self.repetition.thought(text);
            }
            What::Plan { steps } => {
                let done = steps.iter().filter(|step| step.is_done).count();
                let next = steps.iter().find(|step| !step.is_done).map(|step| step.text.clone());
                self.plan = Some((done, steps.len(), next));
            }
            What::Error { message } => {
                self.errors += 1;
                self.errors_in_a_row += 1;
                self.last_error = Some(message.clone());
            }
            What::TurnEnded { reply, duration, error } => {
                if let Some(reply) = reply {
                    self.last_message = Some(reply.clone());
                }
                self.duration = duration.or(self.duration);
                self.finish(error.as_deref());
            }
            What::Answer { text, is_error } => {
                if !is_error && !text.is_empty() {
                    self.last_message = Some(text.clone());
                }
                self.finish(is_error.then_some(text));
            }
            What::TurnAborted { duration, .. } => {
                self.duration = duration.or(self.duration);
                self.abort();
            }
            What::Cancelled => self.abort(),
            What::TurnStarted { .. } => self.is_start_known = true,
            What::Session { .. }
            | What::Called { .. }
            | What::Prompt { .. }
            | What::Queued { .. }
            | What::Tokens(_)
            | What::Warning { .. }
            | What::Note { .. } => {}
        }
    }

    fn begin(&mut self, call: &str, what: String, is_approval: bool) {
        self.end(call);
        if self.open.len() == MAX_LISTED {
            self.open.pop_front();
        }
        self.open.push_back(Open { call: call.to_owned(), what, is_approval });
    }

    fn end(&mut self, call: &str) {
        self.open.retain(|open| open.call != call);
    }

    /// A failed turn may be followed by an answer without a text: `codex mcp-server` answered a reply after a
    /// failed turn so.
    fn finish(&mut self, error: Option<&str>) {
        self.open.clear();
        if let Some(error) = error {
            self.last_error = Some(error.to_owned());
        }
        self.status = match (error, &self.status) {
            (Some(_), _) => RunStatus::Failed,
            (None, RunStatus::Running) => RunStatus::Completed,
            (None, ended) => ended.clone(),
        };
    }

    fn abort(&mut self) {
        self.open.clear();
        self.status = RunStatus::Aborted;
    }
}
