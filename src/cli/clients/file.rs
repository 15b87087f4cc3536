//! Changes a file of the user: whole or not at all, and with the first version kept beside it.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::system::bounded::read_bytes;

/// The largest file that is changed, in bytes. Claude Code keeps more than settings in its file.
const MAX_BYTES: u64 = 64 << 20;

/// What the copy's name ends with.
const BACKUP: &str = ".before-codex-persistent-mcp";

/// A file as it was read.
#[derive(Debug)]
pub(super) struct Original {
    /// Where it really is: dotfiles are often links.
    pub(super) path: PathBuf,
    /// Its content, or `None` if there is none.
    pub(super) text: Option<String>,
}

/// Reads a file.
pub(super) fn read(path: &Path) -> io::Result<Original> {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let text = match read_bytes(&path, MAX_BYTES) {
        Ok(bytes) => {
            let text = String::from_utf8(bytes);
            Some(text.map_err(|_| io::Error::other("it is not UTF-8 text"))?)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    Ok(Original { path, text })
}

impl Original {
    /// Where its first version is kept.
    pub(super) fn backup(&self) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(BACKUP);
        self.path.with_file_name(name)
    }

    /// Keeps it beside itself, unless an earlier version is kept. Returns whether it did.
    pub(super) fn keep(&self) -> io::Result<bool> {
        let backup = self.backup();
        let Some(text) = self.text.as_ref().filter(|_| backup.symlink_metadata().is_err()) else {
            return Ok(false);
        };
        self.put(&backup, text)?;
        Ok(true)
    }

    /// Replaces the content, unless the file was changed since it was read.
    pub(super) fn write(&self, text: &str) -> io::Result<()> {
        let now = read(&self.path)?;
        if now.text != self.text {
            let problem = "another program changed it at the same moment; run the command again";
            return Err(io::Error::other(problem));
        }
        self.put(&self.path, text)
    }

    /// Removes the file.
    pub(super) fn remove(&self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }

    /// A new file with the mode of this one, or readable by the user alone, that takes the place of `path`.
    fn put(&self, path: &Path, text: &str) -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(folder)?;
        let mut new = tempfile::NamedTempFile::new_in(folder)?;
        new.write_all(text.as_bytes())?;
        new.as_file().sync_all()?;
        if path == self.path
            && let Ok(metadata) = self.path.metadata()
        {
            new.as_file().set_permissions(metadata.permissions())?;
        }
        new.persist(path).map(drop).map_err(|error| error.error)
    }
}
