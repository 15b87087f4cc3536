//! One turn of Codex in this process, with its steps on standard error.

use std::time::Duration;

use crate::cli::follow::HOLD;
use crate::cli::output::note_in;
use crate::cli::report;
use crate::cli::style::DIM;
use crate::codex::progress_text::progress_text;
use crate::model::event::{Event, Item};
use crate::model::request::TurnRequest;
use crate::model::settings::Settings;
use crate::system::signals::{Signal, Signals};
use crate::turn::{Codex, Turn};

/// How long Codex may take to stop: longer than the sequence of signals that stops it.
const STOP_WITHIN: Duration = Duration::from_secs(15);

/// Runs the turn and prints it. Returns the exit status.
pub(super) async fn run_turn(
    settings: Settings,
    request: TurnRequest,
    mut signals: Signals,
    json: bool,
) -> u8 {
    let resumed = request.continued_session().is_some();
    let codex = Codex::new(settings);
    let mut turn = codex.start(request);
    let stopped_by = print_steps(&mut turn, &mut signals, resumed).await;
    let mut stopped_by = stopped_by.inspect(|_| codex.shutdown());
    let mut ended = std::pin::pin!(turn.outcome());
    let outcome = loop {
        tokio::select! {
            biased;
            outcome = &mut ended => break Some(outcome),
            signal = signals.next() => {
                // A second signal means at once. The watchdog stops Codex.
                if stopped_by.is_some() {
                    break None;
                }
                codex.shutdown();
                stopped_by = Some(signal);
            }
        }
    };
    let status = match &outcome {
        Some(Ok(answer)) => report::answer(answer, json),
        Some(Err(failure)) => report::failure(failure, stopped_by.as_ref(), json),
        None => stopped_by.map_or(1, |signal| signal.exit_status),
    };
    if outcome.is_some() {
        // Codex is gone before this program exits, unless another signal comes.
        tokio::select! {
            _ = signals.next() => {}
            finished = codex.finished(STOP_WITHIN) => if !finished {
                tracing::warn!("Codex does not stop: leaving it to the watchdog");
            },
        }
    }
    status
}

/// Prints what Codex does until the turn has ended or a signal comes, which is returned.
async fn print_steps(turn: &mut Turn, signals: &mut Signals, resumed: bool) -> Option<Signal> {
    let print = |step: String| note_in(DIM, &step);
    // A message that may be the reply, which is printed in full later.
    let mut held = None;
    loop {
        tokio::select! {
            biased;
            signal = signals.next() => return Some(signal),
            event = turn.next_event() => {
                let event = event?;
                let Some(step) = progress_text(&event, resumed) else { continue };
                held.take().into_iter().for_each(print);
                match event {
                    Event::Item { item: Item::AgentMessage { .. }, .. } => held = Some(step),
                    _ => print(step),
                }
            }
            () = tokio::time::sleep(HOLD), if held.is_some() => held.take().into_iter().for_each(print),
        }
    }
}
