//! One turn of Codex in this process, with its steps on standard error.

use std::time::{Duration, Instant};

use super::meter::Meter;
use super::{events, flag};
use crate::cli::follow::HOLD;
use crate::cli::format::one_line;
use crate::cli::render::{Renderer, tilde};
use crate::cli::report::{self, Done};
use crate::cli::style::DIM;
use crate::codex::reading::entry::What;
use crate::model::event::Event;
use crate::model::request::TurnRequest;
use crate::model::sandbox::SandboxChoice;
use crate::model::settings::Settings;
use crate::system::signals::{Signal, Signals};
use crate::turn::{Codex, Turn};

/// How long Codex may take to stop: longer than the sequence of signals that stops it.
const STOP_WITHIN: Duration = Duration::from_secs(15);

/// How often the live line is drawn again.
const TICK: Duration = Duration::from_millis(100);

/// Runs the turn and prints it. Returns the exit status.
pub(super) async fn run_turn(
    settings: Settings,
    request: TurnRequest,
    mut signals: Signals,
    json: bool,
) -> u8 {
    let began = Instant::now();
    let about = about(&request, &settings);
    let is_new = request.continued_session().is_none() && !request.fork && !request.continue_last;
    let folder = request.working_dir.as_ref().unwrap_or(&settings.working_dir).as_path().to_owned();
    let mut renderer = Renderer::new(Some(folder));
    let codex = Codex::new(settings);
    let mut turn = codex.start(request);
    let stopped_by = draw_steps(&mut turn, &mut signals, &mut renderer, &about, is_new).await;
    renderer.finish();
    let counts = renderer.counts;
    let mut stopped_by = stopped_by.inspect(|_| codex.shutdown());
    let mut ended = std::pin::pin!(turn.outcome());
    let mut outcome = loop {
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
    if let Some(Err(failure)) = &mut outcome {
        flag::name(&mut failure.kind);
    }
    let status = match &outcome {
        Some(Ok(answer)) => report::answer(answer, Done { took: began.elapsed(), counts }, json),
        Some(Err(failure)) => report::failure(
            failure,
            Done { took: began.elapsed(), counts },
            stopped_by.as_ref(),
            json,
        ),
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

/// What a turn runs with, as far as that is known before it.
fn about(request: &TurnRequest, settings: &Settings) -> String {
    let resumes = request.continued_session().is_some() && !request.fork;
    let mut about = vec![if resumes { "resumed" } else { "started" }.to_owned()];
    about.extend(request.options.model.as_ref().map(|model| model.as_str().to_owned()));
    if let SandboxChoice::Set(sandbox) = request.sandbox {
        about.push(sandbox.as_str().to_owned());
    }
    match &request.working_dir {
        Some(dir) => about.push(tilde(dir.as_path())),
        // A session keeps its own.
        None if resumes => {}
        None => about.push(tilde(settings.working_dir.as_path())),
    }
    about.join(" · ")
}

/// Draws what Codex does until the turn has ended or a signal comes, which is returned.
async fn draw_steps(
    turn: &mut Turn,
    signals: &mut Signals,
    renderer: &mut Renderer,
    about: &str,
    is_new: bool,
) -> Option<Signal> {
    // A message that may be the reply, which is printed in full later, and since when.
    let mut held: Option<(What, Instant)> = None;
    let mut tick = tokio::time::interval(TICK);
    let mut meter: Option<Meter> = None;
    renderer.working("starting Codex");
    loop {
        tokio::select! {
            biased;
            signal = signals.next() => return Some(signal),
            event = turn.next_event() => {
                let event = event?;
                if let Event::ThreadStarted { thread_id } = &event {
                    // The name of a folder may have line breaks.
                    renderer.say(DIM, &one_line(&format!("session {thread_id} {about}")));
                    if renderer.is_live() {
                        meter = thread_id.parse().ok().map(|session| Meter::start(session, is_new));
                    }
                }
                let Some(what) = events::what(&event) else { continue };
                if let Some((held, _)) = held.take() {
                    renderer.draw_now(&held);
                }
                match what {
                    What::Message { .. } => held = Some((what, Instant::now())),
                    _ => renderer.draw_now(&what),
                }
            }
            _ = tick.tick() => {
                if let Some((message, _)) = held.take_if(|(_, since)| since.elapsed() >= HOLD) {
                    renderer.draw_now(&message);
                }
                if let Some(meter) = &meter {
                    renderer.tokens(meter.used());
                }
                renderer.tick();
            }
        }
    }
}
