//! The server through its public door: the real program, and wherever that can be the real Codex.
//!
//! `real` runs the pinned Codex against a stand-in for the model's API; `scripted` runs a scripted Codex,
//! for what the real one cannot be made to do. There is a module for each feature.

#[path = "../support/mod.rs"]
mod support;

mod kit;

#[cfg(unix)]
mod real;
#[cfg(unix)]
mod scripted;
