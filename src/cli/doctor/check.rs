//! One check: what was checked, its status, and how to fix it.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value};

use super::repair::Repair;
use crate::cli::clients::Setup;

/// The status of a check, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Ok,
    /// It works or may work, but could be better.
    Warning,
    /// It does not work.
    Problem,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Check {
    pub(super) id: String,
    pub(super) status: Status,
    /// What was found, on one line.
    pub(super) summary: String,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub(super) details: Map<String, Value>,
    /// What to type or to edit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fix: Option<String>,
    /// What makes the fix, where this program can.
    #[serde(skip)]
    pub(super) repair: Option<Repair>,
}

impl Check {
    pub(super) fn ok(id: impl Into<String>, summary: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            status: Status::Ok,
            summary: summary.into(),
            details: Map::new(),
            fix: None,
            repair: None,
        }
    }

    pub(super) fn warning(
        id: impl Into<String>,
        summary: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { status: Status::Warning, fix: Some(fix.into()), ..Self::ok(id, summary) }
    }

    pub(super) fn problem(
        id: impl Into<String>,
        summary: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { status: Status::Problem, ..Self::warning(id, summary, fix) }
    }

    /// The same with the entry that makes the fix.
    pub(super) fn repaired_by(self, entry: Option<Setup>) -> Self {
        Self { repair: entry.map(Repair::Entry), ..self }
    }

    /// The same with what makes the fix.
    pub(super) fn repaired(self, repair: Repair) -> Self {
        Self { repair: Some(repair), ..self }
    }

    /// The same with one more detail.
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }
}

/// The worst status of all.
pub(super) fn worst(checks: &[Check]) -> Status {
    checks.iter().map(|check| check.status).max().unwrap_or(Status::Ok)
}

/// Names separated by commas, sorted, without duplicates.
pub(super) fn listed<T: AsRef<str>>(words: impl IntoIterator<Item = T>) -> String {
    let words: BTreeSet<String> = words.into_iter().map(|word| word.as_ref().to_owned()).collect();
    words.into_iter().collect::<Vec<_>>().join(", ")
}

/// A number of things.
pub(super) fn count(number: usize, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}
