//! One file for each session at work, locked, so that two servers keep apart.
//!
//! From 0.153 on Codex refuses a second writer itself; 0.120 lets two of them write into one
//! session. The lock also tells the one who has to wait who is at work. It lies in Codex's home,
//! because that is what servers that can meet in a session have in common: clients do not agree on
//! any other part of the environment.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::private;
use crate::turn::request::SessionId;

const FOLDER: &str = "codex-persistent-mcp/locks";

/// Who holds a lock, as written into the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owner {
    /// The server's process id.
    pub(crate) pid: u32,
    /// The origin that the server was set to.
    pub(crate) origin: String,
}

/// A session's lock, held until dropped. The file goes with it.
#[derive(Debug)]
pub(crate) struct SessionLock {
    path: PathBuf,
    /// Locked as long as it is open.
    _file: File,
}

/// What came of an attempt.
#[derive(Debug)]
pub(crate) enum Attempt {
    Locked(SessionLock),
    /// Somebody else has it; who, if it can be read.
    Held(Option<Owner>),
}

impl SessionLock {
    /// Tries once, and does not wait.
    pub(crate) fn try_acquire(
        codex_home: &Path,
        session: SessionId,
        owner: &Owner,
    ) -> io::Result<Attempt> {
        let folder = codex_home.join(FOLDER);
        private::create_folder(&folder)?;
        let path = folder.join(format!("{session}.lock"));
        loop {
            let mut options = private::open_options();
            options.read(true).write(true).create(true).truncate(false);
            let mut file = options.open(&path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let mut text = String::new();
                    drop(file.read_to_string(&mut text));
                    return Ok(Attempt::Held(serde_json::from_str(&text).ok()));
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // Its last holder removes the file. One that was opened before and locked after that
            // is not the one that others will find.
            if !is_at(&file, &path) {
                continue;
            }
            // What a holder has left behind who was killed.
            if file.metadata()?.len() > 0 {
                file.set_len(0)?;
            }
            // In one piece: this is on the way of every call, and others may be reading it.
            file.write_all(&serde_json::to_vec(owner)?)?;
            return Ok(Attempt::Locked(Self { path, _file: file }));
        }
    }
}

impl Drop for SessionLock {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.path));
    }
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    file.metadata().map(place).ok() == path.metadata().map(place).ok()
}

/// A file that is open cannot be removed on Windows, so it is always the one.
#[cfg(not(unix))]
fn is_at(_file: &File, _path: &Path) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_of_the_first_and_gets_in_when_it_is_gone() {
        let home = std::env::temp_dir().join(format!("session-lock-{}", uuid::Uuid::new_v4()));
        let session = "0199a213-81c0-7800-8aa1-bbab2a035a53".parse().expect("a UUID");
        let owner = |pid| Owner { pid, origin: "test".into() };
        let first = SessionLock::try_acquire(&home, session, &owner(1)).expect("writable");
        assert!(matches!(first, Attempt::Locked(_)));
        match SessionLock::try_acquire(&home, session, &owner(2)).expect("writable") {
            Attempt::Held(holder) => assert_eq!(holder, Some(owner(1))),
            Attempt::Locked(_) => panic!("two holders"),
        }
        drop(first);
        let third = SessionLock::try_acquire(&home, session, &owner(3)).expect("writable");
        assert!(matches!(third, Attempt::Locked(_)));
        drop(third);
        let left = std::fs::read_dir(home.join(FOLDER)).expect("the folder stays").count();
        assert_eq!(left, 0, "no lock file is left behind");
        std::fs::remove_dir_all(home).expect("just made");
    }
}
