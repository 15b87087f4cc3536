//! The packages: what a release publishes, made from built programs.

mod npm;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::{Args, ValueEnum};

use crate::{Failure, repository};

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
    let programs = match &arguments.binaries {
        Some(directory) => found(directory)?,
        None => vec![(Target::here()?, build()?)],
    };
    fs::create_dir_all(&arguments.out)
        .map_err(|error| format!("cannot create {}: {error}", arguments.out.display()))?;
    let out = arguments.out.canonicalize().map_err(|error| error.to_string())?;
    let files = match arguments.kind {
        Kind::Npm => npm::pack(&programs, &out)?,
    };
    for file in files {
        println!("{}", file.display());
    }
    Ok(())
}

fn found(directory: &Path) -> Result<Vec<(Target, PathBuf)>, Failure> {
    let all = Target::PACKAGED.map(|it| (it, directory.join(it.triple).join(it.program())));
    let found: Vec<_> = all.into_iter().filter(|(_, program)| program.is_file()).collect();
    if found.is_empty() {
        return Err(format!("{} has no program of any target", directory.display()));
    }
    Ok(found)
}

fn build() -> Result<PathBuf, Failure> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--release", "--locked", "--quiet", "--bin", "codex-persistent-mcp"]);
    run_in(&repository::path(""), &mut cargo)?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    Ok(repository::path("").join(target).join("release").join(Target::here()?.program()))
}

/// Runs a command to its end, and returns what it prints.
///
/// # Errors
/// If it does not start, or fails.
pub fn run_in(directory: &Path, command: &mut Command) -> Result<String, Failure> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .current_dir(directory)
        .output()
        .map_err(|error| format!("{name} did not start: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if !output.status.success() {
        return Err(format!("{name} failed with {}:\n{}", output.status, text(&output.stderr)));
    }
    Ok(text(&output.stdout))
}
