//! Which program `codex` is, and the native binary behind the npm package's script.
//!
//! The npm package `@openai/codex` puts a Node script on the PATH that starts a native binary from a
//! package beside it. Starting that binary directly saves a Node process and its start on each call.
//! What is done here is what the script does (`bin/codex.js`, 0.77 to 0.171): where it looks, and
//! what it adds to the environment. Where anything is not as expected, the script is started.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// A program to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    /// Variables to change in the environment; `None` removes one.
    pub(crate) environment: Vec<(OsString, Option<OsString>)>,
    /// A folder of Codex's own helpers that stands in front of the PATH.
    pub(crate) helpers: Option<PathBuf>,
    /// What stands for Codex: the path by which it was found.
    pub(crate) named: PathBuf,
    /// The folder with all that it is installed with, if it is not a program alone.
    pub(crate) packages: Option<PathBuf>,
}

/// Finds the program that `codex_bin` stands for: a path, or a name that is looked for in `folders`, or
/// on the whole PATH. `None` if there is none that can be executed.
pub(crate) fn locate(codex_bin: &OsStr, folders: Option<&[PathBuf]>) -> Option<Program> {
    let here = std::env::current_dir().unwrap_or_else(|_| "/".into());
    let path = match folders {
        Some(folders) => {
            which::which_in(codex_bin, Some(std::env::join_paths(folders).ok()?), here).ok()?
        }
        None => which::which(codex_bin).ok()?,
    };
    Some(native(&path).unwrap_or_else(|| Program {
        named: path.clone(),
        packages: packages(&path),
        path,
        environment: Vec::new(),
        helpers: None,
    }))
}

/// The folder with all that a native program is installed with: that of npm's packages, or the one in
/// which it has its `bin` beside other parts, such as the program that makes the sandbox.
fn packages(path: &Path) -> Option<PathBuf> {
    let path = path.canonicalize().ok()?;
    let npm = path.ancestors().find(|folder| folder.ends_with("node_modules/@openai"));
    let own = || path.parent()?.parent().filter(|root| root.join("codex-resources").is_dir());
    npm.or_else(own).map(Path::to_owned)
}

impl Program {
    /// The variables to change in its environment, with the helpers in front of the PATH.
    pub(crate) fn variables(&self) -> Vec<(OsString, Option<OsString>)> {
        let mut variables = self.environment.clone();
        let Some(helpers) = &self.helpers else { return variables };
        let own = variables.iter().position(|(name, _)| name == "PATH");
        let path = match own.map(|at| variables.remove(at).1) {
            Some(path) => path,
            None => std::env::var_os("PATH"),
        };
        let path = path.unwrap_or_default();
        let all = [helpers.clone()].into_iter().chain(std::env::split_paths(&path));
        if let Ok(path) = std::env::join_paths(all) {
            variables.push(("PATH".into(), Some(path)));
        }
        variables
    }
}

/// The native binary for the npm package's script at `path`, if that is what `path` is.
fn native(path: &Path) -> Option<Program> {
    let package = package_of(path)?;
    let (platform, triple) = platform()?;
    let manager = package_manager(&package)?;
    let name = if cfg!(windows) { "codex.exe" } else { "codex" };
    let beside = package
        .ancestors()
        .filter(|folder| folder.file_name() != Some(OsStr::new("node_modules")))
        .map(|folder| folder.join("node_modules/@openai").join(platform).join("vendor"));
    // A package with a binary of its own (0.77) does not look further: what is beside it, or in a
    // folder above, is that of another version.
    let own = [package.join("vendor")].into_iter();
    let vendor = own.chain(beside).find(|vendor| vendor.is_dir())?;
    let root = vendor.join(triple);
    // The first is the layout from 0.153 at the latest on, the second the one before, whose script
    // also puts a folder of helpers in front of the PATH.
    let (binary, helpers) = [("bin", None), ("codex", Some("path"))]
        .into_iter()
        .map(|(folder, helpers)| (root.join(folder).join(name), helpers))
        .find(|(binary, _)| binary.is_file())?;
    let mut environment = vec![(manager.into(), Some("1".into()))];
    let packages = package.parent().map(Path::to_owned);
    if helpers.is_none() {
        environment.push(("CODEX_MANAGED_PACKAGE_ROOT".into(), Some(package.into())));
    }
    let helpers = helpers.map(|helpers| root.join(helpers)).filter(|helpers| helpers.is_dir());
    Some(Program { path: binary, environment, helpers, named: path.to_owned(), packages })
}

/// The folder of the npm package whose script `path` leads to.
fn package_of(path: &Path) -> Option<PathBuf> {
    let script = if cfg!(windows) {
        // npm writes a small script for the command shell, in the folder that holds node_modules.
        path.parent()?.join("node_modules/@openai/codex/bin/codex.js")
    } else {
        path.to_owned()
    };
    let script = script.canonicalize().ok()?;
    let package = script.parent()?.parent()?;
    (script.ends_with("@openai/codex/bin/codex.js")).then(|| package.to_owned())
}

/// The package and the target triple that the script takes for this machine.
fn platform() -> Option<(&'static str, &'static str)> {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux" | "android", "x86_64") => Some(("codex-linux-x64", "x86_64-unknown-linux-musl")),
        ("linux" | "android", "aarch64") => {
            Some(("codex-linux-arm64", "aarch64-unknown-linux-musl"))
        }
        ("macos", "x86_64") => Some(("codex-darwin-x64", "x86_64-apple-darwin")),
        ("macos", "aarch64") => Some(("codex-darwin-arm64", "aarch64-apple-darwin")),
        ("windows", "x86_64") => Some(("codex-win32-x64", "x86_64-pc-windows-msvc")),
        ("windows", "aarch64") => Some(("codex-win32-arm64", "aarch64-pc-windows-msvc")),
        _ => None,
    }
}

/// The variable by which Codex knows who installed it, as the script finds it out. `None` for a
/// manager whose traces are harder to read: there the script does it.
fn package_manager(package: &Path) -> Option<&'static str> {
    let owned_by_pnpm = |folder: &Path| {
        let modules = folder.join("node_modules");
        modules.join(".modules.yaml").is_file()
            && modules.join("@openai/codex").canonicalize().is_ok_and(|owned| owned == package)
    };
    let text = package.to_string_lossy().replace('\\', "/");
    let agent = |name| std::env::var(name).unwrap_or_default();
    if package.ancestors().any(|folder| folder.join("@openai/codex.json").is_file()) {
        None
    } else if package.ancestors().any(owned_by_pnpm) {
        Some("CODEX_MANAGED_BY_PNPM")
    } else if text.contains(".bun/install/global")
        || agent("npm_config_user_agent").contains("bun/")
        || agent("npm_execpath").contains("bun")
    {
        Some("CODEX_MANAGED_BY_BUN")
    } else {
        Some("CODEX_MANAGED_BY_NPM")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[cfg(unix)]
    #[test]
    fn a_package_with_its_own_binary_takes_that_and_not_one_further_out() {
        let root = crate::testing::scratch().join(format!("locate-{}", std::process::id()));
        let (platform, triple) = platform().expect("Codex is there for this machine");
        let outer = root.join("node_modules/@openai").join(platform).join("vendor");
        let package = root.join("old/node_modules/@openai/codex");
        let file = |path: PathBuf| {
            fs::create_dir_all(path.parent().expect("it has one")).expect("writable");
            fs::write(&path, "").expect("writable");
            path
        };
        let script = file(package.join("bin/codex.js"));
        let found = || native(&script.canonicalize().expect("it is there")).map(|found| found.path);
        let of_root = |path: &Path| root.canonicalize().expect("it is there").join(path);
        file(outer.join(triple).join("bin/codex"));
        let relative = Path::new("node_modules/@openai").join(platform).join("vendor");
        assert_eq!(found(), Some(of_root(&relative.join(triple).join("bin/codex"))));
        file(package.join("vendor").join(triple).join("codex/codex"));
        let own = Path::new("old/node_modules/@openai/codex/vendor").join(triple);
        assert_eq!(found(), Some(of_root(&own.join("codex/codex"))));
        fs::remove_dir_all(&root).expect("it is there");
    }
}
