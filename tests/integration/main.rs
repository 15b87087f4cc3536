//! Tests of the real program, with the real Codex wherever possible.
//!
//! `real` runs the pinned Codex against a stand-in for the model's API; `scripted` runs a scripted Codex
//! for behaviour that the real one cannot be made to show. There is a module for each feature. `contract` is the short
//! list of what a new release of Codex must still do.

#[path = "../support/mod.rs"]
mod support;

mod kit;

#[cfg(unix)]
mod contract;
#[cfg(unix)]
mod real;
#[cfg(unix)]
mod scripted;
