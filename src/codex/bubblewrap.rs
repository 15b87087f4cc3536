//! Bubblewrap, the program that sets up Codex's sandbox on Linux.
//!
//! Codex uses the first `bwrap` on the PATH of its commands that is not in the working directory, or else its
//! bundled one (0.153, 0.169 and 0.171). That program runs outside the sandbox, so commands get a PATH on
//! which a safe `bwrap` comes first.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::locate::Program;
use crate::system::private;

const NAME: &str = "bwrap";

/// The `bwrap` to use: the system's if it is in one of `folders`, else the one bundled with Codex.
pub(crate) fn find(folders: &[PathBuf], program: &Program) -> Option<PathBuf> {
    let system = folders.iter().map(|folder| folder.join(NAME)).find(|path| path.is_file());
    let own = program.path.parent().and_then(Path::parent);
    let own = own.map(|root| root.join("codex-resources").join(NAME));
    system.or(own).and_then(|path| path.canonicalize().ok())
}

/// Creates a folder below the state folder that contains only a link to `bwrap`, to be put first on a PATH.
///
/// # Errors
///
/// If the folder or link cannot be created.
pub(crate) fn link_folder(bwrap: &Path, state_dir: &Path) -> io::Result<PathBuf> {
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
