//! Wakes another process of the same user by a named pipe, which takes no space on the disk. A
//! waiting process costs nothing, and however many there are, no limit of the system is reached.

use std::fs::File;
use std::path::Path;

/// Rings, if a process listens.
#[cfg(unix)]
pub(crate) fn ring(path: &Path) {
    use std::fs::OpenOptions;
    use std::io::Write;
    use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};

    // Opening fails at once without a reader. If the pipe is full, the reader is woken anyway.
    let flags = nix::libc::O_NONBLOCK | nix::libc::O_NOFOLLOW;
    let Ok(mut pipe) = OpenOptions::new().write(true).custom_flags(flags).open(path) else {
        return;
    };
    // Something else may have been put in its place, which must not be written to.
    if pipe.metadata().is_ok_and(|metadata| metadata.file_type().is_fifo()) {
        let _full = pipe.write(b".");
    }
}

#[cfg(not(unix))]
pub(crate) fn ring(_path: &Path) {}

/// Calls `heard` whenever the bell rings, until it returns `false`. A byte written to the returned
/// file rings too.
///
/// # Errors
///
/// If there can be no named pipe.
#[cfg(unix)]
pub(crate) fn listen(
    path: &Path,
    heard: impl Fn() -> bool + Send + 'static,
) -> std::io::Result<File> {
    use std::fs::OpenOptions;
    use std::io::Read;

    use nix::errno::Errno;
    use nix::sys::stat::Mode;

    match nix::unistd::mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(error) => return Err(error.into()),
    }
    // Opened for writing too, so that reading never reaches an end.
    let mut pipe = OpenOptions::new().read(true).write(true).open(path)?;
    let ringer = pipe.try_clone()?;
    let listen = move || {
        let mut rings = [0; 64];
        while pipe.read(&mut rings).is_ok_and(|rings| rings > 0) && heard() {}
    };
    std::thread::Builder::new().name("bell".into()).stack_size(64 << 10).spawn(listen)?;
    Ok(ringer)
}

#[cfg(not(unix))]
pub(crate) fn listen(
    _path: &Path,
    _heard: impl Fn() -> bool + Send + 'static,
) -> std::io::Result<File> {
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs;
    use std::path::PathBuf;

    fn folder(name: &str) -> PathBuf {
        let name = format!("bell-{name}-{}", std::process::id());
        let folder = crate::testing::scratch().join(name);
        fs::create_dir_all(&folder).expect("writable");
        folder
    }

    #[test]
    fn anything_else_in_place_of_a_bell_is_not_written_to() {
        let folder = folder("other");
        let (file, link) = (folder.join("file"), folder.join("link"));
        fs::write(&file, "ABC").expect("writable");
        std::os::unix::fs::symlink(&file, &link).expect("links can be made");
        for path in [&file, &link, &folder.join("nothing")] {
            ring(path);
        }
        assert_eq!(fs::read_to_string(&file).expect("it is there"), "ABC");
        fs::remove_dir_all(folder).expect("it is ours");
    }

    #[test]
    fn a_listener_hears_the_bell() {
        let folder = folder("bell");
        let path = folder.join("bell");
        let (heard, hears) = std::sync::mpsc::channel();
        let _ringer = listen(&path, move || heard.send(()).is_err()).expect("there can be pipes");
        ring(&path);
        assert_eq!(hears.recv(), Ok(()));
        fs::remove_dir_all(folder).expect("it is ours");
    }
}
