//! What this program needs of the operating system: files that others may have put there, signals, what
//! wakes another process, and the log.

pub(crate) mod bell;
pub(crate) mod bounded;
mod defaults;
pub(crate) mod depth;
pub(crate) mod file_lock;
pub(crate) mod line_splitter;
pub(crate) mod links;
pub(crate) mod log;
pub(crate) mod private;
pub(crate) mod reverse_lines;
pub(crate) mod signals;
