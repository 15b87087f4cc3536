//! What commands a terminal around a line of JSON: a shell's start-up file, or a wrapper around Codex,
//! may have put it there. Pure.

use std::ops::Range;

const ESCAPE: u8 = 0x1b;

/// The part of a line that is its JSON, if what is around it only commands a terminal. Otherwise the
/// whole line.
pub(super) fn trimmed(buffer: &[u8], line: Range<usize>) -> Range<usize> {
    let text = &buffer[line.clone()];
    if !text.contains(&ESCAPE) {
        return line;
    }
    let begin = commands(text);
    let end = text.iter().rposition(|byte| *byte == b'}').map_or(begin, |at| at + 1);
    let is_json = text.get(begin) == Some(&b'{') && begin < end;
    if is_json && commands(&text[end..]) == text.len() - end {
        line.start + begin..line.start + end
    } else {
        line
    }
}

/// How many bytes at the beginning are commands and space.
fn commands(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(length) = command(&text[at..]) {
        at += length;
    }
    at
}

/// How long the command or the space is with which this begins.
fn command(text: &[u8]) -> Option<usize> {
    let (first, rest) = text.split_first()?;
    if first.is_ascii_whitespace() {
        return Some(1);
    }
    if *first != ESCAPE {
        return None;
    }
    let (kind, rest) = rest.split_first()?;
    let body = match kind {
        // Parameters, then a letter.
        b'[' => rest.iter().position(|byte| (0x40..=0x7e).contains(byte))? + 1,
        // A text, such as a title, up to a bell or the end of a string.
        b']' => {
            let end = rest.iter().position(|byte| matches!(*byte, 0x07 | ESCAPE))?;
            if rest[end] == ESCAPE { end + 2 } else { end + 1 }
        }
        _ => 0,
    };
    let length = 2 + body;
    (length <= text.len()).then_some(length)
}
