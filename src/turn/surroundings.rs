//! What a turn finds on this machine: the program, the configuration of Codex, and the folders in which
//! no turn may write. Blocks on files.

use std::path::{Path, PathBuf};

use crate::admission::protected_folders::ProtectedFolders;
use crate::codex::bubblewrap;
use crate::codex::configured::{ConfigFiles, Configured};
use crate::codex::diff;
use crate::codex::environment::Paths;
use crate::codex::locate::{Program, locate};
use crate::model::settings::Settings;

/// What the machine has for a turn.
pub(super) struct Surroundings {
    /// Codex, or why there is no usable one.
    pub(super) program: Result<Program, String>,
    /// Git, if it is in a folder in which no turn can have written.
    pub(super) git: Option<PathBuf>,
    pub(super) configured: Configured,
    pub(super) protected: ProtectedFolders,
    /// The PATH for Codex and its commands, if it must differ from that of this process.
    pub(super) paths: Option<Paths>,
}

impl Surroundings {
    /// Inspects the machine, for a turn in `dir`.
    pub(super) fn inspect(
        settings: &Settings,
        config_files: &ConfigFiles,
        codex_home: Option<&Path>,
        profile: Option<&str>,
        dir: &Path,
    ) -> Self {
        // Codex loads the configuration around the resolved directory.
        let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
        let configured = codex_home.map_or_else(Configured::default, |home| {
            let operator = settings.operator_config.table();
            Configured::read(config_files, home, profile, operator, &dir)
        });
        let mut protected = ProtectedFolders::new(std::env::home_dir().as_deref());
        for (folder, what) in [
            (codex_home, "Codex's home, with its settings and sessions"),
            (settings.state_dir.as_deref(), "this server's state folder"),
        ] {
            if let Some(folder) = folder {
                protected.add_folder(folder, what);
            }
        }
        let (all, folders) = protected.add_program_folders();
        let program = match locate(&settings.codex_bin, Some(&folders)) {
            Some(program) => Ok(program),
            None => Err(locate(&settings.codex_bin, None).map_or_else(String::new, |found| {
                format!(
                    "{} is in a folder that turns may write to; set CODEX_BIN to this path to run it \
                     anyway",
                    found.found_at.display()
                )
            })),
        };
        if let Ok(program) = &program {
            protected.add_file(&program.found_at, "the folder of the Codex program");
            protected.add_file(&program.path, "the folder of the Codex program");
            if let Some(packages) = &program.install_dir {
                protected.add_folder(packages, "the folder of the Codex program");
            }
        }
        if let Ok(own) = std::env::current_exe() {
            protected.add_file(&own, "the folder of this server's program");
        }
        let paths = match &program {
            Ok(program) if folders != all => {
                let state_dir = settings.state_dir.as_deref();
                let front = front(&folders, program, state_dir, &dir);
                let codex = std::env::join_paths(&folders).unwrap_or_default();
                let whole =
                    front.and_then(|front| std::env::join_paths(front.iter().chain(&all)).ok());
                Some(Paths { codex, commands: whole.and_then(|path| path.into_string().ok()) })
            }
            _ => None,
        };
        let git = diff::git_program(&folders);
        Self { program, git, configured, protected, paths }
    }
}

/// What must stand in front of the whole PATH for commands, so that a program makes the sandbox that no
/// turn can have written; `None` if nothing can ensure that.
fn front(
    folders: &[PathBuf],
    program: &Program,
    state_dir: Option<&Path>,
    dir: &Path,
) -> Option<Vec<PathBuf>> {
    if !cfg!(target_os = "linux") {
        return Some(Vec::new());
    }
    let bwrap = bubblewrap::find(folders, program)?;
    let folder = bubblewrap::link_folder(&bwrap, state_dir?).ok()?;
    // Codex ignores one that lies in its working directory.
    let real = folder.canonicalize().ok()?;
    (!bwrap.starts_with(dir) && !real.starts_with(dir)).then(|| vec![folder])
}
