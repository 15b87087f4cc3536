//! An exclusive lock on a file. The kernel releases it however its process ends.

use std::borrow::Borrow;
use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use super::bounded::open_regular;
use super::private;

/// How long to pause between two attempts while another process holds the lock.
const RETRY_EVERY: Duration = Duration::from_millis(2);

/// How many attempts to make at a lock that is held for microseconds.
const BRIEF_ATTEMPTS: usize = 100;

/// The lock, held until this is dropped. `F` is what keeps the file open.
#[derive(Debug)]
pub(crate) struct FileLock<F: Borrow<File> = File>(F);

/// Why a file could not be locked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    #[error("another process holds the lock")]
    Held,
    #[error(transparent)]
    Failed(#[from] io::Error),
}

impl FileLock {
    /// Locks the file at `path` unless it is locked already. Creates the file if needed.
    ///
    /// # Errors
    ///
    /// [`LockError::Held`] if it is locked already, [`LockError::Failed`] if the file cannot be
    /// opened, is not a regular file, or cannot be locked.
    pub(crate) fn try_lock(path: &Path) -> Result<Self, LockError> {
        Self::try_lock_file(open(path)?)
    }

    /// The same, but waits up to `bound` for the current holder. Blocks.
    ///
    /// # Errors
    ///
    /// As [`FileLock::try_lock`].
    pub(crate) fn lock_within(path: &Path, bound: Duration) -> Result<Self, LockError> {
        Self::lock_file_within(open(path)?, bound)
    }

    /// The same, but also stops waiting once `is_over` says so. Blocks.
    ///
    /// # Errors
    ///
    /// As [`FileLock::try_lock`].
    pub(crate) fn lock_within_unless(
        path: &Path,
        bound: Duration,
        is_over: &dyn Fn() -> bool,
    ) -> Result<Self, LockError> {
        acquire(open(path)?, pauses(bound, is_over))
    }
}

impl<F: Borrow<File>> FileLock<F> {
    /// Locks an open file unless it is locked already.
    ///
    /// # Errors
    ///
    /// [`LockError::Held`] if it is locked already, [`LockError::Failed`] if the system refuses.
    pub(crate) fn try_lock_file(file: F) -> Result<Self, LockError> {
        acquire(file, || false)
    }

    /// The same, but waits up to `bound` for the current holder. Blocks.
    ///
    /// # Errors
    ///
    /// As [`FileLock::try_lock_file`].
    pub(crate) fn lock_file_within(file: F, bound: Duration) -> Result<Self, LockError> {
        acquire(file, pauses(bound, &|| false))
    }

    /// The same for a lock that is never held for longer than microseconds: yields to the holder a few
    /// times, without sleeping.
    ///
    /// # Errors
    ///
    /// As [`FileLock::try_lock_file`].
    pub(crate) fn lock_file_briefly(file: F) -> Result<Self, LockError> {
        let mut attempts = 1;
        acquire(file, || {
            attempts += 1;
            std::thread::yield_now();
            attempts <= BRIEF_ATTEMPTS
        })
    }

    /// The locked file.
    pub(crate) fn file(&self) -> &File {
        self.0.borrow()
    }
}

impl<F: Borrow<File>> Drop for FileLock<F> {
    /// Unlocks explicitly. Closing the file is not enough: a child process that is just being started
    /// shares it for a moment.
    fn drop(&mut self) {
        drop(self.file().unlock());
    }
}

impl LockError {
    /// Turns [`LockError::Held`] into `None`, for callers that can do without the lock.
    ///
    /// # Errors
    ///
    /// If the file could not be locked for another reason.
    pub(crate) fn none_if_held<T>(result: Result<T, Self>) -> io::Result<Option<T>> {
        match result {
            Ok(lock) => Ok(Some(lock)),
            Err(Self::Held) => Ok(None),
            Err(Self::Failed(error)) => Err(error),
        }
    }
}

impl From<LockError> for io::Error {
    /// [`LockError::Held`] becomes [`io::ErrorKind::WouldBlock`].
    fn from(error: LockError) -> Self {
        match error {
            LockError::Held => Self::from(io::ErrorKind::WouldBlock),
            LockError::Failed(error) => error,
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = private::open_options();
    options.write(true).create(true).truncate(false);
    open_regular(options, path)
}

/// Sleeps between attempts, up to `bound` in all and until `is_over`.
fn pauses(bound: Duration, is_over: &dyn Fn() -> bool) -> impl FnMut() -> bool {
    let deadline = Instant::now() + bound;
    move || {
        let waits = Instant::now() < deadline && !is_over();
        if waits {
            std::thread::sleep(RETRY_EVERY);
        }
        waits
    }
}

/// Tries until the lock is free, or `pause` ends the wait by returning `false`.
fn acquire<F: Borrow<File>>(
    file: F,
    mut pause: impl FnMut() -> bool,
) -> Result<FileLock<F>, LockError> {
    loop {
        match file.borrow().try_lock() {
            Ok(()) => return Ok(FileLock(file)),
            Err(TryLockError::WouldBlock) if pause() => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held),
            Err(TryLockError::Error(error)) => return Err(LockError::Failed(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::PathBuf;

    fn folder() -> PathBuf {
        let folder = crate::testing::scratch().join(format!("lock-{}", uuid::Uuid::new_v4()));
        fs::create_dir_all(&folder).expect("writable");
        folder
    }

    #[test]
    fn a_lock_excludes_others_until_it_is_dropped() {
        let folder = folder();
        let path = folder.join("lock");
        let lock = FileLock::try_lock(&path).expect("nobody holds it");
        assert!(matches!(FileLock::try_lock(&path), Err(LockError::Held)));
        let waited = FileLock::lock_within(&path, Duration::from_millis(5));
        assert!(LockError::none_if_held(waited).expect("it can be locked").is_none());
        let shared = fs::File::open(&path).expect("it was made");
        assert!(matches!(FileLock::lock_file_briefly(&shared), Err(LockError::Held)));
        // A copy of the open file, such as a child process has, does not keep the lock.
        let _copy = lock.file().try_clone().expect("it is open");
        drop(lock);
        assert!(FileLock::lock_file_briefly(&shared).is_ok());
        fs::remove_dir_all(folder).expect("it is ours");
    }

    #[test]
    fn a_lock_is_waited_for() {
        let folder = folder();
        let path = folder.join("lock");
        let held = FileLock::try_lock(&path).expect("nobody holds it");
        std::thread::scope(|scope| {
            let waits =
                scope.spawn(|| FileLock::lock_within(&path, Duration::from_secs(60)).is_ok());
            drop(held);
            assert!(waits.join().expect("it does not panic"));
        });
        fs::remove_dir_all(folder).expect("it is ours");
    }

    #[test]
    #[cfg(unix)]
    fn only_a_regular_file_is_locked_and_none_is_waited_for() {
        use std::os::unix::fs::PermissionsExt;

        let folder = folder();
        let pipe = folder.join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("there can be pipes");
        for other in [&pipe, &folder] {
            assert!(matches!(FileLock::try_lock(other), Err(LockError::Failed(_))), "{other:?}");
        }
        let path = folder.join("lock");
        let lock = FileLock::try_lock(&path).expect("nobody holds it");
        let mode = lock.file().metadata().expect("it is open").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::remove_dir_all(folder).expect("it is ours");
    }
}
