//! The table of releases. Pure.

use super::{Checked, Failure, Found};
use crate::generated::Part;

const TABLE: Part = Part {
    begin: "<!-- Made by `cargo xtask codex --write`. -->\n",
    end: "<!-- End of what was made. -->\n",
};

/// A table with a column for each release, and below it what the releases lack.
pub fn markdown(all: &[Checked]) -> String {
    let versions: Vec<&str> = all.iter().map(|it| it.version.as_str()).collect();
    let mut text = format!("| | {} |\n", versions.join(" | "));
    text += &format!("|---|{}\n", ":-:|".repeat(all.len()));
    let rows: Vec<&str> =
        all.first().into_iter().flat_map(|it| &it.rows).map(|(row, _)| row.as_str()).collect();
    let mut notes: Vec<(String, Vec<&str>)> = Vec::new();
    for row in rows {
        let cells = all.iter().map(|it| {
            let found = it.rows.iter().find(|(name, _)| name == row).map(|(_, found)| found);
            let less = match found {
                Some(Found::All) => return "yes".to_owned(),
                Some(Found::Less(less)) => format!("{row}: {}", without_version(less)),
                Some(Found::Failed(reason)) => {
                    notes.push((format!("{row}: failed: {reason}"), vec![&it.version]));
                    return format!("**failed** [{}]", notes.len());
                }
                None => return "not checked".to_owned(),
            };
            let at = notes.iter().position(|(note, _)| *note == less).unwrap_or_else(|| {
                notes.push((less, Vec::new()));
                notes.len() - 1
            });
            notes[at].1.push(&it.version);
            format!("less [{}]", at + 1)
        });
        text += &format!("| {row} | {} |\n", cells.collect::<Vec<_>>().join(" | "));
    }
    for (number, (note, versions)) in notes.iter().enumerate() {
        text += &format!("\n{}. {note} ({})", number + 1, versions.join(", "));
    }
    if notes.is_empty() { text } else { text + "\n" }
}

/// A sentence that is the same for all releases that lack the same.
fn without_version(less: &str) -> &str {
    less.split(", but 0.").next().unwrap_or(less)
}

/// The versions in the page's table.
pub fn versions(page: &str) -> Vec<String> {
    let head = TABLE.of(page).lines().find(|line| line.starts_with('|')).unwrap_or_default();
    let cells = head.split('|').map(str::trim).filter(|cell| !cell.is_empty());
    cells.map(str::to_owned).collect()
}

/// The page with another table.
///
/// # Errors
/// If the page has no place for it.
pub fn replaced(page: &str, table: &str) -> Result<String, Failure> {
    TABLE.replaced(page, &format!("\n{table}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_columns_and_what_they_lack_is_told_once() {
        let less = |version: &str| Found::Less(format!("it needs 0.153, but {version} is here"));
        let checked = |version: &str, fork| Checked {
            version: version.into(),
            rows: vec![("starts".into(), Found::All), ("fork".into(), fork)],
        };
        let all = [
            checked("0.77.0", less("0.77")),
            checked("0.121.0", less("0.121")),
            checked("0.172.0", Found::Failed("no copy".into())),
        ];
        let expected = "\
| | 0.77.0 | 0.121.0 | 0.172.0 |
|---|:-:|:-:|:-:|
| starts | yes | yes | yes |
| fork | less [1] | less [1] | **failed** [2] |

1. fork: it needs 0.153 (0.77.0, 0.121.0)
2. fork: failed: no copy (0.172.0)
";
        assert_eq!(markdown(&all), expected);
        let page = format!("# A\n\n{}{}\nmore\n", TABLE.begin, TABLE.end);
        let page = replaced(&page, expected).expect("it has a place");
        assert_eq!(versions(&page), ["0.77.0", "0.121.0", "0.172.0"]);
        assert_eq!(replaced(&page, expected), Ok(page));
    }
}
