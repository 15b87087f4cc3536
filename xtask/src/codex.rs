//! Checks releases of Codex: brings each from npm, runs the contract (`tests/integration/contract.rs`) with it, and makes
//! the table in `docs/compatibility.md`.

mod release;
mod table;

use std::fs;
use std::path::Path;
use std::process::Command;

use clap::Args;
use serde_json::Value;

use crate::{Failure, repository};
use release::Release;

const PAGE: &str = "docs/compatibility.md";

/// How many lines and characters of a failed check the table tells.
const REASON_LINES: usize = 6;
const REASON: usize = 400;

/// Checks what the program relies on in releases of Codex
#[derive(Debug, Args)]
pub struct Arguments {
    /// Releases, such as 0.172.0, or newest [default: those in docs/compatibility.md]
    releases: Vec<String>,
    /// Write the table to docs/compatibility.md
    #[arg(long)]
    write: bool,
}

/// What one release has of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Found {
    All,
    /// Something is missing, which a caller is told.
    Less(String),
    /// The check failed, for this reason.
    Failed(String),
}

/// The rows of a release, in the order of the contract.
#[derive(Debug)]
struct Checked {
    version: String,
    rows: Vec<(String, Found)>,
}

/// Checks the releases and prints their table.
///
/// # Errors
/// If a release cannot be brought, or one that is not older than those of the page fails a check.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let tested = table::versions(&repository::read(PAGE)?);
    let oldest = tested.first().map(|version| numbers(version)).unwrap_or_default();
    let wanted = if arguments.releases.is_empty() { &tested } else { &arguments.releases };
    let mut all = Vec::new();
    for version in wanted {
        let release = Release::bring(version)?;
        eprintln!("checking Codex {}", release.version);
        all.push(check(&release)?);
    }
    println!("{}", table::markdown(&all));
    if arguments.write {
        let page = table::replaced(&repository::read(PAGE)?, &table::markdown(&all))?;
        repository::write(PAGE, &page)?;
    }
    let failed: Vec<&str> = all
        .iter()
        .filter(|it| it.rows.iter().any(|(_, found)| found.has_failed()))
        .filter(|it| numbers(&it.version) >= oldest)
        .map(|it| it.version.as_str())
        .collect();
    match failed[..] {
        [] => Ok(()),
        _ => Err(format!("these releases fail a check: {}", failed.join(", "))),
    }
}

/// The numbers of a version, which compare as it does.
fn numbers(version: &str) -> Vec<u64> {
    version.split(['.', '-']).map_while(|number| number.parse().ok()).collect()
}

/// Runs the contract with a release.
fn check(release: &Release) -> Result<Checked, Failure> {
    let report = release.folder.join("contract.jsonl");
    let _none_yet = fs::remove_file(&report);
    let output = Command::new(env!("CARGO"))
        .args(["test", "--quiet", "--locked", "--test", "integration", "contract::", "--"])
        .arg("--test-threads=2")
        .current_dir(repository::path(""))
        .env("CODEX_CONTRACT_PROGRAM", &release.program)
        .env("CODEX_CONTRACT_REPORT", &report)
        .env("RUST_BACKTRACE", "0")
        .output()
        .map_err(|error| format!("cargo did not start: {error}"))?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let rows = rows(&report, &printed)?;
    if rows.is_empty() || output.status.success() != rows.iter().all(|(_, it)| !it.has_failed()) {
        let problem = String::from_utf8_lossy(&output.stderr);
        return Err(format!("the contract did not run to its end:\n{printed}\n{problem}"));
    }
    Ok(Checked { version: release.version.clone(), rows })
}

impl Found {
    fn has_failed(&self) -> bool {
        matches!(self, Self::Failed(_))
    }
}

/// The rows of a report. A check without an end has failed: `printed` has its reason.
fn rows(report: &Path, printed: &str) -> Result<Vec<(String, Found)>, Failure> {
    let text = fs::read_to_string(report).unwrap_or_default();
    let lines: Vec<Value> = text
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{}: {error}", report.display()))?;
    let word = |line: &Value, name: &str| line[name].as_str().unwrap_or_default().to_owned();
    let mut begun: Vec<&Value> = lines.iter().filter(|line| line.get("less").is_none()).collect();
    begun.sort_by_key(|line| line["number"].as_u64());
    let rows = begun.into_iter().map(|begun| {
        let is_end = |line: &&Value| line["check"] == begun["check"] && line.get("less").is_some();
        let found = match lines.iter().find(is_end) {
            Some(end) if end["less"].is_null() => Found::All,
            Some(end) => Found::Less(word(end, "less")),
            None => Found::Failed(reason(printed, &word(begun, "check"))),
        };
        (word(begun, "row"), found)
    });
    Ok(rows.collect())
}

/// What a failed check printed, on one line.
fn reason(printed: &str, check: &str) -> String {
    let head = format!("thread 'contract::{check}'");
    let lines = printed.lines().skip_while(|line| !line.starts_with(&head)).skip(1);
    // What the server wrote follows, or how to get a backtrace.
    let lines =
        lines.take_while(|line| !["--- ", "---- ", "note: "].iter().any(|it| line.starts_with(it)));
    let words: Vec<&str> = lines.take(REASON_LINES).flat_map(str::split_whitespace).collect();
    if words.is_empty() {
        return "it did not end".to_owned();
    }
    let text = words.join(" ");
    match text.char_indices().nth(REASON) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_their_numbers() {
        assert!(numbers("0.121.0") > numbers("0.77.0"));
        assert!(numbers("0.76.9") < numbers("0.77.0"));
        assert!(numbers("1.0.0-alpha.2") >= numbers("0.171.0"));
    }

    #[test]
    fn a_check_without_an_end_has_failed() {
        let report = std::env::temp_dir().join(format!("contract-{}.jsonl", std::process::id()));
        let lines = [
            r#"{"number":1,"check":"fork","row":"a copy"}"#,
            r#"{"number":0,"check":"start","row":"starts"}"#,
            r#"{"check":"start","less":null}"#,
            r#"{"number":2,"check":"web","row":"web search"}"#,
            r#"{"check":"web","less":"none"}"#,
        ];
        fs::write(&report, lines.join("\n")).expect("writable");
        let printed =
            "thread 'contract::fork' (7) panicked at x.rs:1:1:\nno\n  copy\n--- stdout\nmore\n";
        let found = rows(&report, printed).expect("these are rows");
        fs::remove_file(&report).expect("it was just written");
        let expected = [
            ("starts", Found::All),
            ("a copy", Found::Failed("no copy".into())),
            ("web search", Found::Less("none".into())),
        ];
        assert_eq!(found, expected.map(|(row, found)| (row.to_owned(), found)));
    }
}
