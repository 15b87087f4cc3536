//! A release of Codex, from npm.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Failure, command, repository};

const PACKAGE: &str = "@openai/codex";

/// An installed release.
#[derive(Debug)]
pub struct Release {
    /// Such as 0.171.0.
    pub version: String,
    /// The native program, which the package's script would start.
    pub program: PathBuf,
    /// The release's own folder.
    pub folder: PathBuf,
}

impl Release {
    /// Installs a release below `target/codex`, unless it is there. `newest` is the one that npm installs by default.
    ///
    /// # Errors
    /// If npm does not know it, or has no program for this machine.
    pub fn bring(version: &str) -> Result<Self, Failure> {
        let version = match version {
            "newest" => {
                npm(&repository::path(""), &["view", PACKAGE, "version"])?.trim().to_owned()
            }
            version => version.to_owned(),
        };
        let folder = repository::path("target/codex").join(&version);
        if let Some(program) = native(&folder) {
            return Ok(Self { version, program, folder });
        }
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let package = format!("{PACKAGE}@{version}");
        let quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--no-save"];
        npm(&folder, &[&["install", "--prefix", ".", &package], &quiet[..]].concat())?;
        match native(&folder) {
            Some(program) => Ok(Self { version, program, folder }),
            None => Err(format!("{package} has no program for this machine")),
        }
    }
}

fn npm(folder: &Path, arguments: &[&str]) -> Result<String, Failure> {
    command::run(command::npm().args(arguments).current_dir(folder))
}

/// `vendor/TARGET/bin/codex`, or `vendor/TARGET/codex/codex` in older releases, which have all targets in one package.
fn native(folder: &Path) -> Option<PathBuf> {
    let name = format!("codex{}", std::env::consts::EXE_SUFFIX);
    let os = match std::env::consts::OS {
        "macos" => "apple-darwin",
        "windows" => "windows",
        other => other,
    };
    let packages = children(&folder.join("node_modules/@openai"));
    let targets = packages.iter().flat_map(|package| children(&package.join("vendor")));
    let fits = |target: &PathBuf| {
        let target = target.file_name().unwrap_or_default().to_string_lossy();
        target.starts_with(std::env::consts::ARCH) && target.contains(os)
    };
    let places = ["bin", "codex"];
    targets
        .filter(fits)
        .flat_map(|target| places.map(|place| target.join(place).join(&name)))
        .find(|program| program.is_file())
}

fn children(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}
