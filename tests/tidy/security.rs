//! Each row of SECURITY.md names the tests of its defence, and they exist.

use std::fs;
use std::path::{Path, PathBuf};

/// A row whose tests are missing, and which.
pub fn untested(page: &str, tests: &Path) -> Vec<String> {
    let files = files(tests);
    let all: String = files.iter().map(|file| read(file)).collect();
    let exists = |name: &str| match name.ends_with(".rs") || name.ends_with('/') {
        true => tests.join(name).exists(),
        false => all.contains(&format!("fn {name}")) || all.contains(&format!("mod {name}")),
    };
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| attack "));
    let untested = rows.filter(|row| {
        let cell = row.trim_end_matches(['|', ' ']).rsplit(" | ").next().unwrap_or_default();
        let mut names = cell.split('`').skip(1).step_by(2).peekable();
        names.peek().is_none() || !names.all(exists)
    });
    untested.map(str::to_owned).collect()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("it is in the checkout").flatten();
    let nested = entries.map(|entry| entry.path()).map(|path| match path.is_dir() {
        true => files(&path),
        false => vec![path],
    });
    nested.flatten().collect()
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_default()
}
