//! The entry for the MCP registry. `server.json` has the npm package; a release adds its MCP bundles, whose SHA-256
//! is known only then.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::checksum::sha256;
use super::{Failure, Target, archive, mcpb};
use crate::{repository, version};

const ENTRY: &str = "server.json";

/// Writes the entry with the bundles in `out`, and returns it.
///
/// # Errors
/// If there is no bundle, or a file cannot be read or written.
pub fn write(out: &Path) -> Result<PathBuf, Failure> {
    let version = version::current()?;
    let mut entry: Value = serde_json::from_str(&repository::read(ENTRY)?)
        .map_err(|error| format!("{ENTRY}: {error}"))?;
    let bundles = bundles(&version, out)?;
    let packages = entry["packages"].as_array_mut().ok_or("server.json has no packages")?;
    packages.extend(bundles);
    let file = out.join(ENTRY);
    let text = serde_json::to_string_pretty(&entry).map_err(|error| error.to_string())?;
    fs::write(&file, text + "\n")
        .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    Ok(file)
}

fn bundles(version: &str, out: &Path) -> Result<Vec<Value>, Failure> {
    let mut found = Vec::new();
    for target in Target::PACKAGED {
        let name = mcpb::name(version, target);
        let file = out.join(&name);
        if file.is_file() {
            found.push(json!({
                "registryType": "mcpb",
                "identifier": archive::url(version, &name)?,
                "fileSha256": sha256(&file)?,
                "transport": {"type": "stdio"},
            }));
        }
    }
    if found.is_empty() {
        return Err(format!("{} has no MCP bundle of version {version}", out.display()));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::super::settings::documented_default;
    use super::*;

    fn entry() -> Value {
        let text = repository::read(ENTRY).expect("it exists");
        serde_json::from_str(&text).expect("it is JSON")
    }

    #[test]
    fn variables_of_the_entry_are_those_of_the_program() {
        let entry = entry();
        let variables = entry["packages"][0]["environmentVariables"].as_array().expect("some");
        for variable in variables {
            let name = variable["name"].as_str().expect("it has one");
            // Codex's own.
            if name == "CODEX_API_KEY" {
                continue;
            }
            let documented = documented_default(name);
            if let Some(default) = variable["default"].as_str() {
                assert_eq!(default, documented, "{name}");
            }
        }
    }

    #[test]
    fn the_entry_says_who_publishes_what() {
        let entry = entry();
        let address = repository::address().expect("it has one");
        assert_eq!(entry["repository"]["url"], json!(address));
        // The registry gives this namespace to workflows of the repository's owner alone.
        let name = address.replacen("https://github.com/", "io.github.", 1);
        assert_eq!(entry["name"], json!(name));
        let description = entry["description"].as_str().expect("it has one");
        assert!(description.chars().count() <= 100, "the registry takes 100 characters");
    }

    #[test]
    fn a_release_adds_its_bundles() {
        let out = tempfile::tempdir().expect("there is room");
        assert!(bundles("1.2.3", out.path()).is_err(), "there are none yet");
        let name = mcpb::name("1.2.3", Target::PACKAGED[2]);
        fs::write(out.path().join(&name), "a bundle").expect("writable");
        let found = bundles("1.2.3", out.path()).expect("there is one");
        assert_eq!(found.len(), 1);
        let address = found[0]["identifier"].as_str().expect("it has one");
        assert!(address.ends_with(&format!("/releases/download/v1.2.3/{name}")), "{address}");
        assert_eq!(
            found[0]["fileSha256"],
            json!("cd98c950d629c66548537b4ecd68dab3e8cf59974ba6e40df5a1a7354b39db5f"),
        );
    }
}
