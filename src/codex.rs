//! The Codex CLI: finding the program, building its command line, reading its output and records, and
//! managing its process.
//!
//! Everything that depends on how the Codex CLI behaves is here. Nothing here knows about MCP or queues.

pub(crate) mod backend;
pub(crate) mod bubblewrap;
pub(crate) mod command;
pub(crate) mod configured;
pub(crate) mod confinement;
pub(crate) mod core_event;
mod decode;
pub(crate) mod developer_message;
pub(crate) mod diff;
pub(crate) mod environment;
pub(crate) mod error_kind;
pub(crate) mod event_stream;
pub(crate) mod exec;
#[cfg(unix)]
mod exit;
pub(crate) mod git;
mod helper;
pub(crate) mod home;
pub(crate) mod item_warning;
pub(crate) mod locate;
pub(crate) mod process;
pub(crate) mod progress_text;
pub(crate) mod reading;
pub(crate) mod resume_list;
pub(crate) mod rollout;
pub(crate) mod sandbox_denials;
pub(crate) mod sandbox_failure;
pub(crate) mod scratch;
pub(crate) mod sessions;
pub(crate) mod setting;
pub(crate) mod stderr;
pub(crate) mod transcript;
pub(crate) mod turn_record;
pub(crate) mod version;
pub(crate) mod watchdog;
