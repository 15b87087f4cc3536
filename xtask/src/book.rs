//! The built book: every link of its pages leads to a file of the book, and to an id in it.

mod html;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use clap::Args;

use crate::{Failure, repository};
use html::Page;

/// Checks the links of the built book. `.ci/book` builds it
#[derive(Debug, Args)]
pub struct Arguments {
    /// The folder of the book; by default the one in book.toml
    folder: Option<PathBuf>,
}

/// Checks all links.
///
/// # Errors
/// If one leads nowhere, or there is no book.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let folder = arguments.folder.clone().unwrap_or_else(|| repository::path("target/book"));
    let book = Book::read(&folder)?;
    if book.pages.is_empty() {
        return Err(format!("{} has no pages; .ci/book builds them", folder.display()));
    }
    if !book.files.iter().any(|file| name(file).starts_with("searchindex")) {
        return Err("the book has no search: mdbook was built without its feature search".into());
    }
    let broken = book.broken();
    if !broken.is_empty() {
        return Err(format!("the book has links to nowhere:\n  {}", broken.join("\n  ")));
    }
    let links: usize = book.pages.values().map(|page| page.links.len()).sum();
    println!("{} pages, {links} links", book.pages.len());
    Ok(())
}

fn name(file: &Path) -> &str {
    file.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// A book, with paths from its folder.
#[derive(Default)]
struct Book {
    files: Vec<PathBuf>,
    pages: BTreeMap<PathBuf, Page>,
}

impl Book {
    fn read(folder: &Path) -> Result<Self, Failure> {
        let failed = |path: &Path, error| format!("cannot read {}: {error}", path.display());
        let mut book = Self::default();
        let mut folders = vec![folder.to_owned()];
        while let Some(next) = folders.pop() {
            for entry in fs::read_dir(&next).map_err(|error| failed(&next, error))? {
                let path = entry.map_err(|error| failed(&next, error))?.path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let file = path.strip_prefix(folder).unwrap_or(&path).to_owned();
                if path.extension().is_some_and(|kind| kind == "html") {
                    let text = fs::read_to_string(&path).map_err(|error| failed(&path, error))?;
                    book.pages.insert(file.clone(), Page::read(&text));
                }
                book.files.push(file);
            }
        }
        Ok(book)
    }

    /// The links that lead nowhere, each with its page.
    fn broken(&self) -> Vec<String> {
        let links = self.pages.iter().flat_map(|(path, page)| {
            page.links.iter().map(move |link| (path.as_path(), page, link.as_str()))
        });
        let broken = links.filter(|(path, page, link)| !self.leads_somewhere(path, page, link));
        broken.map(|(path, _, link)| format!("{}: {link}", path.display())).collect()
    }

    fn leads_somewhere(&self, path: &Path, page: &Page, link: &str) -> bool {
        let (file, id) = link.split_once('#').unwrap_or((link, ""));
        let target = match file {
            "" => path.to_owned(),
            // A page for any address, such as 404.html, names the folder that its links start from.
            _ if page.has_base => resolved(Path::new(""), file),
            _ => resolved(path.parent().unwrap_or(Path::new("")), file),
        };
        match self.pages.get(&target) {
            Some(page) => id.is_empty() || page.ids.contains(id),
            None => id.is_empty() && self.files.contains(&target),
        }
    }
}

/// A path without `..`. One that leaves the book keeps them, and is no file of it.
fn resolved(folder: &Path, file: &str) -> PathBuf {
    let mut path = PathBuf::new();
    for part in folder.join(file).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if path.file_name().is_some() => {
                path.pop();
            }
            part => path.push(part),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_to_a_missing_file_or_id_is_found() {
        let page = |text: &str| Page::read(text);
        let book = Book {
            files: ["a.html", "b/c.html", "b/d.svg", "404.html"].map(PathBuf::from).into(),
            pages: BTreeMap::from([
                (
                    "a.html".into(),
                    page("<h1 id='top'></h1><a href='b/c.html#one'></a><a href='#top'></a>"),
                ),
                (
                    "b/c.html".into(),
                    page(
                        "<h1 id=\"one\"></h1><img src='d.svg'><a href='../a.html'></a>\
                         <a href='https://x.y/z'></a>\
                         <a href='../a.html#two'></a><a href='e.html'></a><a href='#'></a>\
                         <a href='../../a.html'></a><a href='d.svg#x'></a><a href='/a.html'></a>",
                    ),
                ),
                ("404.html".into(), page("<base href='/book/'><a href='a.html'></a>")),
            ]),
        };
        let broken = ["../a.html#two", "e.html", "../../a.html", "d.svg#x", "/a.html"];
        assert_eq!(book.broken(), broken.map(|link| format!("b/c.html: {link}")));
    }
}
