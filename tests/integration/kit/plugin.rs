//! The plugin of this repository, and folders of programs for the PATH of what starts its server.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::kit::npm::registry;
use crate::kit::setup::PROGRAM;
use crate::support::real_codex::{Home, install};

/// The name that both clients know it by.
pub const PLUGIN: &str = "codex@codex-persistent-mcp";

/// The repository, which is the marketplace.
pub fn marketplace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the plugin.
pub fn path(name: &str) -> PathBuf {
    marketplace().join("plugin").join(name)
}

/// A JSON file of the plugin.
pub fn json(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(path(name)).expect("it exists")).expect("it is JSON")
}

/// How a user has the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Have {
    /// On the PATH.
    Installed,
    /// Not at all: npx brings it. An older one is on the PATH.
    Npx,
}

/// Programs that come first on the PATH.
pub struct Programs(PathBuf);

impl Programs {
    pub fn new(home: &Home) -> Self {
        Self::in_folder(home.user().join("bin"))
    }

    pub fn in_folder(folder: PathBuf) -> Self {
        fs::create_dir_all(&folder).expect("writable");
        Self(folder)
    }

    /// The program and Codex, as a user of this kind has them.
    pub fn of(home: &Home, have: Have) -> Self {
        let programs = Self::new(home);
        symlink(&install().native, programs.0.join("codex")).expect("nothing is there");
        match have {
            Have::Installed => {
                symlink(PROGRAM, programs.0.join("codex-persistent-mcp"))
                    .expect("nothing is there");
            }
            Have::Npx => {
                programs.shell("codex-persistent-mcp", "echo codex-persistent-mcp 0.0.9");
                // Codex does not pass on variables for npm.
                let registry = format!("registry={}\n", registry().url());
                fs::write(home.user().join(".npmrc"), registry).expect("writable");
            }
        }
        programs
    }

    /// Adds a program that does this.
    pub fn shell(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("writable");
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("it exists");
    }

    /// The value for PATH.
    pub fn path(&self) -> OsString {
        let user = env::var_os("PATH").unwrap_or_default();
        let folders = [self.0.clone()].into_iter().chain(env::split_paths(&user));
        env::join_paths(folders).expect("they come from a PATH")
    }
}
