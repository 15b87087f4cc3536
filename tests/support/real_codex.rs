//! The real Codex CLI, as the lock files in `tests/codex*/` pin it, and homes for it to run in.
//!
//! This file needs nothing but the standard library, so that any program can include it.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The two programs of an installed Codex.
#[derive(Debug)]
pub struct Installed {
    /// What is called `codex` on the PATH of a user: a script that starts the native program.
    pub script: PathBuf,
    /// The native program.
    pub native: PathBuf,
}

/// A release of Codex that is pinned below `tests/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// The one that everything is tested with.
    Newest,
    /// 0.169.
    V0_169,
    /// 0.153, the oldest that has all that the tools offer.
    V0_153,
}

impl Release {
    /// All of them, the newest first.
    pub const ALL: [Self; 3] = [Self::Newest, Self::V0_169, Self::V0_153];

    /// The directory under `tests/` that pins it.
    fn directory(self) -> &'static str {
        match self {
            Self::Newest => "codex",
            Self::V0_169 => "codex-0.169",
            Self::V0_153 => "codex-0.153",
        }
    }
}

/// Installs the newest pinned Codex, unless it is there.
///
/// # Panics
/// When it cannot be installed; the message says what to do.
pub fn install() -> &'static Installed {
    install_release(Release::Newest)
}

/// Installs a pinned Codex, unless it is there.
///
/// # Panics
/// When it cannot be installed; the message says what to do.
pub fn install_release(release: Release) -> &'static Installed {
    static INSTALLED: [OnceLock<Installed>; Release::ALL.len()] =
        [const { OnceLock::new() }; Release::ALL.len()];
    INSTALLED[release as usize]
        .get_or_init(|| try_install_release(release).unwrap_or_else(|problem| panic!("{problem}")))
}

/// As [`install`], for a program that reports to its user what went wrong.
///
/// # Errors
/// What to do, when it cannot be installed.
pub fn try_install() -> Result<Installed, String> {
    try_install_release(Release::Newest)
}

fn try_install_release(release: Release) -> Result<Installed, String> {
    let modules = try_install_npm(release.directory())?;
    let script =
        if cfg!(windows) { modules.join(".bin/codex.cmd") } else { modules.join(".bin/codex") };
    let native = native(&modules.join("@openai"))?;
    if !script.exists() {
        return Err(format!("{} is missing", script.display()));
    }
    Ok(Installed { script, native })
}

/// Whether [`install`] would find the newest pinned Codex there and download nothing.
pub fn is_installed() -> bool {
    let directory = pinned(Release::Newest.directory());
    let installed = fs::read(stamp(&directory)).ok();
    installed.is_some() && installed == fs::read(directory.join("package-lock.json")).ok()
}

/// Installs the npm packages pinned in a directory under `tests/`, unless they are there, and
/// returns the path of `node_modules`.
///
/// # Panics
/// When they cannot be installed; the message says what to do.
pub fn install_npm(directory: &str) -> PathBuf {
    try_install_npm(directory).unwrap_or_else(|problem| panic!("{problem}"))
}

fn try_install_npm(directory: &str) -> Result<PathBuf, String> {
    let directory = pinned(directory);
    let lock = fs::read(directory.join("package-lock.json"))
        .map_err(|error| format!("{}: {error}", directory.display()))?;

    let guard = File::create(directory.join("node_modules.lock"))
        .map_err(|error| format!("{} cannot be written: {error}", directory.display()))?;
    guard.lock().expect("the file was opened for writing");
    let stamp = stamp(&directory);
    if !fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        run_npm_ci(&directory)?;
        fs::write(&stamp, &lock).expect("npm has made the directory");
    }
    Ok(directory.join("node_modules"))
}

fn pinned(directory: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(directory)
}

/// A copy of the lock file that the packages beside it were installed from.
fn stamp(directory: &Path) -> PathBuf {
    directory.join("node_modules/.installed-lock")
}

/// Runs `npm ci` in the user's own environment, which may have a proxy and a cache. If that cannot be
/// written, it runs with a temporary cache.
fn run_npm_ci(directory: &Path) -> Result<(), String> {
    let problem = match try_npm_ci(directory, &[]) {
        Err(problem) if NO_CACHE.iter().any(|code| problem.contains(code)) => problem,
        outcome => return outcome,
    };
    let cache = directory.join("node_modules.cache");
    let outcome = try_npm_ci(directory, &[OsStr::new("--cache"), cache.as_os_str()]);
    let _never_made = fs::remove_dir_all(&cache);
    outcome.map_err(|_| problem)
}

/// The error codes of npm without a writable cache.
const NO_CACHE: [&str; 5] = ["EACCES", "ENOENT", "ENOTDIR", "EPERM", "EROFS"];

fn try_npm_ci(directory: &Path, more: &[&OsStr]) -> Result<(), String> {
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let output = Command::new(npm)
        .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
        .args(more)
        .current_dir(directory)
        .output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!(
            "`npm ci` in {} failed with {}:\n{}{}",
            directory.display(),
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        )),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(format!(
            "npm is not on the PATH. The packages pinned in {} are needed here: install Node.js 20 \
             or newer, which brings npm, and run this again",
            directory.display(),
        )),
        Err(error) => Err(format!("npm did not start: {error}")),
    }
}

/// Finds `codex-PLATFORM/vendor/TARGET/bin/codex`. npm installs one platform only.
fn native(packages: &Path) -> Result<PathBuf, String> {
    let program = format!("codex{}", env::consts::EXE_SUFFIX);
    children(packages)
        .iter()
        .flat_map(|package| children(&package.join("vendor")))
        .map(|target| target.join("bin").join(&program))
        .find(|path| path.is_file())
        .ok_or_else(|| {
            format!("Codex has no native program for this platform under {}", packages.display())
        })
}

/// Directories for Codex's configuration and sessions, for work, for the server's state and for the user.
/// They are removed when this is dropped.
#[derive(Debug)]
pub struct Home {
    directory: PathBuf,
    path: PathBuf,
    project: PathBuf,
    state: PathBuf,
    user: PathBuf,
}

impl Home {
    /// Makes the directories below `base` and configures the model at a URL, without retries.
    ///
    /// `base` must not be in the system's temporary directory, which Codex warns about:
    /// `env!("CARGO_TARGET_TMPDIR")` is a good place for a test.
    pub fn new(base: &Path, model_url: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let directory = base.join(format!("home-{}-{number}", process::id()));
        let home = Self {
            path: directory.join("codex"),
            project: directory.join("project"),
            state: directory.join("state"),
            user: directory.join("user"),
            directory,
        };
        // A killed process of the same id may have left it behind.
        let _nothing_there = fs::remove_dir_all(&home.directory);
        for directory in [&home.path, &home.project, &home.user] {
            fs::create_dir_all(directory)
                .unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
        }
        let config = format!(
            "model = \"gpt-5.5\"\n\
             model_provider = \"stand-in\"\n\
             check_for_update_on_startup = false\n\
             analytics.enabled = false\n\
             model_providers.stand-in.name = \"stand-in\"\n\
             model_providers.stand-in.base_url = \"{model_url}\"\n\
             model_providers.stand-in.wire_api = \"responses\"\n\
             model_providers.stand-in.request_max_retries = 0\n\
             model_providers.stand-in.stream_max_retries = 0\n"
        );
        fs::write(home.config(), config).expect("the directory was just made");
        home
    }

    /// The value for `CODEX_HOME`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// An empty directory to work in.
    pub fn project(&self) -> &Path {
        &self.project
    }

    /// The server's state folder. The server makes it.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// An empty home directory for the user: no shell files, and no settings of other programs.
    pub fn user(&self) -> &Path {
        &self.user
    }

    /// Appends lines to `config.toml`. Keys of the top level must precede tables.
    pub fn append_config(&self, toml: &str) {
        let config = fs::read_to_string(self.config()).expect("the configuration was written");
        fs::write(self.config(), format!("{config}{toml}\n"))
            .expect("the configuration can be written again");
    }

    /// The file that records a session.
    pub fn rollout(&self, session_id: &str) -> Option<PathBuf> {
        let mut directories = vec![self.path.join("sessions")];
        while let Some(directory) = directories.pop() {
            for child in children(&directory) {
                if child.is_dir() {
                    directories.push(child);
                } else if child.file_stem()?.to_str()?.ends_with(session_id) {
                    return Some(child);
                }
            }
        }
        None
    }

    fn config(&self) -> PathBuf {
        self.path.join("config.toml")
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.directory) {
            eprintln!("{} is left behind: {error}", self.directory.display());
        }
    }
}

/// The paths in a directory; none if it does not exist.
fn children(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}
