//! `codex_job_wait`: waits until a job has answered its last prompt.

use serde_json::{Map, Value, json};
use tokio::time::{Duration, Instant};

use super::folder::Nearby;
use super::view::{self, Field};
use super::wait::{DEFAULT_MS, MAX_MS, Watch};
use super::{blocking, schema};
use crate::job::{JobId, Jobs, State};
use crate::model::outcome::{CancelledBy, FailureKind};
use crate::tool::definition::{Answer, Call, Effect, Services, Tool};
use crate::tool::error::{Error, Family};
use crate::tool::plain;
use crate::tool::schema::{closed, integer, string};

/// The most jobs that an answer without a result lists.
const MAX_LISTED: usize = 20;

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
    let mut awaited = Awaited::new(job, services).await?;
    loop {
        let mark = watch.mark(&services.jobs).await?;
        match awaited.look(services).await? {
            Found::Ended(state) => {
                services.client_jobs.told(state.job_id, state.to_announce);
                return Ok(view::ended(&state));
            }
            Found::Nothing => return nothing(services).await,
            Found::Active(states) if watch.is_over() => return Ok(active(&states)),
            Found::Active(_) => {}
        }
        if context.ct.is_cancelled() {
            return Err(FailureKind::Cancelled { by: CancelledBy::Caller }.into());
        }
        watch.pause(mark, &awaited.ids(), &services.jobs, context).await?;
    }
}

/// The jobs that a call waits for, each with the last end that does not count.
struct Awaited {
    is_named: bool,
    jobs: Vec<(JobId, u64)>,
}

/// What became of them.
enum Found {
    Ended(Box<State>),
    Active(Vec<State>),
    Nothing,
}

impl Awaited {
    /// The named job; or those of the client, and what runs in its folder already.
    async fn new(job: Option<JobId>, services: &Services) -> Result<Self, Error> {
        if let Some(job) = job {
            return Ok(Self { is_named: true, jobs: vec![(job, 0)] });
        }
        let own = services.client_jobs.all().into_iter().map(|job| (job.id, job.known_end));
        let mut jobs: Vec<(JobId, u64)> = own.collect();
        let nearby = Nearby::of(services);
        let running = blocking(&services.jobs, move |jobs| unfinished(jobs, &nearby)).await?;
        for state in running {
            if !jobs.iter().any(|(job, _)| *job == state.job_id) {
                jobs.push((state.job_id, state.to_announce));
            }
        }
        Ok(Self { is_named: false, jobs })
    }

    fn ids(&self) -> Vec<JobId> {
        self.jobs.iter().map(|(job, _)| *job).collect()
    }

    async fn look(&mut self, services: &Services) -> Result<Found, Error> {
        let (wanted, is_named) = (self.jobs.clone(), self.is_named);
        let (found, gone) = blocking(&services.jobs, move |jobs| {
            let (mut active, mut gone) = (Vec::new(), Vec::new());
            for (job, known_end) in wanted {
                let state = match jobs.state(job) {
                    Ok(state) => state,
                    Err(problem) if is_named => return Err(problem),
                    // Removed, or out of reach by now.
                    Err(_) => {
                        gone.push(job);
                        continue;
                    }
                };
                if !state.is_idle() {
                    active.push(state);
                } else if is_named || state.to_announce > known_end {
                    return Ok((Found::Ended(Box::new(state)), gone));
                } else {
                    gone.push(job);
                }
            }
            Ok((if active.is_empty() { Found::Nothing } else { Found::Active(active) }, gone))
        })
        .await?;
        // An ended job of which the client knows can still get another prompt, but not from this call.
        self.jobs.retain(|(job, _)| !gone.contains(job));
        Ok(found)
    }
}

fn unfinished(jobs: &Jobs, nearby: &Nearby) -> Result<Vec<State>, crate::job::Problem> {
    jobs.list(MAX_LISTED, |status| !status.has_ended(), |state| nearby.has(state))
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

/// The answer if there is nothing to wait for.
async fn nothing(services: &Services) -> Result<Map<String, Value>, Error> {
    let nearby = Nearby::of(services);
    let last =
        blocking(&services.jobs, move |jobs| jobs.list(1, |_| true, |state| nearby.has(state)))
            .await?;
    let mut content = Map::new();
    let next = match &last[..] {
        [] => "There is no job here: start one with codex_chat and background.",
        last => {
            let row = |state| Value::Object(view::fields(state, &[Field::Id, Field::Status]));
            content.insert("jobs".into(), last.iter().map(row).collect());
            "No job is running, and you know of every end: codex_jobs lists the jobs, \
             codex_job_wait with a job_id returns the result of one again."
        }
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
    plain + &format!("[{}]", plain::details(content).join(" · "))
}
