//! `codex_job_send`: gives a job its next prompt, or stops it.

use serde_json::{Value, json};

use super::view::{self, Field};
use super::{cancel, job_id, reply, schema};
use crate::model::value::InvalidValue;
use crate::tool::arguments::invalid;
use crate::tool::definition::{Answer, Call, Effect, Tool};
use crate::tool::error::Family;
use crate::tool::plain;
use crate::tool::schema::{boolean, closed, string};

pub(in crate::tool) fn tool() -> Tool {
    Tool {
        name: "codex_job_send",
        title: "Send to a Codex job",
        description: "Send a Codex job its next prompt, even after it ended, or cancel it.",
        input: closed(
            json!({
                "job_id": string("The job"),
                "prompt": string("Waits for the running turn. At most 1,000,000 characters"),
                "interrupt": boolean("Stop the running turn first"),
                "cancel": boolean("Stop the job and drop waiting prompts"),
            }),
            &["job_id"],
        ),
        output: schema::sent(),
        effect: Effect::Works,
        family: Family::Job { not_done: "Nothing was sent to Codex." },
        plain: plain::json,
        search_hint: Some("delegate work to another agent, cancel background task"),
        always_load: false,
        unlisted: Value::Null,
        run: |call| Box::pin(send(call)),
    }
}

const SHOWN: [Field; 4] = [Field::Id, Field::Status, Field::Session, Field::Activity];

async fn send(Call { mut arguments, services, .. }: Call<'_>) -> Answer {
    let is_cancel = arguments.flag("cancel")?;
    if is_cancel {
        if let Some(field) = ["prompt", "interrupt"].into_iter().find(|name| arguments.has(name)) {
            let problem = "cannot be combined with cancel; cancel first, then send the prompt";
            return Err(invalid(field, InvalidValue(problem.into())).into());
        }
        let job = job_id(&mut arguments)?;
        arguments.end();
        let (state, had_ended) = cancel::cancelled(job, &services.jobs).await?;
        services.client_jobs.told(job, state.to_announce);
        let mut content = view::fields(&state, &SHOWN);
        if had_ended {
            content.insert("had_ended".into(), true.into());
        }
        return Ok(content);
    }
    if !arguments.has("prompt") {
        let problem = "is required, unless cancel is true";
        return Err(invalid("prompt", InvalidValue(problem.into())).into());
    }
    let (state, _) = reply::replied(arguments, services).await?;
    let mut content = view::fields(&state, &SHOWN);
    content.insert("next".into(), "codex_job_wait with this job_id returns the answer.".into());
    Ok(content)
}
