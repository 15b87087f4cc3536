//! The working directory of a turn.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::value::InvalidValue;

/// The absolute path of a directory, which can therefore never be mistaken for a command-line flag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "PathBuf", into = "PathBuf")]
pub struct WorkingDir(PathBuf);

impl TryFrom<PathBuf> for WorkingDir {
    type Error = InvalidValue;

    /// Accepts any absolute path. Whether the directory still exists is checked when it is used.
    fn try_from(path: PathBuf) -> Result<Self, InvalidValue> {
        if path.is_absolute() {
            Ok(Self(path))
        } else {
            Err(InvalidValue("must be an absolute path".into()))
        }
    }
}

impl From<WorkingDir> for PathBuf {
    fn from(dir: WorkingDir) -> Self {
        dir.0
    }
}

impl WorkingDir {
    /// Makes the path absolute. Whether the directory exists is checked when the turn starts.
    pub(crate) fn from_path(path: impl AsRef<Path>) -> Result<Self, InvalidValue> {
        let absolute = std::path::absolute(path)
            .map_err(|_| InvalidValue("must be the path of a directory".into()))?;
        Ok(Self(absolute))
    }

    /// The file system root, which always exists.
    pub(crate) fn root() -> Self {
        Self(std::path::absolute("/").unwrap_or_else(|_| "/".into()))
    }

    /// Any path, without making it absolute.
    #[cfg(test)]
    pub(crate) fn unchecked(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The path, which is absolute.
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}
