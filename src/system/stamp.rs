//! Remembers what was read from files that rarely change, for as long as they do not.
//!
//! A file is unchanged if its inode, its size and both its times are the same. The kernel sets the time of
//! the last change, and no program can set it back. But the kernel's clock is coarse, so a change in the same
//! tick as a read would not show. So nothing is remembered of a file that was changed within
//! [`SETTLED_AFTER`] before the read: every later change gets another time.
//!
//! Not for files in which a turn may write: a program can change what it has mapped into its memory, and
//! for a while the file's times stay as they were.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::bounded::open_file;

/// How long ago a file must have been changed so that any later change has another time. Some file
/// systems count in steps of two seconds.
const SETTLED_AFTER: Duration = Duration::from_secs(4);

/// How many files are remembered. The others are read again.
const REMEMBERED: usize = 1_000;

/// What identifies a file and its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: (u64, u64),
    size: u64,
    written: (i64, i64),
    changed: (i64, i64),
}

/// What was read from files, by path. Cheap to clone.
#[derive(Debug)]
pub(crate) struct Unchanged<T>(Arc<Mutex<HashMap<PathBuf, (Stamp, T)>>>);

impl<T: Clone> Unchanged<T> {
    /// What `read` returns for the regular file at `path`, or returned when the file was the same. Blocks
    /// on files.
    ///
    /// # Errors
    ///
    /// If there is no such file, and the errors of `read`.
    pub(crate) fn read(
        &self,
        path: &Path,
        read: impl FnOnce(File) -> io::Result<T>,
    ) -> io::Result<T> {
        self.read_at(SystemTime::now(), path, read)
    }

    /// The same, with the time of the read.
    fn read_at(
        &self,
        now: SystemTime,
        path: &Path,
        read: impl FnOnce(File) -> io::Result<T>,
    ) -> io::Result<T> {
        // Taken from the open file, so that no other one can take its place.
        let file = open_file(path)?;
        let stamp = Stamp::of(&file.metadata()?);
        if let (Some(stamp), Some((known, value))) = (stamp, self.lock().get(path))
            && stamp == *known
        {
            return Ok(value.clone());
        }
        let value = read(file)?;
        let mut all = self.lock();
        match stamp.filter(|stamp| stamp.is_settled(now)) {
            Some(stamp) => {
                if all.len() >= REMEMBERED {
                    all.clear();
                }
                all.insert(path.to_owned(), (stamp, value.clone()));
            }
            None => drop(all.remove(path)),
        }
        Ok(value)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, (Stamp, T)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Unchanged<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Unchanged<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl Stamp {
    #[cfg(unix)]
    fn of(file: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        Some(Self {
            inode: (file.dev(), file.ino()),
            size: file.size(),
            written: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        })
    }

    /// Elsewhere a program can set back all times of a file, so nothing is remembered.
    #[cfg(not(unix))]
    fn of(_file: &Metadata) -> Option<Self> {
        None
    }

    /// Whether every change from `now` on gives the file another time.
    fn is_settled(&self, now: SystemTime) -> bool {
        let newest = self.written.max(self.changed);
        let settled = newest.0.saturating_add_unsigned(SETTLED_AFTER.as_secs());
        now.duration_since(SystemTime::UNIX_EPOCH)
            .is_ok_and(|now| i64::try_from(now.as_secs()).is_ok_and(|now| now > settled))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::fs;
    use std::io::Read;

    fn scratch(name: &str) -> PathBuf {
        crate::testing::scratch().join(format!("stamp-{name}-{}", std::process::id()))
    }

    #[test]
    fn a_file_is_read_once_as_long_as_it_is_old_and_the_same() {
        let path = scratch("old");
        fs::write(&path, "one").expect("writable");
        let (files, reads) = (Unchanged::default(), Cell::new(0));
        let later = SystemTime::now() + 2 * SETTLED_AFTER;
        let read = || files.read_at(later, &path, |_| Ok(reads.replace(reads.get() + 1))).ok();
        assert_eq!((read(), read(), reads.get()), (Some(0), Some(0), 1));
        fs::write(&path, "three").expect("writable");
        assert_eq!((read(), read(), reads.get()), (Some(1), Some(1), 2));
        fs::remove_file(&path).expect("it is there");
    }

    #[test]
    fn a_file_that_has_just_changed_is_read_anew_whatever_its_times_say() {
        let path = scratch("changed");
        let files = Unchanged::default();
        let text = |mut file: File| {
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            Ok(text)
        };
        for content in ["one", "two"] {
            fs::write(&path, content).expect("writable");
            let file = File::options().write(true).open(&path).expect("it is there");
            file.set_modified(SystemTime::UNIX_EPOCH).expect("it is ours");
            assert_eq!(files.read(&path, text).ok().as_deref(), Some(content));
        }
        fs::remove_file(&path).expect("it is there");
        assert!(files.read(&path, text).is_err());
    }

    #[test]
    fn only_times_that_are_over_are_settled() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let at = |written, changed| {
            let (written, changed) = ((written, 0), (changed, 0));
            Stamp { inode: (1, 1), size: 1, written, changed }.is_settled(now)
        };
        assert!(at(990, 990));
        assert!(!at(990, 999) && !at(999, 990) && !at(990, 2_000));
    }
}
