//! The server through its public door: the real program, and wherever that can be the real Codex.
//!
//! A module for each feature. `real_…` modules run the pinned Codex against a stand-in for the
//! model's API; the others run a scripted Codex, for what the real one cannot be made to do.

#[path = "../support/mod.rs"]
mod support;

mod setup;

#[cfg(unix)]
mod library;

#[cfg(unix)]
mod arguments;
#[cfg(target_os = "linux")]
mod bounds;
#[cfg(unix)]
mod clients;
#[cfg(unix)]
mod commands;
#[cfg(unix)]
mod doctor;
#[cfg(unix)]
mod fenced;
#[cfg(target_os = "linux")]
mod helper_programs;
#[cfg(unix)]
mod hostile;
#[cfg(unix)]
mod hostile_texts;
#[cfg(target_os = "linux")]
mod hung_disk;
#[cfg(target_os = "linux")]
mod job_cost;
#[cfg(target_os = "linux")]
mod job_ends;
#[cfg(unix)]
mod job_kit;
#[cfg(unix)]
mod job_limits;
#[cfg(unix)]
mod job_retention;
#[cfg(unix)]
mod job_wait;
#[cfg(unix)]
mod life;
#[cfg(unix)]
mod line;
#[cfg(unix)]
mod line_folders;
#[cfg(unix)]
mod listing;
#[cfg(unix)]
mod looser;
#[cfg(unix)]
mod person;
#[cfg(unix)]
mod play;
#[cfg(unix)]
mod program;
#[cfg(unix)]
mod progress;
#[cfg(unix)]
mod protocol;
#[cfg(unix)]
mod queue;
#[cfg(unix)]
mod real_allowed_dirs;
#[cfg(unix)]
mod real_allowed_jobs;
#[cfg(unix)]
mod real_commands;
#[cfg(unix)]
mod real_diff_attacks;
#[cfg(unix)]
mod real_doctor;
#[cfg(target_os = "linux")]
mod real_doctor_sandbox;
#[cfg(target_os = "linux")]
mod real_escapes;
#[cfg(unix)]
mod real_failures;
#[cfg(unix)]
mod real_fork;
#[cfg(unix)]
mod real_job_events;
#[cfg(unix)]
mod real_job_races;
#[cfg(unix)]
mod real_jobs;
#[cfg(unix)]
mod real_kit;
#[cfg(unix)]
mod real_last;
#[cfg(unix)]
mod real_life;
#[cfg(unix)]
mod real_listing;
#[cfg(unix)]
mod real_nested;
#[cfg(target_os = "linux")]
mod real_no_sandbox;
#[cfg(unix)]
mod real_option_errors;
#[cfg(unix)]
mod real_options;
#[cfg(unix)]
mod real_policy;
#[cfg(unix)]
mod real_policy_folders;
#[cfg(unix)]
mod real_private_texts;
#[cfg(unix)]
mod real_record;
#[cfg(unix)]
mod real_releases;
#[cfg(unix)]
mod real_review;
#[cfg(unix)]
mod real_session;
#[cfg(unix)]
mod real_sessions;
#[cfg(target_os = "linux")]
mod real_swap;
#[cfg(unix)]
mod real_takeover;
#[cfg(unix)]
mod real_tasks;
#[cfg(unix)]
mod real_troubles;
#[cfg(unix)]
mod real_vetting;
#[cfg(unix)]
mod recorded;
#[cfg(unix)]
mod scale;
#[cfg(unix)]
mod sessions;
#[cfg(target_os = "linux")]
mod special_files;
#[cfg(target_os = "linux")]
mod storage;
#[cfg(unix)]
mod store;
#[cfg(unix)]
mod stream;
#[cfg(unix)]
mod transport;
#[cfg(target_os = "linux")]
mod unread_log;
#[cfg(unix)]
mod versions;
#[cfg(unix)]
mod wait;
