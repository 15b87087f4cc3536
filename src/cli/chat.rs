//! `chat`: one turn of Codex from the command line, with the reply on standard output.

use std::io::{self, Read, Write};
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::error::{Error, finish};
use super::flags::OnCommandLine;
use super::follow::{EXIT_STATUS, HOLD};
use super::output::note_in;
use super::report;
use super::runtime::listening;
use super::style::DIM;
use crate::admission::scope::Scope;
use crate::codex::progress_text::progress_text;
use crate::job::snapshot::snapshot;
use crate::job::{Commit, Jobs, Problem};
use crate::model::event::{Event, Item};
use crate::model::model_name::{Model, ReasoningEffort};
use crate::model::outcome::{Failure, FailureKind};
use crate::model::prompt::Prompt;
use crate::model::request::TurnRequest;
use crate::model::sandbox::{Sandbox, SandboxChoice};
use crate::model::session_id::SessionId;
use crate::model::settings::Settings;
use crate::model::value::InvalidValue;
use crate::system::signals::{Signal, Signals};
use crate::turn::{Codex, Turn};

/// How long Codex may take to stop: longer than the sequence of signals that stops it.
const STOP_WITHIN: Duration = Duration::from_secs(15);

/// The longest prompt read from standard input, in bytes: more than Codex accepts.
const MAX_STDIN: u64 = 8 << 20;

/// The prompt, and how to run it.
#[derive(Debug, Args)]
#[command(after_help = EXIT_STATUS)]
pub(super) struct Arguments {
    /// The prompt, or - to read it from standard input. Other users of this machine can see arguments in the
    /// list of processes, so pass a secret on standard input.
    prompt: String,

    /// The session to resume [default: a new one]
    #[arg(long, value_name = "ID", value_parser = str::parse::<SessionId>)]
    session: Option<SessionId>,

    /// What Codex's commands may do: read-only, workspace-write or danger-full-access
    #[arg(long, value_name = "SANDBOX", value_parser = str::parse::<Sandbox>)]
    sandbox: Option<Sandbox>,

    /// The model to use
    #[arg(long, value_name = "MODEL", value_parser = Model::parse)]
    model: Option<Model>,

    /// The reasoning effort: low, medium, high, or another one that the model supports
    #[arg(long, value_name = "EFFORT", value_parser = ReasoningEffort::parse)]
    reasoning_effort: Option<ReasoningEffort>,

    /// Start a job, which outlives this program, and print its id
    #[arg(long)]
    detach: bool,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the turn, and returns the exit status.
pub(super) fn run(arguments: Arguments, settings: Settings, given: OnCommandLine) -> u8 {
    let Arguments { detach, json, .. } = arguments;
    let text = match prompt(&arguments.prompt) {
        Ok(text) => text,
        Err(problem) => return refused(problem, json),
    };
    // The user typed it, so it gets no header that says an agent sent it.
    let prompt = match Prompt::new(text.as_str()) {
        Ok(prompt) => prompt,
        Err(problem) => return refused(problem, json),
    };
    let sandbox = arguments.sandbox.map_or(SandboxChoice::Inherit, SandboxChoice::Set);
    let request = TurnRequest::new(prompt)
        .resume(arguments.session)
        .working_dir(given.cwd.then(|| settings.working_dir.clone()))
        .sandbox(sandbox)
        .model(arguments.model)
        .reasoning_effort(arguments.reasoning_effort)
        // Without these flags a job has the timeouts of jobs.
        .total_limit(given.timeout.then_some(settings.limits.total))
        .idle_limit(given.idle_timeout.then_some(settings.limits.idle));
    if detach {
        listening(|_| async move { finish(start_job(settings, request, &text, json).await) })
    } else {
        listening(|signals| run_turn(settings, request, signals, json))
    }
}

fn prompt(argument: &str) -> Result<String, InvalidValue> {
    if argument != "-" {
        return Ok(argument.to_owned());
    }
    let mut bytes = Vec::new();
    io::stdin()
        .lock()
        .take(MAX_STDIN)
        .read_to_end(&mut bytes)
        .map_err(|error| InvalidValue(format!("cannot be read from standard input: {error}")))?;
    String::from_utf8(bytes).map_err(|_| InvalidValue("must be UTF-8 text".into()))
}

fn refused(problem: InvalidValue, json: bool) -> u8 {
    let kind = FailureKind::BadInput { field: "prompt".into(), problem };
    report::failure(&Failure::of(kind, None), None, json)
}

async fn start_job(
    settings: Settings,
    request: TurnRequest,
    text: &str,
    json: bool,
) -> Result<u8, Error> {
    let jobs = Jobs::new(&settings, Scope::unrestricted());
    let request = Codex::new(settings).vet(request, None).await.map_err(Problem::from)?;
    let job = jobs.start(request, text, None, &Commit::default())?;
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{}", Value::Object(snapshot(&jobs.state(job)?)))?;
    } else {
        writeln!(out, "{job}")?;
    }
    out.flush()?;
    Ok(0)
}

async fn run_turn(
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
