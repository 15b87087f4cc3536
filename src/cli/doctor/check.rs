//! One check: what was checked, its status, and how to fix it.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value};

use super::repair::Repair;
use crate::cli::clients::Setup;
use crate::model::help::section;

/// The page of docs/ about this command.
pub(super) const PAGE: &str = "doctor.md";

/// Its sections about checks that have no client's name.
const SECTIONS: [&str; 10] = [
    "codex",
    "codex_home",
    "login",
    "sandbox",
    "settings",
    "state",
    "jobs",
    "calls",
    "live",
    "codex_doctor",
];

/// Its section about clients.
const CLIENTS: &str = "clients";

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
    /// What the user may want to know, though nothing is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) note: Option<String>,
    /// What to type or to edit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fix: Option<String>,
    /// Where the documentation has more about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) help: Option<String>,
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
            note: None,
            fix: None,
            help: None,
            repair: None,
        }
    }

    pub(super) fn warning(
        id: impl Into<String>,
        summary: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        let ok = Self::ok(id, summary);
        let help = Some(section(PAGE, section_of(&ok.id)));
        Self { status: Status::Warning, fix: Some(fix.into()), help, ..ok }
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

    /// The same with a note.
    pub(super) fn noting(self, note: impl Into<String>) -> Self {
        Self { note: Some(note.into()), ..self }
    }

    /// The same with one more detail.
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }
}

/// The section of the page about a check.
fn section_of(id: &str) -> &'static str {
    let first = id.split('.').next().unwrap_or(id);
    SECTIONS.into_iter().find(|section| *section == first).unwrap_or(CLIENTS)
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn each_finding_leads_to_a_section_of_the_page() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(PAGE);
        let page = fs::read_to_string(page).expect("it is in the checkout");
        for section in SECTIONS.into_iter().chain([CLIENTS]) {
            assert!(page.contains(&format!("\n## `{section}`\n")), "no section {section}");
        }
        let help = |id: &str| Check::warning(id, "", "").help.unwrap_or_default();
        assert!(help("state.rights").ends_with("/docs/doctor.md#state"));
        assert!(help("codex_client.mine.timeout").ends_with("/docs/doctor.md#clients"));
        assert_eq!(Check::ok("state", "").help, None);
    }
}
