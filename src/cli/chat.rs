//! `chat`: one turn of Codex from the command line, with the reply on standard output.

mod events;
mod run;

use std::io::{self, Read, Write};

use clap::Args;
use serde_json::Value;

use super::error::{Error, finish};
use super::flags::OnCommandLine;
use super::follow::EXIT_STATUS;
use super::report;
use super::runtime::listening;
use crate::admission::scope::Scope;
use crate::job::snapshot::snapshot;
use crate::job::{Commit, Jobs, Problem};
use crate::model::model_name::{Model, ReasoningEffort};
use crate::model::outcome::{Failure, FailureKind};
use crate::model::prompt::Prompt;
use crate::model::request::TurnRequest;
use crate::model::sandbox::{Sandbox, SandboxChoice};
use crate::model::session_id::SessionId;
use crate::model::settings::Settings;
use crate::model::value::InvalidValue;
use crate::turn::Codex;
use run::run_turn;

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
    report::failure(&Failure::of(kind, None), report::Done::default(), None, json)
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
