//! A disk that stops answering, like a network disk whose server is gone. It needs no privileges: a library
//! that is loaded into the program blocks every access to the disk until it answers again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::client::Builder;

/// A disk that answers until a test stops it.
pub struct HungDisk {
    folder: PathBuf,
}

impl HungDisk {
    /// A server for which this folder is such a disk. `None` where there is no C compiler to make it
    /// with.
    pub fn under(folder: &Path, server: Builder) -> Option<(Self, Builder)> {
        fs::create_dir_all(folder).expect("the folder can be made");
        let library = library(folder)?;
        let server = server.env("LD_PRELOAD", library).env("HUNG_DISK", folder);
        Some((Self { folder: folder.to_owned() }, server))
    }

    /// From now on it does not answer.
    pub fn hang(&self) {
        fs::write(self.beside("is-hung"), "").expect("writable");
    }

    /// From now on it answers, also those who have waited.
    pub fn answer(&self) {
        fs::remove_file(self.beside("is-hung")).expect("it hung");
    }

    fn beside(&self, kind: &str) -> PathBuf {
        let mut path = self.folder.clone().into_os_string();
        path.push(format!(".{kind}"));
        path.into()
    }
}

/// Compiles the library, beside the disk.
fn library(disk: &Path) -> Option<PathBuf> {
    let library = disk.with_extension("so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/hung_disk.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o"]).args([&library, &source]).arg("-ldl");
    let compiled = compiler.output().ok()?;
    let said = String::from_utf8_lossy(&compiled.stderr);
    assert!(compiled.status.success(), "{} cannot be compiled: {said}", source.display());
    Some(library)
}
