//! What a source file imports, by its `use` lines and by the paths in its code. Tests in it do not count.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A source file.
pub struct Source {
    /// Below `src`.
    pub path: PathBuf,
    /// Its path in the crate.
    pub module: String,
    /// The paths in the crate of what it imports, in order.
    pub imports: Vec<String>,
}

/// All sources of a folder, except those that only tests use.
pub fn sources(folder: &Path) -> Vec<Source> {
    let mut all = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("it is in the checkout").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let text = fs::read_to_string(&path).expect("it is in the checkout");
                let path = path.strip_prefix(folder).expect("it lies there");
                all.push(Source::read(path, &text));
            }
        }
    }
    all.retain(|source| !matches!(source.module.as_str(), "crate::lib" | "crate::testing"));
    all
}

impl Source {
    pub fn read(path: &Path, text: &str) -> Self {
        let parts = path.with_extension("");
        let parts = parts.iter().map(|part| part.to_str().expect("names are plain"));
        let module = ["crate"].into_iter().chain(parts).collect::<Vec<_>>().join("::");
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        let code = code.split("#[cfg(all(test").next().unwrap_or_default();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        let code: String = lines.flat_map(|line| [line, "\n"]).collect();
        let mut imports = BTreeSet::new();
        for statement in code.split(';') {
            let Some((_, tree)) = statement.rsplit_once("use ") else { continue };
            let mut leaves = Vec::new();
            expand("", tree, &mut leaves);
            imports.extend(leaves.iter().filter_map(|leaf| absolute(leaf, &module)));
        }
        for (at, _) in code.match_indices("crate::") {
            // `$crate` is the macro's, wherever it is used.
            if code[..at].ends_with('$') {
                continue;
            }
            let is_end = |c: char| !(c.is_alphanumeric() || c == '_' || c == ':');
            let path = code[at..].split(is_end).next().unwrap_or_default().trim_end_matches(':');
            // The rest of a tree in braces was expanded above.
            if !code[at + path.len()..].starts_with("::{") {
                imports.insert(path.to_owned());
            }
        }
        Self { path: path.to_owned(), module, imports: imports.into_iter().collect() }
    }

    /// The folder or file of `src` that it belongs to.
    pub fn room(&self) -> String {
        self.module.split("::").nth(1).unwrap_or_default().to_owned()
    }
}

/// The paths of a tree such as `a::{b, c::{self, d as e}}`.
fn expand(before: &str, tree: &str, leaves: &mut Vec<String>) {
    let tree = tree.trim();
    let Some((head, rest)) = tree.split_once('{') else {
        let name = tree.split(" as ").next().unwrap_or_default().trim();
        let path = format!("{before}{name}");
        leaves.push(path.strip_suffix("::self").unwrap_or(&path).to_owned());
        return;
    };
    let before = format!("{before}{}", head.trim());
    let inner = rest.trim_end().strip_suffix('}').unwrap_or(rest);
    let (mut depth, mut from) = (0_i32, 0);
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&before, &inner[from..at], leaves);
                from = at + 1;
            }
            _ => {}
        }
    }
    if !inner[from..].trim().is_empty() {
        expand(&before, &inner[from..], leaves);
    }
}

/// The path in the crate, if it is one of the crate's own.
fn absolute(path: &str, module: &str) -> Option<String> {
    if path.starts_with("crate::") {
        return Some(path.to_owned());
    }
    let mut base: Vec<&str> = module.split("::").collect();
    let mut rest = path;
    while let Some(after) = rest.strip_prefix("super::") {
        base.pop();
        rest = after;
    }
    let own = rest.strip_prefix("self::");
    (rest != path || own.is_some()).then(|| format!("{}::{}", base.join("::"), own.unwrap_or(rest)))
}
