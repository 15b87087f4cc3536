//! `job_reply`: the next prompt of a job.

use serde_json::{Value, json};

use super::{all_or_nothing, blocking, job_id, schema, with_notification_cursor};
use crate::job::State;
use crate::model::prompt_envelope::{Part, compose};
use crate::model::request::TurnRequest;
use crate::tool::arguments::{Arguments, invalid};
use crate::tool::definition::{Answer, Call, Effect, Services, Tool};
use crate::tool::error::{Error, Family};
use crate::tool::plain;
use crate::tool::schema::{boolean, closed, text};

pub(in crate::tool) fn tool() -> Tool {
    Tool {
        name: "job_reply",
        title: "Reply to a Codex job",
        description: "Sends a job its next prompt, in the same session. If a turn is running, the \
                      prompt is queued; with interrupt, it stops that turn and runs next. A job \
                      that has ended runs again.",
        input: closed(
            json!({
                "job_id": schema::job_id(),
                "prompt": text("The next message."),
                "interrupt": boolean("Stop the running turn first. Default false."),
            }),
            &["job_id", "prompt"],
        ),
        output: schema::snapshot_with_cursor(),
        effect: Effect::Works,
        family: Family::Job { not_done: "Nothing was sent to Codex." },
        plain: plain::json,
        search_hint: None,
        always_load: false,
        unlisted: Value::Null,
        run: |call| Box::pin(reply(call)),
    }
}

async fn reply(Call { arguments, services, .. }: Call<'_>) -> Answer {
    let (state, cursor) = replied(arguments, services).await?;
    Ok(with_notification_cursor(&state, cursor))
}

/// Hands a job its next prompt. Also returns the cursor of the last notification before it.
pub(super) async fn replied(
    mut arguments: Arguments,
    services: &Services,
) -> Result<(State, u64), Error> {
    let Services { codex, jobs, .. } = services;
    let job = job_id(&mut arguments)?;
    let text = arguments.text("prompt")?;
    let interrupt = arguments.flag("interrupt")?;
    let parts = [Part { title: "request", text: &text }];
    let prompt = compose(&codex.settings().origin, arguments.tool(), None, &parts)
        .map_err(|problem| invalid("prompt", problem))?;
    arguments.end();
    let request = TurnRequest::new(prompt);
    let before = blocking(jobs, move |jobs| jobs.state(job)).await?.to_announce;
    let (request, home) = blocking(jobs, move |jobs| jobs.next_turn(job, &request)).await?;
    let request = codex.vet(request, home.as_deref()).await?;
    let (state, cursor) = all_or_nothing(jobs, move |jobs, commit| {
        let cursor = jobs.last_notification()?;
        Ok((jobs.reply(job, request, &text, interrupt, commit)?, cursor))
    })
    .await?;
    services.client_jobs.add(job, before);
    Ok((state, cursor))
}
