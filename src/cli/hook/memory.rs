//! What a hook knows from the last time: small files in the state folder.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::model::settings::Settings;
use crate::system::private;

/// A file that was not written for this long is of no use any more.
const KEPT: Duration = Duration::from_hours(30 * 24);

/// A file of a hook.
#[derive(Debug)]
pub(super) struct Memory(PathBuf);

impl Memory {
    /// What a hook knows about something. `None` without a state folder.
    pub(super) fn of(settings: &Settings, hook: &str, about: impl Hash) -> Option<Self> {
        let mut hasher = DefaultHasher::new();
        about.hash(&mut hasher);
        let name = format!("{hook}-{:016x}.json", hasher.finish());
        Some(Self(settings.state_dir.as_ref()?.join("hooks").join(name)))
    }

    pub(super) fn read<T: DeserializeOwned>(&self) -> Option<T> {
        private::read_whole(&self.0).ok()
    }

    /// Remembers this, and forgets what is old. Without it a hook says again what it said before.
    pub(super) fn write(&self, content: &impl Serialize) {
        let folder = self.0.parent().expect("it is in a folder");
        let written =
            private::create_folder(folder).and_then(|()| private::write_often(&self.0, content));
        if let Err(error) = written {
            tracing::warn!(%error, "a hook cannot remember what it did");
        }
        forget_old(folder);
    }
}

fn forget_old(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let modified = entry.metadata().and_then(|metadata| metadata.modified()).ok();
        if modified.and_then(|time| time.elapsed().ok()).is_some_and(|age| age > KEPT) {
            drop(fs::remove_file(entry.path()));
        }
    }
}
