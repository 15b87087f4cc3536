//! What unit tests share.

use std::path::PathBuf;

/// A folder for files of tests: beside the programs that were built, since the system's folder for
/// temporary files may be missing, full or another user's.
pub(crate) fn scratch() -> PathBuf {
    let program = std::env::current_exe().expect("a running program has a path");
    // It is target/PROFILE/deps/PROGRAM.
    let folder = program.ancestors().nth(3).expect("it is where cargo builds").join("tmp");
    std::fs::create_dir_all(&folder).expect("cargo has written there too");
    folder
}
