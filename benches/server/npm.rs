//! The start through npm's launcher, against the start of Node itself.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::environment::clean;
use crate::real_codex::install_npm;
use crate::server::{Build, Setup};
use crate::table::{Samples, Table};
use crate::time_to_answer;

const PAIRS: usize = 60;

const NAME: &str = "codex-persistent-mcp";

/// Measures on a Node that stays beside the program, and on one that it replaces.
pub fn run(home: &Path) {
    let launcher = install(home);
    let empty = home.join("empty.js");
    fs::write(&empty, "").expect("the target directory can be written");
    for major in [20, 24] {
        let Some(node) = node(major) else {
            println!("\nnpm: no Node {major} for this machine");
            continue;
        };
        let (mut bare, mut launched) = (Samples::default(), Samples::default());
        for _ in 0..PAIRS {
            let began = Instant::now();
            let mut command = Command::new(&node);
            let ended = clean(&mut command, home).arg(&empty).status().expect("it is installed");
            assert!(ended.success(), "Node runs an empty file");
            bare.push(began.elapsed());
            launched
                .push(time_to_answer(Setup::of(Build::Current, home).through(&node, &launcher)));
        }
        Table::new(&format!("npm's launcher, to the answer to initialize ({PAIRS} pairs)"))
            .times(&format!("Node {major}, which runs an empty file"), &bare)
            .times(&format!("the server by Node {major}"), &launched)
            .row("more than Node", &[launched.more_than(&bare)], "at most 15 ms")
            .print();
    }
}

/// Lays the packages out as npm does, and returns the launcher.
fn install(home: &Path) -> PathBuf {
    let modules = home.join("node_modules");
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let os = if os == "macos" { "darwin" } else { os };
    let arch = if arch == "aarch64" { "arm64" } else { "x64" };
    let bin = modules.join(format!("{NAME}-{os}-{arch}/bin"));
    let launcher = modules.join(NAME).join("launcher.js");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/npm/launcher.js");
    fs::create_dir_all(&bin)
        .and_then(|()| fs::create_dir_all(modules.join(NAME)))
        .and_then(|()| symlink(Build::Current.program(), bin.join(NAME)))
        .and_then(|()| fs::copy(source, &launcher).map(drop))
        .expect("the target directory can be written");
    launcher
}

fn node(major: u32) -> Option<PathBuf> {
    let packages = fs::read_dir(install_npm("node")).ok()?.flatten();
    let starts = format!("node-{major}-");
    let mut found = packages.filter(|it| it.file_name().to_string_lossy().starts_with(&starts));
    Some(found.next()?.path().join("bin/node"))
}
