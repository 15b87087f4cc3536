//! A server's own files beside the table: one that it keeps locked while it lives, and its bell.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Unavailable;
use super::slots::SLOT;
use crate::system::bell;
use crate::system::bounded::open_file;
use crate::system::file_lock::FileLock;
use crate::system::private;

/// The extension of a server's bell.
const BELL: &str = "bell";

/// Who a server is, as written into its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ServerInfo {
    /// Its process id.
    pub(crate) pid: u32,
    /// The origin from its settings.
    pub(crate) origin: String,
}

/// Called when another server rings this one's bell.
pub(super) struct OnRing(pub(super) Arc<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for OnRing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("OnRing")
    }
}

/// This server's own files, removed when this is dropped.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) name: String,
    pub(super) path: PathBuf,
    _lock: FileLock,
    /// Tells the bell's thread to end.
    is_gone: Arc<AtomicBool>,
    pub(super) bell: Option<File>,
}

impl Server {
    pub(super) fn enter(
        folder: &Path,
        who: &ServerInfo,
        on_ring: &OnRing,
    ) -> Result<Self, Unavailable> {
        let name = format!("{}-{}", who.pid, Uuid::new_v4().as_simple());
        let path = path_of(folder, &name);
        let file = private::open_options().write(true).create_new(true).open(&path)?;
        let lock = FileLock::lock_file_briefly(file)?;
        lock.file().write_all(&serde_json::to_vec(who).map_err(io::Error::from)?)?;
        let is_gone = Arc::new(AtomicBool::new(false));
        let (gone, on_ring) = (Arc::clone(&is_gone), Arc::clone(&on_ring.0));
        let listening = bell::listen(&bell_of(folder, &name), move || {
            on_ring();
            !gone.load(Ordering::Acquire)
        });
        if let Err(error) = &listening {
            tracing::debug!(%error, "other servers cannot wake this one: polling instead");
        }
        Ok(Self { name, path, _lock: lock, is_gone, bell: listening.ok() })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_gone.store(true, Ordering::Release);
        // Wakes that thread, before the bell loses its name.
        let _rung = self.bell.as_mut().map(|bell| bell.write(b"."));
        drop(std::fs::remove_file(self.path.with_extension(BELL)));
        drop(std::fs::remove_file(&self.path));
    }
}

/// Whether this can be the name of a server: it becomes part of file names.
pub(crate) fn is_name(server: &str) -> bool {
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    server.split_once('-').is_some_and(|(pid, id)| is_hex(pid) && is_hex(id) && !id.is_empty())
}

pub(super) fn path_of(folder: &Path, server: &str) -> PathBuf {
    folder.join(format!("{server}.server"))
}

pub(super) fn bell_of(folder: &Path, server: &str) -> PathBuf {
    folder.join(format!("{server}.{BELL}"))
}

pub(super) fn read_who(server: &Path) -> Option<ServerInfo> {
    let mut text = String::new();
    open_file(server).ok()?.take(SLOT as u64).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// Whether the server with this file is alive. The files of a dead one are removed.
pub(super) fn is_alive_or_remove(server: &Path) -> bool {
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

/// Removes the files of killed servers.
pub(super) fn remove_dead_servers(folder: &Path) {
    let paths = folder.read_dir().into_iter().flatten().flatten().map(|file| file.path());
    for path in paths.filter(|path| path.extension().is_some_and(|kind| kind == "server")) {
        is_alive_or_remove(&path);
    }
}

/// Whether any process holds the lock of a file. If unsure, it counts as held.
pub(super) fn is_locked(file: File) -> bool {
    FileLock::try_lock_file(file).is_err()
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
