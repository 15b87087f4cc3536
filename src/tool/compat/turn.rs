//! Runs the turn of a call, and answers with its outcome.

use std::sync::Arc;

use rmcp::model::CallToolResult;
use rmcp::service::{RequestContext, RoleServer};
use tokio::time::Instant;

use super::ending;
use crate::model::event::Event;
use crate::model::outcome::{CancelledBy, FailureKind};
use crate::model::request::TurnRequest;
use crate::tool::definition::Services;
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

/// Runs a turn for `tool` and waits for its outcome. The turn enters the queue before this first waits, so that
/// replies run in the order of their calls.
pub(super) async fn run(
    tool: &str,
    prepared: Prepared,
    Services { codex, threads, .. }: &Services,
    context: &RequestContext<RoleServer>,
) -> CallToolResult {
    let Prepared { request, notes } = prepared;
    let thread = request.session;
    let options = request.options.clone();
    // A reply may come before this turn ends.
    let seen = |event: &Event| {
        if let (None, Event::ThreadStarted { thread_id }) = (thread, event)
            && let Ok(started) = thread_id.parse()
        {
            threads.remember(started, &options);
        }
    };
    let progress = Progress::new(Instant::now(), thread.is_some());
    // What shows the client the turn as it happens.
    let taps = Taps::default();
    let turn = codex.start_with(request, Arc::clone(codex.policy()), Scheduling::Call, taps);
    let Some(turn) = follow(turn, progress, context, seen).await else {
        let kind = FailureKind::Cancelled { by: CancelledBy::Caller };
        return ending::refused(tool, kind, thread);
    };
    match turn.outcome().await {
        Ok(answer) => ending::completed(answer, &notes),
        Err(failure) => ending::failed(tool, &failure, thread, &notes),
    }
}
