//! The program that makes Codex's sandbox on Linux.
//!
//! Codex takes the first `bwrap` on the PATH of its commands that does not lie in the directory it works
//! in, and one of its own where there is none (0.153, 0.169 and 0.171). It runs outside of the sandbox,
//! so commands get a PATH on which a safe one comes first.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::locate::Program;
use crate::system::private;

const NAME: &str = "bwrap";

/// The one to take: the system's, if one is in `folders`, else Codex's own.
pub(crate) fn find(folders: &[PathBuf], program: &Program) -> Option<PathBuf> {
    let system = folders.iter().map(|folder| folder.join(NAME)).find(|path| path.is_file());
    let own = program.path.parent().and_then(Path::parent);
    let own = own.map(|root| root.join("codex-resources").join(NAME));
    system.or(own).and_then(|path| path.canonicalize().ok())
}

/// A folder below the state folder with nothing but a link to `bwrap`, for the front of a PATH.
///
/// # Errors
///
/// If it cannot be made.
pub(crate) fn folder_with(bwrap: &Path, state_dir: &Path) -> io::Result<PathBuf> {
    let folder = state_dir.join("bin");
    let link = folder.join(NAME);
    if fs::read_link(&link).is_ok_and(|target| target == bwrap) {
        return Ok(folder);
    }
    private::create_folder(&folder)?;
    let new = folder.join(format!("{NAME}.{}.new", uuid::Uuid::new_v4()));
    #[cfg(unix)]
    std::os::unix::fs::symlink(bwrap, &new)?;
    #[cfg(not(unix))]
    return Err(io::ErrorKind::Unsupported.into());
    #[cfg(unix)]
    fs::rename(&new, &link).inspect_err(|_| drop(fs::remove_file(&new)))?;
    #[cfg(unix)]
    Ok(folder)
}
