//! The state folder: whether it can be written, who else can access it, and whether locks work there.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::check::{Check, count};
use super::repair::Repair;
use crate::system::file_lock::{FileLock, LockError};
use crate::system::private;

/// File systems of other machines, where locks may work on one machine only, or not at all.
#[cfg(target_os = "linux")]
const REMOTE: [&str; 12] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "afs",
    "ceph",
    "lustre",
    "fuse.sshfs",
    "fuse.glusterfs",
    "fuse.rclone",
];

const ID: &str = "state";
const RIGHTS: &str = "state.rights";
const LEFTOVERS: &str = "state.leftovers";

/// The name of a test file, which the id of the process follows.
const PROBE: &str = "doctor-";

/// How many test files are removed at once.
const MAX_LEFTOVERS: usize = 1_000;

/// What was found out about an existing folder.
#[derive(Debug, Default)]
struct Found {
    /// The permission bits, on systems that have them.
    mode: Option<u32>,
    is_own: bool,
    /// The name of its file system, if that is on another machine.
    remote: Option<String>,
}

pub(super) fn examine(state_dir: Option<&Path>) -> Vec<Check> {
    let Some(dir) = state_dir else {
        let fix = "set HOME, or set a folder with --state-dir or CODEX_PERSISTENT_MCP_STATE_DIR";
        let summary =
            "there is no folder for jobs: neither a home directory nor a state folder is set";
        return vec![Check::problem(ID, summary, fix)];
    };
    let was_there = dir.exists();
    let created = missing(dir);
    let probed = private::create_folder(dir).and_then(|()| probe(dir));
    let found = if was_there { inspect(dir, probed.as_ref().ok()) } else { Found::default() };
    for folder in &created {
        // A folder that is in use by now is not empty, and stays.
        drop(fs::remove_dir(folder));
    }
    let written = probed.map(|probed| probed.locks_hold);
    let mut checks = vec![judge_use(dir, was_there, written)];
    if was_there {
        checks.extend(judge_rights(dir, &found));
        checks.extend(judge_leftovers(leftovers(dir)));
    }
    checks
}

/// The test files of doctors that were killed.
fn leftovers(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let is_left = |entry: &fs::DirEntry| -> Option<bool> {
        let name = entry.file_name().into_string().ok()?;
        let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
        let is_old = metadata.modified().ok()?.elapsed().ok()? > private::ABANDONED_AFTER;
        let number = name.strip_prefix(PROBE)?;
        Some(is_old && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let left = entries.filter(|entry| is_left(entry) == Some(true));
    left.take(MAX_LEFTOVERS).map(|entry| entry.path()).collect()
}

fn judge_leftovers(left: Vec<PathBuf>) -> Option<Check> {
    let first = left.first()?;
    let dir = first.parent().unwrap_or(first).display();
    let summary = format!("{} of a killed doctor in {dir}", count(left.len(), "test file"));
    let fix = format!("type: {} doctor --fix", env!("CARGO_PKG_NAME"));
    Some(Check::warning(LEFTOVERS, summary, fix).repaired(Repair::Remove(left)))
}

/// The missing folders of the path, the innermost first.
fn missing(dir: &Path) -> Vec<PathBuf> {
    dir.ancestors().take_while(|folder| !folder.exists()).map(Path::to_owned).collect()
}

/// What a test file showed.
struct Probe {
    locks_hold: bool,
    #[cfg(unix)]
    owner: u32,
}

fn probe(dir: &Path) -> io::Result<Probe> {
    let path = dir.join(format!("{PROBE}{}", std::process::id()));
    let file = private::open_options().write(true).create_new(true).open(&path)?;
    let locks_hold = FileLock::try_lock_file(&file).is_ok_and(|_lock| {
        let other = File::open(&path).map(FileLock::try_lock_file);
        matches!(other, Ok(Err(LockError::Held)))
    });
    let probed = Probe {
        locks_hold,
        #[cfg(unix)]
        owner: std::os::unix::fs::MetadataExt::uid(&file.metadata()?),
    };
    drop(file);
    fs::remove_file(path)?;
    Ok(probed)
}

#[cfg(unix)]
fn inspect(dir: &Path, probed: Option<&Probe>) -> Found {
    use std::os::unix::fs::MetadataExt;

    let Ok(metadata) = fs::metadata(dir) else { return Found::default() };
    Found {
        mode: Some(metadata.mode() & 0o777),
        is_own: probed.is_none_or(|probed| probed.owner == metadata.uid()),
        remote: remote(dir),
    }
}

#[cfg(not(unix))]
fn inspect(_dir: &Path, _probed: Option<&Probe>) -> Found {
    Found { is_own: true, ..Found::default() }
}

/// The file system of a folder if it is on another machine, from the list of mounts:
/// `36 35 98:0 / /mnt rw,noatime master:1 - ext3 /dev/root rw`.
#[cfg(target_os = "linux")]
fn remote(dir: &Path) -> Option<String> {
    let dir = dir.canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let kinds = mounts.lines().filter_map(|line| {
        let (front, back) = line.split_once(" - ")?;
        let point = front.split(' ').nth(4)?.replace("\\040", " ");
        dir.starts_with(&point).then(|| (point.len(), back.split(' ').next().unwrap_or_default()))
    });
    // Of two mounts at one path, the later one hides the other.
    let (_, kind) = kinds.max_by_key(|(length, _)| *length)?;
    REMOTE.contains(&kind).then(|| kind.to_owned())
}

#[cfg(all(unix, not(target_os = "linux")))]
fn remote(_dir: &Path) -> Option<String> {
    None
}

fn judge_use(dir: &Path, was_there: bool, locks_hold: io::Result<bool>) -> Check {
    let place = dir.display();
    let other = "or set another with --state-dir or CODEX_PERSISTENT_MCP_STATE_DIR";
    let check = match locks_hold {
        Err(error) => {
            let fix = format!("make it a writable folder, {other}");
            Check::problem(ID, format!("{place} cannot be used: {error}"), fix)
        }
        Ok(false) => {
            let fix = format!("use a folder on a local disk: {}", other.trim_start_matches("or "));
            Check::problem(ID, format!("files in {place} cannot be locked"), fix)
        }
        Ok(true) if was_there => Check::ok(ID, format!("{place} is writable")),
        Ok(true) => Check::ok(ID, format!("{place} will be created when needed")),
    };
    check.with("path", dir.to_string_lossy())
}

fn judge_rights(dir: &Path, found: &Found) -> Option<Check> {
    let place = dir.display();
    if let Some(kind) = &found.remote {
        let fix = "set a folder on a local disk with --state-dir or CODEX_PERSISTENT_MCP_STATE_DIR";
        let summary =
            format!("{place} is on a network file system ({kind}), where locks may not work");
        return Some(Check::warning(RIGHTS, summary, fix));
    }
    if !found.is_own {
        let fix =
            format!("chown it to yourself, or set a folder of your own with --state-dir: {place}");
        return Some(Check::warning(RIGHTS, format!("{place} belongs to another user"), fix));
    }
    let mode = found.mode?;
    if mode & 0o077 != 0 {
        let summary = format!("other users can access {place}: its mode is {mode:04o}");
        let check = Check::warning(RIGHTS, summary, format!("type: chmod 700 {place}"));
        return Some(check.repaired(Repair::MakePrivate(dir.to_owned())));
    }
    Some(Check::ok(RIGHTS, format!("private: its mode is {mode:04o}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::check::Status;

    #[test]
    fn what_others_can_reach_is_a_warning() {
        let dir = Path::new("/x");
        let rights = |mode, is_own, remote: Option<&str>| {
            let found = Found { mode: Some(mode), is_own, remote: remote.map(str::to_owned) };
            judge_rights(dir, &found).map(|check| check.status)
        };
        assert_eq!(rights(0o700, true, None), Some(Status::Ok));
        assert_eq!(rights(0o750, true, None), Some(Status::Warning));
        assert_eq!(rights(0o700, false, None), Some(Status::Warning));
        assert_eq!(rights(0o700, true, Some("nfs4")), Some(Status::Warning));
        assert_eq!(judge_use(dir, true, Ok(false)).status, Status::Problem);
    }
}
