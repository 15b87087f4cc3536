//! The README in several languages: everything but the words is the same in each.

use crate::{pages, read};

/// The README in other languages.
pub const TRANSLATIONS: [&str; 2] = ["README.zh-Hans.md", "README.zh-Hant.md"];

#[test]
fn the_readme_says_the_same_in_each_language() {
    let original = read("README.md");
    for name in TRANSLATIONS {
        if let Some(difference) = difference(&original, &read(name)) {
            panic!("{name} does not follow README.md: {difference}");
        }
    }
}

#[test]
fn a_change_of_one_language_alone_is_noticed() {
    let original = "# A\n\n![a](a.svg)\n\n- a `b`\n- c\n\n> d `e`\n\n```sh\na -b  # why\n```\n\n\
        | a | b |\n|---|---|\n| `a` | [b](c.md) |\n\n## B\nx";
    let differs = |from: &str, to: &str| {
        assert!(original.contains(from), "{from} is not there");
        difference(original, &original.replacen(from, to, 1)).is_some()
    };
    for (from, to) in [
        ("## B", "### B"),
        ("## B\n", ""),
        ("a.svg", "b.svg"),
        ("- c\n", ""),
        ("`b`", "`c`"),
        ("> d", "d"),
        ("a -b", "a -c"),
        ("```sh", "```text"),
        ("| `a` |", "| `b` |"),
        ("| `a` | [b](c.md) |", "| `a` [b](c.md) | |"),
        ("c.md", "d.md"),
        ("|---|---|", "|---|"),
        ("\nx", "\nx\n\ny"),
    ] {
        assert!(differs(from, to), "{from:?} may become {to:?}");
    }
    for (from, to) in [("# A", "# 甲"), ("a `b`", "`b` 乙"), ("[b]", "[丙]"), ("why", "丁")] {
        assert!(!differs(from, to), "{from:?} may not become {to:?}");
    }
}

#[test]
fn chinese_is_set_as_its_readers_expect() {
    for name in TRANSLATIONS {
        let found = badly_set(&read(name));
        assert!(found.is_empty(), "{name}: {}", found.join("\n"));
    }
    for (wrong, right) in [
        ("好a", "好 a"),
        ("3个", "3 个"),
        ("好`a`", "好 `a`"),
        ("好, 好", "好，好"),
        ("(好)", "（好）"),
        ("好，\n好", "好，好"),
    ] {
        assert!(!badly_set(wrong).is_empty(), "{wrong:?} is right");
        assert!(badly_set(right).is_empty(), "{right:?} is wrong");
    }
    assert!(badly_set("好\n```sh\na # 做a\n```\n[好](a)好").is_empty());
}

/// The first place where a translation has another structure than the original, if there is one.
fn difference(original: &str, translation: &str) -> Option<String> {
    let (original, translation) = (skeleton(original), skeleton(translation));
    let end = "the end".to_owned();
    let longest = original.len().max(translation.len());
    (0..longest).find_map(|at| {
        let expected = original.get(at).unwrap_or(&end);
        let found = translation.get(at).unwrap_or(&end);
        (expected != found).then(|| format!("expected {expected}, found {found}"))
    })
}

/// A page without its words: an entry for each heading, code block, row, paragraph and item of a list, with what may
/// not be translated.
fn skeleton(page: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut text: Option<(String, String)> = None;
    let mut finish = |text: &mut Option<(String, String)>, next: Option<String>| {
        parts.extend(text.take().map(|(kind, words)| kind + &constants(&words)));
        parts.extend(next);
    };
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let inner = line.trim_start_matches(['>', ' ']);
        let quote = line.chars().take_while(|c| matches!(c, '>' | ' ')).filter(|c| *c == '>');
        let quote: String = quote.collect();
        if let Some(language) = line.strip_prefix("```") {
            let code = lines.by_ref().take_while(|line| *line != "```").map(without_comment);
            let code = code.collect::<Vec<_>>().join("\n");
            finish(&mut text, Some(format!("code {language}:\n{code}\n")));
        } else if line.starts_with('#') {
            let level = line.chars().take_while(|c| *c == '#').count();
            finish(&mut text, Some(format!("heading {level}{}", constants(line))));
        } else if let Some(row) = line.strip_prefix('|') {
            let cells: Vec<String> = row.split('|').map(constants).collect();
            finish(&mut text, Some(format!("row |{} |", cells.join(" |"))));
        } else if inner.is_empty() {
            finish(&mut text, None);
        } else if let Some(item) = inner.strip_prefix("- ") {
            finish(&mut text, None);
            text = Some((format!("{quote}item"), item.to_owned()));
        } else {
            let (_, words) = text.get_or_insert_with(|| (format!("{quote}text"), String::new()));
            words.push('\n');
            words.push_str(inner);
        }
    }
    finish(&mut text, None);
    parts
}

fn without_comment(line: &str) -> &str {
    let is_comment = line.starts_with("# ");
    line.split(" # ").next().filter(|_| !is_comment).unwrap_or_default().trim_end()
}

/// The code and the targets of links and pictures, in any order: other languages have another one.
fn constants(text: &str) -> String {
    let code = pages::code(text).map(|code| format!("`{code}`"));
    let targets = pages::targets(text).map(|target| format!("({target})"));
    let mut all: Vec<String> = code.chain(targets).map(|constant| format!(" {constant}")).collect();
    all.sort();
    all.concat()
}

/// The places where Chinese text is not set as readers expect it: a space parts it from Latin letters, digits and code,
/// its punctuation is Chinese, and no line of it is broken, because a browser shows a break as a space.
fn badly_set(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let prose = page.split("\n```").step_by(2).flat_map(str::lines);
    let mut before = "";
    for line in prose {
        let chars: Vec<char> = line.chars().collect();
        for (at, pair) in chars.windows(2).enumerate() {
            if parts_badly(pair[0], pair[1]) {
                found.push(chars[at.saturating_sub(5)..(at + 7).min(chars.len())].iter().collect());
            }
        }
        if line.starts_with(is_chinese) && before.ends_with(is_chinese) {
            found.push(line.to_owned());
        }
        before = line;
    }
    found
}

fn parts_badly(left: char, right: char) -> bool {
    let is_latin = |c: char| c.is_ascii_alphanumeric() || c == '`';
    (is_han(left) && (is_latin(right) || ",.;:!?()".contains(right)))
        // A link ends with a parenthesis.
        || (is_han(right) && (is_latin(left) || ",;:!?(".contains(left)))
}

fn is_han(c: char) -> bool {
    matches!(c, '\u{4e00}'..='\u{9fff}')
}

/// A Chinese character, or Chinese punctuation.
fn is_chinese(c: char) -> bool {
    is_han(c) || matches!(c, '\u{3000}'..='\u{303f}' | '\u{ff00}'..='\u{ffef}')
}
