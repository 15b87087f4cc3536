//! What clients are told of the tools for sessions.

use std::sync::LazyLock;

use rmcp::model::{Tool as Definition, ToolAnnotations};
use serde_json::{Value, json};

use super::SessionTool;
use crate::codex::sessions::transcript::Include;
use crate::tool::definition::{closed, define, schema};

pub(super) fn of(tool: SessionTool) -> &'static Definition {
    static ALL: LazyLock<[Definition; SessionTool::ALL.len()]> =
        LazyLock::new(|| SessionTool::ALL.map(make));
    let at = SessionTool::ALL.iter().position(|listed| *listed == tool);
    &ALL[at.expect("all tools are in the list of all tools")]
}

fn make(tool: SessionTool) -> Definition {
    let (title, description, input, required) = match tool {
        SessionTool::List => (
            "Find Codex sessions",
            "All sessions in Codex's store, also those of the person's own terminal, the one written \
             last first. Pass a session_id to codex_chat to go on in it, or to codex_session_read.",
            list_input(),
            json!([]),
        ),
        SessionTool::Read => (
            "Read a Codex session",
            "What was said in a session, and on request what was done. A fork has its own part \
             alone; its forked_from has the rest.",
            read_input(),
            json!(["session_id"]),
        ),
    };
    let output = output(tool);
    let needed: Vec<&str> = match tool {
        SessionTool::List => vec!["sessions", "more"],
        SessionTool::Read => vec!["session_id", "entries", "cursor", "more"],
    };
    let annotations = ToolAnnotations::with_title(title)
        .read_only(true)
        .destructive(false)
        .idempotent(false)
        .open_world(false);
    let output = schema(output, json!(needed));
    define(tool.name(), description, closed(input, required), output, annotations)
}

fn integer(about: &str) -> Value {
    json!({ "type": "integer", "description": about })
}

fn string(about: &str) -> Value {
    json!({ "type": "string", "description": about })
}

fn list_input() -> Value {
    json!({
        "cwd": string("Only those that work in this directory."),
        "text": string("Only those with this in the first 1000 characters of the first prompt, in any case."),
        "source": string("Only those begun like this: cli, exec, vscode …; tools: by a tool of this server; subagent: by a session, which are left out otherwise."),
        "since": string("Only those last written since: a time (RFC 3339), or how long ago: 2h, 3d."),
        "until": string("Only those last written until."),
        "limit": integer("1 to 200. Default 20."),
        "cursor": string("Those after this, as an earlier answer gave it."),
    })
}

fn read_input() -> Value {
    json!({
        "session_id": string("The session (UUID)."),
        "include": {
            "type": "array",
            "items": { "type": "string" },
            "description": format!("What beside messages: {}.", Include::WORDS.join(", ")),
        },
        "cursor": integer("Where to read on. Default 0: from the start."),
        "from_end": { "type": "boolean", "description": "The last entries. Default false." },
        "before": integer("The last entries before this, as an answer gave it."),
        "limit": integer("1 to 200 entries. Default 20."),
        "truncate": integer("Longest text, in characters; 0 for no limit. Default 4096."),
    })
}

fn output(tool: SessionTool) -> Value {
    let objects = json!({ "type": "array", "items": { "type": "object" } });
    let boolean = json!({ "type": "boolean" });
    match tool {
        SessionTool::List => json!({
            "sessions": objects,
            "more": boolean,
            "cursor": string("Pass it for more."),
            "warnings": { "type": "array", "items": { "type": "string" } },
        }),
        SessionTool::Read => json!({
            "session_id": { "type": "string" },
            "entries": objects,
            "cursor": integer("Pass it to read on."),
            "more": boolean,
            "before": integer("Pass it for what was before."),
            "busy": boolean,
        }),
    }
}
