//! A reply on a terminal: wrapped at words, but for code. Pure.

use textwrap::core::display_width;
use textwrap::{Options, WordSplitter};

/// The lines of a reply in Markdown, at most this many columns wide where that is possible without a break within
/// code or a table. What follows the first line of a list's item is indented as its text.
pub(in crate::cli) fn wrapped(reply: &str, columns: usize) -> String {
    let mut fence: Option<&str> = None;
    let mut lines = Vec::new();
    for line in reply.split('\n') {
        let text = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|mark| text.starts_with(mark));
        let is_code = fence.is_some() || mark.is_some() || line.starts_with("    ");
        match (fence, mark) {
            (None, Some(_)) => fence = mark,
            (Some(open), Some(mark)) if open == mark => fence = None,
            _ => {}
        }
        if is_code || text.starts_with('|') || display_width(line) <= columns {
            lines.push(line.to_owned());
            continue;
        }
        let indent = " ".repeat(line.len() - text.len() + item_mark(text));
        let options = Options::new(columns)
            .subsequent_indent(&indent)
            // A long word, such as an address, is left to the terminal, from which it can be copied whole.
            .break_words(false)
            .word_splitter(WordSplitter::NoHyphenation);
        lines.extend(textwrap::wrap(line, options).into_iter().map(std::borrow::Cow::into_owned));
    }
    lines.join("\n")
}

/// The length of the mark of a list's item, with the space after it.
fn item_mark(text: &str) -> usize {
    let Some((mark, _)) = text.split_once(' ') else { return 0 };
    let is_number = |mark: &str| {
        mark.strip_suffix(['.', ')']).is_some_and(|number| {
            number.len() <= 3 && !number.is_empty() && number.bytes().all(|it| it.is_ascii_digit())
        })
    };
    if matches!(mark, "-" | "*" | "+" | ">") || is_number(mark) { mark.len() + 1 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_wraps_at_words_and_code_does_not() {
        let reply = "one two three four\n\n- five six seven eight\n10. nine ten eleven\n```\n\
                     let a = \"a long line of code\";\n```\n    also code, and long\n| a | table | too |";
        assert_eq!(
            wrapped(reply, 14),
            "one two three\nfour\n\n- five six\n  seven eight\n10. nine ten\n    eleven\n```\n\
             let a = \"a long line of code\";\n```\n    also code, and long\n| a | table | too |"
        );
    }

    #[test]
    fn widths_are_those_of_a_terminal() {
        for columns in [50, 80, 140] {
            let text = "名前の表示を確認します 🚀 and words ".repeat(12);
            let lines = wrapped(&text, columns);
            assert!(lines.lines().count() > 1);
            assert!(lines.lines().all(|line| display_width(line) <= columns), "{lines}");
        }
        assert_eq!(wrapped("short\n", 80), "short\n");
    }
}
