//! `codex_job_wait`: waits until a job has answered its last prompt.

use serde_json::{Map, Value, json};
use tokio::time::{Duration, Instant};

use super::client_jobs::ClientJob;
use super::folder::Nearby;
use super::view::{self, Field};
use super::wait::{DEFAULT_MS, MAX_MS, Watch};
use super::{blocking, schema};
use crate::job::{JobId, Jobs, Problem, State};
use crate::model::outcome::{CancelledBy, FailureKind};
use crate::tool::definition::{Answer, Call, Effect, Services, Tool};
use crate::tool::error::{Error, Family};
use crate::tool::plain;
use crate::tool::schema::{closed, integer, string};

/// The most jobs that an answer without a result lists.
const MAX_LISTED: usize = 20;

/// The same, of jobs that have ended.
const MAX_ENDED: usize = 3;

pub(in crate::tool) fn tool() -> Tool {
    Tool {
        name: "codex_job_wait",
        title: "Wait for a Codex job",
        description: "Wait until a Codex job has answered its last prompt; returns its result or \
                      error in full. Without job_id: the next job of this client to end. At the \
                      timeout: its status and last activity; call again.",
        input: closed(
            json!({
                "job_id": string("From codex_chat"),
                "timeout_ms": integer("Default 50000, at most 280000"),
            }),
            &[],
        ),
        output: schema::ended(),
        effect: Effect::Reads,
        family: Family::Job { not_done: "" },
        plain: plain_text,
        search_hint: Some("wait for the result of a background job or long running task"),
        always_load: false,
        unlisted: Value::Null,
        run: |call| Box::pin(wait(call)),
    }
}

async fn wait(Call { mut arguments, services, context }: Call<'_>) -> Answer {
    let job = arguments.parsed("job_id", str::parse::<JobId>)?;
    let timeout = arguments.whole("timeout_ms", 1, MAX_MS)?.unwrap_or(DEFAULT_MS);
    arguments.end();
    let until = Instant::now() + Duration::from_millis(timeout);
    let mut watch = Watch::open(until)?;
    loop {
        let mark = watch.mark(&services.jobs).await?;
        let found = look(job, services).await?;
        // Before the client counts as told: it does not get the answer.
        if context.ct.is_cancelled() {
            return Err(FailureKind::Cancelled { by: CancelledBy::Caller }.into());
        }
        let active = match found {
            Found::Ended(state) => {
                services.client_jobs.told(state.job_id, state.to_announce);
                return Ok(view::ended(&state));
            }
            Found::Nothing => return nothing(services).await,
            Found::Active(states) if watch.is_over() => return Ok(active(&states)),
            Found::Active(states) => states,
        };
        let ids: Vec<JobId> = active.iter().map(|state| state.job_id).collect();
        watch.pause(mark, &ids, &services.jobs, context).await?;
    }
}

/// What became of the jobs that a call waits for.
enum Found {
    Ended(Box<State>),
    Active(Vec<State>),
    Nothing,
}

/// The named job. Without one, the client's own, also those that it starts meanwhile. If it has none whose end
/// it does not know, those that run in its folder become its own, so that it misses no end between two calls: if
/// the server was restarted, they may be what it started.
async fn look(job: Option<JobId>, services: &Services) -> Result<Found, Problem> {
    let own = services.client_jobs.clone();
    let nearby = Nearby::of(services);
    blocking(&services.jobs, move |jobs| {
        if let Some(job) = job {
            let (state, is_at_rest) = jobs.at_rest(job)?;
            return Ok(if is_at_rest {
                Found::Ended(Box::new(state))
            } else {
                Found::Active(vec![state])
            });
        }
        let found = of_client(jobs, &own.all())?;
        if !matches!(found, Found::Nothing) {
            return Ok(found);
        }
        let is_running = |state: &State| !state.status.has_ended() && nearby.has(state);
        let running = jobs.list(MAX_LISTED, |status| !status.has_ended(), is_running)?;
        for state in &running {
            own.add(state.job_id, state.to_announce);
        }
        Ok(if running.is_empty() { Found::Nothing } else { Found::Active(running) })
    })
    .await
}

/// The oldest of these jobs with an end that the client does not know, or else all that have not ended.
fn of_client(jobs: &Jobs, own: &[ClientJob]) -> Result<Found, Problem> {
    let mut active = Vec::new();
    for ClientJob { id, known_end } in own {
        match jobs.at_rest(*id) {
            Ok((state, false)) => active.push(state),
            Ok((state, true)) if state.to_announce > *known_end => {
                return Ok(Found::Ended(Box::new(state)));
            }
            // Known; or removed, or out of reach by now.
            Ok(_) | Err(Problem::NotFound(_) | Problem::Refused(_)) => {}
            Err(problem) => return Err(problem),
        }
    }
    Ok(if active.is_empty() { Found::Nothing } else { Found::Active(active) })
}

/// The answer at the timeout.
fn active(states: &[State]) -> Map<String, Value> {
    let mut content = match states {
        [state] => view::fields(state, &view::ACTIVE),
        states => {
            let rows = states.iter().take(MAX_LISTED);
            let rows: Vec<Value> =
                rows.map(|state| Value::Object(view::fields(state, &view::ACTIVE))).collect();
            Map::from_iter([("jobs".to_owned(), rows.into())])
        }
    };
    content.insert("next".into(), "Not ended yet: call codex_job_wait again.".into());
    content
}

/// The answer if there is nothing to wait for: the jobs that ended last, for a client whose server was restarted.
async fn nothing(services: &Services) -> Result<Map<String, Value>, Error> {
    let nearby = Nearby::of(services);
    let last = blocking(&services.jobs, move |jobs| {
        jobs.list(MAX_ENDED, |_| true, |state| nearby.has(state))
    });
    let last = last.await?;
    let mut content = Map::new();
    let next = if last.is_empty() {
        "There is no job here: start one with codex_chat and background."
    } else {
        let row =
            |state| Value::Object(view::fields(state, &[Field::Id, Field::What, Field::Status]));
        content.insert("jobs".into(), last.iter().map(row).collect());
        "No job is running here. codex_job_wait with a job_id returns the result of one that ended, \
         codex_jobs lists all."
    };
    content.insert("next".into(), next.into());
    Ok(content)
}

pub(in crate::tool) fn plain_text(content: &Map<String, Value>) -> String {
    let text = |name: &str| content.get(name).and_then(Value::as_str);
    if content.contains_key("result") {
        return plain::turn(content);
    }
    let mut plain = String::new();
    if let Some(error) = content.get("error") {
        let part = |name: &str| error[name].as_str().unwrap_or_default();
        plain += &format!("{}: {}\n\nNext: {}\n", part("kind"), part("message"), part("next"));
        if let Some(partial) = error["partial_reply"].as_str() {
            plain += &format!("\nPartial reply:\n{partial}\n");
        }
        plain.push('\n');
    }
    for job in content.get("jobs").and_then(Value::as_array).into_iter().flatten() {
        plain += &view::line(job);
        plain.push('\n');
    }
    if let Some(activity) = text("last_activity") {
        plain += &format!("{activity}, {} so far\n", text("elapsed").unwrap_or_default());
    }
    plain += &text("next").map(|next| format!("{next}\n")).unwrap_or_default();
    match &plain::details(content)[..] {
        [] => plain,
        details => plain + &format!("[{}]", details.join(" · ")),
    }
}
