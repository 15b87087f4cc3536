//! Finds the `codex` program, and the native binary behind the script of the npm package.
//!
//! The npm package `@openai/codex` puts a Node script on the PATH that starts a native binary from a sibling
//! package. Starting that binary directly avoids a Node process for each call. This module searches the same
//! folders and sets the same environment as the script (`bin/codex.js`, 0.77 to 0.171). If anything is not as
//! expected, the script is started instead.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// A program to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    /// Changes to the environment; `None` removes a variable.
    pub(crate) environment: Vec<(OsString, Option<OsString>)>,
    /// A folder with helper programs of Codex that must come first on the PATH.
    pub(crate) helpers: Option<PathBuf>,
    /// The path at which Codex was found, such as the script of the npm package.
    pub(crate) found_at: PathBuf,
    /// The folder it is installed in together with other files, unless it is a single program.
    pub(crate) install_dir: Option<PathBuf>,
}

/// Finds the program for `codex_bin`, which is a path or a name to search for in `folders`, by default on the
/// PATH. `None` if there is no executable.
pub(crate) fn locate(codex_bin: &OsStr, folders: Option<&[PathBuf]>) -> Option<Program> {
    let here = std::env::current_dir().unwrap_or_else(|_| "/".into());
    let path = match folders {
        Some(folders) => {
            which::which_in(codex_bin, Some(std::env::join_paths(folders).ok()?), here).ok()?
        }
        None => which::which(codex_bin).ok()?,
    };
    let real = path.canonicalize().ok();
    Some(native(&path, real.as_deref()).unwrap_or_else(|| Program {
        found_at: path.clone(),
        install_dir: real.as_deref().and_then(install_dir),
        path,
        environment: Vec::new(),
        helpers: None,
    }))
}

/// The folder that a native program is installed in: that of the npm packages, or the one that contains its
/// `bin` folder and other parts, such as the program that sets up the sandbox. Symbolic links in `path` must be
/// resolved.
fn install_dir(path: &Path) -> Option<PathBuf> {
    let npm = path.ancestors().find(|folder| folder.ends_with("node_modules/@openai"));
    let own = || path.parent()?.parent().filter(|root| root.join("codex-resources").is_dir());
    npm.or_else(own).map(Path::to_owned)
}

impl Program {
    /// All changes to the environment, including the PATH with the helpers first.
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

/// The native binary for the script at `path`, if that is the script of the npm package. `real` is `path` with
/// its symbolic links resolved.
fn native(path: &Path, real: Option<&Path>) -> Option<Program> {
    let package = package_of(path, real)?;
    let (platform, triple) = platform()?;
    let manager = package_manager(&package)?;
    let name = if cfg!(windows) { "codex.exe" } else { "codex" };
    let siblings = package
        .ancestors()
        .filter(|folder| folder.file_name() != Some(OsStr::new("node_modules")))
        .map(|folder| folder.join("node_modules/@openai").join(platform).join("vendor"));
    // A package that contains a binary (0.77) uses only that: one in a sibling package or an outer folder
    // belongs to another version.
    let own = [package.join("vendor")].into_iter();
    let vendor = own.chain(siblings).find(|vendor| vendor.is_dir())?;
    let root = vendor.join(triple);
    // The first is the layout of 0.153 and possibly earlier versions. The second is the older one, whose
    // script also puts a folder with helpers first on the PATH.
    let (binary, helpers) = [("bin", None), ("codex", Some("path"))]
        .into_iter()
        .map(|(folder, helpers)| (root.join(folder).join(name), helpers))
        .find(|(binary, _)| binary.is_file())?;
    let mut environment = vec![(manager.into(), Some("1".into()))];
    let install_dir = package.parent().map(Path::to_owned);
    if helpers.is_none() {
        environment.push(("CODEX_MANAGED_PACKAGE_ROOT".into(), Some(package.into())));
    }
    let helpers = helpers.map(|helpers| root.join(helpers)).filter(|helpers| helpers.is_dir());
    Some(Program { path: binary, environment, helpers, found_at: path.to_owned(), install_dir })
}

/// The folder of the npm package whose script `path` points to.
fn package_of(path: &Path, real: Option<&Path>) -> Option<PathBuf> {
    let script = if cfg!(windows) {
        // npm writes a small wrapper script into the folder that contains node_modules.
        let script = path.parent()?.join("node_modules/@openai/codex/bin/codex.js");
        script.canonicalize().ok()?
    } else {
        real?.to_owned()
    };
    let package = script.parent()?.parent()?;
    (script.ends_with("@openai/codex/bin/codex.js")).then(|| package.to_owned())
}

/// The package and target triple that the script uses on this machine.
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

/// The variable that tells Codex which package manager installed it, detected like the script does. `None`
/// for managers that are harder to detect; the script is started then.
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
    fn a_package_with_its_own_binary_does_not_use_an_outer_one() {
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
        let found = || {
            let script = script.canonicalize().expect("it is there");
            native(&script, Some(&script)).map(|found| found.path)
        };
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
