//! Whether a process has a file open for writing, as far as the system reports it.

use std::fs::File;

/// Whether a process has the file open for writing now. Only processes of the same user are seen. `None` where
/// that cannot be known: it can be on Linux.
#[cfg(target_os = "linux")]
pub(crate) fn is_written(file: &File) -> Option<bool> {
    use std::fs;
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

    /// The access mode among the flags of an open file, and the mode for reading alone.
    const ACCESS_MODE: u32 = 0o3;
    const READ_ONLY: u32 = 0;

    let file = file.metadata().ok()?;
    let is_it = |path: &Path| {
        path.metadata().is_ok_and(|found| (found.dev(), found.ino()) == (file.dev(), file.ino()))
    };
    let is_for_writing = |process: &Path, number: &std::ffi::OsStr| {
        let info = fs::read_to_string(process.join("fdinfo").join(number)).unwrap_or_default();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
        flags.is_some_and(|flags| flags & ACCESS_MODE != READ_ONLY)
    };
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let processes = processes
        .filter(|entry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit));
    for process in processes.map(|entry| entry.path()) {
        let open = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        for entry in open {
            if is_it(&entry.path()) && is_for_writing(&process, &entry.file_name()) {
                return Some(true);
            }
        }
    }
    Some(false)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn is_written(_file: &File) -> Option<bool> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_while_it_is_open_for_writing() {
        let path = crate::testing::scratch().join(format!("writers-{}", uuid::Uuid::new_v4()));
        let writer = File::create_new(&path).expect("a fresh name");
        let reader = File::open(&path).expect("just made");
        assert_eq!(is_written(&reader), Some(true));
        drop(writer);
        // A process that another test has just started holds a copy until it runs its program.
        while is_written(&reader) == Some(true) {
            std::thread::yield_now();
        }
        assert_eq!(is_written(&reader), Some(false));
        std::fs::remove_file(&path).expect("just made");
    }
}
