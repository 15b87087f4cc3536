//! The files of the repository.

use std::fs;
use std::path::{Path, PathBuf};

use toml_edit::DocumentMut;

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

/// The package's `Cargo.toml`.
///
/// # Errors
/// If it cannot be read or parsed.
pub fn manifest() -> Result<DocumentMut, Failure> {
    read("Cargo.toml")?.parse().map_err(|error| format!("Cargo.toml: {error}"))
}

/// The repository's address on the web, as `Cargo.toml` has it.
///
/// # Errors
/// If there is none.
pub fn address() -> Result<String, Failure> {
    let manifest = manifest()?;
    let address = manifest["package"]["repository"].as_str();
    address.map(str::to_owned).ok_or_else(|| "Cargo.toml names no repository".to_owned())
}
