//! `job_notifications`: the turns of jobs that ended after a cursor.

use serde_json::{Map, Value, json};

use super::folder::Nearby;
use super::{blocking, schema};
use crate::job::{JobId, Jobs, Notification, Problem, State};
use crate::tool::arguments::{Arguments, Result, invalid};
use crate::tool::definition::{Answer, Call, Effect, Services, Tool};
use crate::tool::error::Family;
use crate::tool::plain;
use crate::tool::schema::closed;

/// How many notifications one answer has at most.
pub(super) const MAX_NOTIFICATIONS: usize = 100;

pub(in crate::tool) fn tool() -> Tool {
    Tool {
        name: "job_notifications",
        title: "Check for ended Codex turns",
        description: "Lists the turns of jobs that ended after a cursor, without waiting.",
        input: closed(schema::notifications_input(), &[]),
        output: schema::notifications_output(),
        effect: Effect::Reads,
        family: Family::Job { not_done: "" },
        plain: plain::json,
        search_hint: None,
        always_load: false,
        unlisted: Value::Null,
        run: |call| Box::pin(notifications(call)),
    }
}

async fn notifications(Call { mut arguments, services, .. }: Call<'_>) -> Answer {
    let (cursor, wanted) = cursor_and_jobs(&mut arguments, services)?;
    arguments.end();
    let (found, cursor) = read(&services.jobs, cursor.unwrap_or(0), &wanted).await?;
    Ok(page(&found, cursor))
}

/// Which jobs a call is about.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// These; if there are none, all that `nearby` has.
    pub(super) jobs: Vec<JobId>,
    nearby: Option<Nearby>,
}

/// The notifications of these jobs after the cursor, and the cursor to continue from.
pub(super) async fn read(
    jobs: &Jobs,
    cursor: u64,
    wanted: &Wanted,
) -> std::result::Result<(Vec<(u64, Notification)>, u64), Problem> {
    let Wanted { jobs: named, nearby } = wanted.clone();
    blocking(jobs, move |jobs| {
        let is_near = nearby.map(|nearby| move |state: &State| nearby.has(state));
        let is_near = is_near.as_ref().map(|is_near| is_near as &dyn Fn(&State) -> bool);
        jobs.notifications(cursor, &named, is_near, MAX_NOTIFICATIONS)
    })
    .await
}

/// The arguments that `job_wait` has too: the cursor, and the jobs.
pub(super) fn cursor_and_jobs(
    arguments: &mut Arguments,
    services: &Services,
) -> Result<(Option<u64>, Wanted)> {
    let cursor = arguments.whole("cursor", 0, u64::MAX)?;
    let nearby = (!arguments.flag("all")?).then(|| Nearby::of(services));
    let jobs = arguments.texts("job_ids")?;
    let jobs: Result<Vec<JobId>> =
        jobs.iter().map(|job| job.parse().map_err(|problem| invalid("job_ids", problem))).collect();
    Ok((cursor, Wanted { jobs: jobs?, nearby }))
}

/// A page of notifications, as clients see it.
pub(super) fn page(found: &[(u64, Notification)], cursor: u64) -> Map<String, Value> {
    let all: Vec<Value> =
        found.iter().map(|(cursor, found)| notification(*cursor, found)).collect();
    Map::from_iter([("cursor".to_owned(), cursor.into()), ("notifications".to_owned(), all.into())])
}

/// A notification as clients see it.
fn notification(cursor: u64, notification: &Notification) -> Value {
    let mut value = json!(notification);
    if let Value::Object(fields) = &mut value {
        fields.retain(|_, value| !value.is_null());
        fields.shift_insert(0, "cursor".into(), cursor.into());
        fields.shift_remove("event");
    }
    value
}
