//! The npm packages of the program, packed as for a release, and the releases of Node that they run on.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::kit::setup::{PROGRAM, scratch};
use crate::support::environment::clean;
use crate::support::npm_registry::Registry;
use crate::support::real_codex::{Home, install_npm};

/// A release of Node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    /// Cannot replace itself by another program.
    V20,
    /// Replaces itself.
    V24,
}

impl Node {
    /// The folder of `node`.
    pub fn bin(self) -> PathBuf {
        let major = if self == Self::V20 { 20 } else { 24 };
        let os = if cfg!(target_os = "macos") { "darwin" } else { env::consts::OS };
        let package = format!("node-{major}-{os}-{}", arch());
        let bin = install_npm("node").join(package).join("bin");
        assert!(bin.join("node").is_file(), "npm has no Node {major} for this machine");
        bin
    }

    /// A PATH on which this is `node`, and what is elsewhere on the machine's.
    pub fn path(self) -> String {
        format!("{}:{}", self.bin().display(), env::var("PATH").expect("there is one"))
    }
}

/// What npm calls the architecture of this machine.
fn arch() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" }
}

/// The registry with the packages of the program under test.
pub fn registry() -> &'static Registry {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    REGISTRY.get_or_init(|| Registry::start(&pack()))
}

/// Installs the program as `npm i -g` does, and returns the command that a user has then.
///
/// # Panics
/// When npm fails.
pub fn install(node: Node, home: &Home) -> PathBuf {
    let prefix = home.user().join("npm");
    let mut npm = Command::new("npm");
    clean(&mut npm, home.user())
        .args(["install", "--global", "codex-persistent-mcp", "--prefix"])
        .arg(&prefix)
        .current_dir(home.project())
        .env("PATH", node.path())
        .env("npm_config_registry", registry().url());
    let output = npm.output().expect("npm is installed");
    let problem = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "npm install: {problem}");
    prefix.join("bin/codex-persistent-mcp")
}

/// Packs the program under test.
fn pack() -> PathBuf {
    let folder = scratch().join(format!("packages-{}", std::process::id()));
    let _none_yet = fs::remove_dir_all(&folder);
    let os = if cfg!(target_os = "macos") { "apple-darwin" } else { "unknown-linux-musl" };
    let programs = folder.join("programs");
    let program = programs.join(format!("{}-{os}", env::consts::ARCH)).join("codex-persistent-mcp");
    fs::create_dir_all(program.parent().expect("it is in a folder")).expect("writable");
    fs::copy(PROGRAM, &program).expect("the program was built");
    // Without symbols a debug build is packed and installed in a tenth of the time.
    drop(Command::new("strip").arg(&program).output());
    let out = folder.join("out");
    let packed = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--locked", "--package", "xtask", "--", "package", "npm"])
        .arg("--binaries")
        .arg(&programs)
        .arg("--out")
        .arg(&out)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .output()
        .expect("Cargo runs the tests");
    let problem = String::from_utf8_lossy(&packed.stderr);
    assert!(packed.status.success(), "cargo xtask package npm: {problem}");
    out
}
