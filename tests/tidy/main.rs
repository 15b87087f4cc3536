//! Checks the documentation against the source: imports go down only and never in a circle, by the layers in
//! ARCHITECTURE.md; the files, links, entry points and dependencies that the pages name exist; each defence in
//! SECURITY.md has a test; the tables of limits say what the constants do; the book of docs/
//! has all pages; the pictures are whole and shown; and the README is the same in each language.

mod book;
mod imports;
mod languages;
mod layers;
mod limits;
mod pages;
mod pictures;
mod security;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use imports::{Source, sources};
use layers::Layers;

fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(checkout().join(name)).expect("it is in the checkout")
}

fn layers() -> Layers {
    Layers::read(&read("ARCHITECTURE.md"))
}

#[test]
fn the_map_has_exactly_the_rooms_of_the_source() {
    let mut in_map = layers().rooms();
    let mut in_source: Vec<String> =
        sources(&checkout().join("src")).into_iter().map(|source| source.room()).collect();
    in_map.sort();
    in_source.sort();
    in_source.dedup();
    assert_eq!(in_map, in_source);
}

#[test]
fn imports_go_down() {
    let layers = layers();
    let mut up = Vec::new();
    for source in sources(&checkout().join("src")) {
        let room = source.room();
        for import in &source.imports {
            let other = import.split("::").nth(1).unwrap_or_default().to_owned();
            if other != room && layers.is_room(&other) && !layers.is_below(&other, &room) {
                up.push(format!("{} imports {import}", source.path.display()));
            }
        }
    }
    assert!(up.is_empty(), "{}", up.join("\n"));
}

#[test]
fn no_imports_go_in_a_circle() {
    let sources = sources(&checkout().join("src"));
    let modules: Vec<&str> = sources.iter().map(|source| source.module.as_str()).collect();
    let arrows: BTreeMap<&str, Vec<&str>> = sources
        .iter()
        .map(|source| {
            let to = source.imports.iter().filter_map(|import| module_of(import, &modules));
            // A module and those within it count as one.
            let apart =
                to.filter(|to| !is_within(to, &source.module) && !is_within(&source.module, to));
            (source.module.as_str(), apart.collect())
        })
        .collect();
    if let Some(circle) = circle(&arrows) {
        panic!("in a circle: {}", circle.join(" -> "));
    }
}

/// The module of an import: the longest prefix of its path that is a module.
fn module_of<'a>(import: &str, modules: &[&'a str]) -> Option<&'a str> {
    let fits = modules.iter().filter(|module| import == **module || is_within(import, module));
    fits.max_by_key(|module| module.len()).copied()
}

fn is_within(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest.starts_with("::"))
}

/// A circle of arrows, if there is one.
fn circle<'a>(arrows: &BTreeMap<&'a str, Vec<&'a str>>) -> Option<Vec<&'a str>> {
    let mut done = Vec::new();
    arrows.keys().find_map(|start| walk(start, arrows, &mut Vec::new(), &mut done))
}

fn walk<'a>(
    at: &'a str,
    arrows: &BTreeMap<&'a str, Vec<&'a str>>,
    path: &mut Vec<&'a str>,
    done: &mut Vec<&'a str>,
) -> Option<Vec<&'a str>> {
    if let Some(began) = path.iter().position(|module| *module == at) {
        return Some(path[began..].iter().copied().chain([at]).collect());
    }
    if done.contains(&at) {
        return None;
    }
    path.push(at);
    let found = arrows.get(at)?.iter().find_map(|to| walk(to, arrows, path, done));
    path.pop();
    done.push(at);
    found
}

#[test]
fn imports_and_circles_are_found() {
    let page = "## Layers\n\n| layer | rooms |\n|---|---|\n| top | `a`, `b` |\n| ground | `c` |\n\n## Next\n| `d` |";
    let layers = Layers::read(page);
    assert_eq!(layers.rooms(), ["a", "b", "c"]);
    assert!(layers.is_below("c", "a") && !layers.is_below("a", "c") && !layers.is_below("b", "a"));
    let source = Source::read(
        Path::new("a/inner.rs"),
        "use std::io;\nuse super::{x::Y, z::{self, W as V}};\npub(crate) use crate::c::D;\n\
         fn f() { crate::b::call() }\n#[cfg(test)]\nmod tests {\n    use crate::a::Only;\n}\n",
    );
    assert_eq!(source.module, "crate::a::inner");
    assert_eq!(
        source.imports,
        ["crate::a::x::Y", "crate::a::z", "crate::a::z::W", "crate::b::call", "crate::c::D"]
    );
    let arrows =
        BTreeMap::from([("a", vec!["b"]), ("b", vec!["c"]), ("c", vec!["a"]), ("d", vec!["a"])]);
    assert_eq!(circle(&arrows), Some(vec!["a", "b", "c", "a"]));
    assert_eq!(circle(&BTreeMap::from([("a", vec!["b"]), ("b", vec![])])), None);
}

#[test]
fn each_defence_has_a_test() {
    let page = read("SECURITY.md");
    let untested = security::untested(&page, &checkout().join("tests/integration"));
    assert!(untested.is_empty(), "{}", untested.join("\n"));
    let renamed = page.replace("real/swap.rs", "real/gone.rs");
    let tests = checkout().join("tests/integration");
    assert!(!security::untested(&renamed, &tests).is_empty(), "a missing test goes unnoticed");
}

#[test]
fn the_files_that_the_pages_name_exist() {
    for name in ["ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let missing = pages::missing_paths(&read(name), checkout());
        assert!(missing.is_empty(), "{name} names {}", missing.join(", "));
    }
    let page = "| `src/job/`: `store.rs`, `gone.rs` | `events.jsonl`\n`src/gone.rs` `other.rs`";
    assert_eq!(pages::missing_paths(page, checkout()), ["gone.rs", "src/gone.rs", "other.rs"]);
}

#[test]
fn the_links_of_the_pages_lead_somewhere() {
    let docs = pages_below(&checkout().join("docs"));
    let own = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"];
    let own = own.into_iter().chain(languages::TRANSLATIONS).map(|name| checkout().join(name));
    for page in own.chain(docs) {
        let broken = pages::broken_links(&page);
        assert!(broken.is_empty(), "{} links to {}", page.display(), broken.join(", "));
    }
    let page = Path::new(env!("CARGO_TARGET_TMPDIR")).join("links.md");
    let text =
        "# A `b` c\n[1](#a-b-c) [2](#gone) [3](links.md#a-b-c) [4](gone.md) [5](https://a.b)\n";
    fs::write(&page, text).expect("it is writable");
    assert_eq!(pages::broken_links(&page), ["#gone", "gone.md"]);
    fs::remove_file(page).expect("it is the test's own");
}

/// All pages in a folder and in those below it.
fn pages_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("there are pages").flatten();
    let pages = entries.map(|entry| entry.path()).flat_map(|path| match path.is_dir() {
        true => pages_below(&path),
        false => vec![path],
    });
    pages.filter(|path| path.extension().is_some_and(|kind| kind == "md")).collect()
}

#[test]
fn the_pictures_are_whole_and_shown() {
    let folder = checkout().join("docs/pictures");
    let entries = fs::read_dir(folder).expect("there are pictures").flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let names = names.filter(|name| name.ends_with(".svg"));
    let all: BTreeMap<String, String> =
        names.map(|name| (name.clone(), read(&format!("docs/pictures/{name}")))).collect();
    let own = [checkout().join("README.md"), checkout().join("ARCHITECTURE.md")];
    let mut shown = Vec::new();
    for page in pages_below(&checkout().join("docs")).into_iter().chain(own) {
        let text = fs::read_to_string(page).expect("it is in the checkout");
        let pictures = pages::targets(&text).filter_map(|target| target.split_once("pictures/"));
        shown.extend(pictures.map(|(_, name)| name.to_owned()));
    }
    let wrong = pictures::wrong(&all, &shown);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_newcomer_reads_the_readme_in_two_minutes() {
    for name in ["README.md"].into_iter().chain(languages::TRANSLATIONS) {
        let lines = read(name).lines().count();
        assert!(lines <= 150, "{name} has {lines} lines");
    }
}

#[test]
fn the_readme_adds_with_a_click_what_the_pages_of_the_clients_add() {
    let pages = ["cursor", "vscode"].map(|client| read(&format!("docs/clients/{client}.md")));
    let readme = read("README.md");
    let added: Vec<bool> = pages::targets(&readme)
        .filter(|target| target.contains("install-mcp?") || target.contains("mcp%2Finstall"))
        .map(|link| pages.iter().any(|page| page.contains(&format!("({link})"))))
        .collect();
    assert_eq!(added, [true, true], "copy the links from docs/clients/");
}

#[test]
fn every_page_is_in_the_index() {
    let index = read("docs/README.md");
    let docs = checkout().join("docs");
    let missing: Vec<String> = pages_below(&docs)
        .into_iter()
        .filter_map(|page| Some(page.strip_prefix(&docs).ok()?.to_str()?.to_owned()))
        .filter(|page| {
            !matches!(page.as_str(), "README.md" | "SUMMARY.md")
                && (!page.starts_with("clients/") || page == "clients/README.md")
        })
        .filter(|page| !index.contains(&format!("({page})")))
        .collect();
    assert!(missing.is_empty(), "docs/README.md lacks {}", missing.join(", "));
}

#[test]
fn the_limits_are_those_of_the_source() {
    let wrong = limits::wrong(limits::in_checkout(checkout()));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let changed =
        |name: &str| read(name).replace("MAX_REPLY_CHARS: usize = 4", "MAX_REPLY_CHARS: usize = 5");
    assert_eq!(limits::wrong(changed).len(), 1, "a changed constant goes unnoticed");
}

#[test]
fn each_limit_names_its_constant() {
    // The first has a page of its own, the second has no bound.
    let others = ["HTTP", "a job's events on disk"];
    assert_eq!(limits::unchecked("docs/limits.md", &read("docs/limits.md")), others);
}

#[test]
fn the_entry_points_of_the_map_exist() {
    let missing = pages::missing_entry_points(&read("ARCHITECTURE.md"), checkout());
    assert!(missing.is_empty(), "{}", missing.join(", "));
    let page = "```text\n  cli ──┐   it starts: cli::run\n   │   there: turn::Codex::gone\n```\n";
    assert_eq!(pages::missing_entry_points(page, checkout()), ["turn::Codex::gone"]);
}

#[test]
fn each_direct_dependency_has_a_row_and_no_other_crate_has_one() {
    let (manifest, page) = (read("Cargo.toml"), read("ARCHITECTURE.md"));
    assert_eq!(pages::dependencies_of_page(&page), pages::dependencies(&manifest));
    let more = manifest.replace("[dependencies]", "[dependencies]\nunexplained = \"1\"");
    assert_ne!(pages::dependencies_of_page(&page), pages::dependencies(&more));
}

#[test]
fn the_book_has_every_page_once() {
    let docs = checkout().join("docs");
    let pages = pages_below(&docs);
    let pages = pages.iter().filter_map(|page| page.strip_prefix(&docs).ok()?.to_str());
    let misplaced =
        book::misplaced(&read("docs/SUMMARY.md"), pages.filter(|page| *page != "SUMMARY.md"));
    assert!(misplaced.is_empty(), "docs/SUMMARY.md has {}", misplaced.join(", "));
    let summary = "[A](a.md)\n- [B](b/b.md)\n- [A](a.md)\n- [D](d.md)";
    let expected = ["a.md: 2 times", "c.md: 0 times"];
    assert_eq!(book::misplaced(summary, ["a.md", "b/b.md", "c.md", "d.md"]), expected);
}

#[test]
fn the_links_of_the_book_work_on_github_too() {
    let docs = checkout().join("docs");
    for page in pages_below(&docs) {
        let text = fs::read_to_string(&page).expect("it is in the checkout");
        let folder = page.parent().and_then(|folder| folder.strip_prefix(&docs).ok());
        let leaving = book::leaving(&text, folder.expect("it is in docs"));
        assert!(
            leaving.is_empty(),
            "{} links to {}, which the book does not have: link to the repository's address",
            page.display(),
            leaving.join(", ")
        );
    }
    let text = "[1](../a.md) [2](../../b.md#c) [3](d/../../../e.md) [4](https://a.b/../..) [5](#f)";
    assert_eq!(book::leaving(text, Path::new("x")), ["../../b.md#c", "d/../../../e.md"]);
}

#[test]
fn the_addresses_of_own_files_exist() {
    let manifest: toml::Table = read("Cargo.toml").parse().expect("the manifest is TOML");
    let repository = manifest["package"]["repository"].as_str().expect("it has an address");
    let broken = |text: &str| -> Vec<String> {
        let broken = book::broken_addresses(text, repository, checkout());
        broken.into_iter().map(str::to_owned).collect()
    };
    let pages = pages_below(&checkout().join("docs")).into_iter();
    for page in pages.chain([checkout().join("README.md")]) {
        let broken = broken(&fs::read_to_string(&page).expect("it is in the checkout"));
        assert!(broken.is_empty(), "{} links to {}", page.display(), broken.join(", "));
    }
    let settings: toml::Table = read("book.toml").parse().expect("the settings are TOML");
    let html = &settings["output"]["html"];
    assert_eq!(html["git-repository-url"].as_str(), Some(repository));
    let edit = format!("{repository}/edit/main/{{path}}");
    assert_eq!(html["edit-url-template"].as_str(), Some(edit.as_str()));
    let text =
        "[a](@/gone.md) <@/SECURITY.md>\n[b]: @/docs/errors.md#not_allowed\n`@/README.md#gone`";
    let text = text.replace('@', &format!("{repository}/blob/main"));
    assert_eq!(broken(&text), ["gone.md", "README.md#gone"]);
}
