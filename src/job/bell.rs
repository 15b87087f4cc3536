//! What wakes the process that runs a job when something was put into its inbox: a named pipe in the
//! job's folder, which takes no room on the disk. So a job that waits costs nothing, and however many
//! there are, no limit of the system is reached. Where there can be none, it is looked now and then.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

/// How often the inbox is looked at all the same: an older version puts something into it and does not
/// ring.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often it is looked at where there is no bell.
const LOOK_WITHOUT_BELL_EVERY: Duration = Duration::from_millis(250);

/// Rings where somebody listens.
#[cfg(unix)]
pub(super) fn ring(path: &Path) {
    use std::fs::OpenOptions;
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;

    // Without a reader, opening fails at once; with a pipe that is full, whoever reads is woken anyway.
    let pipe = OpenOptions::new().write(true).custom_flags(nix::libc::O_NONBLOCK).open(path);
    if let Ok(mut pipe) = pipe {
        let _full = pipe.write(b".");
    }
}

#[cfg(not(unix))]
pub(super) fn ring(_path: &Path) {}

/// Hears what is rung.
#[derive(Debug)]
pub(super) struct Bell {
    rung: Arc<Notify>,
    works: bool,
}

impl Bell {
    /// Listens from now on, as long as this process lives.
    pub(super) fn listen(path: &Path) -> Self {
        let rung = Arc::new(Notify::new());
        let listening = listen(path, Arc::clone(&rung));
        if let Err(error) = &listening {
            tracing::debug!(%error, "nobody can wake this process: it looks now and then");
        }
        Self { rung, works: listening.is_ok() }
    }

    /// By which this process rings for itself.
    pub(super) fn rope(&self) -> Arc<Notify> {
        Arc::clone(&self.rung)
    }

    /// Waits until it is rung or time for a look. Cancel-safe.
    pub(super) async fn rung(&self) {
        let look = if self.works { LOOK_EVERY } else { LOOK_WITHOUT_BELL_EVERY };
        let _whichever = tokio::time::timeout(look, self.rung.notified()).await;
    }
}

#[cfg(unix)]
fn listen(path: &Path, rung: Arc<Notify>) -> std::io::Result<()> {
    use std::fs::OpenOptions;
    use std::io::Read;

    use nix::errno::Errno;
    use nix::sys::stat::Mode;

    match nix::unistd::mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(error) => return Err(error.into()),
    }
    // For writing too, so that it is never at its end.
    let mut pipe = OpenOptions::new().read(true).write(true).open(path)?;
    let listen = move || {
        let mut rings = [0; 64];
        while pipe.read(&mut rings).is_ok_and(|rings| rings > 0) {
            rung.notify_one();
        }
    };
    std::thread::Builder::new().name("bell".into()).stack_size(64 << 10).spawn(listen).map(drop)
}

#[cfg(not(unix))]
fn listen(_path: &Path, _rung: Arc<Notify>) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}
