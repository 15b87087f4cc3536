//! What the pages say of the source, held against the source: imports go down only and never in a circle, by
//! the layers in ARCHITECTURE.md; and each defence in SECURITY.md has a test.

mod imports;
mod layers;
mod security;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use imports::{Source, sources};
use layers::Layers;

fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn layers() -> Layers {
    let page =
        fs::read_to_string(checkout().join("ARCHITECTURE.md")).expect("it is in the checkout");
    Layers::read(&page)
}

#[test]
fn each_room_has_its_place_in_the_map_and_the_map_has_no_other() {
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
            // A module and those within it are one: it is their door.
            let apart =
                to.filter(|to| !is_within(to, &source.module) && !is_within(&source.module, to));
            (source.module.as_str(), apart.collect())
        })
        .collect();
    if let Some(circle) = circle(&arrows) {
        panic!("in a circle: {}", circle.join(" -> "));
    }
}

/// The module of what is imported: the longest beginning of its path that is one.
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
fn what_goes_wrong_is_found() {
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
    let page = fs::read_to_string(checkout().join("SECURITY.md")).expect("it is in the checkout");
    let untested = security::untested(&page, &checkout().join("tests/integration"));
    assert!(untested.is_empty(), "{}", untested.join("\n"));
    let renamed = page.replace("real/swap.rs", "real/gone.rs");
    let tests = checkout().join("tests/integration");
    assert!(!security::untested(&renamed, &tests).is_empty(), "a missing test goes unnoticed");
}
