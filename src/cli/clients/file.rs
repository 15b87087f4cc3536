//! Changes a file of the user: whole or not at all, and with its former versions kept beside it.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::system::bounded::read_bytes;

/// The largest file that is changed, in bytes. Claude Code keeps more than settings in its file.
const MAX_BYTES: u64 = 64 << 20;

/// What the name of the first version ends with.
const FIRST: &str = ".before-codex-persistent-mcp";

/// What the name of the version before the last change ends with, if that is not the first.
const LAST: &str = ".before-codex-persistent-mcp.last";

/// How many links to follow to a file that is not there yet.
const MAX_LINKS: usize = 8;

/// How long to wait for another program that changes the file.
const LOCK_WITHIN: Duration = Duration::from_secs(3);
const RETRY_EVERY: Duration = Duration::from_millis(20);

/// The age from which a lock's owner must be gone. Claude Code renews its own every few seconds.
const STALE_AFTER: Duration = Duration::from_secs(30);

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
    let path = path.canonicalize().or_else(|_| target(path))?;
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

/// Where a link leads whose target is not there yet.
fn target(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::read_link(&path) {
            Ok(next) => path = path.parent().unwrap_or(Path::new("/")).join(next),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many links"))
}

impl Original {
    /// Where its first version is kept.
    pub(super) fn first(&self) -> PathBuf {
        self.beside(FIRST)
    }

    fn beside(&self, end: &str) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(end);
        self.path.with_file_name(name)
    }

    /// Keeps this version beside the file, readable by the user alone: as the first one if there is none yet, else in
    /// place of the last one. Returns where, or `None` if there is no file.
    pub(super) fn keep(&self) -> io::Result<Option<PathBuf>> {
        let Some(text) = &self.text else { return Ok(None) };
        let first = self.first();
        let is_kept = first.symlink_metadata().is_ok();
        let backup = if is_kept { self.beside(LAST) } else { first };
        self.put(&backup, text)?;
        Ok(Some(backup))
    }

    /// Removes the versions that were kept.
    pub(super) fn forget(&self) {
        for end in [FIRST, LAST] {
            drop(fs::remove_file(self.beside(end)));
        }
    }

    /// Replaces the content, unless the file was changed since it was read.
    pub(super) fn write(&self, text: &str) -> io::Result<()> {
        self.unchanged()?;
        self.put(&self.path, text)
    }

    /// Removes the file, unless it was changed since it was read.
    pub(super) fn remove(&self) -> io::Result<()> {
        self.unchanged()?;
        fs::remove_file(&self.path)
    }

    fn unchanged(&self) -> io::Result<()> {
        if read(&self.path)?.text == self.text {
            return Ok(());
        }
        let problem = "another program changed it at the same moment; run the command again";
        Err(io::Error::other(problem))
    }

    /// A new file with the mode of this one, or readable by the user alone, that takes the place of `path`.
    fn put(&self, path: &Path, text: &str) -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("/"));
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

/// Held while a file is changed: a folder beside it. Claude Code (2.1.332) takes the same one for its own file, which
/// it rewrites while it runs.
#[derive(Debug)]
pub(super) struct Lock(PathBuf);

impl Lock {
    /// Waits for it, for a bounded time. Creates the folder of the file.
    pub(super) fn take(file: &Path) -> io::Result<Self> {
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut name = file.file_name().unwrap_or_default().to_owned();
        name.push(".lock");
        let lock = file.with_file_name(name);
        let start = Instant::now();
        loop {
            match fs::create_dir(&lock) {
                Ok(()) => return Ok(Self(lock)),
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                Err(_) if is_stale(&lock) => fs::remove_dir(&lock)?,
                Err(_) if start.elapsed() < LOCK_WITHIN => std::thread::sleep(RETRY_EVERY),
                Err(_) => {
                    let problem = format!("another program is changing it ({})", lock.display());
                    return Err(io::Error::other(problem));
                }
            }
        }
    }
}

fn is_stale(lock: &Path) -> bool {
    let changed = lock.metadata().and_then(|metadata| metadata.modified()).ok();
    changed.and_then(|changed| changed.elapsed().ok()).is_some_and(|age| age > STALE_AFTER)
}

impl Drop for Lock {
    fn drop(&mut self) {
        drop(fs::remove_dir(&self.0));
    }
}
