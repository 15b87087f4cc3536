//! What can be found out about the process that has a session open.

use std::path::Path;

use crate::turn::request::SessionId;

/// A sentence part about whoever holds Codex's own lock of the session, or nothing if the system
/// does not tell. Codex locks `thread-writer-locks/<session>.lock` in its home (0.153 to 0.169), and
/// writes nothing into the file.
#[cfg(target_os = "linux")]
pub(crate) fn describe_writer(codex_home: &Path, session: SessionId) -> String {
    use std::os::unix::fs::MetadataExt;

    let lock = codex_home.join("thread-writer-locks").join(format!("{session}.lock"));
    let (Ok(metadata), Ok(locks)) = (lock.metadata(), std::fs::read_to_string("/proc/locks"))
    else {
        return String::new();
    };
    // "1: FLOCK  ADVISORY  WRITE 32445 fe:00:10143311 0 EOF": the process, then device and inode.
    let inode = format!(":{}", metadata.ino());
    let holder = locks.lines().find_map(|line| {
        let mut fields = line.split_whitespace().skip_while(|field| *field != "WRITE").skip(1);
        let pid: u32 = fields.next()?.parse().ok()?;
        fields.next()?.ends_with(&inode).then_some(pid)
    });
    let Some(pid) = holder else { return String::new() };
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let command = String::from_utf8_lossy(&command).replace('\0', " ");
    let arguments: Vec<&str> = command.split_whitespace().skip(1).collect();
    // Only the words that tell what it does: an argument may be a prompt.
    let what = match arguments.first() {
        Some(&"exec") => "codex exec",
        Some(&"resume") => "codex resume",
        _ => "codex",
    };
    format!("process {pid} ({what}) has it open")
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn describe_writer(_codex_home: &Path, _session: SessionId) -> String {
    String::new()
}
