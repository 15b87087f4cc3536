//! `job_list`: the jobs of the user.

use serde_json::{Map, Value, json};

use super::folder::Nearby;
use super::{MAX_ENTRIES, blocking};
use crate::job::{Status, listed};
use crate::tool::definition::{Answer, Call, Effect, Services, Tool};
use crate::tool::error::Family;
use crate::tool::plain;
use crate::tool::schema::{boolean, closed, complete, integer, objects, one_of, string};

pub(in crate::tool) fn tool() -> Tool {
    Tool {
        name: "job_list",
        title: "List Codex jobs",
        description: "Lists the user's jobs, newest first: of all clients and servers, by default \
                      those of this directory.",
        input: closed(
            json!({
                "status": one_of("Only jobs with this status.", Status::ALL.map(Status::as_str)),
                "cwd": string("Only jobs in this directory."),
                "limit": integer("1 to 200. Default 20."),
                "all": boolean("Jobs of all directories."),
            }),
            &[],
        ),
        output: complete(json!({ "jobs": objects() })),
        effect: Effect::Reads,
        family: Family::Job { not_done: "" },
        plain: plain::json,
        search_hint: None,
        always_load: false,
        unlisted: Value::Null,
        run: |call| Box::pin(list(call)),
    }
}

async fn list(Call { mut arguments, services, .. }: Call<'_>) -> Answer {
    let Services { codex, jobs, .. } = services;
    let status = arguments.parsed("status", str::parse::<Status>)?;
    let cwd = arguments.optional_text("cwd")?;
    let limit = arguments.whole("limit", 1, MAX_ENTRIES)?.unwrap_or(20);
    let is_everywhere = arguments.flag("all")? || cwd.is_some();
    arguments.end();
    let nearby = (!is_everywhere).then(|| Nearby::of(services));
    let scope = codex.scope();
    let states = blocking(jobs, move |jobs| {
        cwd.as_ref().map_or(Ok(()), |cwd| scope.check_dir("cwd", cwd.as_ref()))?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let may_be = |found| status.is_none_or(|status| found == status);
        jobs.list(limit, may_be, |state| {
            cwd.as_ref().is_none_or(|cwd| state.cwd.as_deref() == Some(cwd.as_ref()))
                && nearby.as_ref().is_none_or(|nearby| nearby.has(state))
        })
    })
    .await?;
    let states: Vec<Value> = states.iter().map(|state| Value::Object(listed(state))).collect();
    Ok(Map::from_iter([("jobs".to_owned(), states.into())]))
}
