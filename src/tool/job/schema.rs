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

/// The most important fields of a snapshot. The README has the rest: every byte here is in the model's
/// context.
fn of_snapshot(more: Value) -> Value {
    let text = json!({ "type": "string" });
    let properties = json!({
        "job_id": text,
        "status": string("queued, running, completed, failed, cancelled, timed_out or interrupted."),
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
            "job_id": string(""),
            "status": string(""),
            "session_id": string(""),
            "result": string(""),
            "files_changed": strings(""),
            "error": { "type": "object" },
        }),
        &[],
    )
}

/// What `codex_jobs` answers: a list, or a job and its events.
pub(super) fn jobs() -> Value {
    open(json!({ "jobs": objects(), "events": objects(), "cursor": integer("") }), &[])
}

/// What `codex_job_send` answers.
pub(super) fn sent() -> Value {
    open(json!({ "job_id": string(""), "status": string("") }), &[])
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
