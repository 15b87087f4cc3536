//! The tools: their parameters, the prompts they send to Codex, and their answers.

mod arguments;
mod chat;
mod chat_job;
mod chat_request;
mod client;
mod compat;
#[cfg(test)]
mod cost;
mod definition;
mod details;
mod error;
#[cfg(test)]
mod errors_page;
mod guard;
mod job;
mod one_thread;
#[cfg(test)]
mod page;
mod plain;
mod progress;
mod registry;
mod reply;
mod schema;
mod sessions;
mod size_limit;
mod threads;
mod turn;
mod verdict;

pub(crate) use chat::{NAME as CHAT, is_background};
pub(crate) use chat_job::{chat_result, start_chat};
pub(crate) use client::takes_structured_errors;
pub(crate) use compat::unknown_tool;
pub(crate) use definition::{Services, Tool};
pub(crate) use error::internal;
pub(crate) use guard::{review_request, review_text};
pub(crate) use job::blocking;
pub(crate) use job::client_jobs::ClientJobs;
pub(crate) use one_thread::OneThread;
pub(crate) use registry::{Listed, known, listed, named};
pub(crate) use threads::Threads;
