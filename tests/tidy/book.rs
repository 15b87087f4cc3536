//! The book of docs/: its table of contents, and links that work in the book and on GitHub.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use crate::pages;

/// The pages that are not in the table of contents exactly once, each with how often they are. `pages` has paths
/// from docs/.
pub fn misplaced<'a>(summary: &'a str, pages: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut times: BTreeMap<&str, usize> = pages.into_iter().map(|page| (page, 0)).collect();
    for page in summary.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        *times.entry(page).or_default() += 1;
    }
    let wrong = times.into_iter().filter(|(_, times)| *times != 1);
    wrong.map(|(page, times)| format!("{page}: {times} times")).collect()
}

/// The relative links of a page that leave docs/. The book does not have what they lead to. `folder` is that of the
/// page, from docs/.
pub fn leaving<'a>(text: &'a str, folder: &Path) -> Vec<&'a str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let relative = targets.filter(|target| !target.contains("://"));
    relative.filter(|target| is_outside(&folder.join(target))).collect()
}

fn is_outside(path: &Path) -> bool {
    let depths = path.components().scan(0, |depth, part| {
        *depth += if part == Component::ParentDir { -1 } else { 1 };
        Some(*depth)
    });
    depths.into_iter().any(|depth| depth < 0)
}

/// The addresses of files of this repository on the web that lead to a file or heading that does not exist.
pub fn broken_addresses<'a>(text: &'a str, repository: &str, checkout: &Path) -> Vec<&'a str> {
    let start = format!("{repository}/blob/main/");
    let ends = [')', '>', '`', '"', '\'', ' ', '\n'];
    let targets = text.split(&start).skip(1).filter_map(|rest| rest.split(ends).next());
    targets.filter(|target| !pages::exists(target, checkout, checkout)).collect()
}
