//! Files and folders that only their owner can read, and the user's state folder.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::NamedTempFile;

/// The extension of a file that is still being written, and the age from which its writer must be
/// gone.
const UNFINISHED: &str = ".new";
pub(crate) const ABANDONED_AFTER: Duration = Duration::from_mins(1);

use super::bounded::read_bytes;

/// The longest file that is read whole. A prompt or a result is a few megabytes at most.
const MAX_WHOLE_BYTES: u64 = 256 << 20;

/// The default state folder: `$XDG_STATE_HOME/codex-persistent-mcp`, or
/// `~/.local/state/codex-persistent-mcp` if the variable is not set or holds a relative path (XDG
/// Base Directory Specification 0.8). On Windows `%LOCALAPPDATA%\codex-persistent-mcp`.
pub(crate) fn default_state_dir() -> Option<PathBuf> {
    let variable = if cfg!(windows) { "LOCALAPPDATA" } else { "XDG_STATE_HOME" };
    let base = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = base.or_else(|| {
        std::env::home_dir().filter(|home| home.is_absolute()).map(|home| home.join(".local/state"))
    })?;
    Some(base.join(env!("CARGO_PKG_NAME")))
}

/// Creates a folder, and its parents, for their owner alone. An existing folder stays as it is.
pub(crate) fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Options that create files for their owner alone.
pub(crate) fn open_options() -> OpenOptions {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "only Unix has a mode to set"))]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Reads a JSON file that is written whole.
pub(crate) fn read_whole<T: DeserializeOwned>(path: &Path) -> io::Result<T> {
    Ok(serde_json::from_slice(&read_bytes(path, MAX_WHOLE_BYTES)?)?)
}

/// Writes a JSON file so that others see the old one or the new one, whole, even after a power
/// failure.
pub(crate) fn write_whole(path: &Path, content: &impl Serialize) -> io::Result<()> {
    let new = replacement(path)?;
    new.as_file().write_all(&serde_json::to_vec(content)?)?;
    new.as_file().sync_all()?;
    replace(new, path)
}

/// The same for content that can be recreated: others see it whole, but a power failure may lose
/// it.
pub(crate) fn write_often(path: &Path, content: &impl Serialize) -> io::Result<()> {
    write_bytes(path, &serde_json::to_vec(content)?)
}

/// The same for bytes.
pub(crate) fn write_bytes(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = replacement(path)?;
    new.as_file().write_all(bytes)?;
    replace(new, path)
}

/// A new file beside `path`, for its owner alone, to be written and then passed to [`replace`]. If
/// it is dropped instead, it is removed; if this process is killed, [`remove_unfinished`] removes
/// it later.
pub(crate) fn replacement(path: &Path) -> io::Result<NamedTempFile> {
    let mut prefix = path.file_stem().unwrap_or_default().to_owned();
    prefix.push(".");
    // Opened here rather than by the builder, so that an error is the system's own.
    tempfile::Builder::new()
        .prefix(&prefix)
        .suffix(UNFINISHED)
        .make_in(path.parent().unwrap_or(path), |new| {
            open_options().write(true).create_new(true).open(new)
        })
}

/// Moves a finished [`replacement`] to `path`.
pub(crate) fn replace(new: NamedTempFile, path: &Path) -> io::Result<()> {
    Ok(new.persist(path).map(drop)?)
}

/// Removes the files in a folder whose writers were killed before they were whole.
pub(crate) fn remove_unfinished(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_one = path.as_os_str().as_encoded_bytes().ends_with(UNFINISHED.as_bytes());
        let age = || entry.metadata().ok()?.modified().ok()?.elapsed().ok();
        if is_one && age().is_some_and(|age| age >= ABANDONED_AFTER) {
            drop(fs::remove_file(path));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::time::SystemTime;
    use uuid::Uuid;

    #[test]
    fn what_is_left_of_a_killed_writer_is_removed_once_it_is_old() {
        let folder = crate::testing::scratch().join(format!("left-{}", Uuid::new_v4()));
        create_folder(&folder).expect("writable");
        let path = folder.join("file.json");
        write_whole(&path, &1).expect("writable");
        let [old, new] = [(); 2].map(|()| {
            let (_, path) = replacement(&path).expect("writable").keep().expect("it is there");
            path
        });
        let long_ago = SystemTime::now() - 2 * ABANDONED_AFTER;
        for file in [&old, &path] {
            let file = File::options().write(true).open(file).expect("it is there");
            file.set_modified(long_ago).expect("it is ours");
        }
        remove_unfinished(&folder);
        assert!(!old.exists() && new.exists() && path.exists());
        fs::remove_dir_all(&folder).expect("it is there");
    }

    #[test]
    fn a_file_that_many_write_at_once_is_always_whole_and_nothing_is_left_beside_it() {
        let folder = crate::testing::scratch().join(format!("whole-{}", Uuid::new_v4()));
        create_folder(&folder).expect("writable");
        let path = folder.join("file.json");
        std::thread::scope(|scope| {
            for writer in 0..8_usize {
                let path = &path;
                scope.spawn(move || {
                    for _ in 0..50 {
                        write_whole(path, &vec![writer; 1_000]).expect("writable");
                        let read: Vec<usize> = read_whole(path).expect("it is whole");
                        assert!(read.len() == 1_000 && read.iter().all(|one| *one == read[0]));
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(&folder).expect("it is there").count(), 1);
        fs::remove_dir_all(&folder).expect("it is there");
    }
}
