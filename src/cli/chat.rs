//! `chat`: a turn of Codex's from the command line, with the reply on standard output.

use std::io::{self, IsTerminal, Read, Write};
use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value, json};

use super::command::listening;
use super::follow::EXIT_STATUS;
use super::jobs::{Error, finish};
use super::words::{clean, complain, nobody_reads};
use crate::codex::step::step;
use crate::config::Settings;
use crate::job::Jobs;
use crate::job::snapshot::snapshot;
use crate::signals::{Signal, Signals};
use crate::turn::Codex;
use crate::turn::outcome::{Answer, Failure, FailureKind};
use crate::turn::request::{
    InvalidValue, Model, Prompt, ReasoningEffort, Sandbox, SandboxChoice, SessionId, TurnRequest,
};

/// How long Codex may take to stop: longer than its ladder of signals.
const STOP_WITHIN: Duration = Duration::from_secs(15);

/// The longest prompt that is read from standard input, in bytes: more than Codex takes.
const MAX_STDIN: u64 = 8 << 20;

/// What Codex is asked.
#[derive(Debug, Args)]
#[command(after_help = EXIT_STATUS)]
pub(super) struct Arguments {
    /// The prompt, or - to read it from standard input. Others on this machine can see arguments in
    /// the list of processes: what they must not see belongs on standard input.
    prompt: String,

    /// The session to go on in [default: a new one]
    #[arg(long, value_name = "ID", value_parser = str::parse::<SessionId>)]
    session: Option<SessionId>,

    /// What Codex's commands may do: read-only, workspace-write or danger-full-access
    #[arg(long, value_name = "SANDBOX", value_parser = str::parse::<Sandbox>)]
    sandbox: Option<Sandbox>,

    /// The model to ask
    #[arg(long, value_name = "MODEL", value_parser = Model::parse)]
    model: Option<Model>,

    /// How hard the model thinks: low, medium, high and the like
    #[arg(long, value_name = "EFFORT", value_parser = ReasoningEffort::parse)]
    reasoning_effort: Option<ReasoningEffort>,

    /// Start a job, which outlives this program, and print its id
    #[arg(long)]
    detach: bool,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Asks Codex, and returns the exit status.
pub(super) fn run(arguments: Arguments, settings: Settings, cwd_is_said: bool) -> u8 {
    let Arguments { detach, json, .. } = arguments;
    let text = match prompt_text(&arguments.prompt) {
        Ok(text) => text,
        Err(problem) => return refused(problem, json),
    };
    // A person typed it, or says that they did: so there is no header that says an agent sent it.
    let prompt = match Prompt::new(text.as_str()) {
        Ok(prompt) => prompt,
        Err(problem) => return refused(problem, json),
    };
    let sandbox = arguments.sandbox.map_or(SandboxChoice::Inherit, SandboxChoice::Set);
    let request = TurnRequest::new(prompt)
        .resume(arguments.session)
        .working_dir(cwd_is_said.then(|| settings.working_dir.clone()))
        .sandbox(sandbox)
        .model(arguments.model)
        .reasoning_effort(arguments.reasoning_effort);
    if detach {
        listening(|_| async move { finish(start_job(&settings, request, &text, json)) })
    } else {
        listening(|signals| ask(settings, request, signals, json))
    }
}

fn prompt_text(argument: &str) -> Result<String, InvalidValue> {
    if argument != "-" {
        return Ok(argument.to_owned());
    }
    let mut bytes = Vec::new();
    io::stdin()
        .lock()
        .take(MAX_STDIN)
        .read_to_end(&mut bytes)
        .map_err(|error| InvalidValue(format!("cannot be read from standard input: {error}")))?;
    String::from_utf8(bytes).map_err(|_| InvalidValue("must be text in UTF-8".into()))
}

fn refused(problem: InvalidValue, json: bool) -> u8 {
    let kind = FailureKind::BadInput { field: "prompt".into(), problem };
    print_failure(&Failure::of(kind, None), None, json)
}

fn start_job(
    settings: &Settings,
    request: TurnRequest,
    text: &str,
    json: bool,
) -> Result<u8, Error> {
    let jobs = Jobs::new(settings);
    let job = jobs.start(request, text, None)?;
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{}", Value::Object(snapshot(&jobs.look(job)?)))?;
    } else {
        writeln!(out, "{job}")?;
    }
    out.flush()?;
    Ok(0)
}

async fn ask(settings: Settings, request: TurnRequest, mut signals: Signals, json: bool) -> u8 {
    let resumed = request.session.is_some();
    let codex = Codex::new(settings);
    let mut turn = codex.start(request);
    let mut told = None;
    while told.is_none() {
        tokio::select! {
            biased;
            signal = signals.next() => told = Some(signal),
            event = turn.next_event() => {
                let Some(event) = event else { break };
                if let Some(step) = step(&event, resumed) {
                    complain(&clean(&step));
                }
            }
        }
    }
    if told.is_some() {
        codex.shutdown();
    }
    let mut ended = std::pin::pin!(turn.outcome());
    let outcome = loop {
        tokio::select! {
            biased;
            outcome = &mut ended => break Some(outcome),
            signal = signals.next() => {
                // Who asks twice means at once; the watchdog sees to Codex.
                if told.is_some() {
                    break None;
                }
                codex.shutdown();
                told = Some(signal);
            }
        }
    };
    let status = match &outcome {
        Some(Ok(answer)) => print_answer(answer, json),
        Some(Err(failure)) => print_failure(failure, told.as_ref(), json),
        None => told.map_or(1, |signal| signal.exit_status),
    };
    if outcome.is_some() {
        // Nothing of Codex is left when this program is gone, unless somebody presses.
        tokio::select! {
            _ = signals.next() => {}
            finished = codex.finished(STOP_WITHIN) => if !finished {
                tracing::warn!("Codex does not stop: leaving it to the watchdog");
            },
        }
    }
    status
}

fn print_answer(answer: &Answer, json: bool) -> u8 {
    let session = answer.session_id;
    let printed = if json {
        let mut object = about(Some(session), Some(&answer.working_dir));
        object.insert("reply".into(), answer.reply.as_str().into());
        if let Some(usage) = answer.usage {
            object.insert("usage".into(), json!(usage));
        }
        if let Some(usage) = answer.session_usage {
            object.insert("session_usage".into(), json!(usage));
        }
        if !answer.warnings.is_empty() {
            object.insert("warnings".into(), json!(answer.warnings));
        }
        print(&Value::Object(object).to_string())
    } else if io::stdout().is_terminal() {
        print(&clean(&answer.reply))
    } else {
        print(&answer.reply)
    };
    if !json {
        for warning in &answer.warnings {
            complain(&format!("warning: {}", clean(warning)));
        }
        complain(&format!("session: {session}\nresume: {}", session.resume_command()));
    }
    match printed {
        Err(error) if !nobody_reads(&error) => {
            complain(&format!("error: the reply cannot be written: {error}"));
            1
        }
        Ok(()) | Err(_) => 0,
    }
}

fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// Tells why the turn was not completed. `signal` is the one that stopped it.
fn print_failure(failure: &Failure, signal: Option<&Signal>, json: bool) -> u8 {
    let Failure { kind, session_id, partial_reply, working_dir } = failure;
    let cancelled = matches!(kind, FailureKind::Cancelled { .. });
    let signal = signal.filter(|_| cancelled);
    let message = match signal {
        Some(signal) => format!("stopped by {}", signal.name),
        None => kind.to_string(),
    };
    if json {
        let mut error = json!({"kind": kind.word(), "message": message});
        if let Some(partial) = partial_reply {
            error["partial_reply"] = partial.as_str().into();
        }
        let mut object = about(*session_id, working_dir.as_deref());
        object.insert("error".into(), error);
        // The exit status tells of the failure also if this cannot be written.
        drop(print(&Value::Object(object).to_string()));
    } else {
        complain(&format!("error: {}: {}", kind.word(), clean(&message)));
        if let Some(partial) = partial_reply {
            complain(&format!("Codex had said before: {}", clean(partial)));
        }
        if let Some(session) = session_id {
            complain(&format!("session: {session}\nresume: {}", session.resume_command()));
        }
    }
    match kind {
        FailureKind::BadInput { .. } => 2,
        FailureKind::TimedOut { .. } => 124,
        FailureKind::Cancelled { .. } => signal.map_or(130, |signal| signal.exit_status),
        FailureKind::CodexNotFound { .. }
        | FailureKind::NotLoggedIn { .. }
        | FailureKind::UsageLimit { .. }
        | FailureKind::SessionNotFound { .. }
        | FailureKind::SessionBusy { .. }
        | FailureKind::AnotherSession { .. }
        | FailureKind::TurnFailed { .. }
        | FailureKind::NotRecorded { .. }
        | FailureKind::NoResult { .. }
        | FailureKind::TooManyCalls { .. }
        | FailureKind::Internal { .. } => 1,
    }
}

fn about(session: Option<SessionId>, working_dir: Option<&std::path::Path>) -> Map<String, Value> {
    let mut object = Map::new();
    if let Some(session) = session {
        object.insert("session_id".into(), session.to_string().into());
        object.insert("resume_command".into(), session.resume_command().into());
    }
    if let Some(working_dir) = working_dir {
        object.insert("cwd".into(), working_dir.to_string_lossy().into());
    }
    object
}
