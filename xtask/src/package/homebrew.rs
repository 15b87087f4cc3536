//! The formula for a tap of Homebrew. It takes the archives of a release, by their SHA-256.

use std::fs;
use std::path::{Path, PathBuf};

use super::checksum::sha256;
use super::{Failure, Target, archive};
use crate::{repository, version};

const TEMPLATE: &str = "packaging/homebrew/codex-persistent-mcp.rb";

/// Writes the formula for the archives in `out`, and returns it.
///
/// # Errors
/// If an archive is missing, or the template has an unknown placeholder.
pub fn write(out: &Path) -> Result<PathBuf, Failure> {
    let formula = filled(&repository::read(TEMPLATE)?, &version::current()?, out)?;
    let file = out.join("codex-persistent-mcp.rb");
    fs::write(&file, formula)
        .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    Ok(file)
}

fn filled(template: &str, version: &str, out: &Path) -> Result<String, Failure> {
    let mut parts = template.split("{{");
    let mut formula = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (placeholder, rest) = part.split_once("}}").ok_or("a placeholder has no end")?;
        formula += &value(placeholder, version, out)?;
        formula += rest;
    }
    Ok(formula)
}

fn value(placeholder: &str, version: &str, out: &Path) -> Result<String, Failure> {
    let (what, triple) = placeholder.split_once(' ').unwrap_or((placeholder, ""));
    let archive = || {
        let target = Target::ARCHIVED.into_iter().find(|target| target.triple == triple);
        target.map(|target| archive::name(version, target)).ok_or(format!("no target {triple}"))
    };
    match what {
        "repository" => repository::address(),
        "version" => Ok(version.to_owned()),
        "url" => archive::url(version, &archive()?),
        "sha256" => sha256(&out.join(archive()?)),
        _ => Err(format!("{TEMPLATE} has the unknown placeholder {placeholder}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formula_names_each_archive_beside_its_checksum() {
        let out = tempfile::tempdir().expect("there is room");
        let template = repository::read(TEMPLATE).expect("it exists");
        let missing = filled(&template, "1.2.3", out.path()).expect_err("there are no archives");
        assert!(missing.contains(".tar.gz"), "{missing}");
        for target in Target::ARCHIVED {
            let archive = out.path().join(archive::name("1.2.3", target));
            fs::write(archive, target.triple).expect("writable");
        }
        let formula = filled(&template, "1.2.3", out.path()).expect("the archives are there");
        let lines: Vec<_> = formula.lines().map(str::trim).collect();
        let urls = lines.windows(2).filter(|pair| pair[0].starts_with("url "));
        let mut count = 0;
        for pair in urls {
            let name = pair[0].trim_end_matches('"').rsplit('/').next().expect("it has a name");
            let expected = sha256(&out.path().join(name)).expect("the archive is there");
            assert_eq!(pair[1], format!("sha256 \"{expected}\""));
            count += 1;
        }
        assert_eq!(count, 4);
        assert!(!formula.contains("{{") && formula.contains("version \"1.2.3\""), "{formula}");
    }
}
