//! What clients are told of the tools for jobs.

use std::sync::LazyLock;

use rmcp::model::{Tool as Definition, ToolAnnotations};
use serde_json::{Value, json};

use super::JobTool;
use crate::job::Status;
use crate::tool::definition::{closed, define, merged, schema, text, turn_properties};
use crate::tool::schema::object;

pub(super) fn of(tool: JobTool) -> &'static Definition {
    static ALL: LazyLock<[Definition; JobTool::ALL.len()]> =
        LazyLock::new(|| JobTool::ALL.map(make));
    let at = JobTool::ALL.iter().position(|listed| *listed == tool);
    &ALL[at.expect("all tools are in the list of all tools")]
}

/// What a tool does to the world.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    Reads,
    /// Has Codex work.
    Works,
    /// Ends what it began.
    Stops,
}

fn make(tool: JobTool) -> Definition {
    let integer = |about: &str| json!({ "type": "integer", "description": about });
    let string = |about: &str| json!({ "type": "string", "description": about });
    let strings = |about: &str| json!({ "type": "array", "items": { "type": "string" }, "description": about });
    let job_id = string("The job, as job_start or job_list named it.");
    let statuses = Status::ALL.map(Status::as_str);
    let (title, description, input, required, output, effect) = match tool {
        JobTool::Start => (
            "Start a Codex job",
            "Starts Codex on long work in the background and returns at once with a job_id. The job \
             outlives this call, the client and the server. Wait for it with job_wait (pass \
             notification_cursor as cursor), follow it with job_events, answer it with job_reply.",
            merged(
                turn_properties(),
                json!({ "label": string("A name for people, at most 200 characters.") }),
            ),
            json!(["prompt"]),
            merged(
                job_properties(),
                json!({ "notification_cursor": integer("Pass it to job_wait to hear of this.") }),
            ),
            Effect::Works,
        ),
        JobTool::Events => (
            "Read a Codex job's events",
            "What Codex did in a job after a cursor, as a person would read it, or raw; and the \
             job's snapshot, with its result or error in full.",
            json!({
                "job_id": job_id,
                "cursor": integer("The events after this one, as an earlier answer gave it. Default 0: from the start."),
                "limit": integer("1 to 200 events. Default 20."),
                "types": strings("Only these types, such as agent_message, command_execution, file_change, error; with raw also item.completed and the like."),
                "truncate": integer("Longest text, in characters; 0 for no limit. Default 1024."),
                "raw": { "type": "boolean", "description": "Every event as Codex wrote it. Default false." },
            }),
            json!(["job_id"]),
            json!({
                "cursor": integer("Pass it to read on."),
                "more": { "type": "boolean", "description": "Whether there is more to read now." },
                "events": { "type": "array", "items": { "type": "object" } },
                "job": { "type": "object" },
            }),
            Effect::Reads,
        ),
        JobTool::Reply => (
            "Answer a Codex job",
            "Gives a job its next prompt, in the same session. If the job is running, the prompt \
             waits for the end of the turn, or with interrupt ends it first. A job that has ended is \
             run again.",
            json!({
                "job_id": job_id,
                "prompt": text("The next message."),
                "interrupt": { "type": "boolean", "description": "End the running turn first. Default false." },
            }),
            json!(["job_id", "prompt"]),
            merged(
                job_properties(),
                json!({ "notification_cursor": integer("Pass it to job_wait to hear of this.") }),
            ),
            Effect::Works,
        ),
        JobTool::Notifications | JobTool::Wait => {
            let mut input = json!({
                "cursor": integer("Those after this one. Default 0: all that are kept."),
                "job_ids": strings("Only of these jobs. Default: all."),
            });
            let (title, description) = if tool == JobTool::Wait {
                input["timeout_ms"] = integer("1 to 280000. Default 50000.");
                (
                    "Wait for Codex jobs",
                    "Waits until a job's turn ends (completed, failed, cancelled, timed out, \
                     interrupted), at most timeout_ms; then an empty list. Call it again with the \
                     cursor it returned.",
                )
            } else {
                (
                    "What happened to Codex jobs",
                    "Turns of jobs that ended since a cursor. Never waits.",
                )
            };
            let output = json!({
                "cursor": integer("Pass it to the next call."),
                "notifications": { "type": "array", "items": {
                    "type": "object",
                    "properties": {
                        "cursor": integer("Its own number."),
                        "job_id": string("The job."),
                        "status": { "type": "string", "enum": statuses, "description": "How the turn ended." },
                        "turn": integer("Which turn of the job."),
                        "result": string("The first 2,000 characters; job_events has all."),
                    },
                    "required": ["cursor", "job_id", "status"],
                } },
            });
            (title, description, input, json!([]), output, Effect::Reads)
        }
        JobTool::List => (
            "List Codex jobs",
            "All jobs of the user, the newest first, of whatever client and server.",
            json!({
                "status": { "type": "string", "enum": statuses, "description": "Only these." },
                "cwd": string("Only those that work in this directory."),
                "limit": integer("1 to 200. Default 20."),
            }),
            json!([]),
            json!({ "jobs": { "type": "array", "items": { "type": "object" } } }),
            Effect::Reads,
        ),
        JobTool::Cancel => (
            "Stop a Codex job",
            "Stops a job and what it still was to do. Its session stays: job_reply goes on in it.",
            json!({ "job_id": job_id }),
            json!(["job_id"]),
            job_properties(),
            Effect::Stops,
        ),
    };
    let needed: Vec<String> = match tool {
        JobTool::Start | JobTool::Reply | JobTool::Cancel => {
            ["job_id", "status", "turns", "cursor"].map(Into::into).into()
        }
        _ => object(output.clone()).keys().cloned().collect(),
    };
    let annotations = ToolAnnotations::with_title(title)
        .read_only(effect == Effect::Reads)
        .destructive(effect == Effect::Works)
        .idempotent(effect == Effect::Stops)
        .open_world(effect == Effect::Works);
    let output = schema(output, json!(needed));
    define(tool.name(), description, closed(input, required), output, annotations)
}

/// What matters most of a job's snapshot. The rest stands in the README: every byte here is in the
/// model's context.
fn job_properties() -> Value {
    let string = json!({ "type": "string" });
    json!({
        "job_id": string,
        "status": { "type": "string", "description": "queued, running, completed, failed, cancelled, timed_out or interrupted." },
        "session_id": { "type": "string", "description": "codex_chat can go on in it too." },
        "resume_command": string,
        "last_activity": string,
        "result": { "type": "string", "description": "Codex's last reply." },
        "error": { "type": "object" },
        "turns": { "type": "integer" },
        "cursor": { "type": "integer", "description": "Of the job's last event." },
    })
}
