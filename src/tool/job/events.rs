//! `job_events`: what Codex did in a job.

use serde_json::{Map, Value, json};

use super::{MAX_ENTRIES, blocking, job_id, schema};
use crate::job::{Jobs, State, snapshot, view};
use crate::tool::arguments::Arguments;
use crate::tool::definition::{Answer, Call, Effect, Tool};
use crate::tool::error::{Error, Family};
use crate::tool::plain;
use crate::tool::schema::{boolean, closed, complete, integer, objects, strings};

pub(in crate::tool) fn tool() -> Tool {
    Tool {
        name: "job_events",
        title: "Read a Codex job's events",
        description: "Returns what Codex did in a job after a cursor, readable or raw, and the \
                      job's snapshot with its full result or error.",
        input: closed(
            json!({
                "job_id": schema::job_id(),
                "cursor": integer("Events after this cursor of an earlier answer. Default 0: from the start."),
                "limit": integer("1 to 200 events. Default 20."),
                "types": strings("Only these types, such as agent_message, command_execution, file_change, error; with raw also item.completed and similar."),
                "truncate": integer("Maximum characters per text; 0 for no limit. Default 1024."),
                "raw": boolean("Events exactly as Codex wrote them. Default false."),
            }),
            &["job_id"],
        ),
        output: complete(json!({
            "cursor": integer("Pass it to read more."),
            "more": boolean("Whether there is more to read now."),
            "events": objects(),
            "job": { "type": "object" },
        })),
        effect: Effect::Reads,
        family: Family::Job { not_done: "" },
        plain: plain::json,
        search_hint: None,
        always_load: false,
        unlisted: Value::Null,
        run: |call| Box::pin(events(call)),
    }
}

async fn events(Call { arguments, services, .. }: Call<'_>) -> Answer {
    let (page, state) = page(arguments, &services.jobs).await?;
    let mut content = Map::new();
    content.insert("cursor".into(), page.cursor.into());
    content.insert("more".into(), page.more.into());
    content.insert("events".into(), page.events.into());
    content.insert("job".into(), snapshot(&state).into());
    Ok(content)
}

/// A page of a job's events, and its state.
pub(super) async fn page(
    mut arguments: Arguments,
    jobs: &Jobs,
) -> Result<(view::Page, State), Error> {
    let job = job_id(&mut arguments)?;
    let number = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    let query = view::Query {
        cursor: arguments.whole("cursor", 0, u64::MAX)?.unwrap_or(0),
        limit: number(arguments.whole("limit", 1, MAX_ENTRIES)?.unwrap_or(20)),
        types: arguments.texts("types")?,
        truncate: number(arguments.whole("truncate", 0, 1_000_000)?.unwrap_or(1_024)),
        raw: arguments.flag("raw")?,
    };
    arguments.end();
    Ok(blocking(jobs, move |jobs| jobs.events(job, &query)).await?)
}
