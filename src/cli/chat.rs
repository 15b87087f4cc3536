//! `chat`: one turn of Codex from the command line, with the reply on standard output.

mod events;
mod flag;
mod meter;
mod prompt;
mod run;
mod schema;

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};
use serde_json::Value;

use super::error::finish;
use super::flags::OnCommandLine;
use super::runtime::listening;
use super::{complete, report, sessions};
use crate::admission::scope::Scope;
use crate::codex::sessions::Store;
use crate::job::snapshot::snapshot;
use crate::job::{Commit, Jobs, Problem};
use crate::model::model_name::{Model, ReasoningEffort};
use crate::model::options::{Image, Options, Profile};
use crate::model::outcome::{Failure, FailureKind};
use crate::model::prompt::Prompt;
use crate::model::request::TurnRequest;
use crate::model::sandbox::{Sandbox, SandboxChoice};
use crate::model::session_id::SessionId;
use crate::model::settings::Settings;
use crate::model::value::InvalidValue;
use crate::model::working_dir::WorkingDir;
use crate::turn::Codex;
use run::run_turn;

/// The prompt, and how to run it.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// The prompt; - is standard input, which other users cannot see
    #[arg(value_name = "PROMPT")]
    prompt: Vec<String>,

    /// read-only, workspace-write or danger-full-access
    #[arg(short, long, value_name = "SANDBOX", value_parser = str::parse::<Sandbox>)]
    sandbox: Option<Sandbox>,

    /// Go on in the last session of this directory
    #[arg(long, conflicts_with = "session")]
    last: bool,

    /// Go on in this session (4 characters of its id do)
    #[arg(long, value_name = "ID")]
    #[arg(add = clap_complete::ArgValueCandidates::new(complete::sessions))]
    session: Option<String>,

    /// Go on in a copy, and leave the session as it is
    #[arg(long)]
    fork: bool,

    /// Work in this directory
    #[arg(short = 'C', long = "cd", value_name = "DIR", value_parser = directory())]
    #[arg(value_hint = clap::ValueHint::DirPath)]
    directory: Option<WorkingDir>,

    /// Model [default: Codex's]
    #[arg(short, long, value_name = "MODEL", value_parser = Model::parse)]
    model: Option<Model>,

    /// Reasoning effort: low, medium, high, or another one of the model
    #[arg(long, value_name = "EFFORT", value_parser = ReasoningEffort::parse, hide_short_help = true)]
    reasoning_effort: Option<ReasoningEffort>,

    /// Attach an image; may be repeated
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, hide_short_help = true)]
    image: Vec<PathBuf>,

    /// Let Codex write in this directory too; may be repeated
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath, hide_short_help = true)]
    add_dir: Vec<PathBuf>,

    /// Let the reply follow the strict JSON Schema in this file
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, hide_short_help = true)]
    output_schema: Option<PathBuf>,

    /// A profile in Codex's configuration
    #[arg(long, value_name = "NAME", value_parser = str::parse::<Profile>, hide_short_help = true)]
    profile: Option<Profile>,

    /// Start a job, which outlives this terminal
    #[arg(long)]
    detach: bool,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Examples:
  codex-persistent-mcp chat why is the upload flaky?
  git diff | codex-persistent-mcp chat \"review this\"

Exits with 0, or: 1 failed, 2 wrong input, 124 timed out, 130 cancelled.
Settings that act here: --timeout 30m, --idle-timeout 10m; all: help settings";

/// Runs the turn, and returns the exit status.
pub(super) fn run(arguments: Arguments, settings: Settings, given: OnCommandLine) -> u8 {
    let (json, detach) = (arguments.json, arguments.detach);
    let mut settings = settings;
    let is_here = given.cwd || arguments.directory.is_some();
    if let Some(directory) = &arguments.directory {
        settings.working_dir.clone_from(directory);
    }
    let (request, text) = match request(arguments, &settings, given, is_here) {
        Ok(request) => request,
        Err(kind) => {
            return report::failure(&Failure::of(kind, None), report::Done::default(), None, json);
        }
    };
    if detach {
        listening(|_| async move { finish(start_job(settings, request, &text, json).await) })
    } else {
        listening(|signals| run_turn(settings, request, signals, json))
    }
}

/// The request, and the text of its prompt.
fn request(
    arguments: Arguments,
    settings: &Settings,
    given: OnCommandLine,
    is_here: bool,
) -> Result<(TurnRequest, String), FailureKind> {
    let invalid = |field: &str| {
        let field = field.to_owned();
        move |problem| FailureKind::BadInput { field, problem }
    };
    let text = prompt::read(&arguments.prompt).map_err(invalid("prompt"))?;
    // The user typed it, so it gets no header that says an agent sent it.
    let prompt = Prompt::new(text.as_str()).map_err(invalid("prompt"))?;
    let session = arguments.session.as_deref().map(|id| session(id, settings)).transpose()?;
    if arguments.fork && session.is_none() && !arguments.last {
        let problem = InvalidValue("requires --session or --last: what to copy".into());
        return Err(invalid("--fork")(problem));
    }
    let absolute = |path: &PathBuf| {
        std::path::absolute(path).map_err(|_| InvalidValue("must be a path".into()))
    };
    let image = |path: &PathBuf| Image::from_absolute_path(absolute(path)?);
    let images = arguments.image.iter().map(image).collect::<Result<_, _>>();
    let dirs = arguments.add_dir.iter().map(WorkingDir::existing).collect::<Result<_, _>>();
    let schema = arguments.output_schema.as_deref().map(schema::read).transpose();
    let options = Options {
        images: images.map_err(invalid("--image"))?,
        add_dirs: dirs.map_err(invalid("--add-dir"))?,
        output_schema: schema.map_err(invalid("--output-schema"))?,
        profile: arguments.profile,
        ..Options::default()
    };
    let sandbox = arguments.sandbox.map_or(SandboxChoice::Inherit, SandboxChoice::Set);
    let request = TurnRequest::new(prompt)
        .options(options)
        .resume(session)
        .fork(arguments.fork)
        .continue_last(arguments.last)
        .working_dir(is_here.then(|| settings.working_dir.clone()))
        .sandbox(sandbox)
        .model(arguments.model)
        .reasoning_effort(arguments.reasoning_effort)
        // Without these flags a job has the timeouts of jobs.
        .total_limit(given.timeout.then_some(settings.limits.total))
        .idle_limit(given.idle_timeout.then_some(settings.limits.idle));
    Ok((request, text))
}

/// The session that a user means.
fn session(id: &str, settings: &Settings) -> Result<SessionId, FailureKind> {
    if let Ok(session) = id.parse() {
        return Ok(session);
    }
    let store = Store::new(settings.state_dir.as_deref());
    sessions::find(&store, id).map(|(session, _)| session).map_err(|error| {
        let problem = InvalidValue(format!("names no session: {error}"));
        FailureKind::BadInput { field: "--session".into(), problem }
    })
}

/// Reads the path of a directory.
fn directory() -> impl TypedValueParser<Value = WorkingDir> {
    OsStringValueParser::new().try_map(WorkingDir::existing)
}

async fn start_job(
    settings: Settings,
    request: TurnRequest,
    text: &str,
    json: bool,
) -> super::error::Result<u8> {
    let jobs = Jobs::new(&settings, Scope::unrestricted());
    let request = Codex::new(settings).vet(request, None).await.map_err(|mut kind| {
        flag::name(&mut kind);
        Problem::from(kind)
    })?;
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
