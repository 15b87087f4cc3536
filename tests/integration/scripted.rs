//! A scripted Codex, for what the real one cannot be made to do, and what needs no Codex.

mod arguments;
#[cfg(target_os = "linux")]
mod bounds;
mod clients;
mod commands;
mod doctor;
#[cfg(target_os = "linux")]
mod helper_programs;
mod hostile;
mod hostile_texts;
#[cfg(target_os = "linux")]
mod hung_disk;
#[cfg(target_os = "linux")]
mod job_cost;
#[cfg(target_os = "linux")]
mod job_ends;
mod job_limits;
mod job_retention;
mod job_wait;
mod library;
mod life;
mod line;
mod line_folders;
mod listing;
mod looser;
mod program;
mod progress;
mod protocol;
mod queue;
mod recorded;
mod scale;
mod sessions;
mod snapshots;
#[cfg(target_os = "linux")]
mod special_files;
#[cfg(target_os = "linux")]
mod storage;
mod stream;
mod transport;
#[cfg(target_os = "linux")]
mod unread_log;
mod versions;
