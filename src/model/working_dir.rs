//! The directory in which a turn works.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::value::InvalidValue;

/// A directory that exists, as an absolute path: so it can never be read as a flag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "PathBuf", into = "PathBuf")]
pub struct WorkingDir(PathBuf);

impl TryFrom<PathBuf> for WorkingDir {
    type Error = InvalidValue;

    /// One that was written down may be gone by now, which is told when it is used.
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
    /// One that is looked at only when its turn comes.
    pub(crate) fn named(path: impl AsRef<Path>) -> Result<Self, InvalidValue> {
        let absolute = std::path::absolute(path)
            .map_err(|_| InvalidValue("must be the path of a directory".into()))?;
        Ok(Self(absolute))
    }

    /// The root, which is there whatever else is not.
    pub(crate) fn root() -> Self {
        Self(std::path::absolute("/").unwrap_or_else(|_| "/".into()))
    }

    /// A directory that need not be there.
    #[cfg(test)]
    pub(crate) fn unchecked(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The path, which is absolute.
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}
