//! `codex_jobs`: the jobs of this folder, or one of them with what it did.

use serde_json::{Map, Value, json};

use super::folder::Nearby;
use super::view::{self, ROW};
use super::{MAX_ENTRIES, blocking, events, schema};
use crate::job::Status;
use crate::model::value::InvalidValue;
use crate::tool::arguments::invalid;
use crate::tool::definition::{Answer, Call, Effect, Tool};
use crate::tool::error::Family;
use crate::tool::plain;
use crate::tool::schema::{boolean, closed, integer, string, strings};

pub(in crate::tool) fn tool() -> Tool {
    Tool {
        name: "codex_jobs",
        title: "List Codex jobs",
        description: "List Codex jobs, newest first, by default those of this directory; with \
                      job_id that job and what it did.",
        input: closed(
            json!({
                "job_id": string("Show this job"),
                "cursor": integer("Events after this one"),
                "limit": integer("Default 20, at most 200"),
                "types": strings("Only these events: agent_message, command_execution, file_change, error, …"),
                "truncate": integer("Characters per text; 0: no limit. Default 1024"),
                "raw": boolean("Events as Codex wrote them"),
                "status": string("queued, running, completed, failed, cancelled, timed_out, interrupted"),
                "all": boolean("Of all directories"),
            }),
            &[],
        ),
        output: schema::jobs(),
        effect: Effect::Reads,
        family: Family::Job { not_done: "" },
        plain: plain_text,
        search_hint: Some("list background jobs, progress of a long running task"),
        always_load: false,
        unlisted: Value::Null,
        run: |call| Box::pin(jobs(call)),
    }
}

/// Parameters that need a job, and those that select among jobs.
const OF_ONE: [&str; 4] = ["cursor", "types", "truncate", "raw"];
const OF_LIST: [&str; 2] = ["status", "all"];

async fn jobs(call: Call<'_>) -> Answer {
    let arguments = &call.arguments;
    let (others, problem) = match arguments.has("job_id") {
        true => (&OF_LIST[..], "cannot be combined with job_id: it selects among jobs"),
        false => (&OF_ONE[..], "requires job_id: it is about the events of a job"),
    };
    if let Some(field) = others.iter().find(|name| arguments.has(name)) {
        return Err(invalid(field, InvalidValue(problem.into())).into());
    }
    if arguments.has("job_id") { one(call).await } else { list(call).await }
}

async fn one(Call { arguments, services, .. }: Call<'_>) -> Answer {
    let (page, state) = events::page(arguments, &services.jobs).await?;
    let mut content = if state.is_idle() {
        services.client_jobs.told(state.job_id, state.to_announce);
        view::ended(&state)
    } else {
        view::fields(&state, &view::ACTIVE)
    };
    content.insert("cursor".into(), page.cursor.into());
    content.insert("more".into(), page.more.into());
    content.insert("events".into(), page.events.into());
    Ok(content)
}

async fn list(Call { mut arguments, services, .. }: Call<'_>) -> Answer {
    let status = arguments.parsed("status", str::parse::<Status>)?;
    let all = arguments.flag("all")?;
    let limit = arguments.whole("limit", 1, MAX_ENTRIES)?.unwrap_or(20);
    arguments.end();
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let (nearby, scope) = (Nearby::of(services), services.codex.scope());
    let (states, elsewhere) = blocking(&services.jobs, move |jobs| {
        let may_be = |found| status.is_none_or(|status| found == status);
        let elsewhere = std::cell::Cell::new(0_u64);
        let states = jobs.list(limit, may_be, |state| {
            let is_here = all || nearby.has(state);
            let is_elsewhere =
                !is_here && state.cwd.as_deref().is_some_and(|cwd| scope.contains(cwd));
            elsewhere.set(elsewhere.get() + u64::from(is_elsewhere));
            is_here
        })?;
        Ok((states, elsewhere.get()))
    })
    .await?;
    let rows: Vec<Value> =
        states.iter().map(|state| Value::Object(view::fields(state, &ROW))).collect();
    let mut content = Map::from_iter([("jobs".to_owned(), rows.into())]);
    if elsewhere > 0 {
        content.insert("in_other_directories".into(), elsewhere.into());
    }
    Ok(content)
}

fn plain_text(content: &Map<String, Value>) -> String {
    let Some(rows) = content.get("jobs").and_then(Value::as_array) else {
        return plain::json(content);
    };
    let mut lines: Vec<String> = rows.iter().map(view::line).collect();
    if rows.is_empty() {
        lines.push("No jobs.".into());
    }
    if let Some(others) = content.get("in_other_directories") {
        lines.push(format!("[{others} in other directories: pass all]"));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::JobId;

    #[test]
    fn a_list_is_a_line_for_each_job() {
        let row = json!({"job_id": JobId::new(), "status": "running", "what": "w\nx", "turns": 1});
        let content = json!({"jobs": [row], "in_other_directories": 2});
        let text = plain_text(content.as_object().expect("an object"));
        assert!(text.contains(" · running · w x\n[2 in other"), "{text}");
    }
}
