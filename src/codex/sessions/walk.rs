//! Finds all records: their names, sizes and times, newest first, one folder at a time.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::model::session_id::SessionId;

/// Where Codex stores sessions, relative to its home: by day, and in one folder if archived.
const SESSIONS: &str = "sessions";
pub(super) const ARCHIVED: &str = "archived_sessions";

/// Identifies the state of a file, to detect whether it has changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    pub(super) size: u64,
    /// Nanoseconds since the Unix epoch.
    pub(super) modified: u64,
    /// The inode number on Unix, to detect that another file has taken the name; else 0.
    pub(super) number: u64,
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        let modified = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        #[cfg(unix)]
        let number = std::os::unix::fs::MetadataExt::ino(metadata);
        #[cfg(not(unix))]
        let number = 0;
        Self {
            size: metadata.len(),
            modified: modified.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(0)),
            number,
        }
    }
}

/// The file of a record.
#[derive(Debug)]
pub(super) struct RecordFile {
    /// Relative to Codex's home.
    pub(super) path: PathBuf,
    pub(super) stamp: Stamp,
}

/// The records in one folder.
#[derive(Debug, Default)]
pub(super) struct Folder {
    /// Sorted by name, descending.
    pub(super) records: Vec<RecordFile>,
    /// Number of records that Codex has compressed.
    pub(super) compressed: usize,
}

/// Calls `visit` for each folder with records, the newest day first and the archive last, until it returns
/// false.
pub(super) fn walk(home: &Path, mut visit: impl FnMut(Folder) -> bool) {
    let in_days = subfolders(home, PathBuf::from(SESSIONS)).into_iter();
    let in_days = in_days.flat_map(|year| subfolders(home, year));
    let in_days = in_days.flat_map(|month| subfolders(home, month));
    for folder in in_days.chain([PathBuf::from(ARCHIVED)]) {
        if !visit(read_folder(home, &folder)) {
            return;
        }
    }
}

fn read_folder(home: &Path, folder: &Path) -> Folder {
    let mut found = Folder::default();
    for entry in fs::read_dir(home.join(folder)).into_iter().flatten().flatten() {
        let name = entry.file_name();
        match Kind::of(&name) {
            Some(Kind::Plain) => {
                let metadata = entry.metadata().ok().filter(Metadata::is_file);
                let path = folder.join(name);
                found.records.extend(
                    metadata.map(|metadata| RecordFile { path, stamp: Stamp::of(&metadata) }),
                );
            }
            Some(Kind::Compressed) => found.compressed += 1,
            None => {}
        }
    }
    // All paths are in the same folder, so comparing them as strings is enough.
    found.records.sort_unstable_by(|one, two| two.path.as_os_str().cmp(one.path.as_os_str()));
    found
}

enum Kind {
    Plain,
    Compressed,
}

impl Kind {
    fn of(name: &OsString) -> Option<Self> {
        let name = name.to_str()?.strip_prefix("rollout-")?;
        if name.ends_with(".jsonl") {
            Some(Self::Plain)
        } else {
            name.ends_with(".jsonl.zst").then_some(Self::Compressed)
        }
    }
}

/// The session id in the name of a record.
pub(super) fn session_id_in(path: &Path) -> Option<SessionId> {
    let name = path.file_stem()?.to_str()?;
    name.get(name.len().checked_sub(36)?..)?.parse().ok()
}

fn subfolders(home: &Path, folder: PathBuf) -> Vec<PathBuf> {
    let entries = fs::read_dir(home.join(&folder)).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| folder.join(entry.file_name())).collect();
    found.sort_unstable_by(|one, two| two.cmp(one));
    found
}
