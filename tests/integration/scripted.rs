//! Tests with a scripted Codex, for behaviour that the real one cannot be made to show, and tests that need
//! no Codex.

mod arguments;
#[cfg(target_os = "linux")]
mod bounds;
mod clients;
mod codex_events;
mod command_line;
mod commands;
mod completions;
mod doctor;
mod documented_lines;
mod folder_queue;
#[cfg(target_os = "linux")]
mod helper_programs;
mod hooks;
mod hostile;
mod hostile_texts;
mod http;
mod http_bounds;
mod http_clients;
#[cfg(target_os = "linux")]
mod hung_disk;
mod install_links;
#[cfg(target_os = "linux")]
mod job_cost;
#[cfg(target_os = "linux")]
mod job_ends;
mod job_limits;
mod job_retention;
mod job_wait;
mod library;
mod life;
mod listing;
mod looser;
mod mcp_server;
mod one_thread;
mod plugin;
mod program;
mod progress;
mod protocol;
mod queue;
mod read;
mod recorded;
mod scale;
mod sessions;
mod setup;
mod shared_queue;
mod snapshots;
#[cfg(target_os = "linux")]
mod special_files;
#[cfg(target_os = "linux")]
mod storage;
mod stream;
mod tool_list;
mod transport;
#[cfg(target_os = "linux")]
mod unread_log;
mod versions;
