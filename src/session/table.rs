//! The file in which all servers of the user keep the line of calls, and which of them are alive.
//!
//! The folder has one table with a slot for each call that waits or runs, and for each server a file
//! that it holds locked as long as it lives: the kernel takes the lock back however a process ends. A
//! server writes only its own slots and those of the dead, only while it has the table locked, and
//! each by one write inside of one page, so that a kill leaves no half of one.

mod server;
mod slots;
mod snapshot;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::system::bell;
use crate::system::file_lock::{FileLock, LockError};
use crate::system::private;
use server::{Heard, Server, bell_of, path_of, read_who, remains, remove_the_dead};
pub(crate) use server::{Who, is_name};
pub(crate) use slots::{SLOT, Slot, slot_of};
use slots::{slots_in, write_at};
pub(crate) use snapshot::{Snapshot, snapshot};

/// How long another process is waited for that has the table locked, or whose turn it is: one that
/// was stopped (by Ctrl-Z, say) is alive and does nothing.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// The name says the form, so that a later one does not get in the way of this one.
const TABLE: &str = "calls-2";

/// Why the table could not be locked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unavailable {
    #[error("another process holds it")]
    Held,
    #[error("there is no folder for state")]
    NoFolder,
    #[error(transparent)]
    Broken(#[from] io::Error),
}

impl Unavailable {
    /// Whether that is how things are here. Anything else a turn may bring about, which can lock what
    /// it can read, and fill a disk.
    pub(crate) fn is_lasting(&self) -> bool {
        use io::ErrorKind as Kind;
        match self {
            Self::Held => false,
            Self::NoFolder => true,
            Self::Broken(error) => {
                let kinds = [
                    Kind::AlreadyExists,
                    Kind::NotADirectory,
                    Kind::NotFound,
                    Kind::PermissionDenied,
                    Kind::ReadOnlyFilesystem,
                    Kind::Unsupported,
                ];
                kinds.contains(&error.kind()) || has_no_locks(error)
            }
        }
    }
}

impl From<LockError> for Unavailable {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Held => Self::Held,
            LockError::Failed(error) => Self::Broken(error),
        }
    }
}

/// The table, opened when it is first needed.
#[derive(Debug)]
pub(crate) struct Table {
    folder: Option<PathBuf>,
    who: Who,
    open: Option<Open>,
    /// Counts how often it was opened: slots are known only until it is opened anew.
    openings: u64,
    heard: Heard,
}

type TableLock = FileLock<Arc<File>>;

#[derive(Debug)]
struct Open {
    file: Arc<File>,
    server: Server,
}

impl Table {
    pub(crate) fn new(state_dir: Option<&Path>, who: Who) -> Self {
        Self {
            folder: state_dir.map(|dir| dir.join("line")),
            who,
            open: None,
            openings: 0,
            heard: Heard(Arc::new(|| {})),
        }
    }

    /// Has this called, from now on, when others have made room for this server's calls.
    pub(crate) fn on_ring(&mut self, heard: impl Fn() + Send + Sync + 'static) {
        self.heard = Heard(Arc::new(heard));
    }

    /// Locks the table, after a short time of trying at most. It is the one that others find, also when
    /// somebody has deleted the folder.
    pub(crate) fn lock(&mut self) -> Result<Locked<'_>, Unavailable> {
        let folder = self.folder.as_deref().ok_or(Unavailable::NoFolder)?;
        let mut lock = None;
        if let Some(open) = &self.open {
            lock = Some(FileLock::lock_file_briefly(Arc::clone(&open.file))?);
            if !(is_at(&open.file, &folder.join(TABLE)) && open.server.path.exists()) {
                lock = None;
                self.open = None;
            }
        }
        let lock = match lock {
            Some(lock) => lock,
            None => {
                let (open, lock) = Open::new(folder, &self.who, &self.heard)?;
                self.open = Some(open);
                self.openings += 1;
                lock
            }
        };
        drop(lock.file().set_modified(SystemTime::now()));
        let server = &self.open.as_ref().expect("it was just opened").server;
        Ok(Locked { server, lock, folder, opening: self.openings })
    }

    /// Whether there can be one.
    pub(crate) fn is_possible(&self) -> bool {
        self.folder.is_some()
    }

    /// Wakes another server, for whose calls there is room now.
    pub(crate) fn ring(&self, server: &str) {
        self.folder.iter().for_each(|folder| bell::ring(&bell_of(folder, server)));
    }

    /// When somebody locked the table last. It changes as long as others come and go, and not if one
    /// has it that does nothing.
    pub(crate) fn last_locked(&self) -> Option<SystemTime> {
        self.folder.as_ref()?.join(TABLE).metadata().ok()?.modified().ok()
    }

    /// Gives up what is open. For the others this server is then gone.
    pub(crate) fn close(&mut self) {
        self.open = None;
    }
}

impl Open {
    /// Opens the table, which is then locked, and enters the server.
    fn new(folder: &Path, who: &Who, heard: &Heard) -> Result<(Self, TableLock), Unavailable> {
        private::create_folder(folder)?;
        let mut options = private::open_options();
        let path = folder.join(TABLE);
        let file = options.read(true).write(true).create(true).truncate(false).open(&path)?;
        let file = Arc::new(file);
        let lock = FileLock::lock_file_briefly(Arc::clone(&file))?;
        if !is_at(&file, &path) {
            // Deleted in this very moment. The next try finds or makes another.
            return Err(Unavailable::Held);
        }
        // Under the lock, so that nobody finds a server's file that is not yet locked.
        remove_the_dead(folder);
        Ok((Self { file, server: Server::enter(folder, who, heard)? }, lock))
    }
}

/// The table, locked until this is dropped.
#[derive(Debug)]
pub(crate) struct Locked<'a> {
    server: &'a Server,
    lock: TableLock,
    folder: &'a Path,
    pub(crate) opening: u64,
}

impl Locked<'_> {
    /// The name of this server in the table.
    pub(crate) fn server(&self) -> &str {
        &self.server.name
    }

    /// Whether others can wake this server.
    pub(crate) fn has_bell(&self) -> bool {
        self.server.bell.is_some()
    }

    /// All slots, one after the other.
    pub(crate) fn read(&self) -> io::Result<Vec<u8>> {
        slots_in(self.lock.file())
    }

    /// Writes a slot.
    pub(crate) fn write(&self, slot: usize, text: &Slot) -> io::Result<()> {
        write_at(self.lock.file(), text, (slot * SLOT) as u64)
    }

    /// Makes a slot free.
    pub(crate) fn free(&self, slot: usize) -> io::Result<()> {
        write_at(self.lock.file(), &[b' '; SLOT], (slot * SLOT) as u64)
    }

    /// Leaves only so many slots.
    pub(crate) fn shorten(&self, slots: usize) -> io::Result<()> {
        self.lock.file().set_len((slots * SLOT) as u64)
    }

    /// Whether a server is alive. If not, its file goes. What cannot be found out counts as alive.
    pub(crate) fn is_alive(&self, server: &str) -> bool {
        remains(&path_of(self.folder, server))
    }

    /// Who a server is, if that can be read: on Windows nobody reads what another has locked.
    pub(crate) fn who(&self, server: &str) -> Option<Who> {
        read_who(&path_of(self.folder, server))
    }
}

/// Whether there are no locks where the file lies.
#[cfg(unix)]
fn has_no_locks(error: &io::Error) -> bool {
    error.raw_os_error() == Some(nix::errno::Errno::ENOLCK as i32)
}

#[cfg(not(unix))]
fn has_no_locks(_error: &io::Error) -> bool {
    false
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    file.metadata().map(place).ok() == path.metadata().map(place).ok()
}

/// A file that is open does not lose its name on Windows, so it is always the one.
#[cfg(not(unix))]
fn is_at(_file: &File, _path: &Path) -> bool {
    true
}
