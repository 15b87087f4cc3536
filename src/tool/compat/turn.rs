//! Runs the turn of a call, and answers with its outcome.

use std::sync::Arc;

use rmcp::model::CallToolResult;
use rmcp::service::{RequestContext, RoleServer};
use tokio::time::Instant;

use super::ending;
use super::events::Events;
use crate::model::event::Event;
use crate::model::options::Options;
use crate::model::outcome::{CancelledBy, FailureKind};
use crate::model::request::TurnRequest;
use crate::model::session_id::SessionId;
use crate::tool::definition::Services;
use crate::tool::one_thread::Place;
use crate::tool::progress::Progress;
use crate::tool::turn::follow;
use crate::turn::scheduling::Scheduling;
use crate::turn::tap::Taps;

/// A turn that a call requests, and what its answer says beside the reply.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) request: TurnRequest,
    /// Sentences.
    pub(super) notes: Vec<String>,
}

impl Prepared {
    /// The same turn in a thread, instead of a new one. What the call does not set is as the call that started
    /// the thread, with these options, set it.
    pub(super) fn continuing(mut self, thread: SessionId, started_with: Options) -> Self {
        let own = std::mem::take(&mut self.request.options);
        let sets = |key: &str| own.config.iter().any(|setting| setting.key() == key);
        let kept = started_with.config.into_iter().filter(|setting| !sets(setting.key()));
        let config = kept.collect::<Vec<_>>().into_iter().chain(own.config).collect();
        // The thread has those that it began with. Codex would put them into it again.
        let began_with = started_with.developer_instructions;
        let new_instructions =
            own.developer_instructions.is_some() && own.developer_instructions != began_with;
        let instructions = own.developer_instructions.or(began_with);
        let options = Options {
            config,
            profile: own.profile.or(started_with.profile),
            compact_prompt: own.compact_prompt.or(started_with.compact_prompt),
            developer_instructions: instructions,
            ..own
        };
        let request = self.request.resume(thread).options(options);
        self.request = request.keep_model().new_instructions(new_instructions);
        self
    }
}

/// Runs a turn for `tool` and waits for its outcome. The turn enters the queue before this first waits, so that
/// replies run in the order of their calls. `place` is left as soon as the next call can continue the thread.
pub(super) async fn run(
    tool: &str,
    prepared: Prepared,
    mut place: Option<Place>,
    Services { codex, threads, one_thread, .. }: &Services,
    context: &RequestContext<RoleServer>,
) -> CallToolResult {
    let Prepared { request, notes } = prepared;
    let thread = request.session;
    let shares_thread = place.is_some();
    // Each call of codex says first in which thread it is.
    let announces = thread.is_none() || shares_thread;
    let options = request.options.clone();
    let progress = Progress::new(Instant::now(), thread.is_some());
    // What shows the client the turn as it happens.
    let (events, taps) = match codex.settings().codex_events {
        true => {
            let (events, taps) = Events::start(&request, announces, context);
            (Some(events), taps)
        }
        false => (None, Taps::default()),
    };
    let turn = codex.start_with(request, Arc::clone(codex.policy()), Scheduling::Call, taps);
    if thread.is_some() {
        drop(place.take());
    }
    // A reply may come before this turn ends.
    let seen = |event: &Event| {
        if let (None, Event::ThreadStarted { thread_id }) = (thread, event)
            && let Ok(started) = thread_id.parse()
        {
            threads.remember(started, &options);
            if let Some(place) = place.take() {
                place.started(started);
            }
        }
    };
    let Some(turn) = follow(turn, progress, context, seen).await else {
        let kind = FailureKind::Cancelled { by: CancelledBy::Caller };
        return ending::refused(tool, kind, thread);
    };
    let outcome = turn.outcome().await;
    if let Some(events) = events {
        events.end(&outcome).await;
    }
    match outcome {
        Ok(answer) => ending::completed(answer, &notes),
        Err(failure) => {
            if let (true, FailureKind::SessionNotFound { session }) = (shares_thread, &failure.kind)
            {
                one_thread.forget(*session).await;
            }
            ending::failed(tool, &failure, thread, &notes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::prompt::Prompt;

    #[test]
    fn only_instructions_that_the_thread_does_not_have_are_new() {
        let options = |text: Option<&str>| Options {
            developer_instructions: text.map(str::to_owned),
            ..Options::default()
        };
        let thread = "00000000-0000-7000-8000-000000000001".parse().expect("a UUID");
        for (own, is_new, kept) in [
            (None, false, "Be brief."),
            (Some("Be brief."), false, "Be brief."),
            (Some("Be verbose."), true, "Be verbose."),
        ] {
            let request = TurnRequest::new(Prompt::new("Hi").expect("it is one"));
            let prepared = Prepared { request: request.options(options(own)), notes: vec![] };
            let request = prepared.continuing(thread, options(Some("Be brief."))).request;
            assert_eq!(request.new_instructions, is_new, "{own:?}");
            assert_eq!(request.options.developer_instructions.as_deref(), Some(kept));
        }
    }
}
