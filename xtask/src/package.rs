//! The packages: what a release publishes, made from built programs.

mod archive;
mod checksum;
mod homebrew;
mod mcpb;
mod npm;
mod registry;
#[cfg(test)]
mod settings;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::{Args, ValueEnum};

use crate::{Failure, command, repository};

/// A Rust target that a release has a program for, and what others call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The target's triple.
    pub triple: &'static str,
    /// Node's `process.platform`.
    pub node_os: &'static str,
    /// Node's `process.arch`.
    pub node_arch: &'static str,
}

impl Target {
    const fn new(triple: &'static str, node_os: &'static str, node_arch: &'static str) -> Self {
        Self { triple, node_os, node_arch }
    }

    /// Those that packages take. On Linux the program is linked statically, and runs with any C library.
    pub const PACKAGED: [Self; 6] = [
        Self::new("x86_64-unknown-linux-musl", "linux", "x64"),
        Self::new("aarch64-unknown-linux-musl", "linux", "arm64"),
        Self::new("x86_64-apple-darwin", "darwin", "x64"),
        Self::new("aarch64-apple-darwin", "darwin", "arm64"),
        Self::new("x86_64-pc-windows-msvc", "win32", "x64"),
        Self::new("aarch64-pc-windows-msvc", "win32", "arm64"),
    ];

    /// Those that archives take: also those for people who want the C library of their Linux.
    pub const ARCHIVED: [Self; 8] = {
        let [a, b, c, d, e, f] = Self::PACKAGED;
        let x64 = Self::new("x86_64-unknown-linux-gnu", "linux", "x64");
        let arm64 = Self::new("aarch64-unknown-linux-gnu", "linux", "arm64");
        [a, b, c, d, e, f, x64, arm64]
    };

    /// The one of this machine.
    ///
    /// # Errors
    /// If there are no packages for it.
    pub fn here() -> Result<Self, Failure> {
        let starts = format!("{}-", std::env::consts::ARCH);
        let os = match std::env::consts::OS {
            "macos" => "darwin",
            "windows" => "win32",
            other => other,
        };
        let found = Self::PACKAGED
            .into_iter()
            .find(|target| target.triple.starts_with(&starts) && target.node_os == os);
        found.ok_or_else(|| format!("there are no packages for {starts}{os}"))
    }

    /// The file name of the program.
    pub fn program(self) -> &'static str {
        if self.node_os == "win32" { "codex-persistent-mcp.exe" } else { "codex-persistent-mcp" }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// The npm packages: the launcher, and one for each target
    Npm,
    /// An archive for each target, with the program and what belongs beside it
    Archive,
    /// An MCP bundle for each target, which desktop clients install with a click
    Mcpb,
    /// The formula for Homebrew, of the archives in the folder for packages
    Homebrew,
    /// The entry for the MCP registry, with the MCP bundles in the folder for packages
    Registry,
}

/// Makes packages of built programs
#[derive(Debug, Args)]
pub struct Arguments {
    kind: Kind,
    /// A folder with the programs, as TARGET/codex-persistent-mcp[.exe]. Without it, the program of this machine is
    /// built for the packages
    #[arg(long, value_name = "DIR")]
    binaries: Option<PathBuf>,
    /// The folder for the packages
    #[arg(long, value_name = "DIR", default_value = "target/packages")]
    out: PathBuf,
}

/// Makes the packages, and prints their files.
///
/// # Errors
/// If the program cannot be built, none was found, or a packer fails.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    fs::create_dir_all(&arguments.out)
        .map_err(|error| format!("cannot create {}: {error}", arguments.out.display()))?;
    let out = arguments.out.canonicalize().map_err(|error| error.to_string())?;
    let files = match arguments.kind {
        Kind::Npm => npm::pack(&programs(arguments, &Target::PACKAGED)?, &out)?,
        Kind::Archive => archive::pack(&programs(arguments, &Target::ARCHIVED)?, &out)?,
        Kind::Mcpb => mcpb::pack(&programs(arguments, &Target::PACKAGED)?, &out)?,
        Kind::Homebrew => vec![homebrew::write(&out)?],
        Kind::Registry => vec![registry::write(&out)?],
    };
    for file in files {
        println!("{}", file.display());
    }
    Ok(())
}

fn programs(arguments: &Arguments, targets: &[Target]) -> Result<Vec<(Target, PathBuf)>, Failure> {
    match &arguments.binaries {
        Some(directory) => found(directory, targets),
        None => Ok(vec![(Target::here()?, build()?)]),
    }
}

fn found(directory: &Path, targets: &[Target]) -> Result<Vec<(Target, PathBuf)>, Failure> {
    let all = targets.iter().map(|it| (*it, directory.join(it.triple).join(it.program())));
    let found: Vec<_> = all.filter(|(_, program)| program.is_file()).collect();
    if found.is_empty() {
        return Err(format!("{} has no program of any target", directory.display()));
    }
    Ok(found)
}

fn build() -> Result<PathBuf, Failure> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--release", "--locked", "--quiet", "--bin", "codex-persistent-mcp"]);
    command::run(cargo.current_dir(repository::path("")))?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    Ok(repository::path("").join(target).join("release").join(Target::here()?.program()))
}

/// Copies a program, and makes it executable: a folder that was uploaded and downloaded may have lost that.
fn copy_program(from: &Path, to: &Path) -> Result<(), Failure> {
    copy(from, to)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(to, PermissionsExt::from_mode(0o755))
            .map_err(|error| format!("cannot make {} executable: {error}", to.display()))?;
    }
    Ok(())
}

/// Copies a file into a folder, which may not exist yet.
fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    let folder = to.parent().ok_or("a file is in a folder")?;
    fs::create_dir_all(folder)
        .and_then(|()| fs::copy(from, to))
        .map_err(|error| format!("cannot copy {} to {}: {error}", from.display(), to.display()))?;
    Ok(())
}
