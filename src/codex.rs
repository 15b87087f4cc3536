//! Codex itself: which program it is, how it is called, what it prints, how it lives and ends.
//!
//! Everything that depends on how the Codex CLI behaves is in here. Nothing in here knows of MCP, of
//! queues, or of what a caller wants.

pub(crate) mod backend;
pub(crate) mod bubblewrap;
pub(crate) mod command;
pub(crate) mod configured;
pub(crate) mod confinement;
mod decode;
pub(crate) mod diff;
pub(crate) mod environment;
pub(crate) mod event_stream;
pub(crate) mod exec;
#[cfg(unix)]
mod exit;
pub(crate) mod git;
mod helper;
pub(crate) mod home;
pub(crate) mod listing;
pub(crate) mod locate;
pub(crate) mod no_sandbox;
pub(crate) mod notice;
pub(crate) mod process;
pub(crate) mod recorded;
pub(crate) mod refusal;
pub(crate) mod refused;
pub(crate) mod rollout;
pub(crate) mod scratch;
pub(crate) mod sessions;
pub(crate) mod setting;
pub(crate) mod stderr;
pub(crate) mod step;
pub(crate) mod transcript;
pub(crate) mod version;
pub(crate) mod watchdog;
