//! Sets up a client, or undoes that.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

use super::repair::{self, Foreign};
use super::{Client, ENTRY, Form, Place, Start, file, form};

/// A client's entry as it should be.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::cli) struct Setup {
    client: Client,
    place: Place,
    name: String,
    /// The entry, if there is none yet.
    entry: Map<String, Value>,
    /// How long the client must wait for a call.
    least: Duration,
    /// The variables that Codex must pass on.
    passed_on: Vec<String>,
}

/// What was done.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) enum Done {
    /// Nothing: it was so already.
    Nothing { file: PathBuf },
    /// The file was written. `backup`: where the version before that is.
    Written { file: PathBuf, backup: Option<PathBuf>, lines: Vec<String> },
    /// The file is gone, because only the entry was in it.
    Removed { file: PathBuf },
}

/// Whether a client has the entry.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) enum State {
    Absent,
    /// `lacks`: the fields that must be set or corrected.
    Present {
        lacks: Vec<String>,
    },
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum Problem {
    #[error("there is no home directory: set HOME")]
    NoHome,
    #[error("{file} cannot be read: {error}")]
    Unreadable { file: String, error: io::Error },
    #[error("{file} is not changed, because it cannot be understood ({problem}); correct it first")]
    NotUnderstood { file: String, problem: String },
    #[error("{file} has another server named {name} ({what}); rename or remove that first")]
    Taken { file: String, name: String, what: String },
    #[error("{file} cannot be written: {error}")]
    NotWritten { file: String, error: io::Error },
}

type Result<T> = std::result::Result<T, Problem>;

impl Setup {
    /// The entry in the user's file. `passed_on` are the variables that are set here and that Codex passes on only if
    /// they are named.
    pub(in crate::cli) fn new(
        client: Client,
        start: &Start,
        passed_on: Vec<String>,
    ) -> Result<Self> {
        let place = client.place().ok_or(Problem::NoHome)?;
        let least = crate::model::settings::Settings::default().limits.total;
        Ok(Self::at(client, place, ENTRY, start, passed_on, least))
    }

    /// An entry of this name in this file. `least` is how long the client must wait for a call.
    pub(in crate::cli) fn at(
        client: Client,
        place: Place,
        name: &str,
        start: &Start,
        passed_on: Vec<String>,
        least: Duration,
    ) -> Self {
        let entry = client.entry(start, &passed_on, least.max(super::TIMEOUT));
        Self { client, place, name: name.to_owned(), entry, least, passed_on }
    }

    pub(in crate::cli) fn place(&self) -> &Place {
        &self.place
    }

    /// The whole file that has only the entry.
    pub(in crate::cli) fn example(&self) -> String {
        self.set("", &self.entry).unwrap_or_default()
    }

    /// Whether the client has the entry.
    pub(in crate::cli) fn state(&self) -> Result<State> {
        let original = self.read()?;
        let text = original.text.as_deref().unwrap_or_default();
        Ok(match self.existing(text)? {
            None => State::Absent,
            Some(existing) => {
                let fields = self.missing(&existing)?;
                State::Present { lacks: fields.keys().cloned().collect() }
            }
        })
    }

    /// Writes the entry. What the user set in it stays, unless the client would then not work with this program.
    pub(in crate::cli) fn apply(&self) -> Result<Done> {
        if self.change(&self.read()?)?.is_none() {
            return Ok(Done::Nothing { file: self.read()?.path });
        }
        let _lock = self.lock()?;
        let original = self.read()?;
        let file = original.path.clone();
        let Some((after, lines)) = self.change(&original)? else {
            return Ok(Done::Nothing { file });
        };
        let backup = original.keep().map_err(|error| self.not_written(error))?;
        original.write(&after).map_err(|error| self.not_written(error))?;
        Ok(Done::Written { backup, lines, file })
    }

    /// Removes the entry, or what [`apply`](Self::apply) changed in one that was there before. If nothing else was
    /// changed since, the file is as it was.
    pub(in crate::cli) fn undo(&self) -> Result<Done> {
        if self.former(&self.read()?)?.is_none() {
            return Ok(Done::Nothing { file: self.read()?.path });
        }
        let _lock = self.lock()?;
        let original = self.read()?;
        let file = original.path.clone();
        let Some((after, lines)) = self.former(&original)? else {
            return Ok(Done::Nothing { file });
        };
        let done = match after {
            Some(after) => {
                original.write(&after).map_err(|error| self.not_written(error))?;
                Done::Written { backup: None, lines, file }
            }
            None => {
                original.remove().map_err(|error| self.not_written(error))?;
                Done::Removed { file }
            }
        };
        original.forget();
        Ok(done)
    }

    /// The text with the entry, and what changed in it. `None` if the entry is as it should be.
    fn change(&self, original: &file::Original) -> Result<Option<(String, Vec<String>)>> {
        let before = original.text.as_deref().unwrap_or_default();
        let existing = self.existing(before)?;
        let fields = match &existing {
            None => self.entry.clone(),
            Some(existing) => self.missing(existing)?,
        };
        if existing.is_some() && fields.is_empty() {
            return Ok(None);
        }
        let after = self.set(before, &fields).map_err(|problem| self.not_understood(problem))?;
        Ok(Some((after, self.lines(&existing.unwrap_or_default(), &fields))))
    }

    /// The text before the entry was written, `None` if there was no file, and what changed. The outer `None` if there
    /// is no entry, or only what was there before.
    fn former(&self, original: &file::Original) -> Result<Option<(Option<String>, Vec<String>)>> {
        let Some(now) = &original.text else { return Ok(None) };
        let Some(existing) = self.existing(now)? else { return Ok(None) };
        // Another program's entry is not ours to remove.
        self.missing(&existing)?;
        let before = file::read(&original.first()).ok().and_then(|first| first.text);
        let Some(before) = before else {
            let lines = self.lines(&existing, &Map::new());
            let is_all = self.set("", &self.entry).is_ok_and(|only| only == *now);
            let after = if is_all { None } else { Some(self.without(now)?) };
            return Ok(Some((after, lines)));
        };
        let entry_before = self.existing(&before).ok().flatten();
        let touched = match &entry_before {
            None => self.entry.clone(),
            Some(entry) => self.missing(entry).unwrap_or_default(),
        };
        let is_restored = self.set(&before, &touched).is_ok_and(|after| after == *now);
        let Some(entry_before) = entry_before else {
            let after = if is_restored { before } else { self.without(now)? };
            return Ok(Some((Some(after), self.lines(&existing, &Map::new()))));
        };
        if touched.is_empty() {
            return Ok(None);
        }
        let (mut restored, mut after) = (Map::new(), now.clone());
        for name in touched.keys() {
            match entry_before.get(name) {
                Some(value) => drop(restored.insert(name.clone(), value.clone())),
                None => {
                    after = form::remove_field(&self.place, &self.name, &after, name)
                        .map_err(|problem| self.not_understood(problem))?;
                }
            }
        }
        let after = if is_restored { Ok(before) } else { self.set(&after, &restored) };
        let after = after.map_err(|problem| self.not_understood(problem))?;
        let gone = existing.into_iter().filter(|(name, _)| touched.contains_key(name)).collect();
        Ok(Some((Some(after), self.lines(&gone, &restored))))
    }

    /// The fields that the entry lacks, or that keep it from working.
    fn missing(&self, existing: &Map<String, Value>) -> Result<Map<String, Value>> {
        let Self { client, entry, least, passed_on, .. } = self;
        let is_found = |command: &str| which::which(command).is_ok();
        repair::missing(*client, existing, entry, *least, passed_on, is_found).map_err(
            |Foreign { what }| {
                let file = self.place.file.display().to_string();
                Problem::Taken { file, name: self.name.clone(), what }
            },
        )
    }

    fn lock(&self) -> Result<file::Lock> {
        file::Lock::take(&self.place.file).map_err(|error| self.not_written(error))
    }

    fn read(&self) -> Result<file::Original> {
        file::read(&self.place.file).map_err(|error| Problem::Unreadable {
            file: self.place.file.display().to_string(),
            error,
        })
    }

    fn existing(&self, text: &str) -> Result<Option<Map<String, Value>>> {
        let entry = form::entry(&self.place, &self.name, text);
        entry.map_err(|problem| self.not_understood(problem))
    }

    fn set(&self, text: &str, fields: &Map<String, Value>) -> std::result::Result<String, String> {
        form::set(&self.place, &self.name, text, fields)
    }

    fn without(&self, text: &str) -> Result<String> {
        let text = form::remove(&self.place, &self.name, text);
        text.map_err(|problem| self.not_understood(problem))
    }

    fn not_understood(&self, problem: String) -> Problem {
        Problem::NotUnderstood { file: self.place.file.display().to_string(), problem }
    }

    fn not_written(&self, error: io::Error) -> Problem {
        Problem::NotWritten { file: self.place.file.display().to_string(), error }
    }

    /// What changes in the entry, a line for each field. The values of variables are not shown: they may be secrets.
    fn lines(&self, before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<String> {
        let shown = |mark: char, (name, value): (&String, &Value)| {
            let names = |value: &Map<String, Value>| value.keys().cloned().collect::<Vec<_>>();
            let value = match value {
                Value::Object(fields) if !fields.is_empty() => names(fields).join(", "),
                value => value.to_string(),
            };
            match self.place.form {
                Form::Json => format!("{mark} {}.{name}: {value}", self.name),
                Form::Toml => format!("{mark} {}.{name} = {value}", self.name),
            }
        };
        // All of an entry that goes, and the fields that get another value.
        let is_gone = |name: &str| after.is_empty() || after.contains_key(name);
        let gone = before.iter().filter(|(name, _)| is_gone(name)).map(|field| shown('-', field));
        gone.chain(after.iter().map(|field| shown('+', field))).collect()
    }
}
