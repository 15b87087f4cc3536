//! The tools: what they take, what Codex is asked, what they answer.

mod arguments;
mod chat;
mod chat_job;
mod definition;
mod error;
mod guard;
mod job;
#[cfg(test)]
mod page;
mod progress;
mod registry;
mod reply;
mod schema;
mod sessions;
mod size_limit;
mod turn;
mod verdict;

pub(crate) use chat::NAME as CHAT;
pub(crate) use chat_job::{begin_chat, chat_result};
pub(crate) use definition::{Services, Tool};
pub(crate) use error::internal;
pub(crate) use job::blocking;
pub(crate) use registry::{all, named};
