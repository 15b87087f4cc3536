//! The pictures in docs/pictures/: each is light and dark, small, whole, and shown by a page.

use std::collections::BTreeMap;

/// The most that a picture may have, in bytes.
const MAX_SIZE: usize = 60_000;

/// What is wrong with pictures, which have a name and a text. `shown` are the names of those that pages show.
pub fn wrong(pictures: &BTreeMap<String, String>, shown: &[String]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, text) in pictures {
        let other = match name.strip_suffix("-dark.svg") {
            Some(light) => format!("{light}.svg"),
            None => name.replace(".svg", "-dark.svg"),
        };
        let problems = [
            (!pictures.contains_key(&other), format!("has no {other}")),
            (!shown.contains(name), "is on no page".to_owned()),
            (text.len() > MAX_SIZE, format!("has more than {MAX_SIZE} bytes")),
            (!is_xml(text), "is no XML".to_owned()),
        ];
        let problems = problems.into_iter().filter(|(is_so, _)| *is_so);
        wrong.extend(problems.map(|(_, problem)| format!("{name} {problem}")));
    }
    wrong
}

/// Whether a text is one element whose tags match, with attributes in double quotes, and without a bare `&` or `<`.
fn is_xml(text: &str) -> bool {
    let mut open = Vec::new();
    let mut roots = 0;
    let mut parts = text.trim().split('<');
    if parts.next() != Some("") {
        return false;
    }
    for part in parts {
        let Some((tag, between)) = part.split_once('>') else { return false };
        let (tag, is_empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let name = tag.split_whitespace().next().unwrap_or_default();
        if let Some(name) = name.strip_prefix('/') {
            if open.pop() != Some(name) {
                return false;
            }
        } else {
            roots += usize::from(open.is_empty());
            if !is_empty {
                open.push(name);
            }
        }
        let is_outside = open.is_empty() && !between.is_empty();
        let has_whole_attributes = tag.matches('"').count() % 2 == 0;
        if is_outside || !has_whole_attributes || !has_whole_entities(part) {
            return false;
        }
    }
    open.is_empty() && roots == 1
}

fn has_whole_entities(text: &str) -> bool {
    text.split('&').skip(1).all(|rest| {
        ["amp;", "lt;", "gt;", "quot;", "apos;"].iter().any(|entity| rest.starts_with(entity))
    })
}

#[test]
fn broken_pictures_are_found() {
    let whole = "<svg a=\"1\"><title>a &amp; b</title><g/></svg>\n";
    let picture = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let pair = |text: &str| BTreeMap::from([picture("a.svg", whole), picture("a-dark.svg", text)]);
    let shown = ["a.svg".to_owned(), "a-dark.svg".to_owned()];
    assert!(wrong(&pair(whole), &shown).is_empty());
    for broken in ["<svg><g></svg>", "<svg>a & b</svg>", "<svg/><svg/>", "<svg a=\"1></svg>", "a"] {
        assert_eq!(wrong(&pair(broken), &shown), ["a-dark.svg is no XML"], "{broken}");
    }
    let large = whole.replace("a &amp;", &"a".repeat(MAX_SIZE));
    assert_eq!(wrong(&pair(&large), &shown), ["a-dark.svg has more than 60000 bytes"]);
    assert_eq!(wrong(&pair(whole), &shown[..1]), ["a-dark.svg is on no page"]);
    let alone = BTreeMap::from([picture("a.svg", whole)]);
    assert_eq!(wrong(&alone, &shown), ["a.svg has no a-dark.svg"]);
}
