//! The file with the shared queue of all servers of the user, and the files that show which of
//! these servers are alive.
//!
//! The folder has one table with a slot for each call that waits or runs, and for each server a
//! file that it keeps locked while it lives: the kernel releases the lock however the process ends.
//! A server writes only its own slots and those of dead servers, only while it holds the table's
//! lock, and each slot by one write within one page, so that a kill leaves no half-written slot.

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
use server::{OnRing, Server, bell_of, is_alive_or_remove, path_of, read_who, remove_dead_servers};
pub(crate) use server::{ServerInfo, is_name};
pub(crate) use slots::{SLOT, Slot, slot_of};
use slots::{slots_in, write_at};
pub(crate) use snapshot::{Snapshot, snapshot};

/// How long to wait for another process that holds the table's lock or whose turn it is: a stopped
/// one (by Ctrl-Z, say) is alive and does nothing.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// The folder of the shared queue, below the state folder. The name stays: servers of other versions
/// use the same folder.
pub(crate) const QUEUE_FOLDER: &str = "line";

/// The number in the name is the version of the format, so that versions do not collide.
const TABLE: &str = "calls-2";

/// Why the table could not be locked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unavailable {
    #[error("another process holds its lock")]
    Held,
    #[error("there is no state folder")]
    NoFolder,
    #[error(transparent)]
    Broken(#[from] io::Error),
}

impl Unavailable {
    /// Whether the cause lies in the environment and will not go away. A turn can bring about any
    /// other cause: it can lock what it can read, and fill a disk.
    pub(crate) fn is_permanent(&self) -> bool {
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

/// The table, opened on first use.
#[derive(Debug)]
pub(crate) struct Table {
    folder: Option<PathBuf>,
    who: ServerInfo,
    open: Option<Open>,
    /// How often it was opened. Slots are valid for one opening.
    openings: u64,
    on_ring: OnRing,
}

type TableLock = FileLock<Arc<File>>;

#[derive(Debug)]
struct Open {
    file: Arc<File>,
    server: Server,
}

impl Table {
    pub(crate) fn new(state_dir: Option<&Path>, who: ServerInfo) -> Self {
        Self {
            folder: state_dir.map(|dir| dir.join(QUEUE_FOLDER)),
            who,
            open: None,
            openings: 0,
            on_ring: OnRing(Arc::new(|| {})),
        }
    }

    /// Registers what to call when other servers have made room for this server's calls.
    pub(crate) fn on_ring(&mut self, on_ring: impl Fn() + Send + Sync + 'static) {
        self.on_ring = OnRing(Arc::new(on_ring));
    }

    /// Locks the table, after a few immediate retries at most. Reopens it if the folder was
    /// deleted, so that it is the table that others find.
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
                let (open, lock) = Open::new(folder, &self.who, &self.on_ring)?;
                self.open = Some(open);
                self.openings += 1;
                lock
            }
        };
        drop(lock.file().set_modified(SystemTime::now()));
        let server = &self.open.as_ref().expect("it was just opened").server;
        Ok(Locked { server, lock, folder, opening: self.openings })
    }

    /// Whether there is a folder for the table.
    pub(crate) fn is_possible(&self) -> bool {
        self.folder.is_some()
    }

    /// Wakes another server whose calls have room now.
    pub(crate) fn ring(&self, server: &str) {
        self.folder.iter().for_each(|folder| bell::ring(&bell_of(folder, server)));
    }

    /// When the table was last locked. The time changes while others come and go, and stays if one
    /// process holds the lock and does nothing.
    pub(crate) fn last_locked(&self) -> Option<SystemTime> {
        self.folder.as_ref()?.join(TABLE).metadata().ok()?.modified().ok()
    }

    /// Closes the table. To other servers this one is gone then.
    pub(crate) fn close(&mut self) {
        self.open = None;
    }
}

impl Open {
    /// Opens and locks the table, and adds this server's own file.
    fn new(
        folder: &Path,
        who: &ServerInfo,
        on_ring: &OnRing,
    ) -> Result<(Self, TableLock), Unavailable> {
        private::create_folder(folder)?;
        let mut options = private::open_options();
        let path = folder.join(TABLE);
        let file = options.read(true).write(true).create(true).truncate(false).open(&path)?;
        let file = Arc::new(file);
        let lock = FileLock::lock_file_briefly(Arc::clone(&file))?;
        if !is_at(&file, &path) {
            // Deleted at this very moment. The next attempt finds or creates another.
            return Err(Unavailable::Held);
        }
        // Under the lock, so that nobody finds a server's file before it is locked.
        remove_dead_servers(folder);
        Ok((Self { file, server: Server::enter(folder, who, on_ring)? }, lock))
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

    /// All slots, one after another.
    pub(crate) fn read(&self) -> io::Result<Vec<u8>> {
        slots_in(self.lock.file())
    }

    /// Writes a slot.
    pub(crate) fn write(&self, slot: usize, text: &Slot) -> io::Result<()> {
        write_at(self.lock.file(), text, (slot * SLOT) as u64)
    }

    /// Frees a slot.
    pub(crate) fn free(&self, slot: usize) -> io::Result<()> {
        write_at(self.lock.file(), &[b' '; SLOT], (slot * SLOT) as u64)
    }

    /// Truncates the table to this many slots.
    pub(crate) fn shorten(&self, slots: usize) -> io::Result<()> {
        self.lock.file().set_len((slots * SLOT) as u64)
    }

    /// Whether a server is alive. The file of a dead one is removed. If unsure, it counts as alive.
    pub(crate) fn is_alive(&self, server: &str) -> bool {
        is_alive_or_remove(&path_of(self.folder, server))
    }

    /// Who a server is, if its file can be read: on Windows a locked file cannot be.
    pub(crate) fn who(&self, server: &str) -> Option<ServerInfo> {
        read_who(&path_of(self.folder, server))
    }
}

/// Whether the file system has no locks.
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

/// An open file keeps its name on Windows, so it is always the right one.
#[cfg(not(unix))]
fn is_at(_file: &File, _path: &Path) -> bool {
    true
}
