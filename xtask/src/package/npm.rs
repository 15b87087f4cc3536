//! The packages for npm: `codex-persistent-mcp`, which starts the program, and a package with the program for each
//! target, of which npm installs the one for the machine. Nothing runs when they are installed.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::{Failure, Target, copy, copy_program};
use crate::{command, repository};

const NAME: &str = "codex-persistent-mcp";

/// Packs the launcher and the given programs, and returns the tarballs.
///
/// # Errors
/// If a file cannot be copied, or npm fails.
pub fn pack(programs: &[(Target, PathBuf)], out: &Path) -> Result<Vec<PathBuf>, Failure> {
    let staging = out.join("npm");
    let _none_yet = fs::remove_dir_all(&staging);
    let about = About::read()?;
    let mut packed = Vec::new();
    for (target, program) in programs {
        let name = package(*target);
        let staged = staging.join(&name);
        copy_program(program, &staged.join("bin").join(target.program()))?;
        packed.push(finish(&staged, &about.program(*target), out)?);
    }
    let staged = staging.join(NAME);
    copy(&repository::path("packaging/npm/launcher.js"), &staged.join("launcher.js"))?;
    copy(&repository::path("README.md"), &staged.join("README.md"))?;
    packed.push(finish(&staged, &about.launcher(), out)?);
    fs::remove_dir_all(&staging).map_err(|error| error.to_string())?;
    Ok(packed)
}

/// The package that has the program for a target.
fn package(target: Target) -> String {
    format!("{NAME}-{}-{}", target.node_os, target.node_arch)
}

/// What all packages say about themselves.
struct About {
    version: String,
    fields: Map<String, Value>,
}

impl About {
    fn read() -> Result<Self, Failure> {
        let manifest = repository::manifest()?;
        let text = |name: &str| manifest["package"][name].as_str().unwrap_or_default();
        let repository = text("repository");
        let fields = json!({
            "version": text("version"),
            "description": text("description"),
            "license": text("license"),
            "repository": {"type": "git", "url": format!("git+{repository}.git")},
            "homepage": format!("{repository}#readme"),
            "bugs": format!("{repository}/issues"),
        });
        let Value::Object(fields) = fields else { return Err("the fields are an object".into()) };
        Ok(Self { version: text("version").to_owned(), fields })
    }

    fn launcher(&self) -> Value {
        let programs: Map<String, Value> = Target::PACKAGED
            .into_iter()
            .map(|target| (package(target), self.version.clone().into()))
            .collect();
        self.with(json!({
            "name": NAME,
            "mcpName": format!("io.github.{NAME}/{NAME}"),
            "keywords": ["mcp", "mcp-server", "codex", "openai", "claude-code", "agent"],
            "bin": {NAME: "launcher.js"},
            "engines": {"node": ">=18"},
            "optionalDependencies": programs,
        }))
    }

    fn program(&self, target: Target) -> Value {
        self.with(json!({
            "name": package(target),
            "description": format!("The program of {NAME} for {} on {}", target.node_os, target.node_arch),
            "os": [target.node_os],
            "cpu": [target.node_arch],
            "preferUnplugged": true,
        }))
    }

    fn with(&self, own: Value) -> Value {
        let mut all = self.fields.clone();
        all.extend(own.as_object().cloned().unwrap_or_default());
        all.into()
    }
}

/// Adds what every package has, and has npm pack it.
fn finish(staged: &Path, manifest: &Value, out: &Path) -> Result<PathBuf, Failure> {
    copy(&repository::path("LICENSE"), &staged.join("LICENSE"))?;
    let text = serde_json::to_string_pretty(manifest).map_err(|error| error.to_string())?;
    fs::write(staged.join("package.json"), text + "\n").map_err(|error| error.to_string())?;
    let mut pack = command::npm();
    pack.args(["pack", "--json", "--ignore-scripts", "--pack-destination"]).arg(out);
    let printed = command::run(pack.current_dir(staged))?;
    let packed: Value = serde_json::from_str(&printed).map_err(|error| format!("npm: {error}"))?;
    let name = packed[0]["filename"].as_str().ok_or("npm does not say what it packed")?;
    Ok(out.join(name))
}
