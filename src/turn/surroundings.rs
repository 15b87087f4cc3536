//! What a turn finds on this machine: the program, what Codex is configured for, and the folders in
//! which no turn may write. Blocks on files.

use std::path::{Path, PathBuf};

use crate::codex::configured::Configured;
use crate::codex::locate::{Program, locate};
use crate::config::Settings;
use crate::policy::protected::Protected;

/// What there is.
pub(super) struct Surroundings {
    /// Codex, or why there is none.
    pub(super) program: Result<Program, String>,
    pub(super) configured: Configured,
    pub(super) protected: Protected,
    /// The folders on the PATH in which no turn may write; `None` if these are all there are.
    pub(super) folders: Option<Vec<PathBuf>>,
}

impl Surroundings {
    /// Looks for them, for a turn in `dir`.
    pub(super) fn look(
        settings: &Settings,
        codex_home: Option<&Path>,
        profile: Option<&str>,
        dir: &Path,
    ) -> Self {
        // Codex loads what lies around where the directory really is.
        let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
        let configured = codex_home
            .map_or_else(Configured::default, |home| Configured::read(home, profile, &dir));
        let mut protected = Protected::new(std::env::home_dir().as_deref());
        for (folder, what) in [
            (codex_home, "Codex's home, with its settings and sessions"),
            (settings.state_dir.as_deref(), "this server's state folder"),
        ] {
            if let Some(folder) = folder {
                protected.folder(folder, what);
            }
        }
        let (all, folders) = protected.program_folders();
        let program = match locate(&settings.codex_bin, Some(&folders)) {
            Some(program) => Ok(program),
            None => Err(locate(&settings.codex_bin, None).map_or_else(String::new, |found| {
                format!(
                    "{} is in a folder in which turns may write; name it by CODEX_BIN if it is to be \
                     run",
                    found.named.display()
                )
            })),
        };
        if let Ok(program) = &program {
            protected.file(&program.named, "which holds the Codex that is run");
            protected.file(&program.path, "which holds the Codex that is run");
            if let Some(packages) = &program.packages {
                protected.folder(packages, "which holds the Codex that is run");
            }
        }
        if let Ok(own) = std::env::current_exe() {
            protected.file(&own, "which holds this server's program");
        }
        let folders = (folders != all).then_some(folders);
        Self { program, configured, protected, folders }
    }

    /// Of a machine that could not be looked at.
    pub(super) fn unknown() -> Self {
        Self {
            program: Err("the search for it broke off".into()),
            configured: Configured::default(),
            protected: Protected::default(),
            folders: None,
        }
    }
}
