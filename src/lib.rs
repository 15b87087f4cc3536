//! Runs turns of OpenAI's Codex CLI in sessions that are never lost, as an MCP server or from Rust.
//!
//! Each turn is one `codex exec` of the user's own Codex. Its session is a real one, in Codex's own
//! store: any later turn can resume it, from this process or another, and a person can take it over
//! with `codex resume <session id>`. The program `codex-persistent-mcp` offers this as tools over
//! MCP; [`Codex`] offers it to Rust.
//!
//! ```no_run
#![doc = include_str!("../examples/ask.rs")]
//! ```

#![warn(missing_docs)]

mod bell;
mod bounded;
pub mod cli;
mod codex;
mod config;
mod depth;
mod job;
mod links;
mod log;
mod policy;
mod private;
mod prompt;
mod reach;
mod reverse_lines;
mod server;
mod session;
mod signals;
#[cfg(test)]
mod testing;
mod text;
mod tool;
mod transport;
mod turn;

pub use codex::effective::Effective;
pub use codex::event::{Event, Item, MAX_LISTED, Phase, TodoStep};
pub use codex::usage::Usage;
pub use config::{Origin, Settings};
pub use job::Retention;
pub use policy::{CommandEnvironment, Policy};
pub use turn::options::{
    ApprovalPolicy, Argument, Image, MAX_OPTION_BYTES, MAX_OPTION_ENTRIES, Options, OutputSchema,
    Override, Profile, WebSearch,
};
pub use turn::outcome::{Answer, CancelledBy, Failure, FailureKind, Limit};
pub use turn::request::{
    InvalidValue, Limits, MAX_LIMIT, MAX_NAME_CHARS, MAX_PROMPT_CHARS, Model, Prompt,
    ReasoningEffort, Sandbox, SandboxChoice, SessionId, TurnRequest, WorkingDir,
};
pub use turn::{Codex, Turn};
