//! What this program needs from the operating system: private files, files that others may have
//! planted, file locks, signals, a way to wake other processes, and the log.

pub(crate) mod bell;
pub(crate) mod bounded;
mod defaults;
pub(crate) mod depth;
pub(crate) mod file_lock;
#[cfg(feature = "http")]
pub(crate) mod files;
#[cfg(unix)]
pub(crate) mod launcher;
pub(crate) mod line_splitter;
pub(crate) mod links;
#[cfg(feature = "program")]
pub(crate) mod log;
pub(crate) mod private;
pub(crate) mod reverse_lines;
pub(crate) mod signals;
pub(crate) mod stamp;
pub(crate) mod writers;
