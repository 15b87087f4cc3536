//! Reads files that others may have planted: only regular files, without blocking, and only
//! up to a limit. And waits for a disk that may not answer, for a bounded time.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

/// The longest configuration file that is read, in bytes. Codex's own are a few kilobytes.
pub(crate) const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// Opens a regular file for reading, without blocking: a pipe would block, and a device never end.
///
/// # Errors
///
/// If there is no such file, or it is not a regular file.
pub(crate) fn open_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    open_regular(options, path)
}

/// The same with these options.
///
/// # Errors
///
/// If the system refuses, or it is not a regular file.
pub(super) fn open_regular(
    #[cfg_attr(not(unix), expect(unused_mut, reason = "only Unix has a flag to set"))]
    mut options: OpenOptions,
    path: &Path,
) -> io::Result<File> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, nix::libc::O_NONBLOCK);
    let file = options.open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"))
    }
}

/// The content of a file of at most `max` bytes.
///
/// # Errors
///
/// As [`open_file`], and if it is longer.
pub(crate) fn read_bytes(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    bytes_of(open_file(path)?, max)
}

fn bytes_of(file: File, max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is too long"));
    }
    Ok(bytes)
}

/// The text of a file of at most `max` bytes.
///
/// # Errors
///
/// As [`open_file`], and if it is longer or not UTF-8.
pub(crate) fn read_text(path: &Path, max: u64) -> io::Result<String> {
    text_of(open_file(path)?, max)
}

/// The text of an open file of at most `max` bytes.
pub(crate) fn text_of(file: File, max: u64) -> io::Result<String> {
    let text = String::from_utf8(bytes_of(file, max)?);
    text.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Runs work that blocks on files on a thread of its own, and waits for it up to `within`: a
/// network disk may never answer. `None` if it was not done by then, or panicked. It may still be
/// done later.
pub(crate) async fn blocking<T: Send + 'static>(
    within: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let work = tokio::task::spawn_blocking(work);
    tokio::time::timeout(within, work).await.ok()?.ok()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn only_a_regular_file_of_a_bounded_length_is_read() {
        let dir = crate::testing::scratch().join(format!("bounded-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("writable");
        let file = dir.join("file");
        std::fs::write(&file, "12345").expect("writable");
        assert_eq!(read_text(&file, 5).ok().as_deref(), Some("12345"));
        assert!(read_text(&file, 4).is_err(), "it is longer");
        for other in ["/dev/zero", "/dev/null", "/"] {
            assert!(read_text(Path::new(other), 5).is_err(), "{other}");
        }
        let pipe = dir.join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.expect("mkfifo is there").success());
        assert!(read_text(&pipe, 5).is_err(), "nobody waits for a writer");
        std::fs::remove_dir_all(&dir).expect("it is there");
    }
}
