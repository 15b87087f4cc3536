//! The one version number: `Cargo.toml` has it, and some files that others read from the repository repeat it.
//!
//! What is built from the repository, such as an npm package, gets its version when it is built.

use std::time::SystemTime;

use clap::Args;
use serde_json::Value;
use toml_edit::DocumentMut;

use crate::{Failure, repository};

/// Every file that repeats the version, and where in it.
const COPIES: &[(&str, &[&str])] = &[
    (".claude-plugin/marketplace.json", &["/plugins/0/version"]),
    ("plugin/.claude-plugin/plugin.json", &["/version"]),
    ("plugin/.codex-plugin/plugin.json", &["/version"]),
    ("plugin/.codex-plugin/mcp.json", &["/mcpServers/codex/args/3"]),
    ("gemini-extension.json", &["/version"]),
    ("server.json", &["/version", "/packages/0/version"]),
];

const CHANGELOG: &str = "CHANGELOG.md";

const UNRELEASED: &str = "## Unreleased\n";

/// Checks that all files have the same version, or gives them a new one
#[derive(Debug, Args)]
pub struct Arguments {
    /// The new version, such as 0.2.0. Without it, the files are only compared
    new: Option<String>,
    /// Compare with this tag too, such as v0.2.0, and require an entry in the changelog
    #[arg(long, conflicts_with = "new")]
    tag: Option<String>,
}

/// Compares all copies of the version, or raises it.
///
/// # Errors
/// If a file disagrees, cannot be read or written, or the new version is none.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    if let Some(new) = &arguments.new {
        raise(new)?;
    }
    let version = current()?;
    let disagreeing = disagreeing(&version)?;
    if !disagreeing.is_empty() {
        return Err(format!(
            "Cargo.toml has version {version}, which differs from:\n  {}\nRun cargo xtask version {version}.",
            disagreeing.join("\n  "),
        ));
    }
    if let Some(tag) = &arguments.tag {
        check_tag(tag, &version, &repository::read(CHANGELOG)?)?;
    }
    println!("{version}");
    Ok(())
}

/// The version in `Cargo.toml`.
///
/// # Errors
/// If there is none.
pub fn current() -> Result<String, Failure> {
    let manifest = repository::manifest()?;
    let version = manifest["package"]["version"].as_str();
    version.map(str::to_owned).ok_or_else(|| "Cargo.toml has no version".to_owned())
}

fn disagreeing(version: &str) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    let locked: DocumentMut =
        repository::read("Cargo.lock")?.parse().map_err(|error| format!("Cargo.lock: {error}"))?;
    if locked_version(&locked) != Some(version) {
        found.push("Cargo.lock".to_owned());
    }
    for (file, pointers) in COPIES {
        let document = json(file)?;
        for pointer in *pointers {
            if document.pointer(pointer) != Some(&Value::from(version)) {
                found.push(format!("{file} at {pointer}"));
            }
        }
    }
    if let Some(released) = released(&repository::read(CHANGELOG)?).filter(|it| it != version) {
        found.push(format!("{CHANGELOG}, whose newest release is {released}"));
    }
    Ok(found)
}

fn locked_version(lock: &DocumentMut) -> Option<&str> {
    let packages = lock["package"].as_array_of_tables()?;
    let own = packages.iter().find(|it| it["name"].as_str() == Some("codex-persistent-mcp"))?;
    own["version"].as_str()
}

/// The newest release in the changelog, if it has one: its first heading with a version.
fn released(changelog: &str) -> Option<String> {
    let mut headings = changelog.lines().filter_map(|line| line.strip_prefix("## "));
    let newest =
        headings.find(|heading| heading.starts_with(|first: char| first.is_ascii_digit()))?;
    newest.split_whitespace().next().map(str::to_owned)
}

fn check_tag(tag: &str, version: &str, changelog: &str) -> Result<(), Failure> {
    if tag.strip_prefix('v') != Some(version) {
        return Err(format!("the tag is {tag}, the version {version}: the tag must be v{version}"));
    }
    if released(changelog).as_deref() != Some(version) {
        return Err(format!(
            "{CHANGELOG} has no section for {version}. Run cargo xtask version {version} before you tag."
        ));
    }
    Ok(())
}

fn raise(new: &str) -> Result<(), Failure> {
    let numbers: Vec<_> = new.split('.').collect();
    if numbers.len() != 3 || numbers.iter().any(|number| number.parse::<u32>().is_err()) {
        return Err(format!("{new} is no version: it takes three numbers, such as 0.2.0"));
    }
    let mut manifest = repository::manifest()?;
    manifest["package"]["version"] = new.into();
    let mut lock: DocumentMut =
        repository::read("Cargo.lock")?.parse().map_err(|error| format!("Cargo.lock: {error}"))?;
    if let Some(packages) = lock["package"].as_array_of_tables_mut()
        && let Some(own) =
            packages.iter_mut().find(|it| it["name"].as_str() == Some("codex-persistent-mcp"))
    {
        own["version"] = new.into();
    }
    let changelog = repository::read(CHANGELOG)?;
    let changelog = with_release(&changelog, new)?;
    for (file, pointers) in COPIES {
        let mut document = json(file)?;
        for pointer in *pointers {
            let place =
                document.pointer_mut(pointer).ok_or_else(|| format!("{file} has no {pointer}"))?;
            *place = Value::from(new);
        }
        let text = serde_json::to_string_pretty(&document).map_err(|error| error.to_string())?;
        repository::write(file, &format!("{text}\n"))?;
    }
    repository::write("Cargo.lock", &lock.to_string())?;
    repository::write(CHANGELOG, &changelog)?;
    repository::write("Cargo.toml", &manifest.to_string())
}

/// The changelog whose unreleased changes are those of a version, released today. One that has the version already
/// stays as it is.
fn with_release(changelog: &str, version: &str) -> Result<String, Failure> {
    if released(changelog).as_deref() == Some(version) {
        return Ok(changelog.to_owned());
    }
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let today = now.split('T').next().unwrap_or_default();
    if !changelog.contains(UNRELEASED) {
        return Err(format!("{CHANGELOG} has no section \"Unreleased\""));
    }
    Ok(changelog.replacen(UNRELEASED, &format!("{UNRELEASED}\n## {version} - {today}\n"), 1))
}

fn json(file: &str) -> Result<Value, Failure> {
    serde_json::from_str(&repository::read(file)?).map_err(|error| format!("{file}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGES: &str = "# Changelog\n\n## Unreleased\n\n### Added\n\n- Much.\n";

    #[test]
    fn all_files_of_the_repository_have_the_same_version() {
        let version = current().expect("the manifest has one");
        assert_eq!(disagreeing(&version), Ok(Vec::new()));
    }

    #[test]
    fn a_release_takes_the_unreleased_changes() {
        let released_now = with_release(CHANGES, "0.2.0").expect("it has unreleased changes");
        assert_eq!(released(&released_now).as_deref(), Some("0.2.0"));
        let (before, after) = released_now.split_once("## 0.2.0 - ").expect("it has the heading");
        assert!(before.ends_with("## Unreleased\n\n"), "{before:?}");
        assert!(after.ends_with("\n\n### Added\n\n- Much.\n"), "{after:?}");
        assert_eq!(with_release(&released_now, "0.2.0"), Ok(released_now));
    }

    #[test]
    fn a_tag_must_be_the_version_and_have_changes() {
        let changes = with_release(CHANGES, "0.2.0").expect("it has unreleased changes");
        assert_eq!(check_tag("v0.2.0", "0.2.0", &changes), Ok(()));
        assert!(check_tag("v0.2.1", "0.2.0", &changes).is_err());
        assert!(check_tag("0.2.0", "0.2.0", &changes).is_err());
        assert!(check_tag("v0.2.0", "0.2.0", CHANGES).is_err());
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for new in ["0.2", "v0.2.0", "0.2.0-rc.1", "", "1.2.x"] {
            assert!(raise(new).is_err(), "{new:?} passed");
        }
    }
}
