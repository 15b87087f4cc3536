//! The ground floor: plain values, and the rules on them. Nothing in here reads a file, waits, or starts
//! anything, and nothing in here knows who uses it.

pub(crate) mod command_line;
pub(crate) mod diff;
pub(crate) mod effective;
pub(crate) mod event;
pub(crate) mod job_id;
pub(crate) mod limits;
pub(crate) mod model_name;
pub(crate) mod options;
pub(crate) mod outcome;
pub(crate) mod policy;
pub(crate) mod prompt;
pub(crate) mod prompt_text;
pub(crate) mod request;
pub(crate) mod sandbox;
pub(crate) mod session_id;
pub(crate) mod settings;
mod strict;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod usage;
pub(crate) mod value;
pub(crate) mod working_dir;
