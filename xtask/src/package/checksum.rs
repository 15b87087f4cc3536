//! The SHA-256 of a file, as others publish and compare it.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::Failure;

/// In hexadecimal digits.
///
/// # Errors
/// If the file cannot be read.
pub fn sha256(file: &Path) -> Result<String, Failure> {
    let bytes =
        fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    Ok(Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}
