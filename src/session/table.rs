//! The file in which all servers of the user keep the line of calls, and which of them are alive.
//!
//! The folder has one table with a slot for each call that waits or runs, and for each server a file
//! that it holds locked as long as it lives: the kernel takes the lock back however a process ends. A
//! server writes only its own slots and those of the dead, only while it has the table locked, and
//! each by one write inside of one page, so that a kill leaves no half of one.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::system::bell;
use crate::system::bounded::open_file;
use crate::system::file_lock::{FileLock, LockError};
use crate::system::private;

/// How long another process is waited for that has the table locked, or whose turn it is: one that
/// was stopped (by Ctrl-Z, say) is alive and does nothing.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// The bytes of a slot: one line of JSON, filled up by spaces. Divides the size of a page.
pub(crate) const SLOT: usize = 4096;

/// What is in one.
pub(crate) type Slot = [u8; SLOT];

/// The name says the form, so that a later one does not get in the way of this one.
const TABLE: &str = "calls-2";

/// How the name of what wakes a server ends.
const BELL: &str = "bell";

/// The largest table that is read: more than all calls of a hundred servers.
const MAX_BYTES: u64 = 32 << 20;

/// Who a server is, as written into its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Who {
    /// Its process id.
    pub(crate) pid: u32,
    /// The origin that it was set to.
    pub(crate) origin: String,
}

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

/// Is called when somebody rings for this server.
struct Heard(Arc<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for Heard {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Heard")
    }
}

type TableLock = FileLock<Arc<File>>;

#[derive(Debug)]
struct Open {
    file: Arc<File>,
    server: Server,
}

/// This server's own file, which goes with it.
#[derive(Debug)]
struct Server {
    name: String,
    path: PathBuf,
    _lock: FileLock,
    /// Whether nobody listens to its bell any more.
    is_gone: Arc<AtomicBool>,
    bell: Option<File>,
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

impl Server {
    fn enter(folder: &Path, who: &Who, heard: &Heard) -> Result<Self, Unavailable> {
        let name = format!("{}-{}", who.pid, Uuid::new_v4().as_simple());
        let path = path_of(folder, &name);
        let file = private::open_options().write(true).create_new(true).open(&path)?;
        let lock = FileLock::lock_file_briefly(file)?;
        lock.file().write_all(&serde_json::to_vec(who).map_err(io::Error::from)?)?;
        let is_gone = Arc::new(AtomicBool::new(false));
        let (gone, heard) = (Arc::clone(&is_gone), Arc::clone(&heard.0));
        let listening = bell::listen(&bell_of(folder, &name), move || {
            heard();
            !gone.load(Ordering::Acquire)
        });
        if let Err(error) = &listening {
            tracing::debug!(%error, "others cannot wake this server: it looks now and then");
        }
        Ok(Self { name, path, _lock: lock, is_gone, bell: listening.ok() })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_gone.store(true, Ordering::Release);
        // Nobody may find it by its name any more.
        let _rung = self.bell.as_mut().map(|bell| bell.write(b"."));
        drop(std::fs::remove_file(self.path.with_extension(BELL)));
        drop(std::fs::remove_file(&self.path));
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

/// All slots, and the names of the servers that are alive.
#[derive(Debug)]
pub(crate) struct Visibility {
    pub(crate) slots: Vec<u8>,
    pub(crate) servers: Vec<(String, Who)>,
}

/// The slots and the servers that are alive, for one who is none of them and writes nothing. `None` if
/// there is no table. One that is held is waited for, but not for ever.
pub(crate) fn look_at(folder: &Path) -> Result<Option<Visibility>, Unavailable> {
    let file = match open_file(&folder.join(TABLE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    // Under the lock, so that nobody who enters finds a file of theirs locked.
    let lock = FileLock::lock_file_within(file, PATIENCE)?;
    let slots = slots_in(lock.file())?;
    let files = folder.read_dir()?.flatten().map(|entry| entry.path());
    let alive = files.filter_map(|path| {
        let name = path.file_name()?.to_str()?.strip_suffix(".server")?.to_owned();
        is_locked(open_file(&path).ok()?).then(|| {
            let pid = name.split('-').next().and_then(|pid| pid.parse().ok()).unwrap_or_default();
            let who = read_who(&path).unwrap_or(Who { pid, origin: String::new() });
            (name, who)
        })
    });
    Ok(Some(Visibility { slots, servers: alive.collect() }))
}

/// A slot that holds a line, or nothing.
pub(crate) fn slot_of(line: &[u8]) -> Option<Slot> {
    let mut slot = [b' '; SLOT];
    slot.get_mut(..line.len())?.copy_from_slice(line);
    slot[SLOT - 1] = b'\n';
    (line.len() < SLOT).then_some(slot)
}

/// Whether a server can be called so: its name becomes that of files.
pub(crate) fn is_name(server: &str) -> bool {
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    server.split_once('-').is_some_and(|(pid, id)| is_hex(pid) && is_hex(id) && !id.is_empty())
}

fn path_of(folder: &Path, server: &str) -> PathBuf {
    folder.join(format!("{server}.server"))
}

fn bell_of(folder: &Path, server: &str) -> PathBuf {
    folder.join(format!("{server}.{BELL}"))
}

fn slots_in(file: &File) -> io::Result<Vec<u8>> {
    let bytes = file.metadata()?.len().min(MAX_BYTES) as usize;
    let mut slots = vec![0; bytes - bytes % SLOT];
    read_at(file, &mut slots)?;
    Ok(slots)
}

fn read_who(server: &Path) -> Option<Who> {
    let mut text = String::new();
    open_file(server).ok()?.take(SLOT as u64).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// Whether a server's file is that of one that is alive. That of another is removed.
fn remains(server: &Path) -> bool {
    let is_alive = match open_file(server) {
        Ok(file) => is_locked(file),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    };
    if !is_alive {
        drop(std::fs::remove_file(server.with_extension(BELL)));
        drop(std::fs::remove_file(server));
    }
    is_alive
}

/// Removes the files of servers that were killed.
fn remove_the_dead(folder: &Path) {
    let paths = folder.read_dir().into_iter().flatten().flatten().map(|file| file.path());
    for path in paths.filter(|path| path.extension().is_some_and(|kind| kind == "server")) {
        remains(&path);
    }
}

/// Whether somebody holds the lock of a file. Where that cannot be found out, it counts as held.
fn is_locked(file: File) -> bool {
    FileLock::try_lock_file(file).is_err()
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

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, 0)
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(not(unix))]
fn read_at(mut file: &File, bytes: &mut [u8]) -> io::Result<()> {
    use std::io::{Seek, SeekFrom};
    file.seek(SeekFrom::Start(0))?;
    file.read_exact(bytes)
}

#[cfg(not(unix))]
fn write_at(mut file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    use std::io::{Seek, SeekFrom};
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_to_no_other_folder() {
        assert!(is_name(&format!("{}-{}", u32::MAX, Uuid::new_v4().as_simple())));
        for other in ["", "1", "1-", "/etc/x-1", "../1-a", "1-a/../../b", "1-a.b", "1-2-3"] {
            assert!(!is_name(other), "{other}");
        }
    }
}
