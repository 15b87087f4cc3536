//! Sets up a client, or undoes that.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;

use serde_json::{Map, Value};

use super::{Client, ENTRY, Form, Place, file, json, toml};

/// A client's entry as it should be.
#[derive(Debug)]
pub(in crate::cli) struct Setup {
    place: Place,
    entry: Map<String, Value>,
}

/// What was done.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) enum Done {
    /// Nothing: it was so already.
    Nothing { file: PathBuf },
    /// The file was written. `backup`: where its first version is, if that was kept now.
    Written { file: PathBuf, backup: Option<PathBuf>, lines: Vec<String> },
    /// The file is gone, because only the entry was in it.
    Removed { file: PathBuf },
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
    #[error("{file} has another server named {ENTRY} ({command}); rename or remove that first")]
    Taken { file: String, command: String },
    #[error("{file} cannot be written: {error}")]
    NotWritten { file: String, error: io::Error },
}

type Result<T> = std::result::Result<T, Problem>;

impl Setup {
    pub(in crate::cli) fn new(client: Client, command: &str, passed_on: &[&str]) -> Result<Self> {
        let place = client.place().ok_or(Problem::NoHome)?;
        Ok(Self { place, entry: client.entry(command, passed_on) })
    }

    pub(in crate::cli) fn place(&self) -> &Place {
        &self.place
    }

    /// The whole file that has only the entry.
    pub(in crate::cli) fn example(&self) -> String {
        self.set("", &self.entry).unwrap_or_default()
    }

    /// Whether the client has the entry.
    pub(in crate::cli) fn is_there(&self) -> Result<bool> {
        let original = self.read()?;
        Ok(self.existing(original.text.as_deref().unwrap_or_default())?.is_some())
    }

    /// Writes the entry. What the user set in it stays, unless the client would then not work with this program.
    pub(in crate::cli) fn apply(&self) -> Result<Done> {
        let original = self.read()?;
        let before = original.text.as_deref().unwrap_or_default();
        let fields = match self.existing(before)? {
            None => self.entry.clone(),
            Some(existing) => self.missing(&existing)?,
        };
        let file = original.path.clone();
        if fields.is_empty() {
            return Ok(Done::Nothing { file });
        }
        let after = self.set(before, &fields).map_err(|problem| self.not_understood(problem))?;
        let not_written = |error| Problem::NotWritten { file: file.display().to_string(), error };
        let is_kept = original.keep().map_err(not_written)?;
        original.write(&after).map_err(not_written)?;
        let backup = is_kept.then(|| original.backup());
        Ok(Done::Written { backup, lines: changed(before, &after), file })
    }

    /// Removes the entry. If nothing else was changed since [`apply`](Self::apply), the file is as it was before that.
    pub(in crate::cli) fn undo(&self) -> Result<Done> {
        let original = self.read()?;
        let file = original.path.clone();
        let Some(now) = &original.text else { return Ok(Done::Nothing { file }) };
        if self.existing(now)?.is_none() {
            return Ok(Done::Nothing { file });
        }
        let not_written = |error| Problem::NotWritten { file: file.display().to_string(), error };
        let backup = file::read(&original.backup()).ok().and_then(|backup| backup.text);
        let is_ours = |before: &str| self.set(before, &self.entry).is_ok_and(|after| after == *now);
        if backup.is_none() && is_ours("") {
            original.remove().map_err(not_written)?;
            return Ok(Done::Removed { file });
        }
        let after = match backup.filter(|before| is_ours(before)) {
            Some(before) => before,
            None => self.remove(now).map_err(|problem| self.not_understood(problem))?,
        };
        original.write(&after).map_err(not_written)?;
        drop(std::fs::remove_file(original.backup()));
        Ok(Done::Written { backup: None, lines: changed(now, &after), file })
    }

    /// The fields that the entry lacks, or that keep it from working.
    fn missing(&self, existing: &Map<String, Value>) -> Result<Map<String, Value>> {
        let command = existing.get("command").map(|command| match command {
            Value::Array(words) => words.first().and_then(Value::as_str).unwrap_or_default(),
            command => command.as_str().unwrap_or_default(),
        });
        let words = existing.get("args").or_else(|| existing.get("command"));
        let words = words.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let is_ours = |word: &str| {
            std::path::Path::new(word)
                .file_stem()
                .is_some_and(|stem| stem == env!("CARGO_PKG_NAME"))
        };
        match command {
            Some(command) if !is_ours(command) && !words.into_iter().any(is_ours) => {
                let file = self.place.file.display().to_string();
                return Err(Problem::Taken { file, command: command.to_owned() });
            }
            _ => {}
        }
        let is_wanted = |(name, wanted): &(&String, &Value)| match existing.get(*name) {
            None => true,
            // A shorter timeout cuts calls off, and without approval they are denied.
            Some(found) => match (found.as_f64(), wanted.as_f64()) {
                (Some(found), Some(wanted)) => found < wanted,
                _ => *name == "default_tools_approval_mode" && found != *wanted,
            },
        };
        let wanted = self.entry.iter().filter(is_wanted);
        Ok(wanted.map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    fn read(&self) -> Result<file::Original> {
        file::read(&self.place.file).map_err(|error| Problem::Unreadable {
            file: self.place.file.display().to_string(),
            error,
        })
    }

    fn existing(&self, text: &str) -> Result<Option<Map<String, Value>>> {
        let entry = match self.place.form {
            Form::Json => json::entry(text, self.place.servers, ENTRY),
            Form::Toml => toml::entry(text, self.place.servers, ENTRY),
        };
        entry.map_err(|problem| self.not_understood(problem))
    }

    fn set(&self, text: &str, fields: &Map<String, Value>) -> std::result::Result<String, String> {
        match self.place.form {
            Form::Json => json::set(text, self.place.servers, ENTRY, fields),
            Form::Toml => toml::set(text, self.place.servers, ENTRY, fields),
        }
    }

    fn remove(&self, text: &str) -> std::result::Result<String, String> {
        match self.place.form {
            Form::Json => json::remove(text, self.place.servers, ENTRY),
            Form::Toml => toml::remove(text, self.place.servers, ENTRY),
        }
    }

    fn not_understood(&self, problem: String) -> Problem {
        Problem::NotUnderstood { file: self.place.file.display().to_string(), problem }
    }
}

/// The lines that were added and removed. Those that stayed may hold secrets of other servers.
fn changed(before: &str, after: &str) -> Vec<String> {
    let of = |text: &'static str, from: &str, other: &str| -> Vec<String> {
        let known: HashSet<&str> = other.lines().collect();
        let new = from.lines().filter(|line| !known.contains(line) && !line.trim().is_empty());
        new.map(|line| format!("{text} {line}")).collect()
    };
    [of("-", before, after), of("+", after, before)].concat()
}
