//! Which process has a session open, as far as the system reports it.

use std::path::Path;

use crate::model::session_id::SessionId;

/// The maximum number of locks to inspect. A killed Codex leaves one behind.
const MAX_LOCKS: usize = 1_000;

/// Where Codex keeps its locks, below its home.
const LOCKS: &str = "thread-writer-locks";

/// Whether a process has the session open for writing now. `None` where that cannot be known: it
/// can be on Linux, from Codex 0.153 on. Does not try the lock itself, which would block a process
/// that tries it at the same moment.
pub(crate) fn is_written(codex_home: &Path, session: SessionId) -> Option<bool> {
    if !cfg!(target_os = "linux") || !codex_home.join(LOCKS).is_dir() {
        return None;
    }
    Some(writer(codex_home, session).is_some())
}

/// A phrase about the process that holds Codex's own lock of the session, empty if the system does
/// not report it. Codex locks `thread-writer-locks/<session>.lock` in its home (0.153 to 0.171) and
/// writes nothing into the file.
#[cfg(target_os = "linux")]
pub(crate) fn describe_writer(codex_home: &Path, session: SessionId) -> String {
    let Some(pid) = writer(codex_home, session) else { return String::new() };
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let command = String::from_utf8_lossy(&command).replace('\0', " ");
    let arguments: Vec<&str> = command.split_whitespace().skip(1).collect();
    // Only the subcommand: any other argument may be a prompt.
    let what = match arguments.first() {
        Some(&"exec") => "codex exec",
        Some(&"resume") => "codex resume",
        Some(&"app-server") => {
            "codex in the background, which keeps a session open for a while after the user has left"
        }
        _ => "codex",
    };
    format!("process {pid} ({what}) has it open")
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn describe_writer(_codex_home: &Path, _session: SessionId) -> String {
    String::new()
}

/// The process that holds Codex's own lock of the session.
#[cfg(target_os = "linux")]
fn writer(codex_home: &Path, session: SessionId) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;

    let lock = codex_home.join(LOCKS).join(format!("{session}.lock"));
    let lock = lock.metadata().ok()?;
    let device = lock.dev();
    let device = (nix::sys::stat::major(device), nix::sys::stat::minor(device));
    holder(&std::fs::read_to_string("/proc/locks").ok()?, device, lock.ino())
}

/// The process that has a file locked for writing, according to `/proc/locks`. A line such as `1:
/// FLOCK  ADVISORY  WRITE 32445 fe:00:10143311 0 EOF` holds the process, the major and minor number
/// of the device, and the inode.
#[cfg(target_os = "linux")]
fn holder(locks: &str, (major, minor): (u64, u64), inode: u64) -> Option<u32> {
    let inode = inode.to_string();
    locks.lines().find_map(|line| {
        let mut fields = line.split_whitespace().skip_while(|field| *field != "WRITE").skip(1);
        let pid: u32 = fields.next()?.parse().ok()?;
        let mut file = fields.next()?.split(':');
        let mut number = || u64::from_str_radix(file.next()?, 16).ok();
        let its = (number()?, number()?);
        // Where one file system consists of several (overlay, btrfs), both device numbers are made
        // up and may differ.
        let is_there = its == (major, minor) || (its.0 == 0 && major == 0);
        (is_there && file.next()? == inode).then_some(pid)
    })
}

#[cfg(not(target_os = "linux"))]
fn writer(_codex_home: &Path, _session: SessionId) -> Option<u32> {
    None
}

/// The sessions that a Codex process has open, each with a phrase about that process. Does not try
/// any lock: a Codex that wanted it at that moment would take the session for a busy one.
pub(crate) fn open_sessions(codex_home: &Path) -> Vec<(SessionId, String)> {
    let locks = codex_home.join(LOCKS);
    let files = locks.read_dir().into_iter().flatten().flatten().take(MAX_LOCKS);
    let open = files.filter_map(|file| {
        let name = file.file_name();
        let session = name.to_str()?.strip_suffix(".lock")?.parse().ok()?;
        let who = describe_writer(codex_home, session);
        (!who.is_empty()).then_some((session, who))
    });
    open.collect()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    const LOCKS: &str = "1: POSIX  ADVISORY  READ 11 fe:00:7 0 EOF
2: FLOCK  ADVISORY  WRITE 12 fe:01:7 0 EOF
3: FLOCK  ADVISORY  WRITE 13 fe:00:77 0 EOF
4: FLOCK  ADVISORY  WRITE 14 fe:00:7 0 EOF
4: -> FLOCK  ADVISORY  WRITE 15 fe:00:7 0 EOF
5: FLOCK  ADVISORY  WRITE 16 08:10:7 0 EOF
6: FLOCK  ADVISORY  WRITE 17 00:2d:8 0 EOF
";

    #[test]
    fn a_file_is_the_same_by_its_device_and_its_inode() {
        assert_eq!(holder(LOCKS, (0xfe, 0), 7), Some(14));
        assert_eq!(holder(LOCKS, (0xfe, 1), 7), Some(12));
        assert_eq!(holder(LOCKS, (8, 0x10), 7), Some(16));
        assert_eq!(holder(LOCKS, (8, 0), 7), None);
        assert_eq!(holder(LOCKS, (0xfe, 1), 77), None);
        // The device numbers of the file and of its lock are both made up.
        assert_eq!(holder(LOCKS, (0, 0x31), 8), Some(17));
        assert_eq!(holder(LOCKS, (0xfe, 0), 8), None);
    }
}
