//! Files that Codex reads in one run, such as the schema of its answer. They hold a caller's text,
//! so only their owner can read them, and they are removed after the run.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use uuid::Uuid;

use super::command::Files;
use super::developer_message::{When, file_content};
use crate::model::options::{Image, Options};
use crate::system::private;

/// The age from which files of a killed process are removed: longer than any turn.
const ABANDONED_AFTER: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// The prefix of a run's folder below the state folder.
const PREFIX: &str = "run-";

/// The files of one run, removed when this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    folder: Option<TempDir>,
    pub(crate) files: Files,
}

impl Scratch {
    /// Writes what Codex needs as files, below the state folder, or without one in the system's
    /// folder for temporary files. `when` says when Codex needs the developer instructions.
    pub(crate) fn write(
        state_dir: Option<&Path>,
        options: &Options,
        when: When,
    ) -> io::Result<Self> {
        Self::write_or(state_dir, &std::env::temp_dir(), options, when)
    }

    fn write_or(
        state_dir: Option<&Path>,
        temporary: &Path,
        options: &Options,
        when: When,
    ) -> io::Result<Self> {
        let schema = options.output_schema.as_ref().map(|schema| schema.to_json());
        let instructions = options.base_instructions.as_deref();
        let compact_prompt = options.compact_prompt.as_deref();
        let mut with_comma =
            options.images.iter().map(Image::as_path).filter(|path| has_comma(path));
        let message = options.developer_instructions.as_deref().map(file_content);
        let has_files = schema.is_some()
            || instructions.is_some()
            || compact_prompt.is_some()
            || message.is_some();
        if !has_files && with_comma.next().is_none() {
            return Ok(Self::default());
        }
        let folder = match state_dir {
            Some(state_dir) => {
                let all = state_dir.join("scratch");
                let folder = private_folder(&all, PREFIX)?;
                remove_abandoned(&all);
                folder
            }
            // Anything else in the system's folder may belong to another user.
            None => private_folder(temporary, concat!(env!("CARGO_PKG_NAME"), "-"))?,
        };
        let mut scratch = Self { folder: Some(folder), files: Files::default() };
        scratch.files.output_schema = scratch.file("schema.json", schema.as_deref())?;
        scratch.files.base_instructions = scratch.file("instructions.md", instructions)?;
        scratch.files.compact_prompt = scratch.file("compact.md", compact_prompt)?;
        let message = scratch.file("developer.json", message.as_deref())?;
        scratch.files.developer_message = message.map(|file| (file, when));
        scratch.link_pictures(&options.images)?;
        Ok(scratch)
    }

    /// Links pictures under other names if Codex would not find them by their own.
    fn link_pictures(&mut self, images: &[Image]) -> io::Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        for (number, image) in images.iter().enumerate() {
            let path = image.as_path();
            if !has_comma(path) {
                continue;
            }
            let name = folder.path().join(format!("picture-{number}"));
            if has_comma(&name) {
                let problem =
                    "its path has a comma, which Codex reads as a separator between images";
                return Err(io::Error::other(format!("{}: {problem}", folder.path().display())));
            }
            #[cfg(unix)]
            std::os::unix::fs::symlink(path, &name)?;
            // On Windows only some users can create links.
            #[cfg(not(unix))]
            fs::copy(path, &name)?;
            self.files.image_aliases.push((path.to_owned(), name));
        }
        Ok(())
    }

    fn file(&self, name: &str, text: Option<&str>) -> io::Result<Option<PathBuf>> {
        let (Some(folder), Some(text)) = (&self.folder, text) else { return Ok(None) };
        let path = folder.path().join(name);
        let mut file = private::open_options().write(true).create_new(true).open(&path)?;
        file.write_all(text.as_bytes())?;
        Ok(Some(path))
    }
}

/// Whether Codex would take a path for several: it splits `-i` at commas (0.77 to 0.171).
fn has_comma(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().contains(&b',')
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(folder) = self.folder.take()
            && let Err(error) = folder.close()
        {
            tracing::debug!(%error, "the files of a turn cannot be removed");
        }
    }
}

/// A new folder for its owner alone, inside one that is created if needed.
fn private_folder(within: &Path, prefix: &str) -> io::Result<TempDir> {
    let explain =
        |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", within.display()));
    private::create_folder(within).map_err(explain)?;
    let mut folder = tempfile::Builder::new();
    #[cfg(unix)]
    folder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    // The builder's own error would name a folder that does not exist.
    let made = folder.prefix(prefix).tempdir_in(within);
    made.map_err(|error| explain(error.kind().into()))
}

fn remove_abandoned(all: &Path) {
    let is_ours = |folder: &fs::DirEntry| {
        let name = folder.file_name();
        // Older versions named them by a UUID.
        name.to_str().is_some_and(|name| name.starts_with(PREFIX) || Uuid::try_parse(name).is_ok())
    };
    for folder in fs::read_dir(all).into_iter().flatten().flatten().filter(is_ours) {
        let age = folder.metadata().and_then(|folder| folder.modified()).map(|time| time.elapsed());
        if age.is_ok_and(|age| age.is_ok_and(|age| age > ABANDONED_AFTER)) {
            drop(fs::remove_dir_all(folder.path()));
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::time::SystemTime;

    /// A folder that was written long ago.
    fn old(folder: &Path) {
        fs::create_dir_all(folder).expect("writable");
        let long_ago = SystemTime::now() - 2 * ABANDONED_AFTER;
        let opened = fs::File::open(folder).expect("it is there");
        opened.set_modified(long_ago).expect("it is ours");
    }

    fn options() -> Options {
        Options { base_instructions: Some("instructions".into()), ..Options::default() }
    }

    #[test]
    fn only_abandoned_folders_of_this_program_are_removed() {
        let name = Uuid::new_v4().to_string();
        let temporary = crate::testing::scratch();
        let shared = temporary.join("scratch").join(&name);
        old(&shared);
        drop(Scratch::write_or(None, &temporary, &options(), When::AtStart).expect("writable"));
        assert!(shared.is_dir(), "it may belong to somebody else");
        fs::remove_dir(&shared).expect("it is empty");

        let state = temporary.join(format!("state-{name}"));
        let [abandoned, older, other] = ["run-1", name.as_str(), "other"].map(|name| {
            let folder = state.join("scratch").join(name);
            old(&folder);
            folder
        });
        drop(Scratch::write(Some(&state), &options(), When::AtStart).expect("writable"));
        assert!(!abandoned.exists() && !older.exists() && other.is_dir());
        fs::remove_dir_all(&state).expect("it is there");
    }
}
