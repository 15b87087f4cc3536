//! Brings a client from its package registry into a folder of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::Failure;
use crate::command::{self, run};

/// Where a client comes from.
#[derive(Debug, Clone, Copy)]
pub enum Source {
    /// A package of npm.
    Npm(&'static str),
    /// A package of PyPI.
    PyPi(&'static str),
}

/// A client that is installed.
#[derive(Debug)]
pub struct Brought {
    /// The folder with its programs.
    pub bin: PathBuf,
    pub version: String,
}

/// Installs a client below a folder: this version, or the newest.
///
/// # Errors
/// If it cannot be had here, such as without pip.
pub fn bring(source: Source, version: Option<&str>, folder: &Path) -> Result<Brought, Failure> {
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    match source {
        Source::Npm(package) => from_npm(package, version.unwrap_or("latest"), folder),
        Source::PyPi(package) => from_pypi(package, version, folder),
    }
}

fn from_npm(package: &str, version: &str, folder: &Path) -> Result<Brought, Failure> {
    fs::write(folder.join("package.json"), "{\"private\": true}\n")
        .map_err(|error| format!("{}: {error}", folder.display()))?;
    // A version is named because npm otherwise takes an older one that suits an older Node.
    let wanted = format!("{package}@{version}");
    let options = ["--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"];
    run(command::npm().arg("install").args(options).arg(wanted).current_dir(folder))?;
    let modules = folder.join("node_modules");
    let manifest = fs::read_to_string(modules.join(package).join("package.json"));
    let manifest = manifest.map_err(|error| format!("{package} has no manifest: {error}"))?;
    let manifest: Value = serde_json::from_str(&manifest).map_err(|error| error.to_string())?;
    let version = manifest["version"].as_str().unwrap_or("unknown").to_owned();
    Ok(Brought { bin: modules.join(".bin"), version })
}

fn from_pypi(package: &str, version: Option<&str>, folder: &Path) -> Result<Brought, Failure> {
    run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    let bin = folder.join("bin");
    let wanted = version.map_or(package.to_owned(), |version| format!("{package}=={version}"));
    let options = ["--quiet", "--disable-pip-version-check", "--upgrade"];
    run(Command::new(bin.join("pip")).arg("install").args(options).arg(wanted))?;
    let ask = format!("import importlib.metadata; print(importlib.metadata.version('{package}'))");
    let version = run(Command::new(bin.join("python")).args(["-c", &ask]))?;
    Ok(Brought { bin, version: version.trim().to_owned() })
}
