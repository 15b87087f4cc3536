//! What ARCHITECTURE.md and CONTRIBUTING.md name: files, entry points, dependencies.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A path in backticks starts with one of these, or is the name of a source file in the folder of the path
/// before it on the same line.
const TOP: [&str; 10] = [
    ".ci/",
    ".config/",
    ".github/",
    "benches/",
    "docs/",
    "examples/",
    "packaging/",
    "src/",
    "tests/",
    "xtask/",
];

/// The paths that do not exist, in order.
pub fn missing_paths(page: &str, checkout: &Path) -> Vec<String> {
    let mut missing = Vec::new();
    for line in page.lines() {
        let mut folder = None;
        for name in quoted(line) {
            let path = if TOP.iter().any(|top| name.starts_with(top)) {
                let path = checkout.join(name);
                folder = if name.ends_with('/') { Some(path.clone()) } else { parent(&path) };
                Some(path)
            } else if name.ends_with(".rs") {
                folder.as_ref().map(|folder| folder.join(name))
            } else {
                continue;
            };
            if !path.is_some_and(|path| path.exists()) {
                missing.push(name.to_owned());
            }
        }
    }
    missing
}

fn parent(path: &Path) -> Option<std::path::PathBuf> {
    path.parent().map(Path::to_owned)
}

/// What is in backticks and has no space.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    code(line).filter(|quoted| !quoted.contains(' '))
}

/// What is in backticks.
pub fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Where the links and pictures of a text lead.
pub fn targets(text: &str) -> impl Iterator<Item = &str> {
    let kinds = [("](", ')'), ("src=\"", '"'), ("srcset=\"", '"'), ("href=\"", '"')];
    kinds.into_iter().flat_map(move |(start, end)| {
        text.split(start).skip(1).filter_map(move |rest| rest.split(end).next())
    })
}

/// The links of a page to files and headings that do not exist, in order.
pub fn broken_links(page: &Path) -> Vec<String> {
    let text = fs::read_to_string(page).expect("it is in the checkout");
    let folder = page.parent().expect("it is in a folder");
    let own = targets(&text).filter(|target| !target.contains("://"));
    own.filter(|target| !exists(target, page, folder)).map(str::to_owned).collect()
}

/// Whether a link of a page in this folder leads to a file and a heading that exist.
pub fn exists(target: &str, page: &Path, folder: &Path) -> bool {
    let (file, heading) = target.split_once('#').unwrap_or((target, ""));
    let path = if file.is_empty() { page.to_owned() } else { folder.join(file) };
    if heading.is_empty() {
        return path.exists();
    }
    let text = fs::read_to_string(path).unwrap_or_default();
    let mut headings = text.lines().filter_map(|line| line.strip_prefix('#'));
    headings.any(|line| slug(line.trim_start_matches('#').trim()) == heading)
}

/// The name by which GitHub links to a heading.
fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// The functions in the picture, such as `turn::Codex::start`, that are not in the file of their module.
pub fn missing_entry_points(page: &str, checkout: &Path) -> Vec<String> {
    let pictures = page.split("```text\n").skip(1).filter_map(|rest| rest.split("```").next());
    let entry_points =
        pictures.flat_map(str::lines).filter_map(|line| line.split_whitespace().last());
    let entry_points = entry_points.filter(|word| word.contains("::"));
    let exists = |path: &str| {
        let (module, function) = path.rsplit_once("::").expect("it has a colon");
        // A type is in the file of its module.
        let names = module.split("::").filter(|name| !name.starts_with(char::is_uppercase));
        let file = names.collect::<Vec<_>>().join("/") + ".rs";
        fs::read_to_string(checkout.join("src").join(file))
            .is_ok_and(|source| source.contains(&format!("fn {function}(")))
    };
    entry_points.filter(|path| !exists(path)).map(str::to_owned).collect()
}

/// The crates with a row in the section on dependencies.
pub fn dependencies_of_page(page: &str) -> BTreeSet<String> {
    let section = page.split("\n## Dependencies\n").nth(1).expect("it has the section");
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let crates = rows.filter_map(|row| row.split('|').nth(1)).flat_map(|cell| {
        let crates = cell.split(" (").next().unwrap_or_default();
        quoted(crates).map(str::to_owned).collect::<Vec<_>>()
    });
    crates.collect()
}

/// The direct dependencies of a manifest, on all systems, also those of tests.
pub fn dependencies(manifest: &str) -> BTreeSet<String> {
    let manifest: toml::Table = manifest.parse().expect("the manifest is TOML");
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    let targets = targets.into_iter().flat_map(|targets| targets.values());
    let places = [&manifest].into_iter().chain(targets.filter_map(toml::Value::as_table));
    let tables = places.flat_map(|place| {
        let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
        kinds.into_iter().filter_map(|kind| place.get(kind)?.as_table()).collect::<Vec<_>>()
    });
    tables.flat_map(|table| table.keys().cloned()).collect()
}
