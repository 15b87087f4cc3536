//! Pieces of schemas that several tools for jobs share.

use serde_json::{Value, json};

use crate::job::Status;
use crate::tool::schema::{boolean, integer, merged, objects, one_of, open, string, strings};

pub(super) fn job_id() -> Value {
    string("The job's id, from job_start or job_list.")
}

/// The snapshot of a job.
pub(super) fn snapshot() -> Value {
    of_snapshot(json!({}))
}

/// The same, from a tool after which callers wait for the job.
pub(super) fn snapshot_with_cursor() -> Value {
    of_snapshot(
        json!({ "notification_cursor": integer("Pass it as job_wait's cursor to wait for this turn.") }),
    )
}

/// The most important fields of a snapshot. `docs/jobs.md` has the rest: every byte here is in the model's
/// context.
fn of_snapshot(more: Value) -> Value {
    let text = json!({ "type": "string" });
    let properties = json!({
        "job_id": text,
        "status": string(STATUSES),
        "session_id": string("codex_chat can resume it too."),
        "resume_command": text,
        "last_activity": text,
        "result": string("Codex's last reply."),
        "error": { "type": "object" },
        "turns": { "type": "integer" },
        "cursor": integer("Cursor of the last event."),
    });
    open(merged(properties, more), &["job_id", "status", "turns", "cursor"])
}

/// The parameters that select notifications.
pub(super) fn notifications_input() -> Value {
    json!({
        "cursor": integer("Notifications after this cursor; 0: all."),
        "job_ids": strings("Only these jobs. Default: those of this directory and client."),
        "all": boolean("Jobs of all directories."),
    })
}

/// What `codex_job_wait` answers.
pub(super) fn ended() -> Value {
    open(
        json!({
            "job_id": string("The job whose turn ended, or the only one that is running."),
            "status": string(STATUSES),
            "session_id": string("codex_chat can continue it too."),
            "turn": integer("Which of its turns ended."),
            "result": string("Codex's reply, in full."),
            "files_changed": strings("What Codex changed with its edit tool, relative to the job's directory."),
            "error": { "type": "object", "description": "If the turn was not completed: kind, message, next, partial_reply." },
            "last_activity": string("What a running job did last."),
            "jobs": described_objects("Several running jobs; or the last job, if none is running."),
            "next": string("What to do next."),
        }),
        &[],
    )
}

const STATUSES: &str = "queued, running, completed, failed, cancelled, timed_out or interrupted.";

/// What `codex_jobs` answers: a list, or a job and its events.
pub(super) fn jobs() -> Value {
    let rows = "Each with job_id, what (label, else the start of the prompt), status, turns, session_id, \
                cwd, created_at, and last_activity or the start of its result or error.";
    open(
        json!({
            "jobs": described_objects(rows),
            "events": described_objects("With job_id: what the job did. Its other fields are those of codex_job_wait."),
            "cursor": integer("Pass it to get later events."),
            "more": boolean("Whether there are later events already."),
            "in_other_directories": integer("How many jobs of other directories are left out."),
        }),
        &[],
    )
}

fn described_objects(about: &str) -> Value {
    merged(objects(), json!({ "description": about }))
}

/// What `codex_job_send` answers.
pub(super) fn sent() -> Value {
    open(
        json!({
            "job_id": string("The job."),
            "status": string(STATUSES),
            "had_ended": boolean("Whether there was nothing to cancel."),
        }),
        &[],
    )
}

pub(super) fn notifications_output() -> Value {
    let notification = json!({
        "cursor": integer("Its own cursor."),
        "job_id": string("The job."),
        "status": one_of("How the turn ended.", Status::ALL.map(Status::as_str)),
        "turn": integer("Number of the turn in the job."),
        "result": string("The first 2,000 characters; job_events has the full text."),
    });
    let notifications =
        json!({ "type": "array", "items": open(notification, &["cursor", "job_id", "status"]) });
    crate::tool::schema::complete(json!({
        "cursor": integer("Pass it to the next call."),
        "notifications": notifications,
    }))
}
