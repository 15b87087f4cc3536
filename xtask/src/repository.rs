//! The files of the repository.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Failure;

/// A file of the checkout, by its path from the top.
pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

/// The text of a file.
///
/// # Errors
/// If it cannot be read.
pub fn read(name: &str) -> Result<String, Failure> {
    fs::read_to_string(path(name)).map_err(|error| format!("cannot read {name}: {error}"))
}

/// Replaces the text of a file.
///
/// # Errors
/// If it cannot be written.
pub fn write(name: &str, text: &str) -> Result<(), Failure> {
    fs::write(path(name), text).map_err(|error| format!("cannot write {name}: {error}"))
}
