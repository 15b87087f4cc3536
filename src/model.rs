//! The lowest layer: plain values and the rules that apply to them. Nothing here does I/O, blocks or starts
//! a process, and nothing here depends on a layer above.

pub(crate) mod advice;
pub(crate) mod changed_files;
pub(crate) mod command_line;
pub(crate) mod diff;
pub(crate) mod effective;
pub(crate) mod error_code;
pub(crate) mod event;
pub(crate) mod help;
#[cfg(feature = "http")]
pub(crate) mod http;
pub(crate) mod job_id;
pub(crate) mod limits;
pub(crate) mod model_name;
pub(crate) mod operator_config;
pub(crate) mod options;
pub(crate) mod outcome;
pub(crate) mod policy;
pub(crate) mod prompt;
pub(crate) mod prompt_envelope;
pub(crate) mod request;
pub(crate) mod sandbox;
pub(crate) mod session_id;
pub(crate) mod settings;
pub(crate) mod surface;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod tool_list;
pub(crate) mod usage;
pub(crate) mod value;
pub(crate) mod working_dir;
