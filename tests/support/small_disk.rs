//! A small disk, which a test can fill without privileges: a real one where the system lets a program have
//! its own mounts, and everywhere a library that fails the writes of the program.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::client::{Builder, Server};

const PAGE: u64 = 4_096;

/// Gives a program its own mounts, with root rights for these alone.
const UNSHARE: [&str; 4] = ["unshare", "--user", "--map-root-user", "--mount"];

/// How a small disk is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// A file system in memory, visible to the program alone.
    Mount,
    /// A library that is loaded into the program.
    Preload,
}

impl Means {
    /// All means that work on this machine.
    ///
    /// # Panics
    /// When there are none.
    pub fn all() -> Vec<Self> {
        let all = [Self::Mount, Self::Preload];
        let all: Vec<Self> = all.into_iter().filter(|means| means.is_there()).collect();
        assert!(
            !all.is_empty(),
            "no disk can be filled here: `unshare --user --mount` may not mount a file system, and \
             there is no C compiler `cc`; one of them is needed"
        );
        all
    }

    fn is_there(self) -> bool {
        let probe = match self {
            Self::Mount => Command::new(UNSHARE[0])
                .args(&UNSHARE[1..])
                .args(["mount", "-t", "tmpfs", "-o", "size=64k", "none", "/tmp"])
                .output(),
            Self::Preload => Command::new("cc").arg("--version").output(),
        };
        probe.is_ok_and(|output| output.status.success())
    }
}

/// A small disk. It exists while its server runs.
pub struct SmallDisk {
    means: Means,
    bytes: u64,
    /// Its folder, as this process sees it.
    folder: PathBuf,
}

impl SmallDisk {
    /// Starts a server for which this folder is a disk of this many bytes.
    pub fn start(means: Means, bytes: u64, folder: &Path, server: Builder) -> (Self, Server) {
        fs::create_dir_all(folder).expect("the folder can be made");
        let server = match means {
            Means::Mount => {
                let mount =
                    "mount -t tmpfs -o size=$1,mode=700 none \"$2\" && shift 2 && exec \"$@\"";
                let size = bytes.to_string();
                let disk = folder.to_str().expect("test paths are text");
                server.through(&[&UNSHARE[..], &["sh", "-c", mount, "sh", &size, disk]].concat())
            }
            Means::Preload => server
                .env("LD_PRELOAD", library(folder))
                .env("SMALL_DISK", folder)
                .env("SMALL_DISK_BYTES", bytes.to_string()),
        };
        let server = server.start();
        let folder = match means {
            Means::Mount => {
                let inside = folder.strip_prefix("/").expect("test paths are absolute");
                Path::new("/proc").join(server.pid().to_string()).join("root").join(inside)
            }
            Means::Preload => folder.to_owned(),
        };
        (Self { means, bytes, folder }, server)
    }

    /// Its folder, as this process sees it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Uses this many bytes, until [`SmallDisk::make_room`].
    pub fn take(&self, bytes: u64) {
        let bytes = usize::try_from(bytes).expect("the disk is small");
        fs::write(self.folder.join("ballast"), vec![b'.'; bytes]).expect("the disk has room");
    }

    /// Uses all free space but this many bytes.
    pub fn fill_but(&self, bytes: u64) {
        let filler = File::options().append(true).create(true).open(self.folder.join("filler"));
        let mut filler = filler.expect("a file can be made");
        let mut left = match self.means {
            Means::Mount => u64::MAX,
            Means::Preload => self.bytes.saturating_sub(used(&self.folder)),
        };
        while left > 0 {
            match filler.write(&[b'.'; PAGE as usize]) {
                Ok(_) => left = left.saturating_sub(PAGE),
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => panic!("the disk cannot be filled: {error}"),
            }
        }
        let length = filler.metadata().expect("it is open").len();
        filler.set_len(length.saturating_sub(bytes)).expect("it is open for writing");
    }

    /// Frees the space that [`SmallDisk::take`] and [`SmallDisk::fill_but`] used.
    pub fn make_room(&self) {
        for name in ["ballast", "filler"] {
            match fs::remove_file(self.folder.join(name)) {
                Err(error) if error.kind() != ErrorKind::NotFound => panic!("{name}: {error}"),
                _ => {}
            }
        }
    }
}

/// The size of the files below a folder, in whole pages, as the library counts it.
fn used(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| Some((entry.metadata().ok()?, entry.path())))
        .map(|(metadata, path)| match metadata.is_dir() {
            true => used(&path),
            false => metadata.len().next_multiple_of(PAGE),
        })
        .sum()
}

/// Compiles the library, beside the disk.
fn library(disk: &Path) -> PathBuf {
    let library = disk.with_extension("so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/small_disk.c");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .output()
        .expect("there is a C compiler");
    let said = String::from_utf8_lossy(&compiled.stderr);
    assert!(compiled.status.success(), "{} cannot be compiled: {said}", source.display());
    library
}
