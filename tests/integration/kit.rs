//! Helpers of the integration tests.

#[cfg(unix)]
pub mod call;
#[cfg(unix)]
pub mod claude;
#[cfg(unix)]
pub mod cli;
#[cfg(unix)]
pub mod doctor;
#[cfg(unix)]
pub mod events;
#[cfg(unix)]
pub mod fenced;
#[cfg(unix)]
pub mod http;
#[cfg(unix)]
pub mod jobs;
#[cfg(unix)]
pub mod life;
#[cfg(unix)]
pub mod mcp_server;
#[cfg(unix)]
pub mod npm;
#[cfg(unix)]
pub mod play;
#[cfg(unix)]
pub mod plugin;
#[cfg(unix)]
pub mod real;
pub mod setup;
#[cfg(unix)]
pub mod snapshot;
#[cfg(unix)]
pub mod store;
#[cfg(unix)]
pub mod wait;
