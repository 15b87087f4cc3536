//! Runs turns of OpenAI's Codex CLI in sessions that are never lost, as an MCP server or from Rust.
//!
//! Each turn is one `codex exec` of the user's own Codex. Its session is a real one, in Codex's own
//! store: any later turn can resume it, from this process or another, and a user can take it over
//! with `codex resume <session id>`. The program `codex-persistent-mcp` offers this as tools over
//! MCP. [`Codex`] offers turns to Rust, and [`JobManager`] jobs, which outlive the program that starts them.
//!
//! The program is the default feature `program`. A crate that needs only the library leaves it out with
//! `default-features = false`, and with it clap, rmcp and the log.
//!
//! ```no_run
#![doc = include_str!("../examples/ask.rs")]
//! ```
//!
//! A job is for work that takes long. The program must be installed, because each job is a process of it:
//!
//! ```no_run
#![doc = include_str!("../examples/job.rs")]
//! ```

#![warn(missing_docs)]
// Much of the lower layers serves only the program. Gating each of these functions would gain nothing: unused
// code is not compiled into the user's binary anyway.
#![cfg_attr(
    not(feature = "program"),
    expect(dead_code, unused_imports, reason = "only the program uses it")
)]

mod admission;
#[cfg(feature = "program")]
pub mod cli;
mod codex;
mod job;
mod model;
#[cfg(feature = "program")]
mod server;
mod session;
mod settings;
mod system;
#[cfg(test)]
mod testing;
#[cfg(feature = "program")]
mod tool;
#[cfg(feature = "program")]
mod transport;
mod turn;

pub use job::{
    Job, JobEntry, JobEntryKind, JobFailure, JobFollower, JobId, JobManager, JobPage,
    Problem as JobProblem, Status as JobStatus,
};
pub use model::changed_files::ChangedFiles;
pub use model::effective::Effective;
pub use model::event::{Event, Item, MAX_LISTED, Phase, TodoStep};
pub use model::limits::{Limits, MAX_LIMIT};
pub use model::model_name::{Model, ReasoningEffort};
pub use model::options::{
    ApprovalPolicy, Argument, Image, MAX_OPTION_BYTES, MAX_OPTION_ENTRIES, Options, OutputSchema,
    Override, Profile, WebSearch,
};
pub use model::outcome::{Answer, CancelledBy, Failure, FailureKind, Limit};
pub use model::policy::{CommandEnvironment, Policy};
pub use model::prompt::{MAX_PROMPT_CHARS, Prompt};
pub use model::request::TurnRequest;
pub use model::sandbox::{Sandbox, SandboxChoice};
pub use model::session_id::SessionId;
pub use model::settings::{Origin, Retention, Settings};
pub use model::usage::Usage;
pub use model::value::{InvalidValue, MAX_NAME_CHARS};
pub use model::working_dir::WorkingDir;
pub use turn::{Codex, Turn};
