//! Tests with the real Codex, in the pinned releases, against a stand-in for the model's API.

mod allowed_dirs;
mod allowed_jobs;
mod answers;
mod background;
mod codex_events;
mod command_line;
mod commands;
mod demo;
mod diff_attacks;
mod doctor;
#[cfg(target_os = "linux")]
mod doctor_sandbox;
mod error_advice;
#[cfg(target_os = "linux")]
mod escapes;
mod failures;
mod fork;
mod http;
mod http_nested;
mod job_events;
mod job_races;
mod job_tools;
mod jobs;
mod last;
mod library;
mod life;
mod listing;
mod mcp_server;
mod mcp_server_endings;
mod mcp_server_flags;
mod mcp_server_threads;
mod nested;
#[cfg(target_os = "linux")]
mod no_sandbox;
#[cfg(target_os = "linux")]
mod npm;
mod option_errors;
mod options;
mod pipes;
mod plugin;
mod plugin_hooks;
mod policy;
mod policy_folders;
mod private_texts;
mod read;
mod record;
mod releases;
mod review;
mod session;
mod sessions;
mod setup;
#[cfg(target_os = "linux")]
mod swap;
mod takeover;
mod tasks;
mod terminal;
mod vetting;
