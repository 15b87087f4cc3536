//! Ids and links of a page as mdBook writes it. Pure.

use std::collections::BTreeSet;

/// What matters of a page.
pub struct Page {
    pub ids: BTreeSet<String>,
    /// The links to the book itself, pictures, scripts and styles included.
    pub links: Vec<String>,
    /// Whether links start from the top of the book, wherever the page is.
    pub has_base: bool,
}

impl Page {
    pub fn read(text: &str) -> Self {
        let mut page = Self { ids: BTreeSet::new(), links: Vec::new(), has_base: false };
        for (element, attributes) in tags(text) {
            for (name, value) in attributes {
                match (element, name) {
                    ("base", "href") => page.has_base = true,
                    (_, "id") => drop(page.ids.insert(value)),
                    (_, "href" | "src") if is_own(&value) => page.links.push(value),
                    _ => {}
                }
            }
        }
        page
    }
}

/// Whether a link has no scheme and no host.
fn is_own(link: &str) -> bool {
    let path = link.split(['/', '#', '?']).next().unwrap_or_default();
    !path.contains(':') && !link.starts_with("//")
}

/// The tags of a page, without those in comments and scripts.
fn tags(text: &str) -> Vec<(&str, Vec<(&str, String)>)> {
    let mut tags = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('<') {
        if let Some(comment) = after.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, rest)| rest);
            continue;
        }
        let (tag, after) = after.split_at(end_of_tag(after));
        rest = after;
        let name = tag.split([' ', '\n', '\t', '/']).next().unwrap_or_default();
        if name.is_empty() || name.starts_with('!') {
            continue;
        }
        tags.push((name, attributes(&tag[name.len()..])));
        if name == "script" || name == "style" {
            let end = format!("</{name}");
            rest = rest.find(&end).map_or("", |at| &rest[at..]);
        }
    }
    tags
}

/// Where the `>` is that ends a tag: a quoted one does not.
fn end_of_tag(tag: &str) -> usize {
    let mut quote = None;
    for (at, c) in tag.char_indices() {
        match (c, quote) {
            ('>', None) => return at,
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            _ => {}
        }
    }
    tag.len()
}

/// The quoted attributes of a tag. mdBook quotes all that have a value.
fn attributes(tag: &str) -> Vec<(&str, String)> {
    let mut attributes = Vec::new();
    let mut rest = tag;
    while let Some((before, after)) = rest.split_once('=') {
        let name = before.split_whitespace().next_back().unwrap_or_default();
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
        let Some((value, after)) = quote.and_then(|quote| after[1..].split_once(quote)) else {
            rest = after;
            continue;
        };
        attributes.push((name, value.replace("&amp;", "&")));
        rest = after;
    }
    attributes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_own_links_are_those_of_tags() {
        let page = Page::read(
            "<!DOCTYPE html><!-- <a href='no'> --><a class=\"x > y\" id='one' href=\"a&amp;b.html\">\
             <script>if (a < b) { '<i id=\"no\">' }</script><script defer src='s.js'></script>\
             <img src=\"https://a.b/c\"><a href='mailto:a@b'></a><a href='//a.b'></a>\
             <h2\n id=\"two\">a = 'b'</h2><a href='x.html#a:b'></a>",
        );
        assert_eq!(page.ids, BTreeSet::from(["one".into(), "two".into()]));
        assert_eq!(page.links, ["a&b.html", "s.js", "x.html#a:b"]);
        assert!(!page.has_base);
        assert!(Page::read("<base href=\"/book/\">").has_base);
    }
}
