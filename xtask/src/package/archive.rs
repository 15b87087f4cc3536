//! The archives of a release: the program and what belongs beside it, for people, Homebrew and `cargo binstall`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Failure, Target, copy, copy_program};
use crate::{command, repository, version};

const BESIDE: [&str; 3] = ["README.md", "LICENSE", "CHANGELOG.md"];

/// Packs each program into an archive, and returns the archives.
///
/// # Errors
/// If a file cannot be copied, or the packer fails.
pub fn pack(programs: &[(Target, PathBuf)], out: &Path) -> Result<Vec<PathBuf>, Failure> {
    let staging = out.join("archive");
    let _none_yet = fs::remove_dir_all(&staging);
    let version = version::current()?;
    let mut packed = Vec::new();
    for (target, program) in programs {
        let folder = stem(&version, *target);
        copy_program(program, &staging.join(&folder).join(target.program()))?;
        for file in BESIDE {
            copy(&repository::path(file), &staging.join(&folder).join(file))?;
        }
        let archive = out.join(name(&version, *target));
        let _none_yet = fs::remove_file(&archive);
        command::run(packer(*target, &archive, &folder).current_dir(&staging))?;
        packed.push(archive);
    }
    fs::remove_dir_all(&staging).map_err(|error| error.to_string())?;
    Ok(packed)
}

/// The name of an archive, and of all that is made for one target, without the extension. It is also the folder in
/// the archive.
pub fn stem(version: &str, target: Target) -> String {
    format!("codex-persistent-mcp-v{version}-{}", target.triple)
}

/// The file name of an archive.
pub fn name(version: &str, target: Target) -> String {
    let extension = if is_zip(target) { "zip" } else { "tar.gz" };
    format!("{}.{extension}", stem(version, target))
}

/// Where a release has a file.
///
/// # Errors
/// If `Cargo.toml` names no repository.
pub fn url(version: &str, file: &str) -> Result<String, Failure> {
    Ok(format!("{}/releases/download/v{version}/{file}", repository::address()?))
}

fn is_zip(target: Target) -> bool {
    target.node_os == "win32"
}

fn packer(target: Target, archive: &Path, folder: &str) -> Command {
    let (program, options) = if is_zip(target) { ("zip", "-qrX") } else { ("tar", "-czf") };
    let mut packer = Command::new(program);
    packer.arg(options).arg(archive).arg(folder);
    packer
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// What `cargo binstall` makes of a template in `Cargo.toml`.
    fn filled(template: &str, version: &str, target: Target) -> String {
        let (bin, extension) = target.program().split_at("codex-persistent-mcp".len());
        let values = [
            ("{ repo }", repository::address().expect("it has one")),
            ("{ name }", "codex-persistent-mcp".to_owned()),
            ("{ bin }", bin.to_owned()),
            ("{ binary-ext }", extension.to_owned()),
            ("{ version }", version.to_owned()),
            ("{ target }", target.triple.to_owned()),
        ];
        values.iter().fold(template.to_owned(), |text, (name, value)| text.replace(name, value))
    }

    #[test]
    fn cargo_binstall_finds_the_program_in_each_archive() {
        let manifest = repository::manifest().expect("it is valid");
        let binstall = &manifest["package"]["metadata"]["binstall"];
        for target in Target::ARCHIVED {
            let own = binstall["overrides"].get(target.triple);
            let setting = |name: &str| {
                let value = own.and_then(|own| own.get(name)).or_else(|| binstall.get(name));
                value.and_then(|value| value.as_str()).unwrap_or_default().to_owned()
            };
            let archive = url("1.2.3", &name("1.2.3", target)).expect("it has one");
            assert_eq!(filled(&setting("pkg-url"), "1.2.3", target), archive);
            assert_eq!(
                filled(&setting("bin-dir"), "1.2.3", target),
                format!("{}/{}", stem("1.2.3", target), target.program()),
            );
            assert_eq!(setting("pkg-fmt"), if is_zip(target) { "zip" } else { "tgz" });
        }
    }

    #[test]
    fn a_release_builds_each_target() {
        let workflow = repository::read(".github/workflows/release.yml").expect("it exists");
        let built: BTreeSet<_> =
            workflow.lines().filter_map(|line| line.split_once("target: ")).collect();
        let built: BTreeSet<_> = built.into_iter().map(|(_, target)| target).collect();
        let expected: BTreeSet<_> =
            Target::ARCHIVED.into_iter().map(|target| target.triple).collect();
        assert_eq!(built, expected);
    }

    #[cfg(unix)]
    #[test]
    fn an_archive_has_the_program_and_what_belongs_beside_it() {
        let directory = tempfile::tempdir().expect("there is room");
        let program = directory.path().join("program");
        fs::write(&program, "not executable yet").expect("writable");
        let programs = [Target::ARCHIVED[0], Target::ARCHIVED[4]].map(|it| (it, program.clone()));
        let packed = pack(&programs, directory.path()).expect("tar and zip are there");
        let lists = [("tar", "-tvzf"), ("unzip", "-Z")];
        for ((archive, (lister, option)), (target, _)) in packed.iter().zip(lists).zip(&programs) {
            let listed = command::run(Command::new(lister).arg(option).arg(archive))
                .expect("it can be listed");
            let version = version::current().expect("it has one");
            let lines: Vec<_> = listed.lines().filter(|line| line.contains("/")).collect();
            let file = |name: &str| {
                let path = format!("{}/{name}", stem(&version, *target));
                lines.iter().find(|line| line.ends_with(&path)).copied().unwrap_or_default()
            };
            assert!(file(target.program()).starts_with("-rwxr-xr-x"), "{listed}");
            assert!(BESIDE.iter().all(|name| !file(name).is_empty()), "{listed}");
        }
    }
}
